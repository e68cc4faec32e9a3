"""Which version of new answers a route, by what its answers say, and when it became another. Pure.

1. A version that was never met before, or not for SETTLING_S, is the one in force from then on: a turn.
2. So is one of before as soon as the one in force has said nothing for QUIET_S: somebody went back.
3. Else both answer. For SETTLING_S after a turn that is a deployment under way: the evidence is mixed, and begins when
   it ends. After that it is how they want it (a canary behind new's address), and all of it counts.
4. A header with more than MAX_TURNS turns in SETTLING_S names no version, but each answer: nothing follows from it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

Meeting = Literal["first", "same", "mixed", "turned"]
SETTLING_S = 3_600.0  # the longest that a rolling deployment is taken to last
QUIET_S = 60.0  # a version in force answers more often than that where there is anything to count
MAX_TURNS = 5  # a day of hotfixes has no more in one hour
MAX_MET = 10


@dataclass(frozen=True, slots=True)
class Met:
    """A version: since when it has been the one in force, the last time, and when it was met last. Unix seconds."""

    version: str
    turned: float
    last: float


@dataclass(frozen=True, slots=True)
class Versions:
    """Those of a route, the one in force last; and the times of the latest turns."""

    met: tuple[Met, ...] = ()
    turns: tuple[float, ...] = ()

    @property
    def current(self) -> str:
        """The one in force; empty where none is known."""
        return self.met[-1].version if self.met else ""

    def meet(self, version: str, now: float) -> tuple[Versions, Meeting]:
        """What is known after an answer of this version, and what that says of the evidence."""
        known = next((each for each in self.met if each.version == version), None)
        if not self.met:
            return Versions((Met(version, now, now),)), "first"
        current = self.met[-1]
        if known is current:
            return replace(self, met=(*self.met[:-1], replace(current, last=now))), "same"
        if known is None or now - known.last >= SETTLING_S or now - current.last >= QUIET_S:
            return self._turned(version, now)
        met = tuple(replace(each, last=now) if each is known else each for each in self.met)
        return replace(self, met=met), "mixed" if now - current.turned < SETTLING_S else "same"

    def _turned(self, version: str, now: float) -> tuple[Versions, Meeting]:
        turns = (*(at for at in self.turns if now - at < SETTLING_S), now)
        if len(turns) > MAX_TURNS:
            return replace(self, turns=(*turns[1:-1], now)), "same"
        others = [each for each in self.met if each.version != version]
        return Versions((*others[1 - MAX_MET :], Met(version, now, now)), turns), "turned"


def as_rows(versions: Versions) -> list[list[Any]]:
    """As the store keeps them."""
    return [[each.version, each.turned, each.last] for each in versions.met]


def from_rows(rows: Iterable[Iterable[Any]]) -> Versions:
    return Versions(tuple(Met(*row) for row in rows))
