"""One rule is added to a route's ignored places, in one line that says who wanted it; all else stays as it was."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.config import add_rule, parse
from proxy.core.difference import Difference
from proxy.core.ignoring import ignoring_rule
from proxy.core.rule_line import RuleLine
from proxy.core.signature import sign
from proxy.core.value_rules import Pattern
from proxy.errors import NotFound, Refused

if TYPE_CHECKING:
    from proxy.core.model import Migration

HEAD = """version: 1
backends: {legacy: {url: "http://h:1"}, new: {url: "http://h:2"}}
users: {salt: s, key: ["cookie:id"]}
routes:
  a:
    match: {prefix: /}
"""
X = RuleLine("ignore", "$.x")
FULL = Path(__file__).with_name("full.yaml")


def added(rest: str, rule: str = "$.x", comment: str = "ada: why (T-1)") -> str:
    text = add_rule(HEAD + rest, "a", RuleLine("ignore", rule), comment, "migration.yaml")
    parse(text, "migration.yaml", {})
    return text.removeprefix(HEAD)


def migration(text: str) -> Migration:
    return parse(text, "migration.yaml", {}).migration


names = st.text(st.characters(exclude_categories=[]), max_size=8) | st.sampled_from(
    ['a "b"', "[*]", "&amp;", "{id}", "\ud800"]
)


@settings(max_examples=60)
@given(st.lists(names | st.integers(0, 9), min_size=1, max_size=3).map(tuple))
def test_rule_of_any_signature_can_be_written_and_matches_afterwards(path: tuple[str | int, ...]) -> None:
    """Quotes, brackets, control characters, halves of characters: read again from the file it is the same place."""
    rule = ignoring_rule("body", sign("a", Difference("body", path, "value", 1, 2)).path)
    assert rule is not None
    text = HEAD + added("    compare: {}\n", rule)
    text.encode()
    assert migration(text).routes[0].compare.ignores(path)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("    compare: {}\n", '    compare: {unordered: ["$.x"]}  # why\n'),
        ('    compare: {ignore: ["$.x"]}\n', '    compare: {unordered: ["$.x"], ignore: ["$.x"]}  # why\n'),
        ('    compare: {unordered: ["$.y"]}\n', '    compare: {unordered: ["$.x", "$.y"]}  # why\n'),
        ('    compare: {unordered: ["$.x"]}\n', '    compare: {unordered: ["$.x"]}\n'),
    ],
)
def test_list_without_an_order_is_added_in_its_own_section(before: str, after: str) -> None:
    """`unordered` is edited as `ignore` is, and each knows only its own."""
    text = add_rule(HEAD + before, "a", RuleLine("unordered", "$.x"), "why", "migration.yaml")
    assert after == text.removeprefix(HEAD)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("    compare: {}\n", '    compare: {pattern: {"$.x": "uuid"}}  # why\n'),
        (
            '    compare: {pattern: {"$.y": hex}}\n',
            '    compare: {pattern: {"$.x": "uuid", "$.y": hex}}  # why\n',
        ),
        (
            "    compare:\n      pattern:\n        $.y: hex\n",
            '    compare:\n      pattern:\n        "$.x": "uuid"  # why\n        $.y: hex\n',
        ),
        (
            '    compare: {tolerance: {"$.y": 1}, equate: {"$.z": [null=missing]}}\n',
            '    compare: {pattern: {"$.x": "uuid"}, tolerance: {"$.y": 1}, equate: {"$.z": [null=missing]}}  # why\n',
        ),
        ('    compare: {pattern: {"$.x": uuid}}\n', '    compare: {pattern: {"$.x": uuid}}\n'),
    ],
)
def test_pattern_is_added_with_its_form(before: str, after: str) -> None:
    """In a mapping, among rules of other kinds; not a second time."""
    text = add_rule(HEAD + before, "a", RuleLine("pattern", "$.x", "uuid"), "why", "migration.yaml")
    assert after == text.removeprefix(HEAD)


def test_pattern_of_a_header_and_a_regular_expression() -> None:
    """Quoted as YAML wants it."""
    line = RuleLine("pattern", "header:x-build", r'v"[0-9]+\.')
    route = migration(add_rule(HEAD, "a", line, "why")).route("a")
    assert route is not None
    assert (("x-build", Pattern(line.form)),) == route.compare.header_values


def test_pattern_of_the_route_wins_over_that_of_the_defaults() -> None:
    """As in every config."""
    text = 'defaults: {compare: {pattern: {"$.x": hex}}}\n'
    route = migration(add_rule(HEAD + text, "a", RuleLine("pattern", "$.x", "uuid"), "why")).route("a")
    assert route is not None
    assert [Pattern("uuid")] == [rule for _, rule in route.compare.values]


def test_another_pattern_of_the_route_is_not_overwritten() -> None:
    """Somebody wrote it."""
    with pytest.raises(Refused, match="add it by hand"):
        add_rule(HEAD + '    compare: {pattern: {"$.x": hex}}\n', "a", RuleLine("pattern", "$.x", "uuid"), "why")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('    compare: {ignore: ["$.y"]}\n', '    compare: {ignore: ["$.x", "$.y"]}  # ada: why (T-1)\n'),
        ("    compare: {ignore: []} # c\n", '    compare: {ignore: ["$.x"]} # c  # ada: why (T-1)\n'),
        ("    compare: {unordered: []}", '    compare: {ignore: ["$.x"], unordered: []}  # ada: why (T-1)'),
        (
            '    compare:\n      ignore:\n        # y\n        - "$.y"  # z\n',
            '    compare:\n      ignore:\n        # y\n        - "$.x"  # ada: why (T-1)\n        - "$.y"  # z\n',
        ),
        (
            "    compare:\r\n      ignore:\r\n      - $.y\r\n",
            '    compare:\r\n      ignore:\r\n      - "$.x"  # ada: why (T-1)\r\n      - $.y\r\n',
        ),
        (
            "    compare:\n      unordered: []\n",
            '    compare:\n      ignore: ["$.x"]  # ada: why (T-1)\n      unordered: []\n',
        ),
    ],
)
def test_rule_is_added_in_the_style_of_the_file(before: str, after: str) -> None:
    """Flow and block, with and without a list, with either line end."""
    assert after == added(before)


def test_rule_begins_a_compare_where_there_is_none() -> None:
    """One line more in the route, nothing else."""
    text = add_rule(HEAD, "a", RuleLine("ignore", "header:x-runtime"), "ada: why")
    assert HEAD == text.replace('    compare: {ignore: ["header:x-runtime"]}  # ada: why\n', "")


def test_rule_that_is_there_changes_nothing() -> None:
    """Asked twice, written once."""
    text = add_rule(HEAD, "a", X, "ada: why")
    assert text == add_rule(text, "a", RuleLine("ignore", "$['x']"), "bo: again")


def test_full_example_changes_in_one_line() -> None:
    """In the documented example exactly one line is another."""
    before, after = FULL.read_text().split("\n"), add_rule(FULL.read_text(), "feeds", X, "ada: why").split("\n")
    assert 1 == len(set(after) - set(before))
    assert 1 >= len(set(before) - set(after))


@given(st.text(max_size=300))
def test_comment_never_becomes_anything_else(comment: str) -> None:
    """Whatever a reason holds, the config means the same, and it is one line more."""
    text = add_rule(HEAD, "a", X, comment)
    assert migration(text) == migration(add_rule(HEAD, "a", X, "c"))
    assert len(HEAD.splitlines()) + 1 == len(text.splitlines())


def test_shared_rules_are_left_alone() -> None:
    """A list that another route shares through an alias would change for both."""
    rest = '    compare: {ignore: &shared ["$.y"]}\n  b: {match: {prefix: /b}, compare: {ignore: *shared}}\n'
    with pytest.raises(Refused, match="would change too; add the rule by hand"):
        added(rest)
    with pytest.raises(Refused, match="comes from an alias"):
        add_rule(HEAD + rest, "b", X, "c")


def test_rule_that_a_variable_would_hide_is_refused() -> None:
    """What wins over the file is named."""
    with pytest.raises(Refused, match="CHANGEOVER_ROUTES__A__COMPARE__IGNORE"):
        add_rule(HEAD, "a", X, "c", environ={"CHANGEOVER_ROUTES__A__COMPARE__IGNORE": '["$.y"]'})


def test_unknown_route_is_named() -> None:
    """With the file."""
    with pytest.raises(NotFound, match="'b' is not in config"):
        add_rule(HEAD, "b", X, "c")
