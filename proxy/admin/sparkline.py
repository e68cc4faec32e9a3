"""Counts over time as one line of bars, as in E. Tufte's sparklines: what it was like lately, at a glance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from proxy.admin.figures import count

if TYPE_CHECKING:
    from collections.abc import Sequence

Json = dict[str, Any]
BARS = "▁▂▃▄▅▆▇█"
EMPTY = "·"  # nothing at all is not a little
WIDTH = 24  # the hours of a day


def sparkline(numbers: Sequence[int]) -> str:
    """A bar for each number, as high as its share of the largest one."""
    largest = max(numbers, default=0)
    return "".join(BARS[-(-number * len(BARS) // largest) - 1] if number else EMPTY for number in numbers)


def shares_line(pairs: Sequence[tuple[int, int]]) -> str:
    """A bar for each pair, as high as the second one's share of both; EMPTY where both are nothing."""
    return "".join(
        BARS[max(-(-upper * len(BARS) // (lower + upper)) - 1, 0)] if lower + upper else EMPTY for lower, upper in pairs
    )


def trend_text(trend: Json) -> str:
    """The last day by the hour, the present one at the end; "" where the signature was not seen in it."""
    hours = hours_of(trend)
    if not any(hours):
        return ""
    return f"{sparkline(hours)}  {WIDTH} hours, at most {count(max(hours))} in one"


def hours_of(trend: Json) -> list[int]:
    """How often in each hour of the last day, the present one at the end."""
    hours = [0] * WIDTH
    width_s = trend["span_s"] / WIDTH
    for each in trend["counts"]:
        back = int((trend["until"] - each["at"]) // width_s)
        hours[max(WIDTH - 1 - max(back, 0), 0)] += each["count"]
    return hours
