"""Texts compared by line: one difference for each shape of change, however many lines show it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.text_lines import text_differences


def shapes(before: str, after: str) -> list[str]:
    return [difference.change for difference in text_differences(before, after)]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("a\nb", "a\nc", ["line value"]),
        ("a\nb\nc", "a\nc", ["line missing"]),
        ("a\nc", "a\nb\nc", ["line extra"]),
        ("a\n", "a", ["line missing"]),
        ("a & b", "a &amp; b", ["line html-escaped"]),
        ("1 unread\nx", "2 unread\nx", ["line numbers"]),
        ("a \nb", "a\nb", ["line white space"]),
        ("a &\n1\nz\n", "a &amp;\n2\nz\nq\n", ["line html-escaped", "line numbers", "line extra"]),
    ],
)
def test_text_has_one_difference_for_each_shape(before: str, after: str, expected: list[str]):
    """Different faults in one page stay apart."""
    assert shapes(before, after) == expected


@pytest.mark.parametrize("count", [1, 2, 50, 1000])
def test_number_of_changed_lines_does_not_change_the_shape(count: int):
    """One fault is one signature, on a long page as on a short one."""
    before = "".join(f"<p>{n} & more</p>\n" for n in range(count))
    assert shapes(before, before.replace("&", "&amp;")) == ["line html-escaped"]


def test_difference_shows_the_first_line_that_changed():
    """The example is the line, not the page."""
    (found,) = text_differences("same\nold one\nold two", "same\nnew one\nnew two")
    assert (found.kind, found.path, found.before, found.after) == ("body", (), "old one", "new one")


def test_difference_shows_the_changed_part_of_a_long_line():
    """A minified page is one line: its beginning says nothing."""
    beginning, ending = "a" * 5_000, "z" * 5_000
    (found,) = text_differences(f"{beginning}old{ending}", f"{beginning}new{ending}")
    lead = "a" * 60
    assert (found.before, found.after) == (
        f"…{lead}old{'z' * 337}… (10003 characters)",
        f"…{lead}new{'z' * 337}… (10003 characters)",
    )


def test_difference_shows_where_a_long_line_was_cut():
    """The shorter side ends there, and says so by having no ellipsis."""
    (found,) = text_differences("a" * 1_000, "a" * 500)
    assert (found.before, found.after) == (f"…{'a' * 400}… (1000 characters)", f"…{'a' * 60} (500 characters)")


@given(st.text("ab\n", max_size=30), st.text("ab\n", max_size=30))
def test_texts_that_differ_have_a_difference(before: str, after: str):
    """Nothing is lost between the lines."""
    assert (shapes(before, after) != []) == (before != after)
