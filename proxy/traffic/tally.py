"""A worker's counters for each route, and the users it saw, until control has taken them.

Names of counters are those of `core/evidence`. A tally is taken as a delta; a delta that was not acknowledged is put
back, so that nothing is lost while control is away and nothing grows but numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from proxy.core.evidence import latency_bucket
from proxy.core.model import LEGACY, NEW

if TYPE_CHECKING:
    from proxy.core.model import Side

MAX_USERS = 10_000  # hashes of users kept for each route and side between two deltas; 80 kB each way
UNROUTED = "(no route)"  # requests that no route matches; "(" can't begin a route's name
# Made once: two names for each answer would otherwise be put together for each answer.
_SERVED = {
    (side, hundreds): (f"served.{side}", f"status.{side}.{hundreds}xx")
    for side in (LEGACY, NEW)
    for hundreds in range(1, 10)
}


class Delta(TypedDict):
    """What happened since the last delta, as it goes up the link (JSON)."""

    routes: dict[str, dict[str, int]]
    users: dict[str, dict[str, list[int]]]


class RouteTally:
    """The counters of one route. Not shared between threads."""

    __slots__ = ("counts", "latency", "users")

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.latency: dict[Side, dict[int, int]] = {LEGACY: {}, NEW: {}}
        self.users: dict[Side, set[int]] = {LEGACY: set(), NEW: set()}

    def count(self, name: str, number: int = 1) -> None:
        counts = self.counts
        counts[name] = counts.get(name, 0) + number

    def served(self, side: Side, status: int, elapsed_s: float | None) -> None:
        """One whole answer that a user got; without a time of its own where it lasts as users like (WebSockets)."""
        counts = self.counts
        by_side, by_class = _SERVED[side, status // 100]
        counts[by_side] = counts.get(by_side, 0) + 1
        counts[by_class] = counts.get(by_class, 0) + 1
        if elapsed_s is not None:
            self.answered(side, elapsed_s)

    def answered(self, side: Side, elapsed_s: float) -> None:
        """One whole answer of a side, after `elapsed_s` seconds."""
        bucket = latency_bucket(int(elapsed_s * 1e6))
        buckets = self.latency[side]
        buckets[bucket] = buckets.get(bucket, 0) + 1

    def seen(self, side: Side, hashed: int) -> None:
        users = self.users[side]
        if len(users) < MAX_USERS:
            users.add(hashed)
        elif hashed not in users:
            self.count("users.dropped")

    def take(self) -> dict[str, int]:
        """All counters since the last call, latency included."""
        counts, self.counts = self.counts, {}
        for side, buckets in self.latency.items():
            for bucket, count in buckets.items():
                name = f"latency.{side}.{bucket}"
                counts[name] = counts.get(name, 0) + count  # a delta that was put back may hold it already
            buckets.clear()
        return counts


class Tally:
    """All routes' counters of this worker."""

    def __init__(self) -> None:
        self._routes: dict[str, RouteTally] = {}

    def route(self, name: str) -> RouteTally:
        try:
            return self._routes[name]
        except KeyError:
            return self._routes.setdefault(name, RouteTally())

    def take(self) -> Delta:
        """What has happened since the last delta; the counters start anew."""
        delta: Delta = {"routes": {}, "users": {}}
        for name, route in self._routes.items():
            counts = route.take()
            if counts:
                delta["routes"][name] = counts
            if any(route.users.values()):
                delta["users"][name] = {side: sorted(users) for side, users in route.users.items()}
                for users in route.users.values():
                    users.clear()
        return delta

    def put_back(self, delta: Delta) -> None:
        """A delta that did not arrive: it is part of the next one."""
        for name, counts in delta["routes"].items():
            for counter, number in counts.items():
                self.route(name).count(counter, number)
        for name, sides in delta["users"].items():
            for side, hashes in sides.items():
                for hashed in hashes:
                    self.route(name).seen(NEW if side == NEW else LEGACY, hashed)
