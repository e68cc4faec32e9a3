"""Small charts as paths of SVG, drawn on the server: pages need no script and no inline style for them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

Json = dict[str, Any]
HEIGHT = 24
STEP = 2  # from bar to bar; the style draws them a little narrower
# Where bars end, by tenths from the bottom up, as text: a page may have some ten thousand of them.
_LEVELS = tuple(f"{HEIGHT - tenths / 10:g}" for tenths in range(HEIGHT * 10 + 1))


@dataclass(frozen=True, slots=True)
class Bars:
    """Two series of bars, one standing on the other, as the `d` of two paths; and what they are in words."""

    width: int
    lower: str
    upper: str
    largest: int


def stacked(pairs: Sequence[tuple[int, int]]) -> Bars:
    """Bars from left to right, as high as their share of the largest sum; nothing at all draws nothing."""
    largest = max((lower + upper for lower, upper in pairs), default=0)
    scale = (len(_LEVELS) - 1) / largest if largest else 0.0
    lower_parts, upper_parts = [], []
    for number, (lower, upper) in enumerate(pairs):
        x = number * STEP + STEP // 2
        middle = _LEVELS[round(lower * scale)]
        if lower:
            lower_parts.append(f"M{x} {HEIGHT}V{middle}")
        if upper:
            upper_parts.append(f"M{x} {middle}V{_LEVELS[round((lower + upper) * scale)]}")
    return Bars(len(pairs) * STEP, "".join(lower_parts), "".join(upper_parts), largest)
