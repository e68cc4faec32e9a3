"""Documents, their cache, the two searches, and thumbnails that come late."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from contextlib import closing
from typing import Any

import pytest

from new_backend import documents, thumbnails
from new_backend.documents import DocumentStore, StoreError, open_store
from new_backend.migration import migrate_dataset
from new_backend.search import Scan, build_index
from new_backend.thumbnails import Thumbnails, render_thumbnail

WAIT_S = 10.0


@pytest.fixture
def store(tmp_path):
    """Two documents."""
    return open_store(tmp_path, lambda: [("feeds", {"id": 1, "n": 0}), ("feeds", {"id": 2, "n": 0})])


def test_documents_come_in_the_order_asked_for(store):
    """Those that don't exist are left out, cached or not."""

    async def read() -> Any:
        await store.get("feeds", 2)
        return [document["id"] for document in await store.get_many("feeds", [2, 3, 1])]

    assert [2, 1] == asyncio.run(read())


def test_updates_at_the_same_time_are_all_kept(store):
    """Each change sees the one before; cache and file agree."""

    async def count() -> Any:
        def add(document):
            document["n"] += 1

        await asyncio.gather(*(store.update("feeds", 1, add) for _ in range(50)))
        return await store.get("feeds", 1), await DocumentStore(store.path).get("feeds", 1)

    assert ({"id": 1, "n": 50}, {"id": 1, "n": 50}) == asyncio.run(count())


def test_failed_update_changes_neither_file_nor_cache(store):
    """The change works on a copy."""

    def fail(document):
        document["n"] = 99
        raise ZeroDivisionError

    async def read() -> Any:
        await store.get("feeds", 1)
        with pytest.raises(ZeroDivisionError):
            await store.update("feeds", 1, fail)
        return await store.get("feeds", 1), await DocumentStore(store.path).get("feeds", 1)

    assert ({"id": 1, "n": 0}, {"id": 1, "n": 0}) == asyncio.run(read())


def test_read_that_a_write_overtook_is_not_cached(store, monkeypatch):
    """The write's document is the one that is answered and remembered."""
    has_read, may_return = threading.Event(), threading.Event()
    read = documents._read

    def read_slowly(path, keys):
        loaded = read(path, keys)
        has_read.set()
        assert may_return.wait(WAIT_S)
        return loaded

    async def race() -> Any:
        monkeypatch.setattr(documents, "_read", read_slowly)
        reading = asyncio.create_task(store.get("feeds", 1))
        await asyncio.to_thread(has_read.wait, WAIT_S)
        await store.update("feeds", 1, lambda document: document.update(n=7))
        may_return.set()
        return (await reading)["n"], (await store.get("feeds", 1))["n"]

    assert (7, 7) == asyncio.run(race())


def test_cache_keeps_the_documents_used_last(store):
    """It is bounded; what falls out is read again."""

    async def use() -> Any:
        small = DocumentStore(store.path, cached_documents=1)
        found = [await small.get_many("feeds", [number]) for number in (1, 2, 1)]
        return [document["id"] for (document,) in found], list(small._cached)

    assert ([1, 2, 1], [("feeds", "1")]) == asyncio.run(use())


def test_failed_filling_leaves_nothing_behind(tmp_path):
    """The next start begins anew."""

    def fail():
        yield "feeds", {"id": 1}
        raise sqlite3.OperationalError("disk full")

    with pytest.raises(StoreError, match="disk full; choose another one with --state-dir"):
        open_store(tmp_path, fail)
    assert [] == list(tmp_path.iterdir())


def test_other_schema_is_refused(tmp_path):
    """A file of another version is neither used nor overwritten."""
    with closing(sqlite3.connect(tmp_path / documents.FILE)) as connection:
        connection.execute("PRAGMA user_version = 9")
    with pytest.raises(StoreError, match="schema 9, expected 1; remove the file to start anew"):
        open_store(tmp_path, list)


def test_scan_and_index_find_the_same(tmp_path):
    """The slow search differs in its time only."""
    path = open_store(tmp_path, migrate_dataset).path
    queries = [["bread"], ["how", "bread"], ["café", "salt"], ["a"], ["em"], ["nothing"], ["the", "nothing"], ["'"]]

    async def find(search: Any) -> Any:
        return [await search.find(words) for words in queries]

    assert asyncio.run(find(build_index(path))) == asyncio.run(find(Scan(path)))


@pytest.fixture
def album(tmp_path, make_picture):
    """Thumbnails of one photo, "a"."""
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a").write_bytes(make_picture("PNG", (400, 100)))
    return Thumbnails(tmp_path / "photos", tmp_path / "thumbnails")


def test_thumbnail_that_was_never_queued_is_made_when_asked_for(album, make_picture):
    """A crash between upload and worker loses nothing."""

    async def fetch() -> Any:
        async with album.working():
            return await album.fetch("a")

    assert render_thumbnail(make_picture("PNG", (400, 100))) == asyncio.run(fetch())


def test_thumbnail_waits_no_longer_than_its_limit(album, monkeypatch):
    """Without a worker there is none, and the caller learns it."""
    monkeypatch.setattr(thumbnails, "WAIT_S", 0.01)
    assert asyncio.run(album.fetch("a")) is None


def test_thumbnail_that_fails_does_not_stop_the_worker(album):
    """The next photo is served."""

    async def fetch() -> Any:
        async with album.working():
            return await album.fetch("missing"), await album.fetch("a")

    missing, made = asyncio.run(fetch())
    assert (None, True) == (missing, made is not None)


def test_full_queue_takes_no_more_orders(album):
    """The queue is bounded; a photo that waits already is not queued twice."""
    orders = [album.order(str(number)) for number in range(thumbnails.QUEUED_PHOTOS)]
    assert (True, None, orders[0]) == (None not in orders, album.order("one more"), album.order("0"))
