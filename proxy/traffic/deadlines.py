"""The one place where waits of the data plane end: a sweep over everything that has a deadline.

A timer per request costs more than the request's parsing does; one sweep each 50 ms over the open exchanges costs
next to nothing, and makes every deadline late by at most that.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable

log = structlog.get_logger(__name__)

SWEEP_S = 0.05


class Timed(Protocol):
    """Something with a deadline on the loop's clock (seconds); `expire` is called once it has passed."""

    deadline: float

    def expire(self, now: float) -> None: ...


class Deadlines:
    """All open exchanges. `add` and `discard` are cheap; call `start` once the loop runs, `stop` at the end."""

    def __init__(self) -> None:
        self._timed: set[Timed] = set()
        self._each_sweep: list[Callable[[float], None]] = []
        self._handle: asyncio.TimerHandle | None = None
        self.add = self._timed.add
        self.discard = self._timed.discard

    def __len__(self) -> int:
        return len(self._timed)

    def on_sweep(self, call: Callable[[float], None]) -> None:
        """Has `call` called with the loop's time at each sweep: for idle connections and the like."""
        self._each_sweep.append(call)

    def remove_on_sweep(self, call: Callable[[float], None]) -> None:
        self._each_sweep.remove(call)

    def start(self) -> None:
        self._handle = asyncio.get_running_loop().call_later(SWEEP_S, self._sweep)

    def stop(self) -> None:
        if self._handle is not None:
            self._handle.cancel()

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._handle = loop.call_later(SWEEP_S, self._sweep)
        for timed in [timed for timed in self._timed if timed.deadline <= now]:
            self._expire(timed, now)
        for call in list(self._each_sweep):
            call(now)

    def _expire(self, timed: Timed, now: float) -> None:
        try:
            timed.expire(now)
        except Exception:  # a fault of one must not cost the others their deadlines
            self._timed.discard(timed)
            log.exception("deadline.faulted")
