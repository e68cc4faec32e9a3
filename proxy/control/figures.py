"""The figures that people and Prometheus are shown, from counters and the rollout in force. Pure.

Shapes are those of docs/admin-api.md. A rate never stands without its coverage (law 5).
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from proxy.core.evidence import (
    Verdict,
    coverage,
    latency_counts,
    latency_quantiles_ms,
    lost_noise_runs,
    match_rate,
)
from proxy.core.model import LEGACY, NEW, percentage
from proxy.core.stage import stage_of
from proxy.store.trend import TREND_S
from proxy.store.windows import since_then

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from proxy.core.model import Hold, Rollout, Route, Side
    from proxy.core.noise import Judgement
    from proxy.store import AuditRow, SignatureDetail, SignatureRow, Window

Json = dict[str, Any]
Counts = dict[str, int]
_SIDES: tuple[Side, ...] = (LEGACY, NEW)
_QUANTILES = ("p50", "p95", "p99")


# --- routes ---
def route_rows(
    rollout: Rollout,
    totals: Mapping[str, Mapping[str, int]],
    users: Mapping[str, Mapping[Side, int]],
    windows: Mapping[str, Window] | None = None,
) -> list[Json]:
    """One row for each route of the config, in its order; with the evidence of its window, out of the same totals."""
    holds = holds_by_group(rollout)
    return [
        _route_row(rollout, route, totals.get(route.name, {}), users, holds, (windows or {}).get(route.name))
        for route in rollout.migration.routes
    ]


def _route_row(
    rollout: Rollout,
    route: Route,
    counts: Mapping[str, int],
    users: Mapping[str, Mapping[Side, int]],
    holds: Mapping[str, Sequence[Hold]],
    window: Window | None,
) -> Json:
    counted = evidence_row(counts)
    in_window = counted if window is None else evidence_row(since_then(counts, window.counts))
    return {
        **_rollout_row(rollout, route, users, holds),
        "group": route.group,
        "stage": "off" if rollout.is_killed else stage_of(route, rollout.effective[route.name]),
        **counted,
        "evidence": {
            "since": None if window is None else window.since,
            "because": {} if window is None else dict(window.because),
            **in_window,
        },
    }


def evidence_row(counts: Mapping[str, int]) -> Json:
    """What a route's counters say."""
    covered = coverage(counts)
    return {
        "requests": {side: counts.get(f"served.{side}", 0) for side in _SIDES},
        "failed": {side: counts.get(f"failed.{side}", 0) for side in _SIDES},
        "server_errors": {side: counts.get(f"status.{side}.5xx", 0) for side in _SIDES},
        "fallbacks": counts.get("fallback", 0),
        "pairs": counts.get("pairs", 0),
        "matches": counts.get(Verdict.MATCH, 0),
        "mismatches": counts.get(Verdict.MISMATCH, 0),
        "noise": counts.get(Verdict.NOISE, 0),
        "match_rate": match_rate(counts),
        "coverage": {
            "compared": covered.compared,
            "partly": dict(covered.partly),
            "skipped": dict(covered.skipped),
            "unlisted": counts.get("dropped.signatures", 0) + counts.get("dropped.sightings", 0),
            "expected": covered.expected,
            "ratio": covered.ratio,
        },
        "noise_runs": {
            "pairs": counts.get("self_pairs", 0),
            "matches": counts.get("self_matches", 0),
            "mismatches": counts.get("self_mismatches", 0),
            "skipped": lost_noise_runs(counts),
        },
        "latency_ms": {side: _quantiles(counts, side) for side in _SIDES},
    }


def rollout_rows(rollout: Rollout, users: Mapping[str, Mapping[Side, int]]) -> list[Json]:
    """The part of each route's row that says how far it is."""
    holds = holds_by_group(rollout)
    return [_rollout_row(rollout, route, users, holds) for route in rollout.migration.routes]


def _rollout_row(
    rollout: Rollout, route: Route, users: Mapping[str, Mapping[Side, int]], holds: Mapping[str, Sequence[Hold]]
) -> Json:
    on_sides = users.get(route.name, {})
    return {
        "name": route.name,
        "percentage": percentage(route.millipercent),
        "effective_percentage": effective_percentage(rollout, route),
        "hold": hold_row(_binding(holds.get(route.group, ()), route)),
        "users": {side: on_sides.get(side, 0) for side in _SIDES},
    }


def effective_percentage(rollout: Rollout, route: Route) -> float:
    """What is in force; under the kill switch nobody is on new."""
    return 0.0 if rollout.is_killed else percentage(rollout.effective[route.name])


def binding_hold(rollout: Rollout, route: Route) -> Hold | None:
    """The hold that caps a route lowest: its own, or one of another route of its group."""
    return _binding(holds_by_group(rollout).get(route.group, ()), route)


def holds_by_group(rollout: Rollout) -> dict[str, list[Hold]]:
    """Group -> the holds of its routes."""
    groups = {each.name: each.group for each in rollout.migration.routes} if rollout.holds else {}
    found: dict[str, list[Hold]] = {}
    for hold in rollout.holds:
        if hold.route in groups:
            found.setdefault(groups[hold.route], []).append(hold)
    return found


def _binding(holds: Sequence[Hold], route: Route) -> Hold | None:
    return min(holds, key=lambda hold: (hold.cap_millipercent, hold.route != route.name), default=None)


def hold_row(hold: Hold | None) -> Json | None:
    if hold is None:
        return None
    return {
        "route": hold.route,
        "percentage": percentage(hold.cap_millipercent),
        "who": hold.who,
        "reason": hold.reason,
        "since": hold.since,
    }


def _quantiles(counts: Mapping[str, int], side: Side) -> dict[str, float | None]:
    return dict(zip(_QUANTILES, latency_quantiles_ms(latency_counts(counts, side)), strict=True))


# --- counters ---
def added(*several: Mapping[str, Mapping[str, int]]) -> dict[str, Counts]:
    """Route -> counter -> the sum over all arguments."""
    sums: dict[str, Counts] = {}
    for totals in several:
        for route, counts in totals.items():
            if (known := sums.get(route)) is None:
                sums[route] = dict(counts)
            else:
                known.update({name: known.get(name, 0) + count for name, count in counts.items()})
    return sums


def unwritten(accepted: Mapping[str, Counter[str]], written: Mapping[str, Counter[str]]) -> dict[str, Counter[str]]:
    """Route -> counter -> what was taken over and is not in the store yet."""
    return {route: counts - written.get(route, Counter()) for route, counts in accepted.items()}


def node_totals(totals: Mapping[str, Mapping[str, int]]) -> Json:
    """What all routes add up to, those without a route or no longer in the config included."""
    counts: Counter[str] = Counter()
    for each in totals.values():
        counts.update(each)
    covered = coverage(counts)
    return {
        "requests": {side: counts[f"served.{side}"] for side in _SIDES},
        "failed": {side: counts[f"failed.{side}"] for side in _SIDES},
        "pairs": counts["pairs"],
        "compared": covered.compared,
        "mismatches": counts[Verdict.MISMATCH],
        "expected": covered.expected,
    }


# --- differences and audit ---
def signature_row(row: SignatureRow) -> Json:
    return {
        "id": row.id,
        "route": row.route,
        "kind": row.kind,
        "path": row.path,
        "shape": row.shape,
        "count": row.count,
        "first_seen": row.first_seen,
        "last_seen": row.last_seen,
        "state": row.state,
        "who": row.who,
        "reason": row.reason,
        "owner": row.owner,
        "ticket": row.ticket,
        "until": row.until,
        "rule": row.rule,
        "versions": list(row.versions),
        "noise": noise_row(row.noise),
        "revision": row.revision,
    }


def noise_row(judged: Judgement | None) -> Json | None:
    """What noise runs say of a signature, or None."""
    if judged is None:
        return None
    return {"verdict": judged.verdict, "p": judged.p, "of_shape": judged.of_shape, **asdict(judged.rates)}


def signature_detail(detail: SignatureDetail) -> Json:
    """A signature with its trend, and its examples, each with the time at which it was met."""
    examples = [{**json.loads(example.payload), "at": example.at} for example in detail.examples]
    return {**signature_row(detail.row), "trend": _trend(detail), "examples": examples}


def _trend(detail: SignatureDetail) -> Json:
    """How often it was seen, by the minute, in the day before `until`; minutes without it are left out."""
    counts = [{"at": minute * 60, "count": count} for minute, count in detail.minutes.items()]
    return {"until": detail.read_at, "span_s": TREND_S, "bucket_s": 60, "counts": counts}


def audit_rows(rows: Iterable[AuditRow]) -> list[Json]:
    return [
        {
            "id": row.id,
            "at": row.at,
            "who": row.who,
            "action": row.action,
            "subject": row.subject,
            "before": row.before,
            "after": row.after,
            "reason": row.reason,
            "origin": row.origin,
        }
        for row in rows
    ]
