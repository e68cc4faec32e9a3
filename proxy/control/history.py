"""The traffic of the last hour by the minute, as pages draw it. Read from the store a few times a minute at most."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from proxy.core.evidence import Verdict, coverage
from proxy.core.model import LEGACY, NEW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from proxy.control.store_threads import StoreThreads
    from proxy.store import Store

Json = dict[str, Any]
SPAN_MINUTES = 60
KEPT_S = 5.0  # ten browsers that look each second must not read an hour of all routes each time
_MINUTE_S = 60


class History:
    """See the module."""

    def __init__(self, store: Store, threads: StoreThreads, now: Callable[[], float] = time.time) -> None:
        self._store = store
        self._threads = threads
        self._now = now
        self._lock = asyncio.Lock()  # those who come meanwhile wait for the one who reads
        self._read_at = float("-inf")
        self._minutes: dict[str, dict[int, dict[str, int]]] = {}

    async def read(self, routes: Iterable[str]) -> Json:
        """For each of the routes its minutes, oldest first, the present one last. Raises StoreError."""
        async with self._lock:
            now = self._now()
            if now - self._read_at >= KEPT_S:
                first = int(now // _MINUTE_S) - SPAN_MINUTES + 1
                self._minutes = await self._threads.run(lambda: self._store.recent_minutes(first))
                self._read_at = now
        first = int(self._read_at // _MINUTE_S) - SPAN_MINUTES + 1
        span = range(first, first + SPAN_MINUTES)
        return {
            "until": self._read_at,
            "bucket_s": _MINUTE_S,
            "routes": {
                route: [minute_row(minute, self._minutes.get(route, {}).get(minute, {})) for minute in span]
                for route in routes
            },
        }


def minute_row(minute: int, counts: Mapping[str, int]) -> Json:
    covered = coverage(counts)
    return {
        "at": minute * _MINUTE_S,
        "requests": {side: counts.get(f"served.{side}", 0) for side in (LEGACY, NEW)},
        "mismatches": counts.get(Verdict.MISMATCH, 0),
        "compared": covered.compared,
        "expected": covered.expected,
    }
