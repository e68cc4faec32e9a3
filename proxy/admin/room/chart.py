"""The burn-up as a drawing: the share of requests on new over time, with a mark where people decided something. Pure.

The area is a path in a box of 100 by 100 that is stretched to the page's width; marks and labels stand at percentages
of it, so that they are not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

Json = dict[str, Any]
FEWEST = 2  # buckets that make a line
LABEL_WIDTH = 5.0  # % of the chart, on a phone


@dataclass(frozen=True, slots=True)
class Mark:
    """Decisions at about one time: their numbers, the oldest being 1, and how far from the left they stand (%)."""

    label: str
    x: float


@dataclass(frozen=True, slots=True)
class Chart:
    """The `d` of the area on new and of its upper edge; the times (Unix seconds) at both ends; the last share."""

    area: str
    edge: str
    marks: tuple[Mark, ...]
    since: float
    until: float
    first: float
    last: float


def chart_of(burn_up: Json | None, decided: Sequence[Json]) -> tuple[Chart | None, dict[int, int]]:
    """The drawing, and id -> number of those decisions (newest first) that are in it; None where there is no line.

    A bucket without requests has no share: the line goes on straight to the next one that has.
    """
    buckets = [] if burn_up is None else burn_up["buckets"]
    points = [
        (each["at"], each["requests"]["new"] / served)
        for each in buckets
        if (served := each["requests"]["legacy"] + each["requests"]["new"])
    ]
    if len(points) < FEWEST:
        return None, {}
    since, until = points[0][0], points[-1][0]
    span = until - since
    shown = [line for line in decided if since <= line["at"]]
    numbers = {line["id"]: len(shown) - place for place, line in enumerate(shown)}
    marks = _marks([(numbers[line["id"]], min((line["at"] - since) / span, 1.0) * 100) for line in reversed(shown)])
    line = "L".join(f"{(at - since) / span * 100:.2f} {100 - share * 100:.2f}" for at, share in points)
    return Chart(f"M0 100L{line}L100 100Z", f"M{line}", marks, since, until, points[0][1], points[-1][1]), numbers


def _marks(decisions: Sequence[tuple[int, float]]) -> tuple[Mark, ...]:
    """One mark for all that begin where it stands, or so near to it that two labels would lie on each other."""
    several: list[list[tuple[int, float]]] = []
    for number, x in decisions:
        if several and x - several[-1][0][1] < LABEL_WIDTH:
            several[-1].append((number, x))
        else:
            several.append([(number, x)])
    return tuple(
        Mark(f"{one[0][0]}" if len(one) == 1 else f"{one[0][0]}–{one[-1][0]}", round(one[0][1], 2)) for one in several
    )
