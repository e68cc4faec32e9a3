"""The comparer processes as control uses them: a bounded backlog of pairs, and children that are killed when late.

1. Every pair that was taken gets exactly one outcome: what a child found, or why nothing was found (law 10).
2. A child that misses the deadline is killed with SIGKILL and replaced: only that ends a comparison in C code.
3. The backlog is bounded by number and bytes; full means refused. Before that the window shrinks, so that workers
   stop sending pairs rather than see them dropped.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog

from proxy.child import ChildLost
from proxy.control.comparer_process import ComparerProcess
from proxy.control.outcome import Outcome, without_finding
from proxy.core.evidence import Verdict, decode_pair

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType
    from typing import Self

log = structlog.get_logger(__name__)

MAX_BACKLOG = 2_000  # pairs: some seconds of one comparer's work
MAX_BACKLOG_BYTES = 64 * 1024 * 1024
# Two bodies of 1 MiB become some 100 MB of Python values, and as much again while they are compared.
MEMORY_BYTES = 512 * 1024 * 1024
MAX_BODY_BYTES = 1024 * 1024
WIDE_WINDOW, NARROW_WINDOW = 256, 16  # pairs that a worker may have under way: normally, and when it gets crowded
FIRST_PAUSE_S, MAX_PAUSE_S = 0.1, 5.0  # between failed starts


@dataclass(frozen=True, slots=True)
class Job:
    """One pair and who waits for its outcome."""

    encoded: bytes
    done: Callable[[Outcome], None]


class Comparers:
    """See the module. An async context: its children run as long as it lasts.

    `on_window` is called with the new window whenever it changes. `memory_bytes` is each child's budget,
    `max_body_bytes` what workers keep of an answer (`Settings.max_compared_bytes`).
    """

    def __init__(
        self,
        count: int,
        timeout_s: float,
        *,
        max_backlog: int = MAX_BACKLOG,
        max_backlog_bytes: int = MAX_BACKLOG_BYTES,
        memory_bytes: int = MEMORY_BYTES,
        max_body_bytes: int = MAX_BODY_BYTES,
        gives_way: bool = True,
        on_window: Callable[[int], None] | None = None,
    ) -> None:
        self.count = count
        self.on_window = on_window
        self.window = WIDE_WINDOW
        self.backlog_bytes = 0
        self.busy = 0
        self.restarts = 0
        self._timeout_s = timeout_s
        self._max_backlog = max_backlog
        self._max_backlog_bytes = max_backlog_bytes
        self._memory_bytes = memory_bytes
        self._max_body_bytes = max_body_bytes
        self._gives_way = gives_way
        self._rules: Mapping[str, Any] | None = None
        self._jobs: deque[Job] = deque()
        self._arrived = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._alive: set[ComparerProcess] = set()
        self._group = asyncio.TaskGroup()
        self._lives: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        self._lives = [self._group.create_task(self._keep_comparing()) for _ in range(self.count)]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for life in self._lives:
            life.cancel()
        await self._group.__aexit__(kind, error, trace)
        self._refuse_backlog("stopped")

    # --- for control ---
    @property
    def backlog(self) -> int:
        """Pairs that wait for a child."""
        return len(self._jobs)

    @property
    def pids(self) -> list[int]:
        """The children that are ready or at work."""
        return sorted(child.pid for child in self._alive)

    def set_rules(self, document: Mapping[str, Any]) -> None:
        """The config's document (`config.Loaded.document`), for pairs that are begun from now on. Not copied."""
        self._rules = document

    def submit(self, encoded: bytes, done: Callable[[Outcome], None]) -> bool:
        """Takes a pair over; `done` gets its outcome. False when there is no room: `done` is never called."""
        if len(self._jobs) >= self._max_backlog or self.backlog_bytes + len(encoded) > self._max_backlog_bytes:
            return False
        self._jobs.append(Job(encoded, done))
        self.backlog_bytes += len(encoded)
        self._idle.clear()
        self._arrived.set()
        self._adjust_window()
        return True

    async def drain(self, timeout_s: float) -> None:
        """Waits until every pair has its outcome; after `timeout_s` those that wait get `skipped`: "stopped"."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._idle.wait()
        self._refuse_backlog("stopped")

    # --- one child's place ---
    async def _keep_comparing(self) -> None:
        """One child after the other, for ever."""
        pause_s = 0.0
        while True:
            try:
                child = await ComparerProcess.start_comparer(
                    self._memory_bytes, self._max_body_bytes, gives_way=self._gives_way
                )
            except (ChildLost, OSError) as error:
                pause_s = min(max(pause_s * 2, FIRST_PAUSE_S), MAX_PAUSE_S)
                log.error("comparer.unstartable", cause=repr(error), pause_s=pause_s)  # noqa: TRY400  # the cause says all
                if not self._alive:
                    self._refuse_backlog("comparer_busy")
                await asyncio.sleep(pause_s)
                continue
            pause_s = 0.0
            await self._live(child)
            self.restarts += 1

    async def _live(self, child: ComparerProcess) -> None:
        """Lets a child compare until it is lost."""
        self._alive.add(child)
        end = self._group.create_task(child.wait())
        end.add_done_callback(lambda _: self._arrived.set())  # so that `_next_job` looks
        try:
            while True:
                await self._compare(child, await self._next_job(child))
        except ChildLost as lost:
            log.warning("comparer.lost", pid=child.pid, reason=lost.reason)
        finally:
            self._alive.discard(child)
            await child.kill()

    async def _next_job(self, child: ComparerProcess) -> Job:
        """Waits for a pair. Raises ChildLost when the child has died of something else: no pair's fault."""
        while not self._jobs or child.has_ended():
            if child.has_ended():
                raise ChildLost("idle")
            self._arrived.clear()
            await self._arrived.wait()
        job = self._jobs.popleft()
        self.backlog_bytes -= len(job.encoded)
        self._adjust_window()
        return job

    async def _compare(self, child: ComparerProcess, job: Job) -> None:
        """Rule 1. Raises ChildLost when the child must be replaced."""
        self.busy += 1
        try:
            outcome = await child.compare(job.encoded, self._rules, self._timeout_s)
        except ChildLost as lost:
            self._settle(job, _without_finding(job.encoded, Verdict.GAVE_UP, lost.reason))
            raise
        except asyncio.CancelledError:
            self._settle(job, _without_finding(job.encoded, Verdict.SKIPPED, "stopped"))
            raise
        self._settle(job, outcome)

    def _settle(self, job: Job, outcome: Outcome) -> None:
        self.busy -= 1
        job.done(outcome)
        self._look_idle()

    # --- the backlog ---
    def _refuse_backlog(self, reason: str) -> None:
        jobs, self._jobs, self.backlog_bytes = self._jobs, deque(), 0
        for job in jobs:
            job.done(_without_finding(job.encoded, Verdict.SKIPPED, reason))
        self._look_idle()
        self._adjust_window()

    def _look_idle(self) -> None:
        if not self._jobs and not self.busy:
            self._idle.set()

    def _adjust_window(self) -> None:
        fill = max(len(self._jobs) / self._max_backlog, self.backlog_bytes / self._max_backlog_bytes)
        window = next_window(self.window, fill)
        if window != self.window:
            self.window = window
            if self.on_window is not None:
                self.on_window(window)


def next_window(window: int, fill: float) -> int:
    """The window for a backlog that is `fill` full (0 to 1). It closes at 3/4 and opens again below 1/4.

    The gaps between the marks keep it from changing with each pair.
    """
    if fill >= 0.75:
        return 0
    if fill >= 0.5:
        return min(window, NARROW_WINDOW)
    if fill < 0.125:
        return WIDE_WINDOW
    return max(window, NARROW_WINDOW) if fill < 0.25 else window


def _without_finding(encoded: bytes, verdict: Verdict, reason: str) -> Outcome:
    """The outcome of a pair that no child has judged. Only here, off the usual way, control reads a pair itself."""
    try:
        return without_finding(decode_pair(encoded), verdict, reason)
    except ValueError:
        return Outcome("", "candidate", Verdict.GAVE_UP, "unreadable")
