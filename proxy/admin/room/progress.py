"""How far the migration is, for people who don't read code: shares, verdicts in words, and what blocks it. Prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from proxy.admin.fields import read_query
from proxy.admin.readiness import blockers, readiness_of, switch_off, waiting_by_route
from proxy.admin.report.sentence import sentence_of
from proxy.admin.room.frame import Page, show
from proxy.admin.room.overview import totals
from proxy.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request

    from proxy.admin.control_api import ControlApi

Json = dict[str, Any]
MAX_BLOCKERS = 10
_AUDIT_LINES = 500
_DECISIONS = frozenset({"rollout.set", "config.changed", "hold.put", "hold.release"})
MAX_DECISIONS = 20


async def get_progress(request: Request, control: ControlApi) -> Page:
    read_query(request, ())
    routes, node = await control.routes(), await control.status()
    signatures = await control.diffs(None, None)
    waiting = waiting_by_route(signatures)
    verdicts = [(route, readiness_of(route, waiting[route["name"]])) for route in routes]
    return await show(
        request,
        control,
        "progress.html",
        totals=totals(routes, node),
        groups=groups(routes),
        verdicts=verdicts,
        ready=sum(readiness.verdict == "ready" for _, readiness in verdicts),
        blockers=[(row, sentence_of(row)) for row in blockers(signatures, MAX_BLOCKERS)],
        checklist=switch_off(routes, await _served_by_legacy(control)),
        decided=await _decided(control),
    )


def groups(routes: Sequence[Json]) -> list[Json]:
    """Routes that move together, in the config's order, with their shares. Users are those of the largest route."""
    found: dict[str, list[Json]] = {}
    for route in routes:
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
        "users": users,
        "of_users": users["new"] / seen if seen else None,
        "largest": largest["name"],
    }


async def _served_by_legacy(control: ControlApi) -> int | None:
    try:
        history = await control.history()
    except StoreError:
        return None
    served: int = sum(each["requests"]["legacy"] for minutes in history["routes"].values() for each in minutes)
    return served


async def _decided(control: ControlApi) -> list[Json]:
    """The latest changes of what is in force; nothing while the store can't say."""
    try:
        lines = await control.audit(_AUDIT_LINES)
    except StoreError:
        return []
    return [line for line in lines if line["action"] in _DECISIONS][:MAX_DECISIONS]
