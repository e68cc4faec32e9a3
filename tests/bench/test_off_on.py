"""What phases off and on say together, and how sure that is."""

from __future__ import annotations

import os

import pytest

from bench.off_on import OffOn
from bench.openloop import Paced
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
