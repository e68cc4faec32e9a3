"""Counts of noise: added up over batches and nodes, bounded, halved when old, and the states that follow from them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import select

from proxy.core.noise import Rates
from proxy.core.signature import Signature, place_id
from proxy.store import Batch, Limits, Shown, Sighting, Store, Swept
from proxy.store.noise import HALVED_AFTER_S, MANY_HALVED_AFTER_S, MANY_SELF_PAIRS
from proxy.store.tables import NOISE_PLACES, NOISE_ROUTES

Build = Callable[..., Sighting]


def write(
    store: Store,
    one: Sighting,
    of_self: tuple[int, int] = (0, 0),
    of_new: tuple[int, int] = (0, 0),
    both: int = 0,
    node: str = "one",
) -> None:
    """One batch of a node: of each kind of pairs, how many showed the signature, and how many there were."""
    signature = one.signature
    shown = Shown(signature.route, of_self[0], of_new[0], both)
    counts = {
        "self_mismatches": of_self[0],
        "self_matches": of_self[1] - of_self[0],
        "mismatch": of_new[0],
        "match": of_new[1] - of_new[0],
    }
    places = {signature.id: shown, place_id(signature): shown}
    store.write(Batch(node, one.at, {(signature.route, 1): counts}, sightings=[one], shown=places))


def rates(store: Store, one: Sighting) -> Rates | None:
    judged = store.signature(one.signature.id).row.noise
    return None if judged is None else judged.rates


def test_route_without_noise_runs_has_no_counts(store: Store, sighting: Build) -> None:
    """Where legacy was never asked twice a difference is a mismatch at once, and nothing more is stored."""
    write(store, sighting(), of_new=(5, 100))
    row = store.signature(sighting().signature.id).row
    assert ("new", None) == (row.state, row.noise)
    with store._database.reading() as connection:
        assert [[], []] == [connection.execute(select(table)).all() for table in (NOISE_ROUTES, NOISE_PLACES)]


def test_counts_are_added_up_over_batches_and_nodes(store: Store, sighting: Build) -> None:
    """From the first noise run on both kinds of pairs count, whoever compared them; those before don't."""
    write(store, sighting(), of_new=(1, 50))
    write(store, sighting(), of_self=(2, 10), of_new=(3, 30), both=1)
    write(store, sighting(), of_self=(4, 20), of_new=(5, 40), both=2, node="two")
    assert Rates(6, 30, 8, 70, 3) == rates(store, sighting())


def test_answers_alone_are_added_up_and_halved(store: Store, sighting: Build, clock: Any) -> None:
    """They come back as they were added, from all nodes, and fade with the rest."""
    signature = sighting().signature
    for node in ("one", "two"):
        shown = {place_id(signature): Shown("feeds", 20, 30, 10, 21, 8, 13)}
        store.write(
            Batch(
                node, clock.now, {("feeds", 1): {"self_matches": 50, "match": 50}}, sightings=[sighting()], shown=shown
            )
        )
    assert Rates(40, 100, 60, 100, 20, 42, 16, 26) == rates(store, sighting())
    store.sweep(clock.now + HALVED_AFTER_S + 1, 10 * HALVED_AFTER_S, 10**12)
    assert Rates(20, 50, 30, 50, 10, 21, 8, 13) == rates(store, sighting())


def test_counts_of_a_route_stay_with_it(store: Store, sighting: Build) -> None:
    """Another route's noise runs say nothing."""
    write(store, sighting(), of_self=(2, 10), of_new=(3, 30))
    write(store, sighting(route="albums"), of_new=(3, 30))
    assert (None, Rates(2, 10, 3, 30)) == (rates(store, sighting(route="albums")), rates(store, sighting()))


def test_counts_are_bounded_for_each_route(url: str, open_store: Any, sighting: Build) -> None:
    """A route's first places are counted, more are not; another route has its own room."""
    store = open_store(url, limits=Limits(places_per_route=2))
    for name in ("a", "b"):
        write(store, sighting(name), of_self=(1, 10), of_new=(1, 10))
        write(store, sighting(name, route="albums"), of_self=(1, 10), of_new=(1, 10))
    write(store, sighting("a"), of_self=(1, 10), of_new=(1, 10))
    for route in ("feeds", "albums"):
        assert Rates(0, 0, 0, 0) != rates(store, sighting("a", route=route))
    assert Rates(2, 30, 2, 30) == rates(store, sighting("a"))
    assert Rates(0, 30, 0, 30) == rates(store, sighting("b"))


@pytest.mark.parametrize(
    ("of_self", "of_new", "state"),
    [
        ((10, 10), (100, 100), "noise"),
        ((1, 10), (1, 10), "unproven"),
        ((0, 100), (50, 100), "new"),
    ],
)
def test_state_follows_from_the_counts(store: Store, sighting: Build, of_self: Any, of_new: Any, state: str) -> None:
    """Noise, not proven yet, or proven to differ more often with new: and the list can be asked for it."""
    write(store, sighting(), of_self, of_new)
    assert [state] == [row.state for row in store.signatures()]
    assert [sighting().signature.id] == [row.id for row in store.signatures(state=state)]


@pytest.mark.parametrize("state", ["known", "ignored", "new"])
def test_state_that_a_person_set_stays(store: Store, sighting: Build, state: str) -> None:
    """What somebody decided, or opened again, is not overruled by counts; they have their say when it ends."""
    write(store, sighting(), (10, 10), (100, 100))
    store.set_state(sighting().signature.id, state, "ada", "this one is real")
    assert [state] == [row.state for row in store.signatures()]
    store.set_state(sighting().signature.id, "known", "ada", "for now", until=1.0)
    assert ["noise"] == [row.state for row in store.signatures()]


def test_counts_are_halved_when_they_are_a_week_old(store: Store, sighting: Build, clock: Any) -> None:
    """What legacy did long ago fades, for both kinds of pairs alike; a route without noise runs is forgotten."""
    write(store, sighting(), (10, 41), (100, 400), both=8)
    write(store, sighting("rare"), (1, 1), (0, 0))
    assert 0 == store.sweep(clock.now + HALVED_AFTER_S - 1, 10 * HALVED_AFTER_S, 10**12).halved
    swept = store.sweep(clock.now + HALVED_AFTER_S + 1, 10 * HALVED_AFTER_S, 10**12)
    assert Swept(halved=1, size_bytes=swept.size_bytes) == swept
    assert Rates(5, 21, 50, 200, 4) == rates(store, sighting())
    assert Rates(0, 21, 0, 200) == rates(store, sighting("rare"))
    for week in range(2, 8):
        store.sweep(clock.now + week * (HALVED_AFTER_S + 1), 10 * HALVED_AFTER_S, 10**12)
    assert rates(store, sighting()) is None


def test_many_counts_are_halved_after_a_day(store: Store, sighting: Build, clock: Any) -> None:
    """A busy route has enough of one day: a fault that was fixed must not stay proven for weeks."""
    write(store, sighting(), (10, MANY_SELF_PAIRS), (100, 40_000))
    write(store, sighting(route="quiet"), (10, MANY_SELF_PAIRS - 1), (100, 40_000))
    assert 0 == store.sweep(clock.now + MANY_HALVED_AFTER_S - 1, 10 * HALVED_AFTER_S, 10**12).halved
    assert 1 == store.sweep(clock.now + MANY_HALVED_AFTER_S + 1, 10 * HALVED_AFTER_S, 10**12).halved
    assert Rates(5, MANY_SELF_PAIRS // 2, 50, 20_000) == rates(store, sighting())


def test_noise_stays_noise_beside_a_proven_shape(store: Store, sighting: Build) -> None:
    """The list and the signature itself agree on both signatures of one place."""
    value, null = (
        Sighting(Signature(id_, "feeds", "body", "$.a", shape), sighting().at)
        for id_, shape in (("aaaaaaaaaaaa", "value"), ("bbbbbbbbbbbb", "number→null"))
    )
    shown = {
        value.signature.id: Shown("feeds", 60, 62),
        null.signature.id: Shown("feeds", 0, 98),
        place_id(value.signature): Shown("feeds", 60, 160),
    }
    counts = {("feeds", 1): {"self_matches": 2_000, "match": 2_000}}
    store.write(Batch("one", value.at, counts, sightings=[value, null], shown=shown))
    expected = {"aaaaaaaaaaaa": "noise", "bbbbbbbbbbbb": "new"}
    assert expected == {row.id: row.state for row in store.signatures()}
    assert expected == {id_: store.signature(id_).row.state for id_ in expected}


def test_counts_of_nodes_that_write_at_once_are_all_there(url: str, open_store: Any, sighting: Build) -> None:
    """Writers of one route, with and without differences, wait for each other and lose nothing."""
    stores = [open_store(url) for _ in range(4)]
    write(stores[0], sighting(), (1, 1), (1, 1), both=1)

    def work(number: int) -> None:
        for _ in range(10):
            write(stores[number], sighting(), (1, 2), (1, 3), node=f"node-{number}")
            stores[number].write(Batch(f"node-{number}", 0.0, {("feeds", 1): {"match": 1, "self_matches": 1}}))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert Rates(41, 121, 41, 161, 1) == rates(stores[0], sighting())
