"""Retention: what is too old goes, what is too much goes, decisions and totals stay, each call is bounded."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from proxy.core.model import LEGACY
from proxy.store import Batch, Sighting, Store, Swept
from proxy.store import sweep as sweep_module
from proxy.store.counts import compared, fold_departed
from proxy.store.tables import ROUTE_TOTALS

DAY_S = 86_400.0
PLENTY = 10**12
Build = Callable[..., Sighting]


def removed(swept: Swept) -> Swept:
    """What was removed, without the size, which depends on the database, and without nodes that never said anything."""
    return replace(swept, size_bytes=0, departed=0)


def fill(store: Store, sighting: Build, at: float) -> None:
    """One row of each kind at a time: a minute on the hour, a user, a signature `a` with an example."""
    minute = int(at // 3600) * 60
    store.write(
        Batch(
            "one",
            at,
            counts={("feeds", minute): {"match": 1}},
            users={("feeds", LEGACY): [int(at)]},
            sightings=[sighting(at=at, example=b"{}")],
        )
    )


def test_sweep_removes_what_is_too_old(store: Store, sighting: Build, clock: Any) -> None:
    """Old minutes, users and examples go, newer ones stay, and so do totals and the signature seen since."""
    old, recent = clock.now - 31 * DAY_S, clock.now - 29 * DAY_S
    fill(store, sighting, old)
    fill(store, sighting, recent)
    swept = store.sweep(clock.now, 30 * DAY_S, PLENTY)
    assert Swept(minutes=1, users=1, examples=1, signature_minutes=2) == removed(swept)
    detail = store.signature(sighting().signature.id)
    assert (2, [recent]) == (detail.row.count, [example.at for example in detail.examples])
    assert [int(recent // 3600) * 60] == list(store.minutes("feeds", 0))
    assert {"feeds": {"match": 2}} == store.totals()
    assert {"feeds": {"legacy": 1, "new": 0}} == store.user_counts()


def test_sweep_removes_signatures_nobody_decided_about(store: Store, sighting: Build, clock: Any) -> None:
    """An unseen signature goes with its examples; what people ignored, accepted or called noise stays."""
    at = clock.now - 31 * DAY_S
    names = ("new", "known", "ignored", "noise")
    batch = [sighting(name, at=at, example=b"{}") for name in names]
    store.write(Batch("one", at, sightings=batch))
    for name in names[1:]:
        store.set_state(sighting(name).signature.id, name, "ada", "")
    swept = store.sweep(clock.now, 30 * DAY_S, PLENTY)
    assert Swept(examples=4, signatures=1, signature_minutes=4) == removed(swept)
    assert ["ignored", "known", "noise"] == sorted(row.state for row in store.signatures())


def compared_of(store: Store) -> dict[str, int]:
    with store._database.reading() as connection:
        return compared(connection, ["feeds", "items"])


def test_sweep_folds_totals_of_nodes_that_are_gone(store: Store, clock: Any) -> None:
    """Into one row for each route: sums are as they were, and a node that comes back goes on counting."""
    minute = int(clock.now // 60)
    for node in ("gone", "gone too", "here"):
        counts = {(route, minute): {"match": 1, "skipped.shed": 2} for route in ("feeds", "items")}
        store.write(Batch(node, clock.now, counts=counts))
    store.say_node("here", clock.now, {})
    before = store.totals(), compared_of(store)
    assert 4 == store.sweep(clock.now, 30 * DAY_S, PLENTY).departed
    assert 0 == store.sweep(clock.now, 30 * DAY_S, PLENTY).departed
    assert before == (store.totals(), compared_of(store))
    with store._database.reading() as connection:
        rows = connection.execute(select(ROUTE_TOTALS.c.node, ROUTE_TOTALS.c.route)).all()
    assert {(node, route) for node in ("", "here") for route in ("feeds", "items")} == set(rows)
    store.write(Batch("gone", clock.now, counts={("feeds", minute): {"match": 5}}))
    store.say_node("gone", clock.now, {})
    assert {"match": 8, "skipped.shed": 6} == store.totals()["feeds"]


def test_counts_of_a_node_whose_totals_are_being_folded_are_not_lost(store: Store, clock: Any) -> None:
    """It waits for the sweep, finds its row gone, and begins another."""
    if store.is_sqlite:
        pytest.skip("SQLite has one writer at a time")
    minute = int(clock.now // 60)
    store.write(Batch("slow", clock.now, counts={("feeds", minute): {"match": 1}}))
    with ThreadPoolExecutor(1) as threads:
        with store._database.writing() as connection:
            assert 1 == fold_departed(connection, 10)
            late = threads.submit(store.write, Batch("slow", clock.now, counts={("feeds", minute): {"match": 2}}))
            with pytest.raises(TimeoutError):
                late.result(0.5)
        late.result(30)
    assert {"feeds": {"match": 3}} == store.totals()


def test_sweep_folds_minutes_into_hours_after_a_day(store: Store, clock: Any) -> None:
    """Minutes older than a day become their hour, node by node, once and with nothing lost; later ones stay."""
    hour = int((clock.now - 2 * DAY_S) // 3600) * 60
    yesterday = int(clock.now // 60) - 60
    for node in ("one", "two"):
        counts = {("feeds", minute): {"match": 1} for minute in (hour, hour + 1, hour + 59, hour + 60, hour + 61)}
        store.write(Batch(node, 0.0, counts=counts | {("feeds", yesterday): {"match": 7}}))
    assert Swept(folded=6) == removed(store.sweep(clock.now, 30 * DAY_S, PLENTY))
    assert Swept() == removed(store.sweep(clock.now, 30 * DAY_S, PLENTY))
    expected = {hour: {"match": 6}, hour + 60: {"match": 4}, yesterday: {"match": 14}}
    assert expected == store.minutes("feeds", 0)
    store.write(Batch("one", 0.0, counts={("feeds", hour + 5): {"match": 1, "noise": 1}}))
    assert Swept(folded=1) == removed(store.sweep(clock.now, 30 * DAY_S, PLENTY))
    assert {"match": 7, "noise": 1} == store.minutes("feeds", 0)[hour]


def test_sweep_does_a_bounded_amount_of_work(
    store: Store, sighting: Build, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call stops at its limit and says so; repeated calls come to the end."""
    monkeypatch.setattr(sweep_module, "ROWS", 3)
    monkeypatch.setattr(sweep_module, "ROUNDS", 2)
    store.write(Batch("one", 0.0, users={("feeds", LEGACY): range(10)}))
    swept = [removed(store.sweep(clock.now, DAY_S, PLENTY)) for _ in range(2)]
    assert [Swept(users=6, is_complete=False), Swept(users=4)] == swept


def large(sighting: Build, number: int) -> list[Sighting]:
    """Eight examples of 20 kB that can't be compressed, of a signature of their own."""
    return [sighting(f"s{number}", at=number * 10.0 + n, example=os.urandom(20_000)) for n in range(8)]


def examples_kept(store: Store) -> list[float]:
    details = [store.signature(row.id) for row in store.signatures()]
    return sorted(example.at for detail in details for example in detail.examples)


def test_sweep_evicts_the_oldest_examples_until_the_store_fits(store: Store, sighting: Build) -> None:
    """Over its size the store loses examples, oldest first, no more than needed, and nothing else."""
    for number in range(20):
        store.write(Batch("one", 0.0, counts={("feeds", number * 60): {"match": 1}}, sightings=large(sighting, number)))
    full = store.sweep(0.0, DAY_S, PLENTY)
    target = full.size_bytes - 1_000_000
    swept = store.sweep(0.0, DAY_S, target)
    kept = examples_kept(store)
    assert (True, 0, 0) == (swept.is_complete, swept.minutes, swept.signatures)
    assert 160 - swept.examples == len(kept)
    assert 0 < swept.examples <= 60  # PostgreSQL's tables have some room inside that was never used
    assert sorted(one.at for number in range(20) for one in large(sighting, number))[swept.examples :] == kept
    assert 0 == store.sweep(0.0, DAY_S, target).examples


def test_sweep_gives_sqlite_pages_back_to_the_disk(sqlite_url: str, open_store: Any, sighting: Build) -> None:
    """The file is as small as asked for, not only emptier inside."""
    store = open_store(sqlite_url)
    for number in range(20):
        store.write(Batch("one", 0.0, sightings=large(sighting, number)))
    swept = store.sweep(0.0, DAY_S, 1_000_000)
    store.close()
    size = Path(sqlite_url.removeprefix("sqlite:///")).stat().st_size
    assert swept.size_bytes == size
    assert size <= 1_000_000


def test_sweep_evicts_minutes_when_no_examples_are_left(store: Store, sighting: Build) -> None:
    """After the examples the minutes go; what can't be evicted stays, and the sweep ends all the same."""
    store.write(Batch("one", 0.0, counts={("feeds", 60): {"match": 1}}, sightings=large(sighting, 0)))
    swept = store.sweep(0.0, DAY_S, 1)
    assert Swept(minutes=1, examples=8, signature_minutes=1) == removed(swept)
    assert swept.size_bytes > 1
    assert ([8], {"feeds": {"match": 1}}) == ([row.count for row in store.signatures()], store.totals())


@pytest.mark.postgres
def test_sweep_is_left_to_the_node_that_is_sweeping(postgres_url: str, open_store: Any, clock: Any) -> None:
    """While one node sweeps, another one's sweep removes nothing and doesn't wait."""
    store, other = open_store(postgres_url), open_store(postgres_url)
    store.write(Batch("one", 0.0, users={("feeds", LEGACY): [1]}))
    with ExitStack() as stack:
        connection = stack.enter_context(other._database.writing())
        assert sweep_module._is_ours(connection)
        assert Swept() == removed(store.sweep(clock.now, DAY_S, PLENTY))
    assert Swept(users=1) == removed(store.sweep(clock.now, DAY_S, PLENTY))


def test_sweep_removes_what_was_served_long_ago(store: Store, clock: Any) -> None:
    """As old as other minutes; it isn't folded, as there is a row a minute only."""
    for days in (31, 29, 1):
        minute = int(clock.now // 60) - days * 1_440
        store.write(Batch("one", clock.now, {("feeds", minute): {"served.new": days}}))
    assert 1 == store.sweep(clock.now, 30 * DAY_S, PLENTY).served_minutes
    assert [(0, 29), (0, 1)] == list(store.served(0, 1).values())
