"""How the requests moved over time, read from a store that is real."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from proxy.control.burn_up import BUCKETS, KEPT_S, MAX_BUCKETS, WHOLE_S, BurnUp, bucket_of
from proxy.control.store_threads import StoreThreads
from proxy.store import Batch, Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MINUTE = 29_833_200  # a full hour
NOW = MINUTE * 60.0 + 30


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(f"sqlite:///{tmp_path / 'store.sqlite'}")
    yield store
    store.close()


def serve(store: Store, minute: int, legacy: int, new: int, node: str = "a", route: str = "feeds") -> None:
    counts = {(route, minute): {"served.legacy": legacy, "served.new": new, "pairs": 3}}
    store.write(Batch(node=node, at=minute * 60.0, counts=counts))


def read(store: Store, *clocks: float) -> list[dict[str, object]]:
    """What is answered at each of these times, by one that lives all the while."""
    times = iter(clocks)
    clock = [0.0]
    burn_up = BurnUp(store, StoreThreads(), lambda: clock[0])

    async def ask() -> list[dict[str, object]]:
        answers = []
        for clock[0] in times:
            answers.append(await burn_up.read())
        return answers

    return asyncio.run(ask())


def test_nothing_is_no_bucket(store: Store):
    """And no error."""
    assert [{"until": NOW, "bucket_s": 60, "buckets": []}] == read(store, NOW)


def test_buckets_add_up_all_routes_and_nodes(store: Store):
    """By the minute while it has just begun; those without requests are there as well."""
    serve(store, MINUTE - 2, 9, 1)
    serve(store, MINUTE - 2, 1, 1, node="b")
    serve(store, MINUTE, 5, 5, route="search")
    (answer,) = read(store, NOW)
    assert 60 == answer["bucket_s"]
    assert [
        {"at": (MINUTE - 2) * 60, "requests": {"legacy": 10, "new": 2}},
        {"at": (MINUTE - 1) * 60, "requests": {"legacy": 0, "new": 0}},
        {"at": MINUTE * 60, "requests": {"legacy": 5, "new": 5}},
    ] == answer["buckets"]


def test_what_is_longer_ago_makes_longer_buckets(store: Store):
    """Thirty days by six hours; the first one begins where it should, before its first minute."""
    serve(store, MINUTE - 30 * 1_440 + 60, 7, 0)
    serve(store, MINUTE - 60, 1, 1)
    serve(store, MINUTE, 3, 4)
    (answer,) = read(store, NOW)
    buckets = answer["buckets"]
    assert (6 * 3_600, 121) == (answer["bucket_s"], len(buckets))  # type: ignore[arg-type]
    assert {0} == {each["at"] % (6 * 3_600) for each in buckets}  # type: ignore[attr-defined]
    totals = [sum(each["requests"][side] for each in buckets) for side in ("legacy", "new")]  # type: ignore[attr-defined]
    assert [11, 5] == totals


def test_new_counts_come_in_and_old_ones_stay(store: Store):
    """Only the latest buckets are read again; all of them now and then."""
    serve(store, MINUTE - 10, 1, 0)
    clock = [NOW]
    burn_up = BurnUp(store, StoreThreads(), lambda: clock[0])

    async def legacy() -> int:
        return sum(each["requests"]["legacy"] for each in (await burn_up.read())["buckets"])

    async def look() -> list[int]:
        found = [await legacy()]
        serve(store, MINUTE - 10, 10, 0)  # late
        serve(store, MINUTE, 100, 0)
        found.append(await legacy())  # kept for some seconds
        clock[0] += KEPT_S
        found.append(await legacy())
        clock[0] += WHOLE_S
        found.append(await legacy())
        return found

    assert [1, 1, 101, 111] == asyncio.run(look())


@pytest.mark.parametrize("minutes", [1, 180, 181, 900, 1_380, 1_381, 10_000, 43_200, 129_600])
def test_there_are_never_too_many_buckets(minutes: int):
    """And none is shorter than an hour once anything may be older than a day."""
    bucket = bucket_of(minutes)
    assert bucket in BUCKETS
    assert minutes <= bucket * MAX_BUCKETS
    assert bucket >= 60 or minutes <= 1_380
