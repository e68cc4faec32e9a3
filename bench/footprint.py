"""What those who mean harm make Changeover hold: memory and descriptors before, at most and after, seen from outside.

Abusers that stay never end a connection themselves and don't come again: what ends is ended by the server. The most of
its memory is the kernel's own high-water mark, so that nobody has to look all the time.
"""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.children import ContenderFailed, started
from bench.processes import WORKER, Held, count_descriptors, find_processes, forget_most, look

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Self

    from bench.children import Child
    from bench.cores import Cores

FOOTPRINT_HEADER = (
    "abuse",
    "worker before",
    "most",
    "after",
    "all others before",
    "most of them",
    "descriptors before",
    "most descriptors",
    "after it",
    "ended by the server",
    "sent",
)
LONGEST_PHASE_S = 600
SETTLE_S = 0.5  # the connections wait in the kernel, and are to be accepted
STILL_S = 4.0  # connections to backends that nobody uses end after three seconds
REST_S = 20.0
"""Longest wait for descriptors to come back once nobody abuses any more: above every timeout that still has to come."""
LOOK_S = 0.05


@dataclass(frozen=True, slots=True)
class Abuse:
    """A kind of abuser, on so many connections; `patience_s` ends those who stay where the server doesn't."""

    kind: str
    connections: int
    patience_s: float

    @property
    def name(self) -> str:
        return f"{self.connections:,} {self.kind}"


@dataclass(slots=True)
class Footprint:
    """What is held: `before`, and of all but the worker `others_kib`; what became of the abusers, and what is left."""

    abuse: Abuse
    leader: int
    worker: int
    before: Held
    others_kib: int
    after: Held | None = None
    most_descriptors: int = 0
    most_others_kib: int = 0
    ended: int = 0
    ended_s: float = 0.0
    sent: int = 0

    @classmethod
    def begin(cls, abuse: Abuse, leader: int) -> Self:
        """Once the worker is at rest; what is most counts from here on."""
        roles = find_processes(leader)
        worker = next((pid for pid, role in roles.items() if role.startswith(WORKER)), leader)
        wait_still(worker)
        for pid in roles:
            forget_most(pid)
        return cls(abuse, leader, worker, hold(worker), sum(held.rss_kib for held in _others(leader, worker)))

    @property
    def name(self) -> str:
        return self.abuse.name

    @property
    def left_open(self) -> int:
        """Descriptors that the worker had not before."""
        return max(0, self.after.descriptors - self.before.descriptors) if self.after else 0

    def watch(self, port: int, cores: Cores, folder: Path, upload_bytes: int, upload_s: float) -> None:
        """From the coming of those who stay until the worker is back where it began, or `REST_S` after their end."""
        patience_s = self.abuse.patience_s + (upload_s if self.abuse.kind == "upload" else 0)
        flags = ("--upload-bytes", str(upload_bytes), "--upload-s", str(upload_s))
        arguments = (str(port), self.abuse.kind, str(self.abuse.connections), str(patience_s), *flags)

        def is_over() -> bool:
            self.most_descriptors = max(self.most_descriptors, count_descriptors(self.worker))
            return len(read_lines(child)) > 1

        with _started_abuser(arguments, cores, folder) as child:
            child.wait_until(is_over, deadline_s=patience_s + REST_S)
            _, end = read_lines(child)
            self.ended, self.ended_s, self.sent = int(end["ended"]), end["after_s"], int(end["sent"])
        wait_for_return(self.worker, self.before.descriptors)
        self.after = hold(self.worker)
        self.most_others_kib = sum(held.most_rss_kib for held in _others(self.leader, self.worker))

    def cells(self) -> list[str]:
        after = self.after or self.before
        memory = (self.before.rss_kib, after.most_rss_kib, after.rss_kib, self.others_kib, self.most_others_kib)
        descriptors = (self.before.descriptors, self.most_descriptors, after.descriptors)
        return [
            self.name,
            *(f"{kib / 1024:.1f} MiB" for kib in memory),
            *(f"{number:,}" for number in descriptors),
            f"{self.ended:,} of {self.abuse.connections:,} in {self.ended_s:.0f} s",
            f"{self.sent / (1 << 20):,.1f} MiB",
        ]


@contextmanager
def abusing(abuse: Abuse, port: int, cores: Cores, folder: Path) -> Iterator[None]:
    """All connections open and at it, and again where they are ended, as long as the context lasts."""
    arguments = (str(port), abuse.kind, str(abuse.connections), str(LONGEST_PHASE_S), "again")
    with _started_abuser(arguments, cores, folder) as child:
        child.wait_until(lambda: bool(read_lines(child)))
        time.sleep(SETTLE_S)
        yield


@contextmanager
def _started_abuser(arguments: Iterable[str], cores: Cores, folder: Path) -> Iterator[Child]:
    command = ["nice", "-n", "19", sys.executable, "-m", "bench.abuser", *arguments]
    paths = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    with started("abuser", command, cores=cores.load, folder=folder, environment=paths) as child:
        yield child


def read_lines(child: Child) -> list[dict[str, float]]:
    """What the abuser has said so far, as far as its lines are whole."""
    lines = child.log.read_text().splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("\n")]


def hold(pid: int) -> Held:
    """`ContenderFailed` when the process has ended."""
    held = look(pid)
    if held is None:
        raise ContenderFailed(f"the worker, process {pid}, has ended")
    return held


def _others(leader: int, worker: int) -> list[Held]:
    return [held for pid in find_processes(leader) if pid != worker and (held := look(pid))]


def wait_still(pid: int) -> None:
    """Until the process's descriptors have been as many for `STILL_S`, or for `REST_S`."""
    now = time.monotonic()
    end, still_since, latest = now + REST_S, now, count_descriptors(pid)
    while now < end and now - still_since < STILL_S:
        time.sleep(LOOK_S)
        earlier, latest, now = latest, count_descriptors(pid), time.monotonic()
        if earlier != latest:
            still_since = now


def wait_for_return(pid: int, descriptors: int) -> None:
    """Until the process has no more of them than so many, or for `REST_S`."""
    end = time.monotonic() + REST_S
    while count_descriptors(pid) > descriptors and time.monotonic() < end:
        time.sleep(LOOK_S)
