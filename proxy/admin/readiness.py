"""Whether a route may move on, in words with their basis: for people who decide, not for the data plane. Pure.

Rules, in this order; the first that holds decides.
1. Nothing was compared: unknown (law 10).
2. The match rate's interval lies below the target, or a difference waits for somebody's decision: not ready.
3. Less than MIN_COVERAGE of what should have been compared was, or the target is not proven yet: too early.
4. Else: ready. Latency and errors are said beside it, and it is said there and then where new takes SLOW times as long:
   how slow is too slow is for people to say.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from proxy.admin.figures import count, coverage_ratio, share
from proxy.admin.report.content import TARGET, UNDECIDED, interval_of, pairs_until_proven
from proxy.admin.report.words import interval_text
from proxy.core.proportion import CONFIDENCE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Json = dict[str, Any]
Verdict = Literal["ready", "not ready", "too early", "unknown"]
MIN_COVERAGE = 0.95  # what was left out might be what differs; nineteen of twenty leave little room for that
SLOW = 1.5  # times as long, at the median: more than users fail to notice
QUIET_DAYS = 7
_DAY_S = 86_400
_SMALL_CHANGE = 0.05  # of a median: what people don't notice, and the histogram's buckets don't tell apart


@dataclass(frozen=True, slots=True)
class Readiness:
    """A verdict, why, and what it rests on: sentences for people who don't know the vocabulary."""

    verdict: Verdict
    why: str
    basis: tuple[str, ...]


def waiting_by_route(signatures: Iterable[Json]) -> Counter[str]:
    """Route -> differences that wait for somebody's decision."""
    return Counter(row["route"] for row in signatures if row["state"] in UNDECIDED)


def readiness_of(route: Json, waiting: int) -> Readiness:
    """`waiting`: its differences about which nobody has decided."""
    verdict, why = _verdict(route, waiting)
    slow = _times_slower(route)
    if verdict == "ready" and slow >= SLOW:
        why += f"; but new takes {slow:.1f} times as long to answer"
    return Readiness(verdict, why, tuple(_basis(route)))


def blockers(signatures: Iterable[Json], number: int) -> list[Json]:
    """Differences that keep routes back, the most frequent first: those to be decided, and known ones."""
    open_ = [row for row in signatures if row["state"] in UNDECIDED | {"known"}]
    return sorted(open_, key=lambda row: (-row["count"], row["id"]))[:number]


def switch_off(routes: Sequence[Json], burn_up: Json | None) -> list[tuple[str, bool | None]]:
    """What must be true before legacy can be switched off; None where it isn't known: `burn_up` may not be."""
    at_all = sum(route["effective_percentage"] >= 100 for route in routes)
    unasked = sum(route["stage"] == "complete" for route in routes)
    total = count(len(routes))
    return [
        (f"{count(at_all)} of {total} routes send everybody to new", bool(routes) and at_all == len(routes)),
        (f"{count(unasked)} of {total} routes no longer ask legacy beside it", bool(routes) and unasked == len(routes)),
        _quiet(burn_up),
    ]


def _quiet(burn_up: Json | None) -> tuple[str, bool | None]:
    """Whether users needed nothing of legacy for so long that weekly visitors, and weekly jobs, have come by."""
    days = f"in the last {QUIET_DAYS} days"
    if burn_up is None:
        return f"it is not known how many users' requests legacy answered {days}", None
    buckets = burn_up["buckets"]
    since = burn_up["until"] - QUIET_DAYS * _DAY_S
    served = sum(each["requests"]["legacy"] for each in buckets if each["at"] + burn_up["bucket_s"] > since)
    if served:
        return f"legacy answered {count(served)} users' requests {days}", False
    if not buckets or buckets[0]["at"] > since:
        return f"legacy answered no user's request, but less than {QUIET_DAYS} days are known", None
    return f"legacy answered no user's request {days}", True


def _verdict(route: Json, waiting: int) -> tuple[Verdict, str]:
    interval, coverage = interval_of(route), coverage_ratio(route)
    if interval is None:
        return "unknown", "nothing was compared yet"
    goal = f"{TARGET * 100:g} %"
    if interval.high < TARGET:
        return "not ready", f"too many answers differ: fewer than {goal} are the same"
    if waiting:
        noun = "difference waits" if waiting == 1 else "differences wait"
        return "not ready", f"{count(waiting)} {noun} for a decision"
    if coverage is not None and coverage < MIN_COVERAGE:
        return "too early", f"only {share(coverage)} of what should have been compared was"
    if more := pairs_until_proven(route):
        return "too early", f"{count(more)} more answers without a difference prove that {goal} are the same"
    return "ready", f"at least {goal} of the answers are the same, proven"


def _basis(route: Json) -> list[str]:
    interval = interval_of(route)
    compared = route["coverage"]["compared"]
    said = [f"{count(compared)} of {count(route['coverage']['expected'])} answers compared"]
    if interval is not None:
        said[0] += f" (coverage {share(coverage_ratio(route))})"
        differ = share(route["mismatches"] / compared)
        said.append(f"{differ} differ; with {CONFIDENCE * 100:g} % confidence {interval_text(interval)} are the same")
    if slow := _times_slower(route):
        said.append(_speed(slow))
    return [*said, *_errors(route)]


def _times_slower(route: Json) -> float:
    """New's median over legacy's; 0 where one of them is unknown."""
    legacy, new = route["latency_ms"]["legacy"]["p50"], route["latency_ms"]["new"]["p50"]
    return new / legacy if legacy and new is not None else 0.0


def _speed(times: float) -> str:
    change = times - 1
    if abs(change) < _SMALL_CHANGE:
        return "answers about as fast as legacy (median)"
    if times >= SLOW:
        return f"takes {times:.1f} times as long as legacy (median)"
    return f"answers {abs(change) * 100:.0f} % {'slower' if change > 0 else 'faster'} than legacy (median)"


def _errors(route: Json) -> list[str]:
    errors, requests = route["server_errors"]["new"], route["requests"]["new"]
    return [f"{count(errors)} of {count(requests)} users' requests on new ended in an error"] if requests else []
