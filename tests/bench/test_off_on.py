"""What phases off and on say together, and how sure that is."""

from __future__ import annotations

import math
import os

import pytest

from bench.off_on import OFF_ON_HEADER, OffOn, Pool
from bench.openloop import Paced, percentile_ms
from bench.urgency import LOAD, going_first


def phase(*times_ms: float) -> Paced:
    return Paced([time_ms / 1000 for time_ms in times_ms])


def test_one_phase_in_which_the_machine_stood_still_does_not_count() -> None:
    """Nor does one in which it was quick."""
    row = OffOn("it", [phase(2.0), phase(2.0), phase(90.0)], [phase(3.0), phase(0.1), phase(3.0)])
    assert 1.5 == row.p99_ratio


def test_the_interval_holds_the_ratio_and_is_narrow_where_rounds_agree() -> None:
    """And wide where they don't."""
    agreeing = OffOn("it", [phase(2.0)] * 5, [phase(4.0)] * 5)
    assert (2.0, 2.0) == agreeing.p99_ratio_interval()
    apart = OffOn("it", [phase(2.0)] * 5, [phase(height) for height in (1, 2, 4, 8, 16)])
    low, high = apart.p99_ratio_interval()
    assert low < apart.p99_ratio == 2.0 < high


def test_pooled_ratio_sees_what_few_phases_met() -> None:
    """A stall of one phase in four is what the slowest hundredth of all requests met, and of the typical phase not."""
    calm, stalled = phase(*[1.0] * 100), phase(*[1.0] * 90, *[50.0] * 10)
    row = OffOn("it", [calm] * 4, [calm, stalled, calm, calm])
    assert (1.0, 50.0) == (row.p99_ratio, row.pooled_p99_ratio)
    low, high = row.pooled_p99_ratio_interval()
    assert (1.0, 50.0) == (low, high)


def test_pooled_interval_draws_rounds_with_both_of_their_phases() -> None:
    """A machine that was slow in a whole round says nothing of what was measured."""
    off, on = [phase(*[height] * 100) for height in (1, 2, 4)], [phase(*[2 * height] * 100) for height in (1, 2, 4)]
    assert (2.0, 2.0) == OffOn("it", off, on).pooled_p99_ratio_interval()


@pytest.mark.parametrize("times", [(1, 1), (0, 1), (3, 1), (2, 0)])
@pytest.mark.parametrize("percent", [0, 50, 99, 100])
def test_percentile_of_a_pool_is_that_of_its_times_one_by_one(percent: float, times: tuple[int, int]) -> None:
    """However often a phase counts."""
    first, second = phase(5.0, 1.0, 3.0), phase(4.0, 2.0, 9.0, 7.0)
    everything = first.elapsed_s * times[0] + second.elapsed_s * times[1]
    assert percentile_ms(everything, percent) == 1000 * Pool([first, second]).percentile_s(percent, times)


def test_percentile_of_nothing_is_none() -> None:
    """Where nobody was answered the ratio is no number, and no failure of the bench."""
    assert math.isnan(Pool([Paced(), phase(1.0)]).percentile_s(99, (1, 0)))
    assert math.isnan(OffOn("it", [Paced()], [phase(1.0)]).pooled_p99_ratio)


def test_row_has_a_cell_for_each_column_and_counts_what_differed() -> None:
    """Of both arms together, behind the name."""
    row = OffOn("it", [Paced([0.001], failed=1)], [Paced([0.002, 0.001], differing=1)])
    assert 1 + len(OFF_ON_HEADER) == len(row.cells())
    assert ["it", "3", "1", "1"] == row.cells()[:4]


def test_both_phases_of_each_round_are_played_and_the_first_changes() -> None:
    """So that what comes first is not always the same."""
    played: list[str] = []

    def play(arm: str) -> Paced:
        played.append(arm)
        return phase(1.0)

    OffOn("it").play(2, play)
    assert ["on", "off", "off", "on"] == played


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may go first")
def test_going_first_ends_with_its_context() -> None:
    """What it starts meanwhile goes as any other."""
    with going_first():
        assert os.sched_getparam(0).sched_priority == LOAD
        pid = os.posix_spawn("/bin/sleep", ["sleep", "1"], os.environ)
        assert os.sched_getscheduler(pid) == os.SCHED_OTHER
        os.waitpid(pid, 0)
    assert os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK == os.SCHED_OTHER
