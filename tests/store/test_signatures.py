"""Signatures: exact counts, a bound on their number, their examples, and the state that evidence gives them."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from proxy.core.signature import ALGORITHM
from proxy.errors import NotFound, Refused, StoreError
from proxy.store import Batch, Example, Limits, Sighting, SignatureRow, Store, Written
from proxy.store.tables import EXAMPLES
from proxy.store.users import lock_routes

Build = Callable[..., Sighting]
Open = Callable[..., Store]


def write(store: Store, *sightings: Sighting, **counters: int) -> Written:
    """One batch of node `one`, with counters of route `feeds`."""
    counts = {("feeds", 1): counters} if counters else {}
    return store.write(Batch("one", at=0.0, counts=counts, sightings=sightings))


def left_out(store: Store, *sightings: Sighting) -> tuple[object, object]:
    """What of a batch found no room: overflow, oversized."""
    written = write(store, *sightings)
    return written.overflow, written.oversized


def test_batch_says_once_what_appeared(url: str, open_store: Open, sighting: Build) -> None:
    """A signature is new in the batch that meets it first, on one node; beyond the limit it never is."""
    stores = [open_store(url, limits=Limits(signatures_per_route=2)) for _ in range(2)]
    told = [
        [each.path for each in write(stores[number % 2], *map(sighting, names)).appeared]
        for number, names in enumerate((["a"], ["a", "b"], ["b", "c"]))
    ]
    assert [["$.a"], ["$.b"], []] == told


def test_signature_adds_up_its_sightings(store: Store, sighting: Build) -> None:
    """Sightings of one batch and of several make one row, with the first and last time, whatever their order."""
    first = sighting(at=50.0, count=2)
    write(store, sighting(at=70.0), first, sighting(at=60.0, count=3))
    write(store, sighting(at=40.0, count=10))
    expected = SignatureRow(
        id=first.signature.id,
        route="feeds",
        kind="body",
        path="$.a",
        shape="int -> str",
        algorithm=ALGORITHM,
        state="new",
        count=16,
        first_seen=40.0,
        last_seen=70.0,
        who="",
        reason="",
        owner="",
        ticket="",
        until=None,
    )
    assert [expected] == store.signatures()
    assert expected == store.signature(first.signature.id).row


def test_signatures_come_by_route_and_frequency(store: Store, sighting: Build) -> None:
    """The list is grouped by route, the most frequent first, and can be asked for one route."""
    write(store, sighting("rare"), sighting("often", count=9), sighting("other", route="albums"))
    assert ["$.other", "$.often", "$.rare"] == [row.path for row in store.signatures()]
    assert ["$.often", "$.rare"] == [row.path for row in store.signatures(route="feeds")]
    assert [] == store.signatures(route="nowhere")


def test_signature_that_is_unknown_is_not_found(store: Store) -> None:
    """Asking for an id that isn't there is told apart from a store that fails."""
    with pytest.raises(NotFound, match="signature 0123456789ab: not found"):
        store.signature("0123456789ab")


def test_signatures_refuse_an_unknown_state(store: Store) -> None:
    """A mistyped state is not an empty list."""
    with pytest.raises(Refused, match="state 'fixd': unknown; give one of fixed, ignored"):
        store.signatures(state="fixd")


def test_signatures_beyond_the_limit_are_counted_as_overflow(url: str, open_store: Open, sighting: Build) -> None:
    """The rarest gives way to a new one, not to a second of the batch; what has no place is told, none is lost."""
    store = open_store(url, limits=Limits(signatures_per_route=3))
    assert ({}, {}) == left_out(store, sighting("a"), sighting("b", count=5), sighting("e", count=6))
    late = [sighting("c", count=3), sighting("a", count=4), sighting("d"), sighting("z", route="search")]
    assert ({"feeds": 6}, {}) == left_out(store, *late)
    counts = {(row.route, row.path): row.count for row in store.signatures()}
    assert {("feeds", "$.a"): 5, ("feeds", "$.c"): 3, ("feeds", "$.e"): 6, ("search", "$.z"): 1} == counts


def test_signature_that_somebody_decided_about_gives_way_to_none(url: str, open_store: Open, sighting: Build) -> None:
    """However rare it is, and even where no other one could: then the new one finds no room."""
    store = open_store(url, limits=Limits(signatures_per_route=1))
    rare = sighting("a")
    write(store, rare)
    store.set_state(rare.signature.id, "known", "ada", "")
    assert ({"feeds": 9}, {}) == left_out(store, sighting("b", count=9))
    assert ["$.a"] == [row.path for row in store.signatures()]


def test_signatures_are_exact_and_bounded_with_two_writers_at_once(url: str, open_store: Open, sighting: Build) -> None:
    """Two nodes that meet the same thirty new signatures lose no sighting, and stop together at the limit."""
    stores = [open_store(url, limits=Limits(signatures_per_route=20)) for _ in range(2)]

    def flood(store: Store) -> int:
        batch = [sighting(f"s{number}", example=b"{}") for number in range(30)]
        return sum(write(store, *batch[start:], *batch[:start]).overflow["feeds"] for start in range(0, 30, 3))

    with ThreadPoolExecutor(2) as pool:
        overflow = sum(pool.map(flood, stores))
    rows = stores[0].signatures()
    assert (20, 600) == (len(rows), sum(row.count for row in rows) + overflow)


@pytest.mark.postgres
def test_signatures_of_a_route_are_written_by_one_node_at_a_time(postgres_url: str, open_store: Open) -> None:
    """A route that one node holds makes another one wait; other routes are free."""
    stores = [open_store(postgres_url) for _ in range(2)]
    with stores[0]._database.writing() as connection:
        lock_routes(connection, {"feeds"})
    with ExitStack() as stack:
        first, second = (stack.enter_context(store._database.writing()) for store in stores)
        lock_routes(first, {"feeds"})
        second.exec_driver_sql("SET LOCAL lock_timeout = '20ms'")
        assert {"search": 0} == lock_routes(second, {"search"})
        with pytest.raises(OperationalError, match="lock timeout"):
            lock_routes(second, {"feeds"})


def test_signatures_of_more_than_one_slice_are_all_written(store: Store, sighting: Build) -> None:
    """A batch with more signatures than are looked up at once is still one batch."""
    routes = ("feeds", "search", "albums")
    assert ({}, {}) == left_out(store, *(sighting(f"s{n}", route=route) for n in range(700) for route in routes))
    assert 2_100 == len(store.signatures())


@pytest.mark.parametrize("name", ["nul\0", "half \ud800 pair", "naïve 漢字 🙂"])
def test_signature_may_have_any_name_that_json_allows(store: Store, sighting: Build, name: str) -> None:
    """One odd member name in an answer doesn't cost the batch."""
    write(store, sighting(name.encode("utf-8", "backslashreplace").decode()), sighting("a"))
    odd = sighting("a").signature
    strange = type(odd)(id="f" * 12, route="feeds", kind="body", path=f"$.{name}", shape="x")
    assert ({}, {}) == left_out(store, sighting(signature=strange))
    stored = name.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
    assert f"$.{stored}" == store.signature("f" * 12).row.path


# --- examples ------------------------------------------------------------------------------------------------
def numbered(sighting: Build, numbers: range) -> list[Sighting]:
    return [sighting(at=float(number), example=b"%d" % number) for number in numbers]


def payloads(store: Store, one: Sighting) -> list[bytes]:
    return [example.payload for example in store.signature(one.signature.id).examples]


def test_examples_are_the_first_and_the_latest(store: Store, sighting: Build) -> None:
    """Of twenty examples the first four and the latest four stay, in the order of time."""
    for start in range(0, 20, 5):
        write(store, *numbered(sighting, range(start, start + 5)))
    assert [b"0", b"1", b"2", b"3", b"16", b"17", b"18", b"19"] == payloads(store, sighting())


def test_examples_within_the_bound_all_stay(store: Store, sighting: Build) -> None:
    """Up to eight examples none is dropped, and a sighting without one adds none."""
    write(store, *numbered(sighting, range(6)), sighting())
    write(store, *numbered(sighting, range(6, 8)))
    assert [b"%d" % number for number in range(8)] == payloads(store, sighting())


def test_examples_of_one_large_batch_are_bounded(store: Store, sighting: Build) -> None:
    """A batch that repeats one difference five hundred times keeps eight examples of it, at once."""
    write(store, *numbered(sighting, range(500)))
    with store._database.reading() as connection:
        assert 8 == connection.exec_driver_sql("SELECT count(*) FROM examples").scalar_one()
    assert [b"0", b"1", b"2", b"3", b"496", b"497", b"498", b"499"] == payloads(store, sighting())


def test_example_comes_back_byte_for_byte(store: Store, sighting: Build) -> None:
    """Compression is invisible: any bytes, with their time."""
    payload = os.urandom(1000) + b'{"a": 1}' * 10_000
    write(store, sighting(at=5.0, example=payload))
    assert (Example(5.0, payload),) == store.signature(sighting().signature.id).examples


def test_example_that_is_too_large_is_told_and_not_kept(url: str, open_store: Open, sighting: Build) -> None:
    """The sighting counts all the same; the missing example is counted with its route."""
    store = open_store(url, limits=Limits(example_bytes=100))
    large, small = sighting(example=os.urandom(200)), sighting(example=b"x" * 10_000)
    assert ({}, {"feeds": 1}) == left_out(store, large, small)
    detail = store.signature(large.signature.id)
    assert (2, 1) == (detail.row.count, len(detail.examples))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"payload": b"junk"}, "can't be unpacked"),
        ({"payload_bytes": 7}, "doesn't have its 7 bytes"),
        ({"payload_bytes": 1_001}, "doesn't have its 1001 bytes"),
    ],
)
def test_example_that_is_damaged_is_an_error_of_the_store(
    store: Store, sighting: Build, change: dict[str, Any], message: str
) -> None:
    """Damaged bytes are never shown as evidence, nor unpacked beyond their size."""
    write(store, sighting(example=b"x" * 1000))
    with store._database.writing() as connection:
        connection.execute(EXAMPLES.update().values(**change))
    with pytest.raises(StoreError, match=message):
        store.signature(sighting().signature.id)


# --- state ---------------------------------------------------------------------------------------------------
def state(store: Store) -> str:
    return store.signatures()[0].state


def test_signature_is_fixed_when_pairs_come_without_it(store: Store, sighting: Build, clock: Any) -> None:
    """After one sighting in ten pairs, fifty pairs without it make it fixed; matches on any node count."""
    write(store, sighting(count=10), match=90, mismatch=10)
    clock.now += 60
    store.write(Batch("two", 0.0, counts={("feeds", 2): {"match": 49, "served.new": 500}}))
    before = state(store)
    store.write(Batch("two", 0.0, counts={("feeds", 2): {"noise": 1}}))
    assert ("new", "fixed") == (before, state(store))
    assert ["fixed"] == [row.state for row in store.signatures(state="fixed")]
    assert [] == store.signatures(state="new")


@pytest.mark.parametrize("reason", ["status", "kind", "size", "unlisted"])
def test_pairs_compared_in_part_fix_nothing(store: Store, sighting: Build, clock: Any, reason: str) -> None:
    """An answer that became a 500 doesn't show that the difference in its body has gone."""
    write(store, sighting(count=60), mismatch=60)
    clock.now += 3600
    write(store, **{"mismatch": 80, f"partly.{reason}": 80})
    in_part = state(store)
    write(store, match=80)
    assert ("new", "fixed") == (in_part, state(store))


def test_signature_that_was_fixed_and_comes_back_has_regressed(store: Store, sighting: Build, clock: Any) -> None:
    """The sighting itself marks it, and it stays marked with further sightings."""
    write(store, sighting(count=10), match=90, mismatch=10)
    clock.now += 60
    write(store, match=50)
    assert "fixed" == state(store)
    told = [write(store, sighting(), mismatch=1).regressed for _ in range(2)]
    assert "regressed" == state(store)
    assert [(sighting().signature,), ()] == told


def test_signature_takes_the_larger_of_both_totals(store: Store, sighting: Build, clock: Any) -> None:
    """A writer that knows of more pairs than were stored yet doesn't make its sighting look old."""
    write(store, sighting(count=10, compared_total=1_000), match=90, mismatch=10)
    clock.now += 60
    write(store, match=900)
    assert "new" == state(store)


def test_signature_that_is_ignored_stays_so_until_its_end(store: Store, sighting: Build, clock: Any) -> None:
    """An ignored difference counts on in silence, and is new again when the decision ends."""
    write(store, sighting())
    store.set_state(sighting().signature.id, "ignored", "ada", "known since 2019", until=clock.now + 10)
    write(store, sighting())
    silent = (state(store), store.signatures()[0].count)
    clock.now += 10
    assert (("ignored", 2), "new") == (silent, state(store))
