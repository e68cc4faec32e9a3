"""How the requests moved from legacy to new over time: the burn-up of the migration. Read from the store seldom.

Time is cut into some hundred buckets, as long as what is kept asks for. Those that are over don't change, so only the
latest are read again.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.control.store_threads import StoreThreads
    from proxy.store import Store

Json = dict[str, Any]
MAX_DAYS = 90
MAX_BUCKETS = 180
KEPT_S = 10.0
WHOLE_S = 3_600.0  # what waited for a store that was away, and what retention took, is right again by then
BUCKETS = (1, 5, 15, 60, 180, 360, 1_440)  # minutes; below an hour only where all is younger than a day
_HOUR, _DAY = 60, 1_440
_MINUTE_S = 60


class BurnUp:
    """See the module."""

    def __init__(self, store: Store, threads: StoreThreads, now: Callable[[], float] = time.time) -> None:
        self._store = store
        self._threads = threads
        self._now = now
        self._lock = asyncio.Lock()  # those who come meanwhile wait for the one who reads
        self._read_at = float("-inf")
        self._whole_at = float("-inf")
        self._first = 0
        self._bucket = BUCKETS[0]
        self._served: dict[int, tuple[int, int]] = {}

    async def read(self) -> Json:
        """Requests by side in each bucket since the first that is kept, empty ones included. Raises StoreError."""
        async with self._lock:
            now = self._now()
            if now - self._read_at >= KEPT_S:
                await self._threads.run(lambda: self._refresh(now))
        last = int(self._read_at // _MINUTE_S)
        starts = range(self._first - self._first % self._bucket, last + 1, self._bucket) if self._served else ()
        return {
            "until": self._read_at,
            "bucket_s": self._bucket * _MINUTE_S,
            "buckets": [_bucket(start, *self._served.get(start, (0, 0))) for start in starts],
        }

    def _refresh(self, now: float) -> None:
        minute = int(now // _MINUTE_S)
        is_whole = now - self._whole_at >= WHOLE_S
        if is_whole or not self._served:
            first = self._store.first_minute(minute - MAX_DAYS * _DAY)
            self._first = minute if first is None else first
        bucket = bucket_of(minute - self._first + 1)
        is_whole = is_whole or bucket != self._bucket or not self._served
        since = self._first if is_whole else minute - minute % bucket - bucket  # and the bucket before
        start = since - since % bucket
        kept = {} if is_whole else {at: each for at, each in self._served.items() if at < start}
        self._served = kept | self._store.served(start, bucket)
        self._bucket = bucket
        self._read_at = now
        self._whole_at = now if is_whole else self._whole_at


def bucket_of(minutes: int) -> int:
    """The shortest bucket, in minutes, of which few enough make so long a time."""
    usable = [each for each in BUCKETS if each >= _HOUR or minutes <= _DAY - _HOUR]
    return next((each for each in usable if minutes <= each * MAX_BUCKETS), BUCKETS[-1])


def _bucket(minute: int, legacy: int, new: int) -> Json:
    return {"at": minute * _MINUTE_S, "requests": {"legacy": legacy, "new": new}}
