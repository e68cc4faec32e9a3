"""Variables override keys of the file, name by name; what they can't is told and never passed over."""

from decimal import Decimal

import pytest

from proxy.config import Loaded, parse
from proxy.config.overrides import override
from proxy.core.model import Match
from proxy.core.paths import parse as parse_path
from proxy.core.value_rules import Tolerance
from proxy.errors import ConfigError, Problem

TEXT = """version: 1
backends:
  legacy: {url: "http://127.0.0.1:8001"}
  new: {url: "http://127.0.0.1:8002"}
users: {salt: s, key: ["cookie:id"]}
pins:
  staff: {backend: new, header: {X-Staff: "1"}}
routes:
  feeds:
    match: {prefix: /feeds}
    rollout: {percentage: 5, group: reader}
  read-marks: {match: {prefix: /marks}, rollout: {group: reader}}
"""


def parsed(**variables: str) -> Loaded:
    environ = {f"CHANGEOVER_{name}": value for name, value in variables.items()}
    return parse(TEXT, "migration.yaml", {"PATH": "/bin", **environ})


def problems_of(**variables: str) -> tuple[Problem, ...]:
    with pytest.raises(ConfigError) as refusal:
        parsed(**variables)
    return refusal.value.problems


def test_percentage_is_overridden_for_the_whole_group() -> None:
    """The value of the variable takes the place of the file's, and is known to come from there."""
    loaded = parsed(ROUTES__FEEDS__ROLLOUT__PERCENTAGE="12.345")

    assert [12_345, 12_345] == [route.millipercent for route in loaded.migration.routes]
    assert {"routes.feeds.rollout.percentage": "CHANGEOVER_ROUTES__FEEDS__ROLLOUT__PERCENTAGE"} == loaded.overridden
    assert 12.345 == loaded.document["routes"]["feeds"]["rollout"]["percentage"]
    assert loaded.warnings == ()


def test_digest_sees_overrides() -> None:
    """An override is another config, although the file is the same."""
    assert parsed().digest != parsed(KILL_SWITCH="true").digest


def test_names_match_in_any_case_and_with_underscores() -> None:
    """Routes, pins and headers are found by names that a shell can export."""
    loaded = parsed(
        ROUTES__READ_MARKS__FALLBACK="true",
        pins__staff__header__x_staff="2",
        Routes__Read_Marks__Match__Methods="[GET]",
    )

    assert [False, True] == [route.fallback for route in loaded.migration.routes]
    assert (("x-staff", "2"),) == loaded.migration.pins[0].headers
    assert Match("prefix", "/marks", frozenset({"GET"})) == loaded.migration.routes[1].match


def test_keys_that_the_file_lacks_are_added() -> None:
    """A known key needs not be in the file; the mappings on the way are made."""
    loaded = parsed(
        KILL_SWITCH="true",
        BACKENDS__NEW__TIMEOUT__CONNECT="250ms",
        REDACT__HEADERS='["x-key"]',
        ROUTES__FEEDS__COMPARE__TOLERANCE='{"$.score": 0.001}',
        USERS__SALT="2026",
        USERS__WITHOUT_KEY="cookie",
        ROUTES__FEEDS__MATCH__HOST="api.example",
    )
    migration = loaded.migration

    assert migration.kill_switch is True
    assert 0.25 == migration.new.timeouts.connect_s
    assert frozenset({"x-key"}) == migration.redaction.headers
    assert ((parse_path("$.score"), Tolerance(Decimal("0.001"))),) == migration.routes[0].compare.values
    assert ("2026", "cookie") == (migration.users.salt, migration.users.without_key)
    assert "api.example" == migration.routes[0].match.host


def test_deeper_variable_wins_over_the_mapping_that_holds_it() -> None:
    """A variable for a whole mapping comes first, then those for keys in it."""
    loaded = parsed(ROUTES__FEEDS__ROLLOUT__PERCENTAGE="30", ROUTES__FEEDS__ROLLOUT="{group: reader, percentage: 20}")

    assert 30_000 == loaded.migration.routes[0].millipercent


def test_given_document_is_left_as_it_is() -> None:
    """Overriding copies what it changes."""
    document = {"routes": {"a": {"rollout": {"percentage": 1}}}}

    changed = override(document, {"CHANGEOVER_ROUTES__A__ROLLOUT__PERCENTAGE": "2"})

    assert {"routes": {"a": {"rollout": {"percentage": 1}}}} == document
    assert {"routes": {"a": {"rollout": {"percentage": 2}}}} == changed.document


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("ROUTES__FEEDS__ROLLOUT__PERCENTAGE", "abc", "the text 'abc' is not a number"),
        ("ROUTES__FEEDS__ROLLOUT__PERCENTAGE", "101", "101 is above 100"),
        ("ROUTES__FEEDS__ROLLOUT__PERCENTAGE", "", "is empty; give it a value or unset it"),
        ("ROUTES__FEEDS__ROLLOUT__PERCENTAGE", "~", "is empty; give it a value or remove the key"),
        ("ROUTES__FEEDS__ROLLOUT", "{percentage: -1}", "percentage: -1 is below 0"),
        ("ROUTES__FEEDS__ROLLOUT", "{percentag: 1}", "percentag: unknown key; did you mean 'percentage'?"),
        ("ROUTES__FEEDS__MATCH__METHODS", "[GET", "can't be read: not YAML"),
        ("USERS__SALT", "", "the salt is empty"),
        ("USERS__KEY", '["cookie:id", "x"]', "[1]: 'x' is not a key"),
        ("KILL_SWITCH", "yes", "the text 'yes' is not true or false"),
        ("BACKENDS__NEW__URL", "http://h/path", "has a path or a query"),
        ("VERSION", "2", "the number 2 is not a version"),
    ],
)
def test_wrong_value_is_refused_by_the_name_of_its_variable(variable: str, value: str, message: str) -> None:
    """A value that doesn't fit names its variable in the place of a line."""
    (problem,) = problems_of(**{variable: value})

    assert (0, 0, f"CHANGEOVER_{variable}") == (problem.line, problem.column, problem.path)
    assert message in problem.message


def test_file_and_variables_are_refused_together() -> None:
    """The file's faults come first, by line, then those of the variables."""
    with pytest.raises(ConfigError) as refusal:
        parse(TEXT.replace("/marks", "marks"), "m.yaml", {"CHANGEOVER_KILL_SWITCH": "2"})

    assert ["routes.read-marks.match.prefix", "CHANGEOVER_KILL_SWITCH"] == [
        problem.path for problem in refusal.value.problems
    ]


def test_group_that_disagrees_with_a_variable_names_it() -> None:
    """A percentage of the file that contradicts a variable's is refused with the variable's name."""
    (problem,) = problems_of(ROUTES__READ_MARKS__ROLLOUT__PERCENTAGE="6")
    (other,) = problems_of(ROUTES__FEEDS__ROLLOUT="{group: read-marks, percentage: 6}",
                           ROUTES__READ_MARKS__ROLLOUT="{percentage: 5}")  # fmt: skip

    assert "CHANGEOVER_ROUTES__READ_MARKS__ROLLOUT__PERCENTAGE" == problem.path
    assert "6 here, 5 in the route 'feeds' (line 11)" in problem.message
    assert "(CHANGEOVER_ROUTES__FEEDS__ROLLOUT)" in other.message


def test_value_inside_something_else_than_a_mapping_is_refused() -> None:
    """Where the file is wrong on the way to an overridden key, both are told."""
    with pytest.raises(ConfigError) as refusal:
        parse(TEXT.replace('{salt: s, key: ["cookie:id"]}', "5"), "m.yaml", {"CHANGEOVER_USERS__SALT": "x"})

    assert [("users", 5), ("CHANGEOVER_USERS__SALT", 0)] == [
        (problem.path, problem.line) for problem in refusal.value.problems
    ]


@pytest.mark.parametrize(
    ("variable", "hint"),
    [
        ("ROUTES__FEEDZ__ROLLOUT__PERCENTAGE", "; did you mean CHANGEOVER_ROUTES__FEEDS__ROLLOUT__PERCENTAGE?"),
        ("KILL_SWICH", "; did you mean CHANGEOVER_KILL_SWITCH?"),
        ("WORKER", "; did you mean CHANGEOVER_WORKERS?"),
        ("routes__feeds__rollout", None),
        ("Q" * 30, ""),
    ],
)
def test_unknown_variable_is_warned_about(variable: str, hint: str | None) -> None:
    """A variable with our prefix that means nothing is told, with what it may have meant; it changes nothing."""
    loaded = parsed(**{variable: "{percentage: 5, group: reader}"})
    name = f"CHANGEOVER_{variable}"
    unknown = f"{name}: is neither a process setting nor a key of the config, and has no effect{hint}"

    assert (() if hint is None else (unknown,)) == loaded.warnings
    assert parsed().migration == loaded.migration


def test_process_settings_and_foreign_variables_are_left_alone() -> None:
    """Settings, the commands' variables and everything without the prefix are no overrides."""
    loaded = parse(
        TEXT,
        "m.yaml",
        {"CHANGEOVER_WORKERS": "2", "changeover_listen": "x", "CHANGEOVER_ADMIN_URL": "y", "KILL_SWITCH": "true",
         "XCHANGEOVER_KILL_SWITCH": "true"},
    )  # fmt: skip

    assert loaded.warnings == ()
    assert parsed().migration == loaded.migration


def test_route_name_with_a_double_underscore_is_found() -> None:
    """The separator inside a name is no obstacle, because whole names are compared."""
    text = TEXT.replace("feeds:", "my__feeds:")

    loaded = parse(text, "m.yaml", {"CHANGEOVER_ROUTES__MY__FEEDS__ROLLOUT__PERCENTAGE": "9"})

    assert 9_000 == loaded.migration.routes[0].millipercent


def test_fault_in_a_mapping_that_only_variables_make_is_placed_above_it() -> None:
    """What is missing beside an overridden key is told at the nearest place that the file has."""
    (problem,) = problems_of(BACKENDS__NEW__HEALTH__INTERVAL="2s")

    assert ("backends.new.health", 4, 8) == (problem.path, problem.line, problem.column)
    assert "the key 'path' is missing" in problem.message


def test_value_that_is_not_utf8_is_refused() -> None:
    """Bytes of the environment that are no text name their variable."""
    (problem,) = problems_of(USERS__SALT="\udcff")

    assert "CHANGEOVER_USERS__SALT" == problem.path
    assert "is not UTF-8; write the value as UTF-8" == problem.message
