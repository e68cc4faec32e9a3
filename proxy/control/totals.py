"""The counters of all routes and their users: from the store, with what is still on its way to it.

While the store is away: what was read last, and everything that this node has counted since. Nobody who looks
waits for a store that doesn't answer.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

from proxy.control.figures import added, unwritten
from proxy.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from proxy.control.recorder import Recorder
    from proxy.control.store_threads import StoreThreads
    from proxy.core.model import Side
    from proxy.store import Store

PATIENCE_S = 2.0  # a sum over all routes takes milliseconds; a locked SQLite file keeps us 5 s

Counts = dict[str, dict[str, int]]
UserCounts = dict[str, dict["Side", int]]


class Totals:
    """See the module."""

    def __init__(self, store: Store, threads: StoreThreads, recorder: Recorder) -> None:
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
                async with asyncio.timeout(PATIENCE_S):
                    await self._read_store()
            except (StoreError, TimeoutError):
                pass  # the recorder reports it: it writes all the time
        return added(self._stored, unwritten(self._recorder.accepted, self._written)), self._users

    async def _read_store(self) -> None:
        async with self._recorder.lock:  # no batch is under way: what is written, and what isn't, is known
            written = {route: Counter(counts) for route, counts in self._recorder.written.items()}
            stored, users = await self._threads.run(lambda: (self._store.totals(), self._store.user_counts()))
        self._stored, self._users, self._written = stored, users, written
