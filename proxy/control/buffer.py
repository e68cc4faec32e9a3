"""Evidence that the store has not taken yet, merged so that it stays small however long the store is away.

Counters are never given up: they only merge. Users, sightings and examples have bounds; what finds no room is
counted in `dropped`, and for its route as `dropped.<what>` (law 5). Knows nothing of stores or clocks.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from proxy.core.model import OTHER
from proxy.store import Batch, Shown, Sighting

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from proxy.core.model import Side
    from proxy.core.signature import Signature

_K = TypeVar("_K")

MAX_MINUTES = 10_000  # (route, minute) rows; 100 routes for 100 minutes, some MB
MAX_USERS = 20_000  # for each route and side: as many as the store keeps exactly
MAX_SIGHTINGS = 2_000  # signatures; the store keeps 1,000 for a route
MAX_PLACES = 4_000  # of pairs that differ, with their signatures; the store keeps 2,000 for a route
MAX_VERSIONS = 10  # of one signature, as many as the store keeps
MAX_EXAMPLE_BYTES = 16 * 1024 * 1024


class Buffer:
    """See the module. Used by one thread."""

    def __init__(self) -> None:
        self.dropped = 0
        self._counts: dict[tuple[str, int], Counter[str]] = {}
        self._users: dict[tuple[str, Side], set[int]] = {}
        self._sightings: dict[str, Sighting] = {}
        self._shown: dict[str, Shown] = {}
        self._example_bytes = 0

    def __len__(self) -> int:
        """Rows that a batch would have now."""
        return len(self._counts) + len(self._sightings) + len(self._shown) + sum(map(len, self._users.values()))

    def count(self, route: str, minute: int, deltas: Mapping[str, int]) -> None:
        """Adds to a route's counters in a Unix minute."""
        key = (route, minute)
        if key not in self._counts and len(self._counts) >= MAX_MINUTES:
            self._fold_minutes()
        add_counts(self._counts, key, deltas)

    def add_users(self, route: str, side: Side, hashes: Iterable[int], minute: int) -> None:
        """Users seen on one side; who was on the other side before is there no more."""
        here = self._users.setdefault((route, side), set())
        there = self._users.get((route, OTHER[side]), set())
        lost = 0
        for hashed in hashes:
            if len(here) < MAX_USERS or hashed in here:
                here.add(hashed)
                there.discard(hashed)
            else:
                lost += 1
        if lost:
            self._drop(route, minute, "users", lost)

    def see(self, sighting: Sighting, minute: int) -> None:
        """Adds a sighting to what is known of its signature; the latest example is kept."""
        known = self._sightings.get(sighting.signature.id)
        route = sighting.signature.route
        if known is None and len(self._sightings) >= MAX_SIGHTINGS:
            self._drop(route, minute, "sightings", sighting.count)
            return
        merged = sighting if known is None else _merged(known, sighting)
        grown = _example_bytes(merged) - (_example_bytes(known) if known else 0)
        if grown > 0 and self._example_bytes + grown > MAX_EXAMPLE_BYTES:
            merged = replace(merged, example=known.example if known else None)
            grown = 0
            self._drop(route, minute, "examples", 1)
        self._sightings[sighting.signature.id] = merged
        self._example_bytes += grown

    def show(self, id_: str, shown: Shown, minute: int) -> None:
        """Adds pairs that showed a place or a signature."""
        known = self._shown.get(id_)
        if known is None and len(self._shown) >= MAX_PLACES:
            self._drop(shown.route, minute, "places", shown.of_self + shown.of_new)
            return
        self._shown[id_] = shown if known is None else known.plus(shown)

    def totals(self) -> dict[str, Counter[str]]:
        """Route -> counters, over all minutes."""
        sums: dict[str, Counter[str]] = {}
        for (route, _), counts in self._counts.items():
            sums.setdefault(route, Counter()).update(counts)
        return sums

    def take(self, node: str, at: float) -> Batch:
        """Everything, as one batch; the buffer is empty afterwards."""
        batch = Batch(node, at, self._counts, self._users, tuple(self._sightings.values()), self._shown)
        self._counts, self._users, self._sightings, self._shown, self._example_bytes = {}, {}, {}, {}, 0
        return batch

    def put_back(self, batch: Batch) -> None:
        """A batch that the store did not take joins what came since."""
        newer_users, self._users = self._users, {}
        newer_sightings, self._sightings, self._example_bytes = self._sightings, {}, 0
        newer_shown, self._shown = self._shown, {}
        minute = int(batch.at // 60)
        for (route, at_minute), counts in batch.counts.items():
            self.count(route, at_minute, counts)
        for users in (batch.users, newer_users):
            for (route, side), hashes in users.items():
                self.add_users(route, side, hashes, minute)
        for sighting in (*batch.sightings, *newer_sightings.values()):
            self.see(sighting, minute)
        for shown in (batch.shown, newer_shown):
            for id_, each in shown.items():
                self.show(id_, each, minute)

    def _drop(self, route: str, minute: int, what: str, number: int) -> None:
        self.dropped += number
        self.count(route, minute, {f"dropped.{what}": number})

    def _fold_minutes(self) -> None:
        """All of a route's minutes become its newest one: when it was is lost, how often is not."""
        newest: dict[str, int] = {}
        for route, minute in self._counts:
            newest[route] = max(newest.get(route, minute), minute)
        self._counts = {(route, newest[route]): counts for route, counts in self.totals().items()}


def add_counts(sums: dict[_K, Counter[str]], key: _K, counts: Mapping[str, int]) -> None:
    """Adds to one of several counters: each pair does, and `setdefault` and `update` take three times as long."""
    found = sums.get(key)
    if found is None:
        found = sums[key] = Counter()
    for name, number in counts.items():
        found[name] += number


def seen(signature: Signature, at: float, compared_total: int, example: bytes | None) -> Sighting:
    """One sighting of a signature."""
    return Sighting(signature=signature, at=at, count=1, example=example, compared_total=compared_total)


def _merged(earlier: Sighting, later: Sighting) -> Sighting:
    return Sighting(
        signature=later.signature,
        at=max(earlier.at, later.at),
        count=earlier.count + later.count,
        example=later.example if later.example is not None else earlier.example,
        compared_total=max(earlier.compared_total, later.compared_total),
        versions=_versions(earlier.versions, later.versions),
    )


def _versions(earlier: tuple[str, ...], later: tuple[str, ...]) -> tuple[str, ...]:
    return earlier if earlier == later else tuple(dict.fromkeys((*earlier, *later)))[-MAX_VERSIONS:]


def _example_bytes(sighting: Sighting) -> int:
    return len(sighting.example or b"")
