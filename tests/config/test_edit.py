"""One percentage is changed in the text, in whatever style it is written; what can't be changed safely is refused."""

from pathlib import Path

import pytest

from proxy.config import parse, set_percentage
from proxy.errors import ConfigError, NotFound, Refused

HEAD = """version: 1
backends: {legacy: {url: "http://h:1"}, new: {url: "http://h:2"}}
users: {salt: s, key: ["cookie:id"]}
"""
FULL = Path(__file__).with_name("full.yaml")


def changed(routes: str, route: str = "a", percentage: str | float = 25) -> str:
    """The routes' part after the change; the head before it must be as it was."""
    text = set_percentage(HEAD + routes, route, percentage, "migration.yaml")
    assert text.startswith(HEAD)
    parse(text, "migration.yaml", {})
    return text.removeprefix(HEAD)


def refused(routes: str, percentage: str | float = 25) -> str:
    with pytest.raises(Refused) as refusal:
        set_percentage(HEAD + routes, "a", percentage, "migration.yaml")
    return str(refusal.value)


def test_full_example_changes_in_one_line() -> None:
    """In the documented example exactly the line with the percentage changes, and only its number."""
    text = FULL.read_text()

    after = set_percentage(text, "feeds", 25)

    (line,) = [line for line in text.split("\n") if "percentage: 5," in line]
    assert [(line, line.replace("percentage: 5,", "percentage: 25,"))] == [
        pair for pair in zip(text.split("\n"), after.split("\n"), strict=True) if pair[0] != pair[1]
    ]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        # flow style, with everything around it
        ("{percentage: 5}  # c", "{percentage: 25}  # c"),
        ("{ group: 'g' , percentage:   5.50 }", "{ group: 'g' , percentage:   25 }"),
        ('{"percentage": 5, group: "g"}', '{"percentage": 25, group: "g"}'),
        ("{group: g,\n      percentage:\n        5}", "{group: g,\n      percentage:\n        25}"),
        # block style
        ("\n      # old\n      percentage: 5  # why\n      group: g",
         "\n      # old\n      percentage: 25  # why\n      group: g"),
        ("\n      group: g\n      percentage: 0", "\n      group: g\n      percentage: 25"),
        # added where it lacks
        ("{}", "{percentage: 25}"),
        ("{group: g}", "{percentage: 25, group: g}"),
        ("{ # nobody yet\n      }", "{percentage: 25 # nobody yet\n      }"),
        ("\n      # together\n      group: g", "\n      # together\n      percentage: 25\n      group: g"),
        # anchors that nobody else uses
        ("{percentage: &p 5}", "{percentage: &p 25}"),
        ("&r {percentage: 5}", "&r {percentage: 25}"),
        ("&r {}", "&r {percentage: 25}"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_percentage_of_a_route_is_changed_in_its_style(before: str, after: str, newline: str) -> None:
    """Comments, quotes, blanks and line ends stay; the number alone is new."""
    frame = "routes:\n  a:\n    match: {prefix: /a}\n    rollout: ROLLOUT\n\n  b: {match: {prefix: /b}}\n"
    text = (HEAD + frame.replace("ROLLOUT", before)).replace("\n", newline)

    assert (HEAD + frame.replace("ROLLOUT", after)).replace("\n", newline) == set_percentage(text, "a", 25)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("  a: {match: {prefix: /a}}", "  a: {rollout: {percentage: 25}, match: {prefix: /a}}"),
        (
            "  a:  # mine\n    # which\n    match: {prefix: /a}",
            "  a:  # mine\n    # which\n    rollout: {percentage: 25}\n    match: {prefix: /a}",
        ),
        (
            "  b: &b {match: {prefix: /b}}\n  a:\n    <<: *b\n    match: {prefix: /a}",
            "  b: &b {match: {prefix: /b}}\n  a:\n    rollout: {percentage: 25}\n    <<: *b\n    match: {prefix: /a}",
        ),
    ],
)
@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_missing_rollout_is_added_first(before: str, after: str, end: str) -> None:
    """A route without rollout gets one, in the route's own style; a file without a last line end keeps none."""
    assert f"routes:\n{after}{end}" == changed(f"routes:\n{before}{end}")


def test_all_lines_of_a_group_that_state_it_change() -> None:
    """Routes of a group move together: each statement changes, and routes without one stay without."""
    routes = """routes:
  a: {match: {prefix: /a}, rollout: {group: g}}
  b: {match: {prefix: /b}, rollout: {group: g, percentage: 5}}   # one
  c: {match: {prefix: /c}, rollout: {percentage: 5}}
  g:
    match: {prefix: /g}
    rollout:
      percentage: 5.0   # two
"""
    expected = routes.replace("percentage: 5}}   # one", "percentage: 25}}   # one").replace("5.0", "25")

    assert expected == changed(routes)


@pytest.mark.parametrize(
    ("given", "written"),
    [(25, "25"), (25.0, "25"), ("25", "25"), ("25.000", "25"), (12.5, "12.5"), ("12.50", "12.5"), (0, "0"),
     (0.001, "0.001"), ("0.010", "0.01"), (100, "100"), ("1e2", "100"), (16.1, "16.1")],
)  # fmt: skip
def test_number_is_written_in_its_shortest_form(given: str | float, written: str) -> None:
    """25 and not 25.0; 12.5 stays 12.5."""
    frame = "routes:\n  a: {match: {prefix: /a}, rollout: {percentage: N}}\n"

    assert frame.replace("N", written) == changed(frame.replace("N", "5"), percentage=given)


@pytest.mark.parametrize(
    ("percentage", "message"),
    [
        (-1, "-1 is below 0"),
        (100.001, "100.001 is above 100"),
        ("0.0001", "0.0001 is finer than 0.001"),
        ("many", "'many' is not a number"),
        ("nan", "is not a finite number"),
        (float("inf"), "inf is not a finite number"),
        (True, "true is not a number"),
    ],
)
def test_impossible_percentage_is_refused(percentage: str | float, message: str) -> None:
    """What the file couldn't hold isn't written."""
    assert message in refused("routes:\n  a: {match: {prefix: /a}}\n", percentage)


def test_unknown_route_is_not_found() -> None:
    """A typo in the name is answered with what was probably meant."""
    with pytest.raises(NotFound) as missing:
        set_percentage(HEAD + "routes:\n  feeds: {match: {prefix: /a}}\n", "feed", 25, "migration.yaml")

    assert "route 'feed' is not in migration.yaml; did you mean 'feeds'?" == str(missing.value)


def test_invalid_text_is_refused_with_its_problems() -> None:
    """A config with a fault is not edited; the fault is told with the file's name."""
    with pytest.raises(ConfigError) as refusal:
        set_percentage(HEAD.replace("version: 1", "version: 2"), "a", 25, "migration.yaml")

    assert "migration.yaml" == refusal.value.file
    assert [1, 1] == [problem.line for problem in refusal.value.problems]


@pytest.mark.parametrize(
    "routes",
    [
        "  b: &b {match: {prefix: /b}, rollout: &r {percentage: 5}}\n  a: {match: {prefix: /a}, rollout: *r}\n",
        "  b: &b {match: {prefix: /b}, rollout: {percentage: 5}}\n  a: {<<: *b, match: {prefix: /a}}\n",
        (
            "  b: {match: {prefix: /b}, rollout: {percentage: &p 5}}\n"
            "  a: {match: {prefix: /a}, rollout: {percentage: *p}}\n"
        ),
        "  b: {match: {prefix: /b}, rollout: &r {percentage: 5}}\n  a: {match: {prefix: /a}, rollout: {<<: *r}}\n",
    ],
)
def test_value_from_an_alias_is_refused_with_what_to_edit(routes: str) -> None:
    """A percentage that is written elsewhere, for others too, is not changed; the line is named."""
    message = refused(f"routes:\n{routes}")

    assert "comes from an alias or a merge key (line 5), which others may share" in message
    assert "into the route 'a', or edit line 5 by hand" in message


def test_value_that_others_take_by_an_alias_is_refused() -> None:
    """The percentage stands in the route, but a route of another group shares it: changing one would change both."""
    message = refused(
        "routes:\n  a: {match: {prefix: /a}, rollout: &r {percentage: 5}}\n  b: {match: {prefix: /b}, rollout: *r}\n"
    )

    assert "share the percentage of the group 'a' through an alias and would change with it" in message


def test_value_that_its_own_group_takes_by_an_alias_is_refused() -> None:
    """A statement that a route of the group takes from another one can't be changed on its own either."""
    message = refused(
        "routes:\n  a: {match: {prefix: /a}, rollout: &r {percentage: 5, group: g}}\n"
        "  b: {match: {prefix: /b}, rollout: *r}\n"
    )

    assert "routes.b.rollout comes from an alias" in message


def test_rollout_that_would_reach_others_by_a_merge_is_refused() -> None:
    """Adding a percentage to a route from which another route merges would move that one as well."""
    message = refused("routes:\n  a: &a {match: {prefix: /a}}\n  b: {<<: *a, match: {prefix: /b}}\n")

    assert "would change with it" in message


def test_change_that_would_make_the_config_invalid_is_refused() -> None:
    """A value that another key shares, and that doesn't fit there, is not handed out."""
    text = (
        HEAD.replace('"http://h:2"', '"http://h:2", connections: &n 5')
        + "routes:\n  a: {match: {prefix: /a}, rollout: &r {percentage: 5}}\n"
        + "  b: {match: {prefix: /b}, compare: {noise: *r}}\n"
    )
    grouped = text.replace("noise: *r", "noise: {percentage: 1}").replace(
        "&r {percentage: 5}", "&r {percentage: 5, group: g}"
    )

    with pytest.raises(Refused, match="share the percentage"):
        set_percentage(text, "a", 25)
    assert grouped.replace("percentage: 5", "percentage: 25") == set_percentage(grouped, "a", 25)


def test_shared_number_that_fits_nowhere_else_is_refused() -> None:
    """12.5 % is fine for a percentage and not for a number of connections that is an alias of it."""
    routes = "routes:\n  a: {match: {prefix: /a}, rollout: {percentage: &n 5}}\n"
    backends = 'backends: {legacy: {url: "http://h:1"}, new: {url: "http://h:2", connections: *n}}\n'
    text = "version: 1\n" + routes + backends + "users: {salt: s}\n"

    with pytest.raises(Refused) as refusal:
        set_percentage(text, "a", "12.5", "m.yaml")

    assert "would make the config invalid; edit the percentage by hand: m.yaml:3:" in str(refusal.value)


def test_number_in_an_unusual_form_is_refused() -> None:
    """A number that is written as tagged, quoted text is left to its author."""
    assert "written in an unusual way" in refused(
        "routes:\n  a: {match: {prefix: /a}, rollout: {percentage: !!int '5'}}\n"
    )


def test_route_that_begins_in_the_middle_of_a_line_is_refused() -> None:
    """Where no line can be put before the first key, the line to write is told."""
    assert "routes.a begins in the middle of a line; write rollout: {percentage: 25} into it by hand" == refused(
        "routes:\n  ? a\n  : match: {prefix: /a}\n    fallback: true\n"
    )


def test_percentage_from_a_variable_is_refused_by_its_name() -> None:
    """An edit that a variable would hide is refused, for every route of the group."""
    text = HEAD + (
        "routes:\n  a: {match: {prefix: /a}, rollout: {percentage: 5, group: g}}\n"
        "  b: {match: {prefix: /b}, rollout: {group: g}}\n"
    )

    with pytest.raises(Refused) as refusal:
        set_percentage(text, "a", 25, "m.yaml", {"CHANGEOVER_ROUTES__B__ROLLOUT__PERCENTAGE": "5"})

    assert "comes from the variable CHANGEOVER_ROUTES__B__ROLLOUT__PERCENTAGE" in str(refusal.value)


def test_config_that_needs_a_variable_can_be_edited() -> None:
    """A salt that only the environment gives makes the file valid for an edit too."""
    text = HEAD.replace("salt: s, ", "") + "routes:\n  a: {match: {prefix: /a}, rollout: {percentage: 5}}\n"

    after = set_percentage(text, "a", 25, "m.yaml", {"CHANGEOVER_USERS__SALT": "s"})

    assert text.replace("percentage: 5", "percentage: 25") == after


def test_byte_order_mark_stays() -> None:
    """A file with a byte order mark keeps it, and the change is in the right place."""
    text = "\ufeff" + HEAD + "routes:\n  a: {match: {prefix: /é😀}, rollout: {percentage: 5}}\n"

    assert text.replace("percentage: 5", "percentage: 25") == set_percentage(text, "a", 25)
