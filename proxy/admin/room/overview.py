"""The overview: each route with its percentage, users, evidence and speed; and how the node is."""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter, OrderedDict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from proxy.admin.evidence import in_window, span_text, window_short, window_text
from proxy.admin.figures import moment, outcomes, reasons_of
from proxy.admin.report.content import interval_of
from proxy.admin.report.words import interval_text
from proxy.admin.room.drawing import stacked
from proxy.admin.room.frame import Page, frame, visitor_of
from proxy.core.evidence import CHOSEN_GAPS
from proxy.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request

    from proxy.admin.access.rights import Visitor
    from proxy.admin.control_api import ControlApi
    from proxy.admin.room.drawing import Bars

Json = dict[str, Any]
LIVE_S = 1.0
# A route costs some 0.5 ms of a core each time, which workers may need as well: with more of them than twenty the page
# is made for watchers less often, so that it takes a hundredth of a core. Who asks for the page itself waits less.
ROUTES_EACH_SECOND = 20
MOST_S, MOST_ASKED_S = 30.0, 5.0
MAX_KEPT = 64
SILENT_S = 180.0  # what a node counts is in the store within seconds; minutes have just begun, or are just over
_PART = re.compile(r"<!--live (\S+)-->(.*?)<!--/live-->", re.DOTALL)


@dataclass(frozen=True)
class View:
    """The page as it is now."""

    page: str

    @cached_property
    def parts(self) -> Mapping[str, str]:
        """Id of an element -> its content, of those that change by themselves."""
        return parts_of(self.page)


_NOTHING = View("")


class Overview:
    """The page, made once for all who look at it within a second: watching costs the same, however many watch.

    Who signed in by name has one of their own, since their name stands on it; of MAX_KEPT such pages at most.
    """

    def __init__(self, control: ControlApi, now: Callable[[], float] = time.monotonic) -> None:
        self._control = control
        self._now = now
        self._lock = asyncio.Lock()
        self._kept_s = LIVE_S
        self._views: OrderedDict[Visitor, tuple[float, View]] = OrderedDict()  # with the time when each was made

    async def answer(self, request: Request, _control: ControlApi) -> Page:
        return Page((await self.view(request, MOST_ASKED_S)).page)

    @property
    def period_s(self) -> float:
        """How long a view is good for, for who watches."""
        return self._kept_s

    async def view(self, request: Request, most_s: float = MOST_S) -> View:
        """As the request's visitor sees it, no older than `most_s`."""
        async with self._lock:
            visitor = visitor_of(request)
            made_at, view = self._views.get(visitor, (float("-inf"), _NOTHING))
            if (
                self._now() - made_at >= min(self._kept_s, most_s) * 0.9
            ):  # who asks each second gets a new one each time
                page = await self._make(request)
                view = View(page)
                self._views[visitor] = self._now(), view
                self._views.move_to_end(visitor)
                if len(self._views) > MAX_KEPT:
                    self._views.popitem(last=False)
            return view

    async def _make(self, request: Request) -> str:
        routes, node = list(map(in_window, await self._control.routes())), await self._control.status()
        history = await self._history()
        self._kept_s = min(max(LIVE_S, len(routes) / ROUTES_EACH_SECOND), MOST_S)
        return frame(
            request,
            node,
            "overview.html",
            routes=routes,
            traffic=traffic_of(history),
            counting=nodes_of(history) if history else {},
            totals=totals(routes, node),
            gaps=gaps(routes),
            holds=holds(routes),
            interval=match_interval,
            window=window_text,
            window_short=window_short,
            outcomes=outcomes,
            bar=rollout_bar,
            live_ms=round(self._kept_s * 1000),
        )

    async def _history(self) -> Json | None:
        """None while the store is away, which the page says elsewhere."""
        try:
            return await self._control.history()
        except StoreError:
            return None


def traffic_of(history: Json | None) -> dict[str, Bars]:
    """Route -> its last hour."""
    return {
        route: stacked([(each["requests"]["legacy"], each["requests"]["new"]) for each in minutes])
        for route, minutes in (history["routes"] if history else {}).items()
    }


def nodes_of(history: Json) -> dict[str, str]:
    """Node -> whether it counts what its users do, of those that did in the last hour."""
    return {
        node["name"]: "is counted"
        if history["until"] - node["last_at"] <= SILENT_S
        else f"counted nothing since {moment(node['last_at'])}"
        for node in history["nodes"]
    }


def match_interval(route: Json) -> str:
    """Where the true match rate lies, as "99.6 % to 99.9 %"; "" where nothing was compared."""
    interval = interval_of(route)
    return "" if interval is None else interval_text(interval)


def parts_of(page: str) -> dict[str, str]:
    """What the templates put between comments: id -> content. Nothing that is shown can hold one: it is escaped."""
    return dict(_PART.findall(page))


def totals(routes: list[Json], node: Json) -> Json:
    """What all routes add up to, in their windows; shares are None where there is nothing to divide by."""
    routes = list(map(in_window, routes))
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
        "counted": span_text(routes),
        "workers": node["workers"],
    }


def holds(routes: list[Json]) -> list[Json]:
    """Each hold once, however many routes of its group it binds."""
    return list({route["hold"]["route"]: route["hold"] for route in routes if route["hold"]}.values())


def gaps(routes: list[Json]) -> list[tuple[str, int, bool]]:
    """What was not compared, or only in part, by reason, the most frequent first; and whether somebody chose that."""
    found: Counter[str] = Counter()
    for route in routes:
        found.update(reasons_of(route))
    return [(reason, number, reason in CHOSEN_GAPS) for reason, number in found.most_common()]


def rollout_bar(route: Json) -> tuple[float, float]:
    """How long the bar is: what is in force, and what is wished beyond it. In percent."""
    effective = float(route["effective_percentage"])
    return effective, max(float(route["percentage"]) - effective, 0.0)
