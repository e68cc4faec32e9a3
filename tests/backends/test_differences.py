"""Without bugs both backends answer alike; each bug shows in the one place that its entry names."""

from __future__ import annotations

from pathlib import Path

import pytest

from new_backend.bugs import ALL_BUGS, DIFFERENCES, Bug, parse_bugs

DOCS = Path(__file__).parents[2] / "docs" / "demo.md"


def places(*bugs: Bug) -> set[tuple[str, str]]:
    """(endpoint, where) of these bugs, but for those that only cost time."""
    return {(entry.endpoint, entry.where) for entry in DIFFERENCES if entry.bug in bugs and entry.where != "latency"}


def test_backends_answer_every_request_alike_without_bugs(backends, script):
    """Status, headers and bodies of a script over all endpoints are equal, writes and refusals included."""
    assert set() == script.differences(backends.start_legacy(), backends.start_new("none"))


@pytest.mark.parametrize("bug", Bug)
def test_bug_shows_in_its_one_place(backends, script, bug):
    """A bug alone changes exactly the part of the answer that it is said to change."""
    assert places(bug) == script.differences(backends.start_legacy(), backends.start_new(bug))


def test_bugs_together_show_each_in_its_place(backends, script):
    """Bugs neither hide nor multiply each other."""
    assert places(*Bug) == script.differences(backends.start_legacy(), backends.start_new("all"))


def test_differences_name_each_bug_once():
    """The list of differences and the switches are the same set."""
    assert sorted(Bug) == sorted(entry.bug for entry in DIFFERENCES)


def test_differences_have_a_place_each():
    """No two bugs share an endpoint and a place, so that each is a signature of its own."""
    assert len(DIFFERENCES) == len({(entry.endpoint, entry.where) for entry in DIFFERENCES})


@pytest.mark.parametrize("entry", DIFFERENCES, ids=lambda entry: entry.bug)
def test_documentation_describes_each_difference(entry):
    """docs/demo.md has a table row with the bug's name, endpoint, place and summary."""
    rows = [line for line in DOCS.read_text("utf-8").splitlines() if line.startswith(f"| `{entry.bug}` |")]
    parts = [f"`{entry.endpoint}`", entry.where, entry.change, entry.when, entry.summary]
    assert [] == [part for part in parts if part not in rows[0]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("all", ALL_BUGS),
        ("none", frozenset()),
        ("", frozenset()),
        ("tie_order", {Bug.TIE_ORDER}),
        (" tie_order , last_page", {Bug.TIE_ORDER, Bug.LAST_PAGE}),
        ("all,-tie_order", ALL_BUGS - {Bug.TIE_ORDER}),
        ("none,all,-tie_order,tie_order", ALL_BUGS),
    ],
)
def test_switches_are_read_from_left_to_right(text, expected):
    """`all`, `none`, names and `-name` add up in their order."""
    assert expected == parse_bugs(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("date_fromat", "bug 'date_fromat' is unknown; did you mean 'date_format'?"),
        ("all,-tie", "bug 'tie' is unknown; known are all, none, date_format"),
    ],
)
def test_unknown_switch_is_refused_with_advice(text, message):
    """A misspelt name is answered with the close one, or with all of them."""
    with pytest.raises(ValueError, match="is unknown") as caught:
        parse_bugs(text)
    assert str(caught.value).startswith(message)
