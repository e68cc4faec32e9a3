"""Recorder: every count reaches a real store exactly once, also when the store is away in between (law 8)."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from proxy.control import recorder as recorder_module
from proxy.control.delta import Delta
from proxy.control.recorder import AuditLine, Recorder
from proxy.core.signature import Signature
from proxy.errors import StoreError
from proxy.store import Batch, Limits, Sighting, Store, Written
from tests.control.nodes import run, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

SIGNATURE = Signature("aaaaaaaaaaaa", "feeds", "body", "$.a", "value")
LINE = AuditLine("ada", "rollout.set", "feeds", {"percentage": 5.0}, {"percentage": 25.0}, "wave 2", 1_800_000_000.0)


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    """The pauses between tries are the recorder's; what they lead to doesn't depend on their length."""
    monkeypatch.setattr(recorder_module, "FIRST_RETRY_S", 0.01)
    monkeypatch.setattr(recorder_module, "LAST_RETRY_S", 0.02)


@asynccontextmanager
async def recording(store: Store) -> AsyncIterator[Recorder]:
    recorder = Recorder(store, "node-a")
    running = asyncio.create_task(recorder.run())
    try:
        yield recorder
    finally:
        await recorder.stop(running)
        store.close()


def open_store(folder: Path) -> Store:
    return Store(f"sqlite:///{folder}/state.sqlite", busy_timeout_s=0.02)


def delta(**counts: int) -> Delta:
    return Delta(1, 0.0, {"feeds": counts}, {("feeds", "legacy"): frozenset({1, 2}), ("feeds", "new"): frozenset()}, {})


def test_recorder_stores_each_count_once(tmp_path: Path):
    """Counters, users, sightings and audit lines arrive, and what is written is what was accepted."""

    async def scenario() -> None:
        store = open_store(tmp_path)
        async with recording(store) as recorder:
            recorder.take_delta(delta(pairs=3, match=1))
            recorder.count("feeds", "mismatch")
            recorder.count("feeds", "mismatch")
            recorder.take_sightings([Sighting(SIGNATURE, 1.0), Sighting(SIGNATURE, 2.0, example=b"{}")])
            recorder.take_audit(LINE)
            assert await recorder.is_audited(30.0)
            await until(lambda: recorder.written == recorder.accepted)
            assert {"feeds": {"pairs": 3, "match": 1, "mismatch": 2}} == store.totals()
            assert {"feeds": {"legacy": 2, "new": 0}} == store.user_counts()
            assert [(SIGNATURE.id, 2)] == [(row.id, row.count) for row in store.signatures()]
            assert [("ada", "rollout.set", "wave 2")] == [(row.who, row.action, row.reason) for row in store.audit()]
            assert (True, 0) == (recorder.is_up, recorder.dropped)

    run(scenario)


def test_recorder_writes_what_is_left_when_it_stops(tmp_path: Path):
    """What was taken over in the last moment is in the store after the end."""

    async def scenario() -> None:
        async with recording(open_store(tmp_path)) as recorder:
            recorder.count("feeds", "match")
        with closing(sqlite3.connect(tmp_path / "state.sqlite")) as database:
            assert [(1,)] == database.execute("SELECT compared FROM route_totals").fetchall()

    run(scenario)


class Slow(Store):
    """A real store whose first write takes until it is told to go on."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.has_begun, self.may_go_on = threading.Event(), threading.Event()

    def write(self, batch: Batch) -> Written:
        self.has_begun.set()
        self.may_go_on.wait(30)
        return super().write(batch)


def test_recorder_writes_what_came_during_the_last_write(tmp_path: Path):
    """A stop while a batch is on its way loses nothing of what was counted meanwhile."""

    async def scenario() -> None:
        store = Slow(f"sqlite:///{tmp_path}/state.sqlite")
        async with recording(store) as recorder:
            recorder.count("feeds", "match")
            await asyncio.to_thread(store.has_begun.wait, 30)
            recorder.count("feeds", "match")
            asyncio.get_running_loop().call_later(0.05, store.may_go_on.set)
        with closing(sqlite3.connect(tmp_path / "state.sqlite")) as database:
            assert [(2,)] == database.execute("SELECT compared FROM route_totals").fetchall()

    run(scenario)


def test_recorder_heals_after_the_store_was_locked(tmp_path: Path):
    """While another process holds the file, evidence waits in memory; afterwards nothing is missing or doubled."""

    async def scenario() -> None:
        store = open_store(tmp_path)
        async with recording(store) as recorder:
            recorder.count("feeds", "match")
            await until(lambda: recorder.written)
            with closing(sqlite3.connect(tmp_path / "state.sqlite", isolation_level=None)) as other:
                other.execute("BEGIN EXCLUSIVE")
                recorder.count("feeds", "match")
                recorder.take_sightings([Sighting(SIGNATURE, 1.0)])
                recorder.take_audit(LINE)
                await until(lambda: not recorder.is_up)
                recorder.count("feeds", "mismatch")
                recorder.take_sightings([Sighting(SIGNATURE, 2.0)])
                assert not await recorder.is_audited(0.0)
                other.execute("ROLLBACK")
            await until(lambda: recorder.is_up and recorder.written == recorder.accepted and store.signatures())
            assert await recorder.is_audited(30.0)
            assert {"feeds": {"match": 2, "mismatch": 1}} == store.totals()
            assert [2] == [row.count for row in store.signatures()]
            assert (None, 0, 1) == (recorder.error, recorder.dropped, len(store.audit()))

    run(scenario)


def test_recorder_starts_beside_a_store_that_is_not_there(tmp_path: Path):
    """A store that can't be opened at the start is written as soon as it can be (law 8)."""

    async def scenario() -> None:
        folder = tmp_path / "later"
        store = open_store(folder)
        async with recording(store) as recorder:
            recorder.count("feeds", "match")
            await until(lambda: not recorder.is_up)
            folder.mkdir()
            await until(lambda: recorder.is_up)
            assert {"feeds": {"match": 1}} == store.totals()

    run(scenario)


def test_differences_without_room_are_counted_for_their_route(tmp_path: Path):
    """More kinds than the store keeps: the route says how often it saw what it can't list (law 5)."""

    async def scenario() -> None:
        store = Store(f"sqlite:///{tmp_path}/state.sqlite", limits=Limits(signatures_per_route=1))
        async with recording(store) as recorder:
            other = replace(SIGNATURE, id="bbbbbbbbbbbb", path="$.b")
            recorder.take_sightings([Sighting(SIGNATURE, 1.0), Sighting(other, 2.0, count=30)])
            await until(lambda: store.totals().get("feeds"))
            assert {"feeds": {"dropped.signatures": 30}} == store.totals()

    run(scenario)


class Picky(Store):
    """A real store that takes counts and refuses sightings, as for a value that its database can't hold."""

    def write(self, batch: Batch) -> Written:
        if batch.sightings:
            raise StoreError("store: invalid byte sequence")
        return super().write(batch)


def test_recorder_gives_up_sightings_that_are_always_refused(tmp_path: Path):
    """One odd example is dropped, counted, and stops neither the counts nor what comes later."""

    async def scenario() -> None:
        store = Picky(f"sqlite:///{tmp_path}/state.sqlite")
        async with recording(store) as recorder:
            recorder.take_sightings([Sighting(SIGNATURE, 1.0, count=2)])
            recorder.count("feeds", "mismatch")
            await until(lambda: recorder.dropped)
            assert 2 == recorder.dropped
            await until(lambda: recorder.is_up)
            recorder.count("feeds", "match")
            await until(lambda: recorder.written == recorder.accepted)
            assert {"feeds": {"mismatch": 1, "match": 1}} == store.totals()

    run(scenario)


class Faulty(Store):
    """A real store with a fault of its own in its first write."""

    is_faulty = True

    def write(self, batch: Batch) -> Written:
        if self.is_faulty:
            self.is_faulty = False
            raise ZeroDivisionError
        return super().write(batch)


def test_recorder_survives_a_fault_in_the_store(tmp_path: Path):
    """An error that nobody foresaw is reported, and the recording goes on without loss."""

    async def scenario() -> None:
        store = Faulty(f"sqlite:///{tmp_path}/state.sqlite")
        async with recording(store) as recorder:
            recorder.count("feeds", "match")
            await until(lambda: recorder.written == recorder.accepted)
            assert {"feeds": {"match": 1}} == store.totals()

    run(scenario)


def test_recorder_counts_audit_lines_that_find_no_room(tmp_path: Path, monkeypatch: Any):
    """The queue of audit lines is bounded; what is beyond is counted."""
    monkeypatch.setattr(recorder_module, "MAX_AUDIT_LINES", 1)

    async def scenario() -> None:
        store = open_store(tmp_path)
        recorder = Recorder(store, "node-a")
        recorder.take_audit(LINE)
        recorder.take_audit(LINE)
        assert 1 == recorder.dropped
        running = asyncio.create_task(recorder.run())
        assert await recorder.is_audited(30.0)
        await recorder.stop(running)
        store.close()

    run(scenario)
