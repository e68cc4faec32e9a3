"""How far the migration is, for people who don't read code: shares, verdicts in words, what blocks it, how it went.

Pure: `progress_of` makes it of what the control plane answers; `ask_progress` asks. The page, its files, the API and
`changeover report --format progress` all show this one value.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from proxy.admin.decided import decisions
from proxy.admin.evidence import in_window, span_text, window_text
from proxy.admin.projection import projection_of
from proxy.admin.readiness import blockers, readiness_of, switch_off, waiting_by_route
from proxy.admin.report.sentence import sentence_of, sentence_text
from proxy.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proxy.admin.control_api import ControlApi

Json = dict[str, Any]
MAX_BLOCKERS = 10
MAX_DECISIONS = 20
_AUDIT_LINES = 500
MAX_OF_ROUTE = 3
DAY_S = 86_400
_ROUTE = ("name", "group", "stage", "percentage", "effective_percentage")


async def ask_progress(control: ControlApi, routes: Sequence[Json]) -> Json:
    """`routes` as the control plane answers them. What the store can't say now is null, or missing from `decided`."""
    signatures, burn_up, decided = await asyncio.gather(control.diffs(None, None), _burn_up(control), _decided(control))
    return progress_of(routes, signatures, burn_up=burn_up, decided=decided)


def progress_of(
    routes: Sequence[Json], signatures: Sequence[Json], burn_up: Json | None, decided: Sequence[Json]
) -> Json:
    """`burn_up` is None where it isn't known; `decided`: lines of the audit, newest first."""
    waiting = waiting_by_route(signatures)
    open_ = blockers(signatures)
    by_route: dict[str, list[Json]] = {}
    for row in open_:
        by_route.setdefault(row["route"], []).append(row)
    verdicts = [_verdict(route, waiting[route["name"]], by_route.get(route["name"], ())) for route in routes]
    projection = projection_of(burn_up["buckets"]) if burn_up else None
    return {
        "ready": sum(each["verdict"] == "ready" for each in verdicts),
        "routes": verdicts,
        "traffic": traffic(burn_up),
        "groups": groups(routes),
        "blockers": [{**row, "sentence": sentence_text(sentence_of(row))} for row in open_[:MAX_BLOCKERS]],
        "blockers_left_out": max(len(open_) - MAX_BLOCKERS, 0),
        "burn_up": burn_up,
        "projection": None
        if projection is None
        else {
            "words": projection.words,
            "earliest": projection.earliest and projection.earliest.isoformat(),
            "latest": projection.latest and projection.latest.isoformat(),
        },
        "switch_off": [{"words": words, "is_true": is_true} for words, is_true in switch_off(routes, burn_up)],
        "decided": decisions(decided)[:MAX_DECISIONS],
    }


def traffic(burn_up: Json | None) -> Json | None:
    """Who answered in the last day; None where that isn't known, or nobody came."""
    if burn_up is None:
        return None
    since = burn_up["until"] - DAY_S
    recent = [each["requests"] for each in burn_up["buckets"] if each["at"] + burn_up["bucket_s"] > since]
    requests = {side: sum(each[side] for each in recent) for side in ("legacy", "new")}
    served = sum(requests.values())
    return {"requests": requests, "of_requests": requests["new"] / served, "span_s": DAY_S} if served else None


def _verdict(route: Json, waiting: int, open_: Sequence[Json]) -> Json:
    """`open_`: what is open of the route, the worst first."""
    found = readiness_of(route, waiting)
    kept = {name: route[name] for name in _ROUTE}
    return {
        **kept,
        "verdict": found.verdict,
        "why": found.why,
        "basis": list(found.basis),
        "since": route["evidence"]["since"],
        "window": window_text(route),
        "blockers": [_blocker(row) for row in open_[:MAX_OF_ROUTE]],
        "blockers_left_out": max(len(open_) - MAX_OF_ROUTE, 0),
    }


def _blocker(row: Json) -> Json:
    kept = {name: row[name] for name in ("id", "state", "owner", "ticket", "count")}
    return {**kept, "sentence": sentence_text(sentence_of(row))}


def groups(routes: Sequence[Json]) -> list[Json]:
    """Routes that move together, in the config's order, with their shares: of requests in the routes' windows.

    Users are those of the largest route.
    """
    found: dict[str, list[Json]] = {}
    for route in map(in_window, routes):
        found.setdefault(route["group"], []).append(route)
    return [_group(name, members) for name, members in found.items()]


def _group(name: str, members: Sequence[Json]) -> Json:
    requests = {side: sum(route["requests"][side] for route in members) for side in ("legacy", "new")}
    served = sum(requests.values())
    largest = max(members, key=lambda route: sum(route["users"].values()))
    users = largest["users"]
    seen = sum(users.values())
    return {
        "name": name,
        "routes": [route["name"] for route in members],
        "percentage": members[0]["effective_percentage"],
        "requests": requests,
        "of_requests": requests["new"] / served if served else None,
        "counted": span_text(members),
        "users": users,
        "of_users": users["new"] / seen if seen else None,
        "largest": largest["name"],
    }


async def _burn_up(control: ControlApi) -> Json | None:
    try:
        return await control.burn_up()
    except StoreError:
        return None


async def _decided(control: ControlApi) -> list[Json]:
    """The latest lines of the audit; nothing while the store can't say."""
    try:
        return list(await control.audit(_AUDIT_LINES))
    except StoreError:
        return []
