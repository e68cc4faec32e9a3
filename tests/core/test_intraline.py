"""Where two strings begin to differ, and where they are equal again."""

from __future__ import annotations

from itertools import takewhile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.intraline import changed_middle, common_beginning


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("abcd", "abXd", (2, 3, 3)),
        ("ab", "aXb", (1, 1, 2)),
        ("aa", "aaa", (2, 2, 3)),
        ("a", "b", (0, 1, 1)),
        ("", "b", (0, 0, 1)),
        ("same", "same", (4, 4, 4)),
    ],
)
def test_middle_is_what_changed(before: str, after: str, expected: tuple[int, int, int]):
    """What is equal at both ends is left out, and never counted twice."""
    assert changed_middle(before, after) == expected


@given(st.text("ab", max_size=40), st.text("ab", max_size=40))
def test_beginning_is_found_as_one_by_one(before: str, after: str):
    """Halving finds what comparing each character would."""
    expected = len([*takewhile(lambda pair: pair[0] == pair[1], zip(before, after, strict=False))])
    assert expected == common_beginning(before, after) == common_beginning(before.encode(), after.encode())


@given(st.text("ab", max_size=40), st.text("ab", max_size=40))
def test_both_ends_are_equal(before: str, after: str):
    """Taking one side's middle for the other's makes the one the other."""
    start, old_end, new_end = changed_middle(before, after)
    assert before[:start] + after[start:new_end] + before[old_end:] == after
