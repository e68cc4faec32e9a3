"""A worker's counters as they come up the link, checked before anything is added: a delta counts whole or not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from proxy.core.model import LEGACY, NEW

if TYPE_CHECKING:
    from collections.abc import Mapping

    from proxy.core.model import Side

MAX_COUNTERS = 5_000  # per route; a worker knows some 100 names and 2 x 250 latency buckets
_MAX_NAME_CHARACTERS = 100
_HASHES = range(1 << 64)


@dataclass(frozen=True, slots=True)
class Delta:
    """`seq` goes back in the acknowledgement. `users`: (route, side) -> 64-bit hashes of user keys.

    `versions`: route -> what new says of itself, where an equal pair has shown it since the delta before.
    """

    seq: int
    at: float
    counts: Mapping[str, Mapping[str, int]]
    users: Mapping[tuple[str, Side], frozenset[int]]
    gauges: Mapping[str, float]
    versions: Mapping[str, str] = field(default_factory=dict)


def read_delta(document: Mapping[str, Any]) -> Delta:
    """The delta in a TALLY frame. Raises ValueError, KeyError or TypeError for one that no worker of ours sends."""
    return Delta(
        seq=_whole(document["seq"]),
        at=float(document["at"]),
        counts={_name(route): _counters(counters) for route, counters in document["routes"].items()},
        users={
            (_name(route), side): frozenset(map(_hash, sides.get(side, ())))
            for route, sides in document["users"].items()
            for side in (LEGACY, NEW)
        },
        gauges={_name(name): float(value) for name, value in document["gauges"].items()},
        versions={_name(route): _name(version) for route, version in document.get("versions", {}).items()},
    )


def _counters(counters: Mapping[str, Any]) -> dict[str, int]:
    if len(counters) > MAX_COUNTERS:
        raise ValueError(f"{len(counters)} counters of one route; at most {MAX_COUNTERS} are taken")
    return {_name(name): _whole(number) for name, number in counters.items()}


def _name(text: Any) -> str:
    if not isinstance(text, str) or not 0 < len(text) <= _MAX_NAME_CHARACTERS:
        raise ValueError(f"{str(text)[:40]!r} is no name of a route, counter or gauge")
    return text


def _whole(number: Any) -> int:
    if type(number) is not int or number < 0:
        raise ValueError(f"{str(number)[:40]!r} is not a count")
    return number


def _hash(number: Any) -> int:
    if type(number) is not int or number not in _HASHES:
        raise ValueError(f"{str(number)[:40]!r} is not a hash of 64 bits")
    return number
