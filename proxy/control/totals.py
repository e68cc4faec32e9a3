"""The counters of all routes and their users: from the store, with what is still on its way to it.

While the store is away: what was read last, and everything that this node has counted since. Nobody who looks
waits for a store that doesn't answer.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import TYPE_CHECKING

from proxy.control.figures import added, unwritten
from proxy.errors import StoreError
from proxy.store.sweep import MINUTES_KEPT_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from proxy.control.recorder import Recorder
    from proxy.control.store_threads import StoreThreads
    from proxy.core.model import Side
    from proxy.store import Store

PATIENCE_S = 2.0  # a sum over all routes takes milliseconds; a locked SQLite file keeps us 5 s
KEPT_S = 0.5  # what other nodes counted; what this one did is never older than it is

Counts = dict[str, dict[str, int]]
UserCounts = dict[str, dict["Side", int]]


class Totals:
    """See the module."""

    def __init__(
        self, store: Store, threads: StoreThreads, recorder: Recorder, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._now = now
        self._lock = asyncio.Lock()  # those who come meanwhile wait for the one who reads
        self._read_at = float("-inf")
        self._store = store
        self._threads = threads
        self._recorder = recorder
        self._stored: Counts = {}
        self._users: UserCounts = {}
        self._written: Mapping[str, Counter[str]] = {}  # what this node had written when `_stored` was read

    async def read(self) -> tuple[Counts, UserCounts]:
        """Route -> counter -> number, and route -> side -> users. Never raises StoreError."""
        if self._recorder.is_up:
            try:
                async with asyncio.timeout(PATIENCE_S), self._lock:
                    if self._now() - self._read_at >= KEPT_S:
                        await self._read_store()
            except (StoreError, TimeoutError):
                pass  # the recorder reports it: it writes all the time
        return added(self._stored, unwritten(self._recorder.accepted, self._written)), self._users

    async def read_since(self, since: float, routes: Iterable[str]) -> Counts:
        """Route -> counter -> number from the minute of `since` (Unix seconds) on, over all nodes; what is still on its
        way to the store is left out. Before the last day the store has hours only: the whole hour is counted.
        Raises StoreError.
        """
        kept_from = (time.time() - MINUTES_KEPT_S) // 3600 * 3600  # as the sweep folds them
        begin = since if since >= kept_from else since // 3600 * 3600
        return await self._threads.run(lambda: {route: self._sum_since(route, int(begin // 60)) for route in routes})

    def _sum_since(self, route: str, minute: int) -> dict[str, int]:
        total: Counter[str] = Counter()
        for counts in self._store.minutes(route, minute).values():
            total.update(counts)
        return dict(total)

    async def _read_store(self) -> None:
        async with self._recorder.lock:  # no batch is under way: what is written, and what isn't, is known
            written = {route: Counter(counts) for route, counts in self._recorder.written.items()}
            stored, users = await self._threads.run(lambda: (self._store.totals(), self._store.user_counts()))
        self._stored, self._users, self._written = stored, users, written
        self._read_at = self._now()
