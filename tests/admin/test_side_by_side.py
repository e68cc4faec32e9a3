"""Rows of two texts: nothing that differs is lost, whatever is left out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from proxy.admin.side_by_side import CONTEXT_LINES, Row, side_by_side

lines = st.lists(st.sampled_from("abc"), max_size=30)


@given(lines, lines)
def test_both_texts_can_be_read_from_the_rows(left: list[str], right: list[str]):
    """Each side's lines stand in their order, and what is left out is counted."""
    rows = side_by_side(left, right)
    assert _matches([(row.change, row.left) for row in rows if row.change != "added"], left)
    assert _matches([(row.change, row.right) for row in rows if row.change != "removed"], right)


def _matches(cells: list[tuple[str, str]], text: list[str]) -> bool:
    position = 0
    for change, cell in cells:
        if change == "left_out":
            position += int(cell)
        elif text[position] != cell:
            return False
        else:
            position += 1
    return position == len(text)


def test_equal_lines_stay_near_a_change_only():
    """Context on both sides of a change, none before the first."""
    equal = [str(number) for number in range(10)]
    rows = side_by_side([*equal, "a", *equal], [*equal, "b", *equal])
    around = [Row("equal", line, line) for line in (*equal[-CONTEXT_LINES:], *equal[:CONTEXT_LINES])]
    left_out = Row("left_out", "8", "8")
    assert [left_out, *around[:2], Row("changed", "a", "b"), *around[2:], left_out] == rows
