"""Which cores run what, and how busy the proxy's were.

The kernel's own counters (proc(5)) tell a proxy that was the limit from one that waited for the load generator,
or for somebody else's program.
"""

from __future__ import annotations

import os
import time
from dataclasses import astuple, dataclass
from pathlib import Path

PROC_STAT = Path("/proc/stat")

BACKGROUND_S = 1.0
"""A hundred ticks of /proc/stat: enough to see one percent."""

MAX_BACKGROUND = 0.05
"""Busy share that an idle machine's housekeeping stays below; more is somebody else's work."""


@dataclass(frozen=True, slots=True)
class Cores:
    """Core numbers, ascending: of the proxy under test, of the origins, and of the load. Equal ones are shared."""

    proxy: tuple[int, ...]
    origin: tuple[int, ...]
    load: tuple[int, ...]

    @property
    def is_proxy_alone(self) -> bool:
        """Whether neither origins nor load run where the proxy does."""
        return not set(self.proxy) & {*self.origin, *self.load}

    def describe(self) -> str:
        proxy = f"proxy under test on {_name(self.proxy)}"
        if not self.is_proxy_alone:
            if len(self.proxy) == 1:
                return f"everything shares {_name(self.proxy)}: the numbers say little"
            return f"{proxy}, shared with origins and load: rates are those of the whole machine, not of the proxy"
        if self.origin == self.load:
            return f"{proxy}; origins and load together on {_name(self.load)}"
        return f"{proxy}; origins on {_name(self.origin)}; load on {_name(self.load)}"


def _name(cores: tuple[int, ...]) -> str:
    return f"core{'s' if len(cores) > 1 else ''} {' and '.join(map(str, cores))}"


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


def assign_cores(available: tuple[int, ...], workers: int = 1) -> Cores:
    """One core for each worker of the proxy, and of the others one for the origins and one for the load.

    One that is left over is shared by origins and load; when none is, they share the proxy's.
    """
    proxy, rest = available[:workers], available[workers:]
    if not rest:
        return Cores(proxy=proxy, origin=proxy, load=proxy)
    return Cores(proxy=proxy, origin=rest[:1], load=rest[1:2] or rest[:1])


def read_ticks(cores: tuple[int, ...]) -> Ticks:
    """The counters of `cores` now, added up."""
    stat = PROC_STAT.read_text()
    each = [parse_ticks(stat, core) for core in cores]
    return Ticks(*(sum(values) for values in zip(*map(astuple, each), strict=True)))


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
    used = sorted({*cores.proxy, *cores.origin, *cores.load})
    before = {core: read_ticks((core,)) for core in used}
    time.sleep(BACKGROUND_S)
    return tuple((core, read_ticks((core,)).busy_since(before[core])) for core in used)


def describe_background(background: tuple[tuple[int, float], ...]) -> str:
    """For the reader: how much of each core others had, and what that means for the numbers."""
    shares = ", ".join(f"core {core} {busy * 100:.0f} %" for core, busy in background)
    is_disturbed = any(busy > MAX_BACKGROUND for _, busy in background)
    return f"{shares} busy{': other programs are running, the numbers are low and noisy' if is_disturbed else ''}"
