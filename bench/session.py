"""The processes of a session, and those that came from it: what they used, and their end.

A session outlives its leader, so it finds what a started program has left behind; descent finds the children that a
supervisor put into sessions of their own. The fields of /proc/PID/stat are explained in proc(5).
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CALM_LOOK_S = 0.1
CALM_TICKS = 1
"""In one look: a tenth of a core, which is above what a proxy does that nobody asks anything."""

PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Process:
    """A process; `ticks` is its processor time so far, with that of its reaped children."""

    pid: int
    parent: int
    session: int
    ticks: int


def read_session_ticks(leader: int) -> int:
    """The clock ticks used so far by the session's processes, on any core; 0 when nothing of it is left."""
    return sum(process.ticks for process in list_session(leader))


def wait_calm(leaders: Sequence[int], most_s: float) -> bool:
    """Returns once none of the sessions does much any more; False when one still did after `most_s`."""
    end = time.monotonic() + most_s
    before = [read_session_ticks(leader) for leader in leaders]
    while time.monotonic() < end:
        time.sleep(CALM_LOOK_S)
        ticks = [read_session_ticks(leader) for leader in leaders]
        if all(now - then <= CALM_TICKS for now, then in zip(ticks, before, strict=True)):
            return True
        before = ticks
    return False


def kill_session(leader: int) -> None:
    """SIGKILL to every process that is left in the session."""
    for process in list_session(leader):
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)


def parse_process(stat: str) -> Process:
    """The process in the text of a /proc/PID/stat."""
    pid, _, rest = stat.partition(" ")
    # The name in parentheses may hold anything, so the fields are counted from behind it, where the third is:
    # the parent is field 4, session 6, and utime, stime, cutime and cstime are 14 to 17.
    fields = rest.rpartition(")")[2].split()
    return Process(pid=int(pid), parent=int(fields[1]), session=int(fields[3]), ticks=sum(map(int, fields[11:15])))


def list_session(leader: int) -> list[Process]:
    """The session's processes and all that descend from them."""
    everything = list(_list_processes())
    found = [process for process in everything if process.session == leader]
    for process in found:  # grows while it is walked
        found += [other for other in everything if other.parent == process.pid and other not in found]
    return found


def _list_processes() -> Iterator[Process]:
    for file in PROC.glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):  # ended since it was listed
            yield parse_process(file.read_text(errors="replace"))
