"""Two texts compared line by line: one difference for each *shape* of change in them, not for each line.

A page with a hundred double-escaped lines has one difference, "line html-escaped", with the first such line as
its example; so has a page with one.
"""

from __future__ import annotations

from difflib import SequenceMatcher
from itertools import zip_longest
from typing import TYPE_CHECKING

from proxy.core.difference import Difference
from proxy.core.excerpt import excerpts
from proxy.core.shape import EXTRA, MISSING, shape_of_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# SequenceMatcher is quadratic, at worst cubic: above this many changed lines, the n-th is compared with the n-th.
_MAX_ALIGNED_LINES = 400


def text_differences(before: str, after: str) -> list[Difference]:
    """The differences between two texts that aren't equal: at least one, each with the first lines that show it."""
    found: dict[str, Difference] = {}
    for old, new in _changed_lines(before.split("\n"), after.split("\n")):
        change = MISSING if new is None else EXTRA if old is None else shape_of_line(old, new)
        if change not in found:
            found[change] = Difference("body", (), f"line {change}", *excerpts(old, new))
    return list(found.values())


def _changed_lines(before: list[str], after: list[str]) -> Iterator[tuple[str | None, str | None]]:
    """Pairs of lines that differ; None where one has no partner."""
    before, after = _without_common_ends(before, after)
    if max(len(before), len(after)) > _MAX_ALIGNED_LINES:
        blocks = [("replace", 0, len(before), 0, len(after))]
    else:
        blocks = [*SequenceMatcher(None, before, after, autojunk=False).get_opcodes()]
    for tag, old_start, old_end, new_start, new_end in blocks:
        if tag != "equal":
            pairs = zip_longest(before[old_start:old_end], after[new_start:new_end])
            yield from ((old, new) for old, new in pairs if old != new)


def _without_common_ends(before: list[str], after: list[str]) -> tuple[list[str], list[str]]:
    start, end_before, end_after = common_ends(before, after)
    return before[start:end_before], after[start:end_after]


def common_ends(before: Sequence[object], after: Sequence[object]) -> tuple[int, int, int]:
    """Where two lists begin to differ, and where, in each, they are equal again to the end."""
    shorter = min(len(before), len(after))
    start = 0
    while start < shorter and before[start] == after[start]:
        start += 1
    end = 0
    while end < shorter - start and before[-1 - end] == after[-1 - end]:
        end += 1
    return start, len(before) - end, len(after) - end
