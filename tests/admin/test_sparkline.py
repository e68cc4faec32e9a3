"""A sparkline shows when a signature was seen, and how much, without a number of its own."""

from __future__ import annotations

import pytest

from proxy.admin.signature_text import head_lines
from proxy.admin.sparkline import sparkline, trend_text
from tests.fakes import signature_row, trend

HOUR_S = 3_600


@pytest.mark.parametrize(
    ("numbers", "line"),
    [([], ""), ([0, 0], "··"), ([8, 4, 1, 0], "█▄▁·"), ([1_000_000, 1], "█▁"), ([5, 5], "██"), (range(9), "·▁▂▃▄▅▆▇█")],
)
def test_bars_are_as_high_as_their_share(numbers, line):
    """The largest one is full, the smallest one is seen, and nothing is a dot."""
    assert line == sparkline(numbers)


def test_trend_has_the_last_day_by_the_hour():
    """The present hour is the last bar, and what is older than a day, or ahead by a clock, is at the ends."""
    told = trend((0, 4), (HOUR_S - 1, 4), (HOUR_S, 2), (23 * HOUR_S, 1), (25 * HOUR_S, 1), (-5, 0))
    assert "▂" + "·" * 21 + "▂█  24 hours, at most 8 in one" == trend_text(told)


def test_trend_of_what_was_not_seen_is_nothing():
    """A quiet day has no line."""
    assert "" == trend_text(trend())


def test_signature_has_its_trend():
    """`diffs show` draws it."""
    shown = head_lines({**signature_row(), "trend": trend((0, 1))})
    assert "trend      " + "·" * 23 + "█  24 hours, at most 1 in one" in shown
