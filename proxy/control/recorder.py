"""Brings the evidence to the store: merged in memory, written in batches by one thread.

1. Nobody waits for the store: taking evidence over is a few additions in memory (law 8).
2. A batch is written whole. One that failed is merged with what has come since, and tried again with back-off; only
   users, sightings and examples beyond the bounds of `Buffer` are dropped, each counted by its kind (law 5).
3. Where the store takes the counts but refuses the sightings `MAX_REFUSALS` times, these are dropped: one odd
   example must not stop everything after it.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

import structlog

from proxy.control.buffer import Buffer, add_counts
from proxy.errors import StoreError
from proxy.origin import ORIGIN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from proxy.control.delta import Delta
    from proxy.store import Batch, Shown, Sighting, Store
    from proxy.store.values import Written

log = structlog.get_logger(__name__)
_T = TypeVar("_T")

BATCH_S = 0.2
BATCH_ROWS = 500  # SQLite takes about 100,000 rows a second in such batches, 7,000 one by one (docs/adr/0002)
FIRST_RETRY_S, LAST_RETRY_S = 0.5, 5.0
MAX_REFUSALS = 3
MAX_AUDIT_LINES = 1_000
STOP_S = 10.0  # a last batch takes milliseconds, a locked SQLite file its busy timeout


@dataclass(frozen=True, slots=True)
class AuditLine:
    """One change somebody made, on its way to the store. `origin`: that of the request under way when it was made."""

    who: str
    action: str
    subject: str
    before: Any
    after: Any
    reason: str
    at: float
    origin: str = field(default_factory=ORIGIN.get)


class Recorder:
    """See the module. `accepted` and `written` are the counters since the start, by route: taken over, and stored."""

    def __init__(self, store: Store, node: str, now: Callable[[], float] = time.time) -> None:
        self._store = store
        self._node = node
        self._now = now
        self._buffer = Buffer()
        self._audit: deque[AuditLine] = deque()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store")
        self._wake = asyncio.Event()
        self._full = asyncio.Event()
        self._stopping = asyncio.Event()
        self._audited = asyncio.Event()  # no line of the audit is on its way
        self._refusals = 0
        self._retry_s = FIRST_RETRY_S
        self.accepted: dict[str, Counter[str]] = {}
        self.written: dict[str, Counter[str]] = {}
        self._dropped = 0  # beyond what the buffer drops
        self.error: str | None = None
        self.on_written: Callable[[Written], None] = lambda _: None  # after each batch that the store took
        self.lock = asyncio.Lock()  # held while a batch is on its way: then `written` is behind the store

    @property
    def is_up(self) -> bool:
        return self.error is None

    @property
    def dropped(self) -> int:
        """Users, sightings, examples and lines of the audit that found no room, here or in the store."""
        return self._dropped + self._buffer.dropped

    # --- taking over ---
    def take_delta(self, delta: Delta) -> None:
        for route, counts in delta.counts.items():
            self._add(route, counts)
        for (route, side), hashes in delta.users.items():
            self._buffer.add_users(route, side, hashes, self._minute())
        self._taken()

    def count(self, route: str, counter: str) -> None:
        self._add(route, {counter: 1})
        self._taken()

    def take_sightings(self, sightings: Iterable[Sighting]) -> None:
        for sighting in sightings:
            self._buffer.see(sighting, self._minute())
        self._taken()

    def take_shown(self, shown: Mapping[str, Shown]) -> None:
        """Id of a place or a signature -> pairs that showed it."""
        for id_, each in shown.items():
            self._buffer.show(id_, each, self._minute())
        self._taken()

    def take_audit(self, line: AuditLine) -> None:
        """Takes over a line of the audit, which is written without waiting for a batch to fill."""
        if len(self._audit) >= MAX_AUDIT_LINES:
            self._dropped += 1
            return
        self._audit.append(line)
        self._audited.clear()
        self._wake.set()
        self._full.set()

    async def is_audited(self, patience_s: float) -> bool:
        """Whether every line of the audit is in the store, now or within `patience_s`."""
        if self._audit and self.is_up:
            await self._wait(self._audited, patience_s)
        return not self._audit

    def _add(self, route: str, counts: Mapping[str, int]) -> None:
        self._buffer.count(route, self._minute(), counts)
        add_counts(self.accepted, route, counts)

    def _minute(self) -> int:
        return int(self._now() // 60)

    def _taken(self) -> None:
        self._wake.set()
        if len(self._buffer) >= BATCH_ROWS:
            self._full.set()

    # --- life ---
    async def run(self) -> None:
        """Writes until `stop`."""
        while not self._stopping.is_set():
            await self._collect()
            if not await self._flush():
                await self._pause()
        await self._flush()

    async def stop(self, running: asyncio.Task[None]) -> None:
        """Ends `run` after a last batch, in `STOP_S` at most."""
        self._stopping.set()
        self._wake.set()
        self._full.set()
        await asyncio.wait([running], timeout=STOP_S)
        running.cancel()
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def in_thread(self, work: Callable[[], _T]) -> _T:
        """Does something in the writer's thread, between two batches."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def _collect(self) -> None:
        """Waits for something to write, then until a batch is worth it."""
        await self._wake.wait()
        await self._wait(self._full, BATCH_S)
        self._wake.clear()
        self._full.clear()

    async def _pause(self) -> None:
        await self._wait(self._stopping, self._retry_s)
        self._retry_s = min(self._retry_s * 2, LAST_RETRY_S)
        self._wake.set()

    async def _wait(self, event: asyncio.Event, timeout_s: float) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                await event.wait()
        except TimeoutError:
            pass

    # --- writing ---
    async def _flush(self) -> bool:
        """Writes what is there; False when the store didn't take it."""
        try:
            async with self.lock:
                await self._write_evidence()
            await self._write_audit()
        except StoreError as error:
            self._went_down(str(error))
            return False
        except Exception as error:  # a fault of ours must not end the recording
            log.exception("store.faulted")
            self._went_down(repr(error))
            return False
        self._came_up()
        return True

    async def _write_evidence(self) -> None:
        if not self._buffer:
            return
        batch = self._buffer.take(self._node, self._now())
        if self._refusals and (batch.sightings or batch.shown):
            await self._write_in_parts(batch)
        else:
            await self._write(batch)

    async def _write(self, batch: Batch) -> None:
        try:
            left_out = await self.in_thread(lambda: self._store.write(batch))
        except Exception:
            self._buffer.put_back(batch)
            self._refusals += bool(batch.sightings or batch.shown)
            raise
        for (route, _), counts in batch.counts.items():
            self.written.setdefault(route, Counter()).update(counts)
        self._dropped += sum(left_out.overflow.values()) + sum(left_out.oversized.values())
        for route, number in left_out.overflow.items():
            self._add(route, {"dropped.signatures": number})  # with the next batch
            self._taken()
        if batch.sightings or batch.shown:
            self._refusals = 0
        self.on_written(left_out)

    async def _write_in_parts(self, batch: Batch) -> None:
        """After a failure: the counts alone, then the sightings, to see which of them isn't taken (rule 3)."""
        sightings = replace(batch, counts={}, users={})
        try:
            await self._write(replace(batch, sightings=(), shown={}))
        except Exception:
            self._buffer.put_back(sightings)
            self._refusals = 1
            raise
        if self._refusals < MAX_REFUSALS:
            await self._write(sightings)
            return
        self._refusals = 0
        self._dropped += sum(sighting.count for sighting in batch.sightings)
        log.error("sightings.dropped", number=len(batch.sightings), cause=self.error)

    async def _write_audit(self) -> None:
        while self._audit:
            line = self._audit[0]
            await self.in_thread(
                lambda line=line: self._store.add_audit(  # type: ignore[misc]  # mypy can't infer a default's type
                    line.who, line.action, line.subject, line.before, line.after, line.reason, line.at, line.origin
                )
            )
            self._audit.popleft()
        self._audited.set()

    def _went_down(self, error: str) -> None:
        if self.error is None:
            log.error("store.failed", cause=error)
        self.error = error

    def _came_up(self) -> None:
        if self.error is not None:
            log.info("store.recovered", dropped=self.dropped)
        self.error = None
        self._retry_s = FIRST_RETRY_S
