"""Whether a route may move on, in words with their basis: for people who decide, not for the data plane. Pure.

All of it is about the route's window (`proxy.admin.evidence`): what was mended before counts no longer.

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

from proxy.admin.evidence import in_window, window_text
from proxy.admin.figures import count, coverage_ratio, outcomes, percent, share
from proxy.admin.report.content import TARGET, UNDECIDED, interval_of, pairs_until_proven
from proxy.admin.report.words import at_most_text
from proxy.core.proportion import CONFIDENCE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Json = dict[str, Any]
Verdict = Literal["ready", "not ready", "too early", "unknown"]
MIN_COVERAGE = 0.95  # what was left out might be what differs; nineteen of twenty leave little room for that
SLOW = 1.5  # times as long, at the median: more than users fail to notice
QUIET_DAYS = 7
MAX_NAMED = 5  # routes in a sentence
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
    """`route` as the API answers it; `waiting`: its differences about which nobody has decided."""
    window, route = window_text(route), in_window(route)
    verdict, why = _verdict(route, waiting)
    slow = _times_slower(route)
    if verdict == "ready" and slow >= SLOW:
        why += f"; but new takes {slow:.1f} times as long to answer"
    return Readiness(verdict, why, (*_basis(route), f"counted: {window}"))


def blockers(signatures: Iterable[Json]) -> list[Json]:
    """Differences that keep routes back, the most frequent first: those to be decided, and known ones."""
    open_ = [row for row in signatures if row["state"] in UNDECIDED | {"known"}]
    return sorted(open_, key=lambda row: (-row["count"], row["id"]))


def switch_off(routes: Sequence[Json], burn_up: Json | None) -> list[tuple[str, bool | None]]:
    """What must be true before legacy can be switched off; None where it isn't known: `burn_up` may not be."""
    held_back = [_held_back(route) for route in routes if route["effective_percentage"] < 100]
    asking = [route["name"] for route in routes if route["stage"] != "complete"]
    return [
        _of_all(routes, held_back, "send everybody to new"),
        _of_all(routes, asking, "no longer ask legacy beside it"),
        _quiet(burn_up),
    ]


def _of_all(routes: Sequence[Json], missing: Sequence[str], what: str) -> tuple[str, bool]:
    words = f"{count(len(routes) - len(missing))} of {count(len(routes))} routes {what}"
    if missing:
        words += f"; not yet {', '.join(missing[:MAX_NAMED])}"
        words += f" and {count(len(missing) - MAX_NAMED)} more" if len(missing) > MAX_NAMED else ""
    return words, bool(routes) and not missing


def _held_back(route: Json) -> str:
    at = percent(route["effective_percentage"])
    return f"{route['name']} ({at}{', held by ' + route['hold']['who'] if route['hold'] else ''})"


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
    if interval is None:
        said = [f"nothing of {count(route['coverage']['expected'])} comparable pairs was compared"]
    else:
        differ, most = share(route["mismatches"] / compared), at_most_text(interval)
        confidence = f"at most {most} with {CONFIDENCE * 100:g} % confidence"
        said = [
            f"{count(compared)} comparable pairs, {differ} differ, {confidence}",
            f"coverage {share(coverage_ratio(route))}: {count(compared)} of {count(route['coverage']['expected'])}",
        ]
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
    """Of what users got from new, beside what they got from legacy, where anybody was there."""
    said = outcomes(route)
    if not said["new"]["requests"]:
        return []
    new, legacy = said["new"], said["legacy"]
    beside = f", of legacy's {share(legacy['ratio'])}" if legacy["requests"] else ""
    of_new = f"{share(new['ratio'])} of the requests that new answered ended in an error"
    return [f"{of_new} ({count(new['errors'])} of {count(new['requests'])}){beside}"]
