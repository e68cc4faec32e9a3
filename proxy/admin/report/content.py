"""What a report tells, as a value made from what the API answers; the formats (`report_formats`) only write it.

Worst first. A match rate never stands without its coverage, and every gap has its reason (law 5); what was not
compared is not called equal (law 10). Nothing is escaped here: each format does it for its own readers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from proxy.admin.figures import coverage_ratio, skipped_reasons
from proxy.admin.report.example import Example, example_of
from proxy.admin.report.sentence import Sentence, sentence_of
from proxy.admin.report.thresholds import Outcome, judge
from proxy.core.proportion import Interval, trials_until_proven, wilson_interval

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from proxy.admin.report.thresholds import Threshold

Json = dict[str, Any]
TARGET = 0.999  # the match rate that counts as proof: at most one answer in a thousand differs
# People look at these first; what they decided about comes last. Unknown states count as undecided.
_STATE_ORDER = {"regressed": 0, "new": 1, "unproven": 2, "known": 3, "noise": 4, "ignored": 5, "fixed": 6}
UNDECIDED = frozenset({"regressed", "new", "unproven"})


@dataclass(frozen=True, slots=True)
class Finding:
    """One signature: the API's `row`, what differs in a sentence, and its `share` of the compared pairs.

    `share` is None where it isn't known; `example` is None where none was kept or asked for.
    """

    row: Json
    sentence: Sentence
    share: float | None
    compared: int | None
    example: Example | None


@dataclass(frozen=True, slots=True)
class Scope:
    """What a report is about. `made_at` and `since` are Unix seconds; None: everything that was ever counted."""

    made_at: float
    since: float | None = None
    route: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """Worst first: routes by mismatches and missing coverage, signatures by state and count."""

    version: str
    config_digest: str
    scope: Scope
    routes: tuple[Json, ...]
    findings: tuple[Finding, ...]
    outcomes: tuple[Outcome, ...]


def build_report(
    status: Json,
    routes: Sequence[Json],
    signatures: Iterable[Json],
    *,
    scope: Scope,
    compared: Mapping[str, int] | None = None,
    details: Mapping[str, Json] | None = None,
    thresholds: Iterable[Threshold] = (),
) -> Report:
    """From the answers of /status, /routes and /diffs.

    `compared`: route -> pairs compared since the beginning, of which a signature's count is a share; the routes' own
    numbers unless given. `details`: signature -> /diffs/{id}, for examples.
    """
    ranked_routes = tuple(sorted(routes, key=_route_rank))
    rows = sorted((row for row in signatures if is_seen_since(row, scope.since)), key=signature_rank)
    totals = {route["name"]: route["coverage"]["compared"] for route in routes} if compared is None else compared
    return Report(
        version=status["version"],
        config_digest=status["config"]["digest"],
        scope=scope,
        routes=ranked_routes,
        findings=tuple(_finding(row, totals, details or {}) for row in rows),
        outcomes=tuple(judge(threshold, ranked_routes, rows) for threshold in thresholds),
    )


def worst_signatures(signatures: Iterable[Json], since: float | None, number: int) -> list[str]:
    """The ids of the first ones in a report: those worth an example."""
    return [row["id"] for row in sorted(signatures, key=signature_rank) if is_seen_since(row, since)][:number]


def is_seen_since(signature: Json, since: float | None) -> bool:
    return since is None or signature["last_seen"] >= since


def interval_of(route: Json) -> Interval | None:
    """Where the true match rate lies; None where nothing was compared."""
    compared = route["coverage"]["compared"]
    return wilson_interval(compared - route["mismatches"], compared) if compared else None


def pairs_until_proven(route: Json) -> int:
    """How many more pairs without a mismatch prove TARGET; 0 where it is proven."""
    compared = route["coverage"]["compared"]
    return trials_until_proven(compared - route["mismatches"], compared, TARGET)


def with_gaps(report: Report) -> list[Json]:
    """The routes of which something was not compared."""
    return [route for route in report.routes if skipped_reasons(route)]


def _finding(row: Json, totals: Mapping[str, int], details: Mapping[str, Json]) -> Finding:
    compared = totals.get(row["route"])
    share = min(row["count"] / compared, 1.0) if compared else None
    detail = details.get(row["id"])
    return Finding(row, sentence_of(row), share, compared, example_of(detail) if detail else None)


def _route_rank(route: Json) -> tuple[int, float, str]:
    """Most mismatches first, then least coverage; a route of which nothing was expected comes last."""
    ratio = coverage_ratio(route)
    return -route["mismatches"], 2.0 if ratio is None else ratio, route["name"]


def signature_rank(signature: Json) -> tuple[int, int, str]:
    """Its place in a list: by state, what nobody decided about first; then the most frequent."""
    return _STATE_ORDER.get(signature["state"], 1), -signature["count"], signature["id"]
