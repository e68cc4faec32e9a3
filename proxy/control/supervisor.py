"""Keeps a node's processes alive, replaces them one by one, and ends them in order.

1. A child that ends is started again, after a pause that doubles with each early end: no storm of restarts.
2. A child that refuses its very first start with exit code 2 (a wrong setting, an occupied port) ends everything.
3. A rolling restart takes one child after the other: its successor is started and says that it is ready, then the old
   process gets SIGTERM. A successor that doesn't get ready changes nothing, and the restart ends there.
4. A child has at most one predecessor that drains; the next rolling restart waits for its end. Restarts that are asked
   for meanwhile become one.
5. At the end the children of one rank after the other get SIGTERM and their time, then SIGKILL.
6. A reload reaches also a successor that isn't ready yet, and is told as done when each process has done one that
   began after it was wanted; what they say to be wrong then is part of it.
7. Children are in process groups of their own, so that Ctrl-C reaches only the supervisor, which keeps rule 5. All
   are in one session, so that those of low priority give way to the others (`process.leave_terminal`).

What the children are it is told; it knows nothing of workers or control.
"""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog

from proxy.control.life import Child, Life
from proxy.process import die_with_parent
from proxy.sdnotify import ServiceManager

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Backoff", "Child", "Supervisor", "die_with_parent"]

log = structlog.get_logger(__name__)

REFUSED_START = 2  # a wrong usage or config, which no restart mends
_LAST_WORDS_S = 2.0  # beyond drain_s: writing the last counters, closing connections
READY_S = 60.0  # for a successor; a worker takes a second, on a machine that is busy ten
RELOADED_S = 10.0  # for a reload to be told as done; what it does is bounded elsewhere


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


@dataclass(slots=True, eq=False)
class _Slot:
    """A child's place: the process that has it now, the one before that still drains."""

    child: Child
    life: Life | None = None
    successor: Life | None = None  # that isn't ready yet
    predecessor: Life | None = None
    was_ready: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def reloadable(self) -> list[Life]:
        """The processes that are to reload: who has the place, and who is about to take it. Who leaves needs not."""
        return [life for life in (self.life, self.successor) if self.child.is_reloadable and life is not None]


class Supervisor:
    """See the module. One `run` for each Supervisor; `drain_s` is the time that each rank has to stop."""

    def __init__(
        self,
        children: Sequence[Child],
        drain_s: float,
        backoff: Backoff | None = None,
        manager: ServiceManager | None = None,
        ready_s: float = READY_S,
    ) -> None:
        self._slots = [_Slot(child) for child in children]
        self._drain_s = drain_s
        self._backoff = backoff or Backoff()
        self._manager = manager or ServiceManager()
        self._ready_s = ready_s
        self._lives: set[Life] = set()
        self._stop = asyncio.Event()
        self._is_forced = asyncio.Event()
        self._reload_wanted = asyncio.Event()
        self._reloading: list[Life] = []  # those that have been told to, and will say when it is done
        self._roll_wanted = asyncio.Event()
        self._group = asyncio.TaskGroup()
        self._exit_code = 0
        self._doing = self._told_trouble = ""  # as the service manager knows it; nothing before it is told ready

    async def run(self) -> int:
        """Starts all children and keeps them running until SIGTERM or SIGINT. Returns the exit code: 0, or rule 2's.

        A second signal ends the waiting for children that drain.
        """
        with _Signals(self.stop, self.reload, self.roll):
            async with self._group as group:
                kept = {slot.child.name: group.create_task(self._keep_running(slot)) for slot in self._slots}
                group.create_task(self._tell_manager())
                group.create_task(self._keep_watchdog_calm())
                rolling = group.create_task(self._keep_rolling())
                await self._stop.wait()
                self._manager.stopping("draining")
                await rolling  # so that no process is started behind our back
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
        if self._stop.is_set():
            return
        self._manager.reloading()
        self._doing = ""
        told = [life for slot in self._slots for life in slot.reloadable]
        for life in told:
            life.reload()
        self._reloading = [life for life in told if life.child.says_ready]
        self._reload_wanted.set()

    def roll(self) -> None:
        """Replaces the children that can be replaced, one after the other (rules 3 and 4)."""
        self._roll_wanted.set()

    # --- one child ---
    async def _keep_running(self, slot: _Slot) -> None:
        first, pause_s = True, 0.0
        while not self._stop.is_set():
            slot.life = began = await self._begin(slot)
            last = await _last_of(slot)
            slot.life = None
            if self._stop.is_set():
                return
            code, lived_s = (None, 0.0) if last is None else (last.exit_code, last.lived_s)
            is_first, first = first and last is began, False
            if is_first and code == REFUSED_START and lived_s < self._backoff.steady_s:
                log.error("child.refused", child=slot.child.name, exit_code=code)
                self._exit_code = REFUSED_START
                self.stop()
                return
            pause_s = self._backoff.after(pause_s, lived_s)
            log.warning(
                "child.ended", child=slot.child.name, exit_code=code, lived_s=round(lived_s, 3), pause_s=pause_s
            )
            await _any_of(self._stop, within_s=pause_s)

    async def _begin(self, slot: _Slot) -> Life | None:
        """A new process for the child, which has no place yet; None where it could not even be started."""
        child = slot.child
        try:
            life = await Life.begin(child, partial(self._heard, slot))
        except OSError as error:
            log.error("child.unstartable", child=child.name, cause=str(error))  # noqa: TRY400  # the message is complete
            return None
        self._lives.add(life)
        self._group.create_task(self._forget_at_end(life))
        log.info("child.started", child=child.name, pid=life.pid)
        if self._is_forced.is_set():
            life.signal(signal.SIGKILL)
        elif self._stop.is_set():
            life.signal(signal.SIGTERM)
        return life

    def _heard(self, slot: _Slot) -> None:
        slot.was_ready.set()
        self._tell_trouble()

    async def _forget_at_end(self, life: Life) -> None:
        await life.ended.wait()
        self._lives.discard(life)

    # --- rolling restarts ---
    async def _keep_rolling(self) -> None:
        while not self._stop.is_set():
            await _any_of(self._roll_wanted, self._stop)
            if self._roll_wanted.is_set() and not self._stop.is_set():
                self._roll_wanted.clear()
                await self._roll()

    async def _roll(self) -> None:
        log.info("roll.began")
        for slot in self._slots:
            if slot.child.is_rolled and not await self._replace(slot):
                if not self._stop.is_set():
                    log.error("roll.ended_early", child=slot.child.name)
                    self._say(f"a new {slot.child.name} did not get ready; the old one goes on")
                return
        log.info("roll.done")
        self._say("all replaced")

    async def _replace(self, slot: _Slot) -> bool:
        """Whether the child's process is a new one now; False leaves all as it was."""
        if slot.predecessor is not None:
            await _any_of(slot.predecessor.ended, self._stop)
        old = slot.life
        if self._stop.is_set() or old is None:
            return not self._stop.is_set()  # without a process it is between two lives: a new one comes anyway
        self._say(f"replacing {slot.child.name}")
        slot.successor = successor = await self._begin(slot)
        if successor is None:
            return False
        await _any_of(successor.ready, successor.ended, self._stop, within_s=self._ready_s)
        slot.successor = None
        if self._stop.is_set():
            return False
        if not successor.ready.is_set() or successor.ended.is_set():
            log.error("child.unready", child=slot.child.name, pid=successor.pid, exit_code=successor.exit_code)
            successor.signal(signal.SIGKILL)
            return False
        if slot.life is old:
            slot.life, slot.predecessor = successor, old
        else:
            slot.predecessor = successor  # the old one died meanwhile: its place is taken, or will be, by a new one
        leaving = slot.predecessor
        leaving.signal(signal.SIGTERM)
        self._group.create_task(self._see_off(leaving))
        log.info("child.replaced", child=slot.child.name, pid=successor.pid, before=old.pid)
        return True

    async def _see_off(self, life: Life) -> None:
        """Waits for the end of a process that drains; kills it after its time."""
        await _any_of(life.ended, within_s=self._drain_s + _LAST_WORDS_S)
        if not life.ended.is_set():
            log.warning("child.killed", child=life.child.name, reason="did not stop")
            life.signal(signal.SIGKILL)

    # --- what the service manager is told ---
    async def _tell_manager(self) -> None:
        for slot in self._slots:
            await _any_of(slot.was_ready, self._stop)
        if self._stop.is_set():
            return
        log.info("node.ready")
        self._say_ready()
        while not self._stop.is_set():
            await _any_of(self._reload_wanted, self._stop)
            while self._reload_wanted.is_set() and not self._stop.is_set():  # else who asked last were told too soon
                self._reload_wanted.clear()
                await self._wait_for_reloads()
            if not self._stop.is_set():
                self._say_ready()

    async def _wait_for_reloads(self) -> None:
        """Until each process that was told has done a reload that began after the last one was wanted, or has ended."""
        for life in self._reloading:
            await _any_of(life.ready, life.ended, self._stop, within_s=self._ready_s)
            await _any_of(life.reloaded, life.ended, self._stop, within_s=RELOADED_S)

    def _say_ready(self) -> None:
        self._doing, self._told_trouble = "serving", self._trouble
        self._manager.ready(self._status)

    def _say(self, doing: str) -> None:
        self._doing, self._told_trouble = doing, self._trouble
        self._manager.status(self._status)

    def _tell_trouble(self) -> None:
        """Says what is wrong as it comes, and when it has gone: a config may be refused without a SIGHUP."""
        if self._doing and self._trouble != self._told_trouble and not self._stop.is_set():
            self._say(self._doing)

    @property
    def _status(self) -> str:
        return f"{self._doing}; {self._told_trouble}" if self._told_trouble else self._doing

    @property
    def _trouble(self) -> str:
        return "; ".join(slot.life.trouble for slot in self._slots if slot.life is not None and slot.life.trouble)

    async def _keep_watchdog_calm(self) -> None:
        if self._manager.watchdog_s is None:
            return
        while not self._stop.is_set():
            self._manager.alive()
            await _any_of(self._stop, within_s=self._manager.watchdog_s / 2)  # as sd_watchdog_enabled(3) advises

    # --- the end ---
    async def _stop_in_order(self, kept: dict[str, asyncio.Task[None]]) -> None:
        for rank in sorted({slot.child.stop_rank for slot in self._slots}):
            names = {slot.child.name for slot in self._slots if slot.child.stop_rank == rank}
            for life in self._of(names):
                life.signal(signal.SIGTERM)
            await self._wait_or_kill(names, [kept[name] for name in names])

    def _of(self, names: set[str]) -> list[Life]:
        return [life for life in self._lives if life.child.name in names]

    async def _wait_or_kill(self, names: set[str], keeping: list[asyncio.Task[None]]) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._drain_s + _LAST_WORDS_S):
                while not self._is_forced.is_set() and (waiting := self._of(names)):
                    await _any_of(waiting[0].ended, self._is_forced)
                    await asyncio.sleep(0)  # the end is noted
        reason = "forced" if self._is_forced.is_set() else "did not stop"
        for life in self._of(names):
            log.warning("child.killed", child=life.child.name, reason=reason)
            life.signal(signal.SIGKILL)
        await asyncio.wait(keeping)
        for life in self._of(names):
            await life.ended.wait()


async def _last_of(slot: _Slot) -> Life | None:
    """Waits for the end of the process that has the slot, or of its successor; that one, or None if there was none."""
    last = None
    while slot.life is not None and slot.life is not last:
        last = slot.life
        await last.ended.wait()  # by then a successor may have its place
    return last


class _Signals:
    """SIGTERM and SIGINT stop, SIGHUP reloads, SIGUSR2 rolls, as long as the context lasts."""

    def __init__(self, stop: Callable[[], None], reload: Callable[[], None], roll: Callable[[], None]) -> None:
        self._handlers = {
            signal.SIGTERM: stop,
            signal.SIGINT: stop,
            signal.SIGHUP: reload,
            signal.SIGUSR2: roll,
        }
        self._before: dict[signal.Signals, Any] = {}
        self._loop = asyncio.get_running_loop()

    def __enter__(self) -> None:
        for number, handler in self._handlers.items():
            self._before[number] = signal.getsignal(number)
            self._loop.add_signal_handler(number, handler)

    def __exit__(self, *_: object) -> None:
        for number, before in self._before.items():
            self._loop.remove_signal_handler(number)
            signal.signal(number, before)


async def _any_of(*events: asyncio.Event, within_s: float | None = None) -> None:
    """Waits for the first of these events, or for `within_s`; which one it was the caller asks."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
