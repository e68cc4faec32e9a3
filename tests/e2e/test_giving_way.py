"""What doesn't serve users gives way to the workers, where the system lets priorities count."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.e2e.program import descendants, until
from tests.e2e.workers import two_sided_node
from tests.processor_turns import knows_turns, turn_s

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


def test_control_and_comparers_give_way_to_workers(tmp_path: Path):
    """All in one session, so that it counts there, and each in a group of its own, so that Ctrl-C doesn't reach it."""
    with two_sided_node(tmp_path, CHANGEOVER_GIVES_WAY="true") as (node, _, _):
        control, worker, node_pid = node.pid_of("control"), node.pid_of("worker-1"), node.program.pid
        until(lambda: descendants(control), "a comparer", within_s=40)
        [comparer] = descendants(control)
        until(lambda: os.sched_getscheduler(comparer) == os.SCHED_IDLE, "a comparer that gives way", within_s=40)
        usual = os.getpriority(os.PRIO_PROCESS, node_pid)
        until(lambda: os.getpriority(os.PRIO_PROCESS, control) == max(usual, 10), "control at nice 10", within_s=20)
        assert (os.SCHED_OTHER, usual) == (os.sched_getscheduler(worker), os.getpriority(os.PRIO_PROCESS, worker))
        if knows_turns():
            until(
                lambda: (turn_s(worker), turn_s(control)) == (0.0003, 0.03), "short turns of the worker's", within_s=20
            )
        everybody = (node_pid, control, worker, comparer)
        assert {os.getsid(node_pid)} == {os.getsid(pid) for pid in everybody}
        assert [control, worker, comparer] == [os.getpgid(pid) for pid in everybody[1:]]
        assert node.stop() == 0
