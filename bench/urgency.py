"""Who goes first on a core that several share: real-time priorities (sched(7)), where the machine lets us have them.

With two cores the load, the backends and whoever does harm share one. Load and backends that go first are not late
because of the others' own work, so that what is measured is the proxy's lateness.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from bench.session import list_session

if TYPE_CHECKING:
    from collections.abc import Iterator

ORIGIN, LOAD = 1, 2
"""Levels; the higher goes first."""


def put_first(leader: int, level: int) -> bool:
    """Each process of the session goes before all normal ones from now on; False where that isn't permitted."""
    return all(_schedule(process.pid, os.SCHED_FIFO, level) for process in list_session(leader))


@contextmanager
def going_first(level: int = LOAD) -> Iterator[None]:
    """Within it the calling thread goes before all normal ones; what it starts meanwhile does not."""
    is_first = _schedule(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, level)
    try:
        yield
    finally:
        if is_first:
            _schedule(0, os.SCHED_OTHER, 0)


def go_first(level: int) -> bool:
    """The calling process goes before all normal ones from now on; False where that isn't permitted."""
    return _schedule(0, os.SCHED_FIFO, level)


def describe_urgency() -> str:
    """Whether this user may do it, for the reader of the results."""
    with going_first():
        is_first = os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK == os.SCHED_FIFO
    return "load and backends go first" if is_first else "load and backends share their core as equals (not root)"


def _schedule(pid: int, policy: int, level: int) -> bool:
    with suppress(PermissionError, ProcessLookupError):
        os.sched_setscheduler(pid, policy, os.sched_param(level))
        return True
    return False
