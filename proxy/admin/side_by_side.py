"""Two texts beside each other: rows of equal, changed, removed and added lines, long equal parts left out. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Change = Literal["equal", "changed", "removed", "added", "left_out"]
CONTEXT_LINES = 2  # around a change: what it belongs to; the rest is a number


@dataclass(frozen=True, slots=True)
class Row:
    """One line of each side; "" where a side has none. In a `left_out` row both are the number of equal lines."""

    change: Change
    left: str
    right: str


def side_by_side(left: Sequence[str], right: Sequence[str]) -> list[Row]:
    """The rows from top to bottom. Every line that differs is in one; equal ones only near a change."""
    rows: list[Row] = []
    codes = SequenceMatcher(None, left, right).get_opcodes()
    for number, (tag, start, end, other_start, other_end) in enumerate(codes):
        if tag == "equal":
            is_first, is_last = number == 0, number == len(codes) - 1
            rows += _context(left[start:end], is_first=is_first, is_last=is_last)
        else:
            rows += _changed(left[start:end], right[other_start:other_end])
    return rows


def _changed(left: Sequence[str], right: Sequence[str]) -> Iterator[Row]:
    for before, after in zip_longest(left, right):
        if before is None:
            yield Row("added", "", after)
        elif after is None:
            yield Row("removed", before, "")
        else:
            yield Row("changed", before, after)


def _context(lines: Sequence[str], *, is_first: bool, is_last: bool) -> list[Row]:
    head = 0 if is_first else CONTEXT_LINES
    tail = 0 if is_last else CONTEXT_LINES
    if len(lines) <= head + tail + 1:  # a row that says "1 line" saves nothing
        return [Row("equal", line, line) for line in lines]
    left_out = str(len(lines) - head - tail)
    ending = lines[len(lines) - tail :]
    return [
        *(Row("equal", line, line) for line in lines[:head]),
        Row("left_out", left_out, left_out),
        *(Row("equal", line, line) for line in ending),
    ]
