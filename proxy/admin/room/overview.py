"""The overview: each route with its percentage, users, evidence and speed; and how the node is."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, OrderedDict
from typing import TYPE_CHECKING, Any

from proxy.admin.room.drawing import stacked
from proxy.admin.room.frame import Page, frame, visitor_of
from proxy.core.evidence import CHOSEN_GAPS
from proxy.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from proxy.admin.access.rights import Visitor
    from proxy.admin.control_api import ControlApi
    from proxy.admin.room.drawing import Bars

Json = dict[str, Any]
LIVE_S = 1.0
MANY_ROUTES = 50  # a page of some 200 kB; with more of them it is made anew each five seconds only
MANY_ROUTES_S = 5.0
MAX_KEPT = 64


class Overview:
    """The page, made once for all who look at it within a second: watching costs the same, however many watch.

    Who signed in by name has one of their own, since their name stands on it; of MAX_KEPT such pages at most.
    """

    def __init__(self, control: ControlApi, now: Callable[[], float] = time.monotonic) -> None:
        self._control = control
        self._now = now
        self._lock = asyncio.Lock()
        self._kept_s = LIVE_S
        self._pages: OrderedDict[Visitor, tuple[float, str]] = OrderedDict()  # with the time when each was made

    async def answer(self, request: Request, _control: ControlApi) -> Page:
        async with self._lock:
            visitor = visitor_of(request)
            made_at, page = self._pages.get(visitor, (float("-inf"), ""))
            if self._now() - made_at >= self._kept_s * 0.9:  # who asks each second gets a new one each time
                page = await self._make(request)
                self._pages[visitor] = self._now(), page
                self._pages.move_to_end(visitor)
                if len(self._pages) > MAX_KEPT:
                    self._pages.popitem(last=False)
            return Page(page)

    async def _make(self, request: Request) -> str:
        routes, node = await self._control.routes(), await self._control.status()
        self._kept_s = MANY_ROUTES_S if len(routes) > MANY_ROUTES else LIVE_S
        return frame(
            request,
            node,
            "overview.html",
            routes=routes,
            traffic=await self._traffic(),
            totals=totals(routes, node),
            gaps=gaps(routes),
            holds=holds(routes),
            bar=rollout_bar,
            live_ms=round(self._kept_s * 1000),
        )

    async def _traffic(self) -> dict[str, Bars]:
        """Route -> its last hour; nothing while the store is away, which the page says elsewhere."""
        try:
            history = await self._control.history()
        except StoreError:
            return {}
        return {
            route: stacked([(each["requests"]["legacy"], each["requests"]["new"]) for each in minutes])
            for route, minutes in history["routes"].items()
        }


def totals(routes: list[Json], node: Json) -> Json:
    """What all routes add up to; shares are None where there is nothing to divide by."""
    requests = {side: sum(route["requests"][side] for route in routes) for side in ("legacy", "new")}
    served = sum(requests.values())
    compared = sum(route["coverage"]["compared"] for route in routes)
    expected = sum(route["coverage"]["expected"] for route in routes)
    mismatches = sum(route["mismatches"] for route in routes)
    return {
        "requests": requests,
        "served": served,
        "on_new": requests["new"] / served if served else None,
        "compared": compared,
        "expected": expected,
        "mismatches": mismatches,
        "match_rate": 1 - mismatches / compared if compared else None,
        "coverage": compared / expected if expected else None,
        "failed": sum(sum(route["failed"].values()) for route in routes),
        "workers": node["workers"],
    }


def holds(routes: list[Json]) -> list[Json]:
    """Each hold once, however many routes of its group it binds."""
    return list({route["hold"]["route"]: route["hold"] for route in routes if route["hold"]}.values())


def gaps(routes: list[Json]) -> list[tuple[str, int, bool]]:
    """What was not compared, by reason, the most frequent first; and whether somebody chose that."""
    found: Counter[str] = Counter()
    for route in routes:
        found.update(route["coverage"]["skipped"])
    return [(reason, number, reason in CHOSEN_GAPS) for reason, number in found.most_common()]


def rollout_bar(route: Json) -> tuple[float, float]:
    """How long the bar is: what is in force, and what is wished beyond it. In percent."""
    effective = float(route["effective_percentage"])
    return effective, max(float(route["percentage"]) - effective, 0.0)
