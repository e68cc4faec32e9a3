"""When the machine itself stood still: a real-time thread on each core that wakes each millisecond, or tells when not.

Virtual machines are taken off their core for milliseconds, and who waits for an answer meanwhile waits longer, whatever
the proxy does. This thread goes before every program (SCHED_FIFO, above load and backends), so that what makes it late
is neither proxy nor load, but the hypervisor or the kernel. `Standstills.spoiled` finds the answers that were under way
then; who measures leaves them out, of both arms alike, and says how many.

It costs a percent of each core. The clock is CLOCK_MONOTONIC, which all processes share.
"""

from __future__ import annotations

import os
import sys
import time
from bisect import bisect_left
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bench.children import started
from bench.urgency import LOAD, go_first

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from bench.children import Child

WAKE_S = 0.001
LATE_S = 0.0003
"""A real-time thread wakes within 0.1 ms on an idle core, and within 0.2 ms on one that serves."""

WATCHING = "watching"
_NOT_PERMITTED = "not permitted"


class Standstills:
    """Spans of CLOCK_MONOTONIC, in seconds, in which some core stood still."""

    def __init__(self, spans: Iterable[tuple[float, float]]) -> None:
        self._spans: list[tuple[float, float]] = []
        for begin, end in sorted(spans):
            if self._spans and begin <= self._spans[-1][1]:
                self._spans[-1] = self._spans[-1][0], max(end, self._spans[-1][1])
            else:
                self._spans.append((begin, end))
        self._ends = [end for _, end in self._spans]

    def spoiled(self, begin: float, end: float) -> bool:
        """Whether a core stood still at some time between the two."""
        place = bisect_left(self._ends, begin)
        return place < len(self._spans) and self._spans[place][0] <= end

    @property
    def total_s(self) -> float:
        return sum(end - begin for begin, end in self._spans)


@contextmanager
def watching(cores: Sequence[int], folder: Path) -> Iterator[Watch]:
    """Watches each of the cores as long as the context lasts, where this user may (root)."""
    paths = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    with ExitStack() as stack:
        command = [sys.executable, "-m", "bench.standstill"]
        children = [
            stack.enter_context(started(f"standstill-{core}", command, cores=[core], folder=folder, environment=paths))
            for core in sorted(set(cores))
        ]
        for child in children:
            child.wait_until(lambda child=child: child.log.stat().st_size > 0)  # type: ignore[misc]  # the default binds it
        yield Watch(children)


class Watch:
    """The watchers under way."""

    def __init__(self, children: Sequence[Child]) -> None:
        self.children = children

    def seen(self) -> Standstills | None:
        """All so far; None where nobody could watch."""
        lines = [child.log.read_text().splitlines() for child in self.children]
        if any(each[0] != WATCHING for each in lines):
            return None
        pairs = (line.split() for each in lines for line in each[1:])
        return Standstills((float(begin), float(end)) for begin, end in pairs)


def _watch() -> None:
    if not go_first(LOAD + 1):
        print(_NOT_PERMITTED, flush=True)
        time.sleep(3600)  # until it is ended
        return
    print(WATCHING, flush=True)
    due = time.monotonic() + WAKE_S
    while True:
        time.sleep(max(0.0, due - time.monotonic()))
        now = time.monotonic()
        if now - due > LATE_S:
            print(f"{due:.6f} {now:.6f}", flush=True)
        due = now + WAKE_S


if __name__ == "__main__":
    _watch()
