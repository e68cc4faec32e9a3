"""A child process that is fed frames through its stdin and answers through its stdout: started, asked, killed.

`FramedChild` is the parent's end. The child's end is `become_child`, then `frames` and `answer` until the feed ends.

1. A child may hang, crash or eat memory: its parent kills it at a deadline, and its memory is limited.
2. It has a low share of the processor beside the workers: users come first.
3. Its stdout carries frames only; whatever a library prints goes to stderr.
"""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Self

from proxy import logs
from proxy.process import child_environment, die_with_parent, leave_terminal, yield_processor
from proxy.traffic.frames import HEAD, MAX_PAYLOAD_BYTES, encode, head

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Iterator

READY = 64  # the kind of each child's first frame
_START_S = 5.0  # of work: imports take one
_PIPE_BYTES = 1_048_576
_PIECE_BYTES = 65_536
_CPU_CLOCK = 2  # of a process, with its id inverted above (clock_getcpuclockid(3))
_GIVES_WAY = "_CHANGEOVER_GIVES_WAY"
_NICENESS = 10  # where it needn't give way altogether
_PATIENCE = 10  # times as long as its work may a child take that hardly gets a processor


# --- the parent's end ---
class ChildLost(Exception):
    """The process is of no use any more; `reason` says why: "time" at a deadline, "crash", or "idle"."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class FramedChild:
    """A running child. Made by `start`; after ChildLost it must be killed."""

    def __init__(self, process: Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, module: str, *arguments: int, gives_way: bool = True) -> Self:
        """A child that runs `python -m module` and is ready.

        Raises ChildLost when it doesn't get that far, OSError without one. `gives_way`: it gets what processor time
        others leave over (SCHED_IDLE, sched(7)); else it is at nice 10.
        """
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", module, *map(str, arguments)),
            env={**os.environ, **child_environment(), _GIVES_WAY: "1" if gives_way else ""},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_PIPE_BYTES,
        )
        child = cls(process)
        try:
            await child.receive(READY, _START_S)
        except BaseException:
            await child.kill()
            raise
        return child

    @property
    def pid(self) -> int:
        return self._process.pid

    def has_ended(self) -> bool:
        return self._process.returncode is not None

    async def wait(self) -> None:
        """Returns when the child has ended."""
        await self._process.wait()

    async def kill(self) -> None:
        """Ends the child at once and waits until it is gone."""
        with suppress(ProcessLookupError):
            self._process.kill()
        await asyncio.shield(self._process.wait())

    def send(self, kind: int, *payload: bytes) -> None:
        """Hands a frame to the pipe, its payload in pieces or not. A child that is gone is noticed by `receive`."""
        if self._process.stdin is None:
            raise RuntimeError("the child was started with a pipe")
        self._process.stdin.writelines([head(kind, sum(map(len, payload))), *payload])

    async def receive(self, wanted: int, timeout_s: float) -> bytes:
        """The next frame's payload. Raises ChildLost: "crash" when it isn't `wanted`, "time" once the child has worked
        for `timeout_s` on it, or has had `_PATIENCE` times as long.
        """
        return b"".join(await self.receive_pieces(wanted, timeout_s))

    async def receive_pieces(self, wanted: int, timeout_s: float) -> list[bytes]:
        """As `receive`, in pieces of some kilobytes: where others wait for the loop, megabytes are best left apart."""
        reader = self._process.stdout
        if reader is None:
            raise RuntimeError("the child was started with a pipe")
        try:
            async with asyncio.timeout(_PATIENCE * timeout_s) as bound:
                with self._working(timeout_s, bound):
                    length, kind = HEAD.unpack(await reader.readexactly(HEAD.size))
                    if kind != wanted or length > MAX_PAYLOAD_BYTES:
                        raise ChildLost("crash")
                    return await _read(reader, length)
        except TimeoutError as error:
            raise ChildLost("time") from error
        except (asyncio.IncompleteReadError, OSError) as error:
            raise ChildLost("crash") from error

    @contextmanager
    def _working(self, at_most_s: float, bound: asyncio.Timeout) -> Iterator[None]:
        """Within it the child may work for so long: then `bound` ends."""
        loop = asyncio.get_running_loop()
        work_ends = self._worked_s() + at_most_s
        watch: asyncio.TimerHandle | None = None

        def look() -> None:
            nonlocal watch
            left_s = work_ends - self._worked_s()
            if left_s <= 0:
                bound.reschedule(loop.time())
            else:
                watch = loop.call_later(max(left_s, 0.01), look)

        watch = loop.call_later(at_most_s, look)
        try:
            yield
        finally:
            watch.cancel()

    def _worked_s(self) -> float:
        """The processor time that the child has taken; it may be gone."""
        try:
            return time.clock_gettime(~self.pid << 3 | _CPU_CLOCK)
        except OSError:
            return 0.0


async def _read(reader: asyncio.StreamReader, length: int) -> list[bytes]:
    """So many bytes. Raises IncompleteReadError."""
    pieces = []
    while length:
        piece = await reader.read(min(length, _PIECE_BYTES))
        if not piece:
            raise asyncio.IncompleteReadError(b"", length)
        pieces.append(piece)
        length -= len(piece)
    return pieces


# --- the child's end ---
@dataclass(frozen=True, slots=True)
class _LogSettings:
    """Such a child has no settings of its own; it says something only when its work breaks."""

    log_format: str = "auto"
    log_level: str = "info"


def become_child(name: str, memory_bytes: int) -> None:
    """Makes of this process such a child: ends with its parent, gives way, has at most so much more memory."""
    die_with_parent(signal.SIGKILL)  # nothing in here is worth finishing
    for number in (signal.SIGINT, signal.SIGHUP):  # a terminal sends these to everybody; the parent decides
        signal.signal(number, signal.SIG_IGN)
    leave_terminal()
    if os.environ.get(_GIVES_WAY):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    else:
        yield_processor(_NICENESS)
    logs.configure(_LogSettings(), process=name)
    limit_memory(memory_bytes)


def limit_memory(budget_bytes: int) -> None:
    """At most `budget_bytes` more address space than now: beyond it Python raises MemoryError."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limit = pages * resource.getpagesize() + budget_bytes
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))


@contextmanager
def pipes() -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """The feed and the way out, which is out of reach for `print` from here on."""
    out = os.dup(1)
    os.dup2(2, 1)
    with os.fdopen(out, "wb") as answers, os.fdopen(0, "rb", closefd=False) as feed:
        yield feed, answers


def frames(feed: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Each frame's kind and payload, until the feed ends."""
    while head := feed.read(HEAD.size):
        length, kind = HEAD.unpack(head)
        yield kind, feed.read(length)


def answer(out: BinaryIO, kind: int, payload: bytes = b"") -> None:
    out.write(encode(kind, payload))
    out.flush()
