"""Both bodies of an example beside each other, with what differs within a line; and both values of a difference.

Bounded whatever the bodies are: lines that are looked at, rows that are shown, characters of a line.
Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from proxy.admin.body_text import body_lines
from proxy.admin.side_by_side import side_by_side
from proxy.admin.signature_text import ABSENT, side_text
from proxy.core.intraline import changed_middle

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proxy.admin.side_by_side import Change, Row
    from proxy.core.paths import Path

Json = dict[str, Any]
MAX_LOOKED_AT = 600  # lines of each body: difflib is quadratic, and this many take it 50 ms at worst
MAX_ROWS = 80  # of one example are shown: two screens
MAX_VALUES = 3  # of one signature in one pair: they are alike, that is what a signature is
_MAX_CHANGED_CHARACTERS = 240
_MAX_AROUND_CHARACTERS = 60


@dataclass(frozen=True, slots=True)
class Parts:
    """A line in three: what is equal before, what differs, what is equal after."""

    before: str
    changed: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class BesideRow:
    """One line of each side. In a `left_out` row both are the number of equal lines."""

    change: Change
    left: Parts
    right: Parts


@dataclass(frozen=True, slots=True)
class Beside:
    """`left_out` rows had no room."""

    rows: tuple[BesideRow, ...]
    left_out: int


def bodies_beside(example: Json, ignored: Sequence[Path] = ()) -> Beside:
    """Without what is ignored."""
    left, right = (body_lines(example[side], ignored, MAX_LOOKED_AT) for side in ("control", "candidate"))
    rows = side_by_side(left, right)
    shown = tuple(map(_marked_row, rows[:MAX_ROWS]))
    return Beside(shown, max(len(rows) - MAX_ROWS, 0))


def values_beside(example: Json, signature_id: str) -> tuple[list[tuple[Json, Parts, Parts]], int]:
    """The signature's own differences in a pair, each with both values; and how many more there are."""
    own = [each for each in example["differences"] if each["signature"] == signature_id]
    shown = [(each, *_values(side_text(each, "before"), side_text(each, "after"))) for each in own[:MAX_VALUES]]
    return shown, len(own) - len(shown)


def _values(left: str, right: str) -> tuple[Parts, Parts]:
    """What is not there has no letters in common with what is."""
    return (Parts("", left, ""), Parts("", right, "")) if ABSENT in {left, right} else marked(left, right)


def marked(left: str, right: str) -> tuple[Parts, Parts]:
    """Both texts with what differs in the middle; what is long is cut, but never all of what differs."""
    start, left_end, right_end = changed_middle(left, right)
    return _three(left, start, left_end), _three(right, start, right_end)


def _marked_row(row: Row) -> BesideRow:
    if row.change == "changed" and row.left != row.right:  # a run of changed lines may have some that are equal
        return BesideRow(row.change, *marked(row.left, row.right))
    change = "equal" if row.change == "changed" else row.change
    return BesideRow(change, Parts(_cut_end(row.left)), Parts(_cut_end(row.right)))


def _three(text: str, start: int, end: int) -> Parts:
    before, changed, after = text[:start], text[start:end], text[end:]
    if len(before) > _MAX_AROUND_CHARACTERS:
        before = f"…{before[-_MAX_AROUND_CHARACTERS:]}"
    if len(changed) > _MAX_CHANGED_CHARACTERS:
        changed = f"{changed[:_MAX_CHANGED_CHARACTERS]}…"
    if len(after) > _MAX_AROUND_CHARACTERS:
        after = f"{after[:_MAX_AROUND_CHARACTERS]}…"
    return Parts(before, changed, after)


def _cut_end(text: str) -> str:
    return text if len(text) <= _MAX_CHANGED_CHARACTERS else f"{text[:_MAX_CHANGED_CHARACTERS]}…"
