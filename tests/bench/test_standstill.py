"""Answers that were under way while the machine stood still don't count, in neither arm."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from bench.off_on import OffOn
from bench.openloop import Paced
from bench.standstill import Standstills, watching
from bench.urgency import LOAD, go_first

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("begin", "end", "is_spoiled"),
    [
        (0.0, 0.9, False),
        (0.0, 1.0, True),
        (1.2, 1.3, True),
        (1.9, 9.0, True),
        (2.1, 2.9, False),
        (2.1, 3.5, True),
        (4.1, 9.0, False),
    ],
)
def test_what_overlaps_a_standstill_is_spoiled(begin: float, end: float, is_spoiled: bool) -> None:
    """Spans of several cores overlap each other, too."""
    standstills = Standstills([(3.0, 4.0), (1.0, 1.5), (1.4, 2.0)])
    assert (is_spoiled, 2.0) == (standstills.spoiled(begin, end), standstills.total_s)


def test_answers_under_way_are_left_out_of_both_arms_and_told() -> None:
    """Failures and answers that differ count nevertheless."""
    row = OffOn(
        "it",
        [Paced([0.1, 0.1], due=[0.0, 1.0], failed=1)],
        [Paced([0.3, 0.1, 0.1, 0.1], due=[0.9, 2.0, 3.0, 4.0], differing=1)],
    )
    row.leave_out(Standstills([(1.05, 1.06)]))
    assert ([0.1], [0.1, 0.1, 0.1]) == (row.off[0].elapsed_s, row.on[0].elapsed_s)
    assert (1, 1, (0.5, 0.25)) == (row.failed, row.differing, row.left_out)
    assert "50.0% / 25.0%" == row.cells()[-1]


def test_nobody_watched_and_nothing_is_left_out() -> None:
    row = OffOn("it", [Paced([0.1], due=[0.0])], [Paced([0.1], due=[0.0])])
    row.leave_out(None)
    assert ("not watched", [0.1]) == (row.cells()[-1], row.on[0].elapsed_s)


def test_a_watcher_that_was_held_up_tells_when(tmp_path: Path) -> None:
    """Stopped for a moment, as the hypervisor would: the span is on the clock that all processes share."""
    core = min(os.sched_getaffinity(0))
    with watching([core], tmp_path) as watch:
        pid = next(int(each.pid) for each in watch.children)
        if (before := watch.seen()) is None:
            pytest.skip("only root may run real-time threads")
        begin = time.monotonic()
        os.kill(pid, signal.SIGSTOP)
        time.sleep(0.1)
        os.kill(pid, signal.SIGCONT)
        end = time.monotonic()
        time.sleep(0.05)
        seen = watch.seen()
        assert seen is not None
        assert seen.spoiled(begin + 0.02, end - 0.02)
        assert seen.total_s - before.total_s >= 0.09


def test_going_first_is_refused_or_granted_as_a_whole() -> None:
    pid = os.fork()
    if not pid:
        os._exit(0 if go_first(LOAD) == (os.sched_getscheduler(0) == os.SCHED_FIFO) else 1)
    assert 0 == os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
