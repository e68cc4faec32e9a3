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
KEPT_S = 5.0  # ten browsers that look each second must not read the minutes of all routes each time
LATE_MINUTES = 2  # what nodes count reaches the store within seconds
WHOLE_S = 300.0  # what waited for a store that was away, longer than that, is found by then
_MINUTE_S = 60


class History:
    """See the module. The minutes that are over are kept: an hour of 500 routes takes the store half a second."""

    def __init__(self, store: Store, threads: StoreThreads, now: Callable[[], float] = time.time) -> None:
        self._store = store
        self._threads = threads
        self._now = now
        self._lock = asyncio.Lock()  # those who come meanwhile wait for the one who reads
        self._read_at = float("-inf")
        self._whole_at = float("-inf")
        self._rows: dict[str, dict[int, Json]] = {}
        self._nodes: dict[str, int] = {}

    async def read(self, routes: Iterable[str]) -> Json:
        """For each of the routes its minutes, oldest first, the present one last; and which nodes there are.

        Raises StoreError.
        """
        async with self._lock:
            now = self._now()
            if now - self._read_at >= KEPT_S:
                await self._refresh(now)
        first = _first_minute(self._read_at)
        span = range(first, first + SPAN_MINUTES)
        empty = {minute: minute_row(minute, {}) for minute in span}
        return {
            "until": self._read_at,
            "bucket_s": _MINUTE_S,
            "nodes": [{"name": node, "last_at": minute * _MINUTE_S} for node, minute in self._nodes.items()],
            "routes": {
                route: [self._rows.get(route, {}).get(minute, empty[minute]) for minute in span] for route in routes
            },
        }

    async def _refresh(self, now: float) -> None:
        """Reads what may be new since the last time."""
        first = _first_minute(now)
        is_whole = now - self._whole_at >= WHOLE_S
        since = first if is_whole else max(int(self._read_at // _MINUTE_S) - LATE_MINUTES, first)
        self._rows, self._nodes = await self._threads.run(
            lambda: (self._merged(since, first), self._seen(since, first))
        )
        self._read_at = now
        self._whole_at = now if is_whole else self._whole_at

    def _seen(self, since: int, first: int) -> dict[str, int]:
        """Node -> its last minute, of those that counted anything from `first` on."""
        found = {node: minute for node, minute in self._nodes.items() if minute >= first}
        return dict(sorted((found | self._store.recent_nodes(since)).items()))

    def _merged(self, since: int, first: int) -> dict[str, dict[int, Json]]:
        """The kept minutes before `since`, and those that the store has from then on."""
        kept = {
            route: {minute: row for minute, row in rows.items() if first <= minute < since}
            for route, rows in self._rows.items()
        }
        for route, minutes in self._store.recent_minutes(since).items():
            kept.setdefault(route, {}).update({minute: minute_row(minute, each) for minute, each in minutes.items()})
        return {route: rows for route, rows in kept.items() if rows}


def _first_minute(now: float) -> int:
    return int(now // _MINUTE_S) - SPAN_MINUTES + 1


def minute_row(minute: int, counts: Mapping[str, int]) -> Json:
    covered = coverage(counts)
    return {
        "at": minute * _MINUTE_S,
        "requests": {side: counts.get(f"served.{side}", 0) for side in (LEGACY, NEW)},
        "mismatches": counts.get(Verdict.MISMATCH, 0),
        "compared": covered.compared,
        "expected": covered.expected,
    }
