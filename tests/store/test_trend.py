"""Minutes of signatures: added up over batches and nodes, kept for a day, and read with the signature."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import func, select

from proxy.store import Batch, Limits, Sighting, Store
from proxy.store.tables import SIGNATURE_MINUTES
from proxy.store.trend import TREND_S

Build = Callable[..., Sighting]


def minutes(store: Store, one: Sighting) -> dict[int, int]:
    return dict(store.signature(one.signature.id).minutes)


def rows(store: Store) -> int:
    with store._database.reading() as connection:
        number: int = connection.execute(select(func.count()).select_from(SIGNATURE_MINUTES)).scalar_one()
    return number


def test_minutes_add_up_over_batches_and_nodes(store: Store, sighting: Build, clock: Any) -> None:
    """One row for a signature and a minute, whoever saw it; minutes without it have none."""
    now = clock.now
    store.write(Batch("one", now, sightings=[sighting(at=now), sighting(at=now + 1, count=4), sighting(at=now - 120)]))
    store.write(Batch("two", now, sightings=[sighting(at=now + 2, count=2), sighting("b", at=now)]))
    minute = int(now // 60)
    assert {minute - 2: 1, minute: 7} == minutes(store, sighting())
    assert ({minute: 1}, 3) == (minutes(store, sighting("b")), rows(store))


def test_trends_are_those_of_the_signatures_asked_for(store: Store, sighting: Build, clock: Any) -> None:
    """From the minute asked for; who was not seen since is missing."""
    now, minute = clock.now, int(clock.now // 60)
    seen = [sighting("a", at=now), sighting("a", at=now - 60), sighting("b", at=now), sighting("c", at=now - 600)]
    store.write(Batch("one", now, sightings=seen))
    ids = {name: sighting(name).signature.id for name in "abc"}
    assert {ids["a"]: {minute: 1, minute - 1: 1}} == store.trends([ids["a"], ids["c"]], now - 120)
    assert {} == store.trends([], now - 120)


def test_minutes_are_those_of_a_day(store: Store, sighting: Build, clock: Any) -> None:
    """Older ones aren't told, and the sweep removes them; the signature stays."""
    now = clock.now
    store.write(Batch("one", now, sightings=[sighting(at=now - TREND_S - 61), sighting(at=now - TREND_S)]))
    assert ({int((now - TREND_S) // 60): 1}, 2) == (minutes(store, sighting()), rows(store))
    assert (1, 1) == (store.sweep(now, 30 * TREND_S, 10**12).signature_minutes, rows(store))
    assert 2 == store.signature(sighting().signature.id).row.count


def test_minutes_of_signatures_without_room_are_not_kept(url: str, open_store: Any, sighting: Build) -> None:
    """What isn't counted as a signature has no rows either."""
    store = open_store(url, limits=Limits(signatures_per_route=1))
    store.write(Batch("one", 0.0, sightings=[sighting("a"), sighting("b")]))
    assert 1 == rows(store)


def test_minutes_go_before_those_of_routes_when_the_store_is_too_large(store: Store, sighting: Build) -> None:
    """After the examples, and before what rates are made of."""
    store.write(Batch("one", 0.0, counts={("feeds", 60): {"match": 1}}, sightings=[sighting()]))
    swept = store.sweep(0.0, TREND_S, 1)
    assert (1, 1, 0) == (swept.signature_minutes, swept.minutes, rows(store))
