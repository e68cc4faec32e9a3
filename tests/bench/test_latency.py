"""At which rate latencies are measured, and what of them is the proxy's."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.cores import Cores
from bench.latency import HEADER, SENDERS_SHARE, Bench, Latency, choose_rate
from bench.openloop import Paced
from bench.origin import Counter, Origins

ORIGINS = Origins(1, 2, 3, Counter(1), Counter(2))


def bench(rate_per_s: float | None) -> Bench:
    return Bench(Cores((0,), (0,), (0,)), Path(), ORIGINS, 1, 10_000, rate_per_s)


def test_rate_is_half_of_the_slowest_ones_most() -> None:
    """None is above its own half."""
    assert 2_000 == choose_rate([4_000, 9_000], 100_000)


def test_rate_is_no_more_than_the_sender_can_pace() -> None:
    """Beyond it its own queue would be measured."""
    assert 10_000 * SENDERS_SHARE == choose_rate([40_000], 10_000)


@pytest.mark.parametrize(("asked", "rate"), [(None, 2_000), (1_000.0, 1_000), (50_000.0, 50_000)])
def test_rate_that_is_asked_for_is_taken(asked: float | None, rate: float) -> None:
    """Whatever the contenders can do."""
    assert rate == bench(asked).choose_rate([4_000])


def test_added_time_is_what_the_direct_request_had_not() -> None:
    """Of the medians of the phases; the direct row adds nothing."""
    direct = Latency("direct", "direct", 1_000, None, [Paced([0.001], late_s=[0.0])])
    proxy = Latency("proxy", "pass", 1_000, 4_000, [Paced([time_s], late_s=[0.0]) for time_s in (0.003, 0.009, 0.002)])
    assert ["3.00", "3.00", "2.00", "2.00"] == proxy.cells(direct)[4:8]
    assert "25 %" == proxy.cells(direct)[3]
    assert ["–", "–"] == direct.cells(direct)[6:8]
    assert len(HEADER) == len(proxy.cells(direct))
