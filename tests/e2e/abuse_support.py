"""What a test of abuse looks at: the abusers as a process of their own, and the worker's memory and descriptors."""

from __future__ import annotations

import json
import resource
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.e2e.program import START_S, Program, resident_bytes, until

if TYPE_CHECKING:
    from collections.abc import Iterator

LOOK_S = 0.02
DESCRIPTORS = 6_000  # for the connections of a test, twice over in a worker that proxies them, and for all else


@dataclass(slots=True)
class Worker:
    """A worker seen from outside: what it held in memory when this was made, and at most since then."""

    pid: int
    before: int = 0
    peak: int = 0

    def __post_init__(self) -> None:
        self.before = resident_bytes(self.pid)

    @property
    def descriptors(self) -> int:
        """Open files and sockets (proc(5), fd)."""
        return sum(1 for _ in Path(f"/proc/{self.pid}/fd").iterdir())

    @property
    def growth(self) -> int:
        return max(self.peak - self.before, 0)

    def look(self) -> None:
        self.peak = max(self.peak, resident_bytes(self.pid))

    def look_for(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.look()
            time.sleep(LOOK_S)


@dataclass(frozen=True, slots=True)
class Ended:
    """How abuse ended: connections that the server ended, when the last of them was, bytes that they had sent."""

    opened: int
    ended: int
    after_s: float
    sent: int


@dataclass(slots=True)
class Abuse:
    """Abusers at work."""

    program: Program
    patience_s: float

    def lines(self) -> list[dict[str, Any]]:
        return [
            json.loads(line) for line in self.program.stdout.read_text().splitlines(keepends=True) if line[-1:] == "\n"
        ]

    def watch(self, worker: Worker) -> Ended:
        """Looks at the worker until the abuse is over."""
        end = time.monotonic() + self.patience_s + 10
        while len(self.lines()) < 2:
            assert time.monotonic() < end, self.program.last_words()
            worker.look_for(0.1)
        opened, ended = self.lines()
        return Ended(**opened, **ended)


@contextmanager
def abusing(kind: str, port: int, connections: int, folder: Path, patience_s: float) -> Iterator[Abuse]:
    """So many connections of a kind, all open; `patience_s` ends them when the server doesn't."""
    argv = (sys.executable, "-m", "bench.abuser", str(port), kind, str(connections), str(patience_s))
    with Program(f"abuser-{kind}", argv, folder) as program:
        made = Abuse(program, patience_s)
        # It may be over before anybody looks: what is refused at once ends at once.
        until(lambda: made.lines() or program.process.poll() is not None, "connections", within_s=START_S)
        assert made.lines(), program.last_words()
        yield made


@contextmanager
def descriptors_for_all() -> Iterator[str | None]:
    """Raises this process's limit, which its children inherit; yields why that can't be, or None."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < DESCRIPTORS:
        yield f"a process may have {hard} descriptors at most, and this needs {DESCRIPTORS}"
        return
    if soft < DESCRIPTORS:
        resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, hard))
    try:
        yield None
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
