"""Keeps a node's processes alive, and ends them in order.

1. A child that ends is started again, after a pause that doubles with each early end: no storm of restarts.
2. A child that refuses its very first start with exit code 2 (a wrong setting, an occupied port) ends everything.
3. At the end the children of one rank after the other get SIGTERM and their time, then SIGKILL.
4. Children are in sessions of their own, so that Ctrl-C reaches only the supervisor, which keeps rule 3.

What the children are it is told; it knows nothing of workers or control.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from proxy.process import child_environment, die_with_parent

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["Backoff", "Child", "Supervisor", "die_with_parent"]

log = structlog.get_logger(__name__)

REFUSED_START = 2  # a wrong usage or config, which no restart mends
_LAST_WORDS_S = 2.0  # beyond drain_s: writing the last counters, closing connections


@dataclass(frozen=True, slots=True)
class Child:
    """One process to keep alive. Lower `stop_rank`s are stopped first; `is_reloadable` ones get SIGHUP."""

    name: str
    argv: tuple[str, ...]
    environ: Mapping[str, str] = field(default_factory=dict)
    pass_fds: tuple[int, ...] = ()
    stop_rank: int = 0
    is_reloadable: bool = False


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses before a restart, in seconds: `first_s`, doubled up to `max_s`, anew after `steady_s` of life."""

    first_s: float = 0.1
    max_s: float = 5.0
    steady_s: float = 30.0

    def after(self, previous_s: float, lived_s: float) -> float:
        """The pause before the next start; `previous_s` is the one before, 0 when there was none."""
        if previous_s == 0 or lived_s >= self.steady_s:
            return self.first_s
        return min(previous_s * 2, self.max_s)


class Supervisor:
    """See the module. One `run` for each Supervisor; `drain_s` is the time that each rank has to stop."""

    def __init__(self, children: Sequence[Child], drain_s: float, backoff: Backoff | None = None) -> None:
        self._children = children
        self._drain_s = drain_s
        self._backoff = backoff or Backoff()
        self._running: dict[str, Process] = {}
        self._stop = asyncio.Event()
        self._is_forced = asyncio.Event()
        self._exit_code = 0

    async def run(self) -> int:
        """Starts all children and keeps them running until SIGTERM or SIGINT. Returns the exit code: 0, or rule 2's.

        A second signal ends the waiting for children that drain.
        """
        with _Signals(self.stop, self.reload):
            async with asyncio.TaskGroup() as group:
                kept = {child.name: group.create_task(self._keep_running(child)) for child in self._children}
                await self._stop.wait()
                await self._stop_in_order(kept)
        log.info("node.stopped", exit_code=self._exit_code)
        return self._exit_code

    def stop(self) -> None:
        """Begins the end; called again, hurries it."""
        if self._stop.is_set():
            self._is_forced.set()
        self._stop.set()

    def reload(self) -> None:
        """Passes SIGHUP on to the children that reload."""
        for child in self._children:
            if child.is_reloadable:
                self._signal(child, signal.SIGHUP)

    # --- one child ---
    async def _keep_running(self, child: Child) -> None:
        loop = asyncio.get_running_loop()
        starts, pause_s = 0, 0.0
        while not self._stop.is_set():
            started_at = loop.time()
            code = await self._run_once(child)
            lived_s = loop.time() - started_at
            starts += 1
            if self._stop.is_set():
                return
            if starts == 1 and code == REFUSED_START and lived_s < self._backoff.steady_s:
                log.error("child.refused", child=child.name, exit_code=code)
                self._exit_code = REFUSED_START
                self.stop()
                return
            pause_s = self._backoff.after(pause_s, lived_s)
            log.warning("child.ended", child=child.name, exit_code=code, lived_s=round(lived_s, 3), pause_s=pause_s)
            await _happens_within(self._stop, pause_s)

    async def _run_once(self, child: Child) -> int | None:
        """The exit code of one life (negative: the signal), or None when it could not even be started."""
        try:
            process = await asyncio.create_subprocess_exec(
                *child.argv,
                env={**os.environ, **child.environ, **child_environment()},
                pass_fds=child.pass_fds,
                stdin=asyncio.subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            log.error("child.unstartable", child=child.name, cause=str(error))  # noqa: TRY400  # the message is complete
            return None
        self._running[child.name] = process
        log.info("child.started", child=child.name, pid=process.pid)
        if self._is_forced.is_set():
            self._signal(child, signal.SIGKILL)
        elif self._stop.is_set():
            self._signal(child, signal.SIGTERM)
        try:
            return await process.wait()
        finally:
            del self._running[child.name]

    def _signal(self, child: Child, number: signal.Signals) -> None:
        process = self._running.get(child.name)
        if process is not None:
            with suppress(ProcessLookupError):
                process.send_signal(number)

    # --- the end ---
    async def _stop_in_order(self, kept: Mapping[str, asyncio.Task[None]]) -> None:
        for rank in sorted({child.stop_rank for child in self._children}):
            members = [child for child in self._children if child.stop_rank == rank]
            for child in members:
                self._signal(child, signal.SIGTERM)
            await self._wait_or_kill(members, {kept[child.name] for child in members})

    async def _wait_or_kill(self, members: Sequence[Child], lives: set[asyncio.Task[None]]) -> None:
        forced = asyncio.create_task(self._is_forced.wait())
        deadline = asyncio.get_running_loop().time() + self._drain_s + _LAST_WORDS_S
        while lives and not forced.done():
            left_s = deadline - asyncio.get_running_loop().time()
            if left_s <= 0:
                break
            await asyncio.wait({*lives, forced}, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
            lives = {life for life in lives if not life.done()}
        forced.cancel()
        for child in members:
            if child.name in self._running:
                log.warning("child.killed", child=child.name, reason="forced" if forced.done() else "did not stop")
                self._signal(child, signal.SIGKILL)
        if lives:
            await asyncio.wait(lives)


class _Signals:
    """SIGTERM and SIGINT stop, SIGHUP reloads, as long as the context lasts."""

    def __init__(self, stop: Callable[[], None], reload: Callable[[], None]) -> None:
        self._handlers = {signal.SIGTERM: stop, signal.SIGINT: stop, signal.SIGHUP: reload}
        self._loop = asyncio.get_running_loop()

    def __enter__(self) -> None:
        for number, handler in self._handlers.items():
            self._loop.add_signal_handler(number, handler)

    def __exit__(self, *_: object) -> None:
        for number in self._handlers:
            self._loop.remove_signal_handler(number)


async def _happens_within(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
