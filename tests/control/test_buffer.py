"""Buffer: evidence merges without loss of counts, stays in its bounds, and says what it dropped."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from proxy.control import buffer as buffer_module
from proxy.control.buffer import Buffer
from proxy.core.model import LEGACY, NEW
from proxy.core.signature import Signature
from proxy.store import Shown, Sighting

if TYPE_CHECKING:
    import pytest

MINUTE = 30_000_000


def make_sighting(name: str = "a", at: float = 100.0, **fields: object) -> Sighting:
    signature = Signature(id=name, route="feeds", kind="body", path=f"$.{name}", shape="type int→str")
    return Sighting(signature, at, **fields)  # type: ignore[arg-type]


DELTAS = st.lists(
    st.tuples(
        st.sampled_from(["feeds", "search"]),
        st.integers(0, 5),
        st.dictionaries(st.sampled_from(["pairs", "match", "skipped.timeout"]), st.integers(1, 9), max_size=3),
    ),
    max_size=12,
)


@given(DELTAS, st.lists(st.booleans(), max_size=6))
def test_counts_are_never_lost_whatever_is_put_back(deltas: list[tuple[str, int, dict[str, int]]], fails: list[bool]):
    """However often a batch fails and comes back: what was written and what waits adds up to what came in."""
    buffer = Buffer()
    written: dict[str, Counter[str]] = {}
    wanted: dict[str, Counter[str]] = {}
    outcomes = iter(fails)
    for route, minute, counts in deltas:
        buffer.count(route, minute, counts)
        wanted.setdefault(route, Counter()).update(counts)
        batch = buffer.take("n1", 0.0)
        if next(outcomes, True):
            buffer.put_back(batch)
        else:
            for (of_route, _), taken in batch.counts.items():
                written.setdefault(of_route, Counter()).update(taken)
    for route, counts in buffer.totals().items():
        written.setdefault(route, Counter()).update(counts)
    assert wanted == written


def test_minutes_fold_into_the_newest_when_there_are_too_many(monkeypatch: pytest.MonkeyPatch):
    """After a long outage it is no longer known when something was, still how often."""
    monkeypatch.setattr(buffer_module, "MAX_MINUTES", 3)
    buffer = Buffer()
    for minute in range(10):
        buffer.count("feeds", MINUTE + minute, {"pairs": 1})
    batch = buffer.take("n1", 0.0)
    assert len(batch.counts) <= 3
    assert 10 == sum(counts["pairs"] for counts in batch.counts.values())
    assert MINUTE + 9 in {minute for _, minute in batch.counts}


def test_sightings_of_one_signature_merge_into_the_latest():
    """Counts add up, the latest example and time stay."""
    buffer = Buffer()
    for sighting in (
        make_sighting(at=1.0, example=b"first", compared_total=5),
        make_sighting(at=2.0, example=b"second", compared_total=6),
        make_sighting(at=3.0, compared_total=7),
    ):
        buffer.see(sighting, MINUTE)
    [merged] = buffer.take("n1", 0.0).sightings
    assert make_sighting(at=3.0, count=3, example=b"second", compared_total=7) == merged


def test_sightings_beyond_the_bound_are_dropped_and_counted(monkeypatch: pytest.MonkeyPatch):
    """A flood of signatures is cut off; those that are known go on counting."""
    monkeypatch.setattr(buffer_module, "MAX_SIGHTINGS", 2)
    buffer = Buffer()
    for name in "abca":
        buffer.see(make_sighting(name), MINUTE)
    batch = buffer.take("n1", 0.0)
    assert {"a": 2, "b": 1} == {sighting.signature.id: sighting.count for sighting in batch.sightings}
    assert (1, {("feeds", MINUTE): {"dropped.sightings": 1}}) == (buffer.dropped, batch.counts)


def test_examples_beyond_the_bytes_are_dropped_and_their_sightings_stay(monkeypatch: pytest.MonkeyPatch):
    """Bytes are what examples cost: without room the sighting goes without, and a smaller one may follow."""
    monkeypatch.setattr(buffer_module, "MAX_EXAMPLE_BYTES", 10)
    buffer = Buffer()
    buffer.see(make_sighting("a", example=b"x" * 8), MINUTE)
    buffer.see(make_sighting("b", example=b"x" * 8), MINUTE)
    buffer.see(make_sighting("a", example=b"x" * 2), MINUTE)
    buffer.see(make_sighting("b", example=b"y" * 8), MINUTE)
    found = {sighting.signature.id: sighting for sighting in buffer.take("n1", 0.0).sightings}
    assert (b"xx", 2) == (found["a"].example, found["a"].count)
    assert (b"y" * 8, 2) == (found["b"].example, found["b"].count)
    assert 1 == buffer.dropped


def test_taking_a_batch_makes_room_for_examples_again(monkeypatch: pytest.MonkeyPatch):
    """The bytes are those that wait, not those that were written."""
    monkeypatch.setattr(buffer_module, "MAX_EXAMPLE_BYTES", 10)
    buffer = Buffer()
    for _ in range(3):
        buffer.see(make_sighting(example=b"x" * 8), MINUTE)
        buffer.take("n1", 0.0)
    assert 0 == buffer.dropped


def test_a_batch_that_comes_back_is_older_than_what_came_since():
    """The example that came while the batch was being written is the later one."""
    buffer = Buffer()
    buffer.see(make_sighting(at=1.0, example=b"old"), MINUTE)
    batch = buffer.take("n1", 60.0 * MINUTE)
    buffer.see(make_sighting(at=2.0, example=b"new"), MINUTE)
    buffer.put_back(batch)
    [merged] = buffer.take("n1", 0.0).sightings
    assert make_sighting(at=2.0, count=2, example=b"new") == merged


def test_a_user_who_changed_sides_is_only_on_the_later_one():
    """One user, one side: also within a batch, and when an older batch comes back."""
    buffer = Buffer()
    buffer.add_users("feeds", LEGACY, [1, 2], MINUTE)
    batch = buffer.take("n1", 60.0 * MINUTE)
    buffer.add_users("feeds", NEW, [2], MINUTE)
    buffer.put_back(batch)
    assert {("feeds", LEGACY): {1}, ("feeds", NEW): {2}} == buffer.take("n1", 0.0).users


def test_users_beyond_the_bound_are_dropped_and_counted(monkeypatch: pytest.MonkeyPatch):
    """Those who are known stay known, the others are counted as dropped."""
    monkeypatch.setattr(buffer_module, "MAX_USERS", 2)
    buffer = Buffer()
    buffer.add_users("feeds", NEW, [1, 2, 3, 4, 1], MINUTE)
    batch = buffer.take("n1", 0.0)
    assert {("feeds", NEW): {1, 2}} == batch.users
    assert {("feeds", MINUTE): {"dropped.users": 2}} == batch.counts


def test_length_is_the_number_of_rows_of_a_batch():
    """One row for a route's minute, for a signature, for a user."""
    buffer = Buffer()
    buffer.count("feeds", MINUTE, {"pairs": 1, "match": 1})
    buffer.see(make_sighting(), MINUTE)
    buffer.add_users("feeds", NEW, [1, 2], MINUTE)
    before = len(buffer)
    buffer.take("n1", 0.0)
    assert (4, 0) == (before, len(buffer))


def test_places_add_up_and_come_back():
    """Pairs that showed a place are one row, and what a batch could not bring joins what came since."""
    buffer = Buffer()
    buffer.show("a", Shown("feeds", 1, 0), MINUTE)
    buffer.show("a", Shown("feeds", 0, 1, 1), MINUTE)
    batch = buffer.take("n1", 0.0)
    buffer.show("a", Shown("feeds", 0, 2), MINUTE)
    buffer.put_back(batch)
    assert ({"a": Shown("feeds", 1, 1, 1)}, {"a": Shown("feeds", 1, 3, 1)}) == (
        batch.shown,
        buffer.take("n1", 0.0).shown,
    )


def test_places_are_bounded(monkeypatch: pytest.MonkeyPatch):
    """What finds no room is counted for its route."""
    monkeypatch.setattr(buffer_module, "MAX_PLACES", 1)
    buffer = Buffer()
    for name in ("a", "b", "a"):
        buffer.show(name, Shown("feeds", 0, 1), MINUTE)
    batch = buffer.take("n1", 0.0)
    assert ({"a": Shown("feeds", 0, 2)}, {("feeds", MINUTE): {"dropped.places": 1}}) == (batch.shown, batch.counts)
