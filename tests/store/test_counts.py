"""Counters: exact sums over batches, minutes, nodes and threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from proxy.errors import StoreError
from proxy.store import Batch, Sighting, Store

if TYPE_CHECKING:
    from collections.abc import Callable


def counted(node: str, *minutes: int, route: str = "feeds", **counters: int) -> Batch:
    return Batch(node, at=0.0, counts={(route, minute): counters for minute in minutes})


def test_totals_add_up_batches_minutes_and_nodes(store: Store) -> None:
    """A route's counter is the sum of all deltas ever written."""
    store.write(counted("one", 7, 8, match=2, mismatch=1))
    store.write(counted("one", 8, match=10))
    store.write(counted("two", 8, match=100))
    store.write(counted("two", 8, route="search", match=5))
    assert {"feeds": {"match": 114, "mismatch": 2}, "search": {"match": 5}} == store.totals()


def test_totals_are_empty_before_anything_was_written(store: Store) -> None:
    """A new store has no routes, and empty batches add none."""
    store.write(Batch("one", at=0.0))
    assert ({}, {}) == (store.totals(), store.user_counts())


def test_minutes_add_up_nodes_and_begin_where_asked(store: Store) -> None:
    """Minutes come oldest first, from the one asked for, without those that had no traffic."""
    store.write(counted("one", 3, 5, 9, match=1))
    store.write(counted("two", 5, match=10))
    assert {5: {"match": 11}, 9: {"match": 1}} == store.minutes("feeds", 4)
    assert [5, 9] == list(store.minutes("feeds", 4))


def test_recent_minutes_are_those_of_every_route(store: Store) -> None:
    """From the minute asked for, over all nodes; a route without traffic since then is missing."""
    store.write(counted("one", 3, 5, 9, match=1))
    store.write(counted("two", 5, match=10))
    store.write(counted("two", 6, route="search", match=5))
    store.write(counted("one", 4, route="quiet", match=5))
    expected = {"feeds": {5: {"match": 11}, 9: {"match": 1}}, "search": {6: {"match": 5}}}
    assert expected == store.recent_minutes(5)


def test_minutes_of_a_batch_go_to_their_own_route_and_minute(store: Store) -> None:
    """Routes and minutes of one batch don't mix: (a, 1) and (b, 2) touch neither (a, 2) nor (b, 1)."""
    store.write(Batch("one", 0.0, counts={("a", 2): {"match": 5}, ("b", 1): {"match": 5}}))
    store.write(Batch("one", 0.0, counts={("a", 1): {"match": 1}, ("b", 2): {"match": 1}}))
    expected = ({1: {"match": 1}, 2: {"match": 5}}, {1: {"match": 5}, 2: {"match": 1}})
    assert expected == (store.minutes("a", 0), store.minutes("b", 0))


def test_write_that_fails_leaves_nothing_behind(store: Store, sighting: Callable[..., Sighting]) -> None:
    """A batch is written whole or not at all, so that a caller may count it as lost."""
    poisoned = Batch("one", 0.0, counts={("feeds", 1): {"match": 1}}, sightings=[sighting(count=None)])
    with pytest.raises((StoreError, TypeError)):
        store.write(poisoned)
    assert ({}, []) == (store.totals(), store.signatures())


@pytest.mark.parametrize("nodes", [("one", "two"), ("same", "same")])
def test_totals_are_exact_with_two_writers_at_once(
    url: str, open_store: Callable[..., Store], nodes: tuple[str, str]
) -> None:
    """Two nodes, even two processes under one node's name, lose no count to each other."""
    stores = [open_store(url), open_store(url)]

    def write(number: int) -> None:
        for round_ in range(20):
            stores[number].write(counted(nodes[number], round_ % 3, match=1, mismatch=2))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, range(2)))
    assert {"feeds": {"match": 40, "mismatch": 80}} == stores[0].totals()


def test_nodes_are_named_with_their_last_minute(store: Store) -> None:
    """Those that counted anything since then, by name."""
    for node, minute in (("b", 5), ("b", 9), ("a", 7), ("old", 4)):
        store.write(Batch(node, 0.0, {("feeds", minute): {"match": 1}, ("items", minute): {"match": 1}}))
    assert {"a": 7, "b": 9} == store.recent_nodes(5)


def test_served_requests_are_added_up_by_time(store: Store) -> None:
    """Over routes and nodes, each bucket from its first minute on; a counter that isn't there is nothing."""
    for node, route, minute, counts in (
        ("a", "feeds", 59, {"served.legacy": 100}),
        ("a", "feeds", 60, {"served.legacy": 3, "served.new": 1}),
        ("b", "feeds", 60, {"served.legacy": 2}),
        ("b", "items", 119, {"served.new": 5, "match": 9}),
        ("b", "items", 120, {"served.legacy": 3_000_000_000}),
    ):
        store.write(Batch(node, 0.0, {(route, minute): counts}))
    assert {60: (5, 6), 120: (3_000_000_000, 0)} == store.served(60, 60)
    assert {59: (100, 0), 60: (5, 1), 119: (0, 5), 120: (3_000_000_000, 0)} == store.served(0, 1)
    assert [59, 60, None] == [store.first_minute(0), store.first_minute(60), store.first_minute(121)]
