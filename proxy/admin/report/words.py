"""The sentences and figures that all formats of a report share, before any of them escapes anything."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from proxy.admin.figures import count, coverage_ratio, moment, share
from proxy.admin.report.content import TARGET, interval_of, pairs_until_proven
from proxy.core.proportion import CONFIDENCE, Interval, trials_until_proven

if TYPE_CHECKING:
    from proxy.admin.report.content import Finding, Report
    from proxy.admin.report.thresholds import Outcome

Json = dict[str, Any]
PAIRS_FROM_NOTHING = trials_until_proven(0, 0, TARGET)
VERDICTS = {"kept": "passed", "crossed": "FAILED", "no_data": "no data"}
_DECISION = ("owner", "ticket", "reason", "who")


def title(report: Report) -> str:
    return "Changeover report" if report.scope.route is None else f"Changeover report of {report.scope.route}"


def subtitle(report: Report) -> list[str]:
    """When and of what it was made; the period stands first, because every number depends on it."""
    since = report.scope.since
    digest = re.sub("[^0-9a-f]", "", report.config_digest)[:12]
    return [
        "everything counted so far" if since is None else f"since {moment(since)}",
        f"made {moment(report.scope.made_at)}",
        f"config {digest}",
        f"Changeover {report.version}",
    ]


def interval_text(interval: Interval) -> str:
    """Rounded outwards, to hundredths of a percent: what is shown as reached has been reached."""
    low = math.floor(round(interval.low * 10_000, 6)) / 100
    high = math.ceil(round(interval.high * 10_000, 6)) / 100
    return f"{low:g} to {high:g} %"


def at_most_text(interval: Interval) -> str:
    """How much differs at the most, rounded up to hundredths of a percent."""
    return f"{math.ceil(round((1 - interval.low) * 10_000, 6)) / 100:g} %"


def certainty(route: Json) -> str:
    """What is known of the match rate; "" where nothing was compared."""
    interval = interval_of(route)
    if interval is None:
        return ""
    return f"with {CONFIDENCE * 100:g} % confidence {interval_text(interval)}; {proof(route)}"


def proof(route: Json) -> str:
    """How far the route is from the proof of TARGET; past mismatches may make it a matter of another period."""
    more, interval = pairs_until_proven(route), interval_of(route)
    if not more:
        return f"{TARGET * 100:g} % is proven"
    if interval is not None and interval.high < TARGET:
        return f"{TARGET * 100:g} % is ruled out; once fixed, {count(PAIRS_FROM_NOTHING)} pairs since then prove it"
    noun = "pair" if more == 1 else "pairs"
    return f"{count(more)} more {noun} without a mismatch until {TARGET * 100:g} % is proven"


def occurrence(finding: Finding) -> str:
    """How often, and of how many: "12 times, 0.4 % of 3,000 compared pairs"."""
    number = finding.row["count"]
    times = "once" if number == 1 else f"{count(number)} times"
    if finding.share is None:
        return times
    return f"{times}, {share(finding.share)} of {count(finding.compared)} compared pairs"


def seen(finding: Finding) -> str:
    return f"first seen {moment(finding.row['first_seen'])}, last seen {moment(finding.row['last_seen'])}"


def decision(row: Json) -> list[tuple[str, str]]:
    """What people said about a signature, by its label; nothing where nobody did."""
    said = [(name, str(row[name])) for name in _DECISION if row.get(name)]
    if row.get("until") is not None:
        said.append(("until", moment(row["until"])))
    return said


def verdict_line(outcome: Outcome) -> str:
    """One threshold and what became of it, without where it was crossed."""
    return f"{VERDICTS[outcome.verdict]}: {outcome.threshold.expression}"


def totals(report: Report) -> Json:
    """What the routes add up to: compared, expected, mismatches, and the signatures by state."""
    compared = sum(route["coverage"]["compared"] for route in report.routes)
    expected = sum(route["coverage"]["expected"] for route in report.routes)
    mismatches = sum(route["mismatches"] for route in report.routes)
    states: dict[str, int] = {}
    for finding in report.findings:
        states[finding.row["state"]] = states.get(finding.row["state"], 0) + 1
    return {
        "compared": compared,
        "expected": expected,
        "mismatches": mismatches,
        "coverage": compared / expected if expected else None,
        "match_rate": 1 - mismatches / compared if compared else None,
        "states": states,
    }


def is_blind(route: Json) -> bool:
    """Whether something should have been compared and nothing was."""
    return coverage_ratio(route) == 0
