"""When the last request would go to new if it went on as it did: an honest guess, or that there is none. Pure.

A share for each day (UTC), and the slope between each two of them (H. Theil, 1950; P. K. Sen, Journal of the American
Statistical Association 63, 1968): its quartiles give an early and a late day. Percentages move in steps that people
decide about, so a line through them is a guess even where it fits; hence a range, and nothing at all where days
are few, or the lower quartile doesn't rise.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import combinations
from statistics import quantiles
from typing import TYPE_CHECKING, Any

from proxy.admin.figures import share

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

Json = dict[str, Any]
SPAN_DAYS = 28  # of which the pace is taken: what was before says little about what people do now
MIN_DAYS = 7
MIN_REQUESTS = 100  # of a day, for its share to count
MAX_DAYS_AHEAD = 730  # what lies beyond is no projection
DONE = 0.999
_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Projection:
    """`words` always; `earliest` and `latest` are days (UTC), None where nothing can be said."""

    words: str
    earliest: date | None = None
    latest: date | None = None


def projection_of(buckets: Sequence[Json]) -> Projection:
    """From the buckets of the burn-up, oldest first."""
    days = daily_shares(buckets)[-SPAN_DAYS:]
    if days and days[-1][1] >= DONE:
        return Projection("Practically all requests go to new already.")
    if len(days) < MIN_DAYS:
        return Projection(
            f"Not enough data for a projection: {len(days)} of the {MIN_DAYS} days that it takes, "
            f"each with {MIN_REQUESTS} requests or more."
        )
    early, late = _pace(days)
    last, reached = days[-1]
    basis = f"from {share(days[0][1])} to {share(reached)} of the requests between {days[0][0]} and {last}"
    if late <= 0:
        return Projection(f"No projection: {basis}, but not steadily enough upwards to go on with.")
    soonest, latest = ((1 - reached) / pace for pace in (early, late))
    if latest > MAX_DAYS_AHEAD:
        return Projection(f"No projection: {basis}; at that pace it takes more than two years.")
    first, final = (last + timedelta(days=round(ahead)) for ahead in (soonest, latest))
    between = f"on {first}" if first == final else f"between {first} and {final}"
    return Projection(
        f"At the pace of the last {(last - days[0][0]).days + 1} days ({basis}) everything would be on new {between}. "
        "People decide how fast it goes: this is what was, carried on, and no promise.",
        first,
        final,
    )


def daily_shares(buckets: Sequence[Json]) -> list[tuple[date, float]]:
    """The share on new of each day (UTC) that had requests enough, oldest first."""
    days: defaultdict[date, list[int]] = defaultdict(lambda: [0, 0])
    for each in buckets:
        sums = days[datetime.fromtimestamp(each["at"], UTC).date()]
        sums[0] += each["requests"]["legacy"]
        sums[1] += each["requests"]["new"]
    return [(day, new / (legacy + new)) for day, (legacy, new) in sorted(days.items()) if legacy + new >= MIN_REQUESTS]


def _pace(days: Sequence[tuple[date, float]]) -> tuple[float, float]:
    """The upper and the lower quartile of the slopes, in shares per day."""
    slopes = [(b - a) / (later - earlier).days for (earlier, a), (later, b) in combinations(days, 2)]
    lower, _, upper = quantiles(slopes, n=4)
    return upper, lower
