"""Which core runs what, and how busy the proxy's core was.

The kernel's own counters (proc(5)) tell a proxy that was the limit from one that waited for the load generator,
or for somebody else's program.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

PROC_STAT = Path("/proc/stat")

BACKGROUND_S = 1.0
"""A hundred ticks of /proc/stat: enough to see one percent."""

MAX_BACKGROUND = 0.05
"""Busy share that an idle machine's housekeeping stays below; more is somebody else's work."""


@dataclass(frozen=True, slots=True)
class Cores:
    """Core numbers: the proxy under test, the origins, and wrk. Equal numbers share a core."""

    proxy: int
    origin: int
    load: int

    def describe(self) -> str:
        if self.proxy == self.load:
            return f"everything shares core {self.proxy}: the numbers say little"
        if self.origin == self.load:
            return f"proxy under test on core {self.proxy}; origins and wrk together on core {self.load}"
        return f"proxy under test on core {self.proxy}; origins on core {self.origin}; wrk on core {self.load}"


@dataclass(frozen=True, slots=True)
class Ticks:
    """What a core has done since boot, in clock ticks."""

    idle: int
    total: int
    programs: int
    """The part of the total that belongs to processes, not to interrupts or the hypervisor."""

    def busy_since(self, earlier: Ticks) -> float:
        """The busy part of the time in between, 0 to 1."""
        total = self.total - earlier.total
        return 1 - (self.idle - earlier.idle) / total if total else 0.0

    def foreign_since(self, earlier: Ticks, own: int) -> float:
        """The part, 0 to 1, that went to programs other than those which used the `own` ticks."""
        total = self.total - earlier.total
        return max(0.0, (self.programs - earlier.programs - own) / total) if total else 0.0


def available_cores() -> tuple[int, ...]:
    """The cores that this process may use, ascending."""
    return tuple(sorted(os.sched_getaffinity(0)))


def assign_cores(available: tuple[int, ...]) -> Cores:
    """The proxy alone on the first core; origins and wrk on the second, or one each where there are three."""
    proxy, origin, load = (*available, *available[-1:] * 2)[:3]
    return Cores(proxy=proxy, origin=origin, load=load)


def read_ticks(core: int) -> Ticks:
    """The counters of `core` now."""
    return parse_ticks(PROC_STAT.read_text(), core)


def parse_ticks(stat: str, core: int) -> Ticks:
    """The counters of `core` in the text of /proc/stat; `LookupError` when it isn't there."""
    for line in stat.splitlines():
        name, *values = line.split()
        if name == f"cpu{core}":
            # user nice system idle iowait irq softirq steal; guest times are part of user and nice already
            ticks = [int(value) for value in values[:8]]
            return Ticks(idle=ticks[3] + ticks[4], total=sum(ticks), programs=sum(ticks[:3]))
    raise LookupError(f"core {core} is not in /proc/stat")


def measure_background(cores: Cores) -> tuple[tuple[int, float], ...]:
    """(core, busy share 0 to 1) of each core in use, while the bench itself waits."""
    used = sorted({cores.proxy, cores.origin, cores.load})
    before = {core: read_ticks(core) for core in used}
    time.sleep(BACKGROUND_S)
    return tuple((core, read_ticks(core).busy_since(before[core])) for core in used)


def describe_background(background: tuple[tuple[int, float], ...]) -> str:
    """For the reader: how much of each core others had, and what that means for the numbers."""
    shares = ", ".join(f"core {core} {busy * 100:.0f} %" for core, busy in background)
    is_disturbed = any(busy > MAX_BACKGROUND for _, busy in background)
    return f"{shares} busy{': other programs are running, the numbers are low and noisy' if is_disturbed else ''}"
