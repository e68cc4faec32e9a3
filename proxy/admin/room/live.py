"""The overview's changes as they come: server-sent events (HTML Living Standard §9.2), one a second at the most.

Each browser gets the parts that differ from what it got before, so one that is slow skips what is outdated, and nothing
is sent while nothing changes. A stream ends after SPAN_S, and the browser comes again: rights that were taken
away end with it. Beyond MAX_CLIENTS, and where a proxy between swallows streams, pages ask once a second instead.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.responses import PlainTextResponse

from proxy.admin.fields import read_query
from proxy.admin.room.frame import HEADERS
from proxy.errors import ChangeoverError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from proxy.admin.control_api import ControlApi
    from proxy.admin.room.overview import Overview

PATH = "/live"
MAX_CLIENTS = 64
SPAN_S = 120.0
PING_S = 10.0
SEND_TIMEOUT_S = 10.0  # for one event to find room on its way to a browser
_FULL = "as many browsers watch as may: ask for the page itself\n"


class Live:
    """See the module."""

    def __init__(self, overview: Overview, max_clients: int = MAX_CLIENTS, span_s: float = SPAN_S) -> None:
        self._overview = overview
        self._max_clients = max_clients
        self._span_s = span_s
        self.clients = 0

    async def answer(self, request: Request, _control: ControlApi) -> Response:
        read_query(request, ())
        if self.clients >= self._max_clients:
            return PlainTextResponse(_FULL, 503, {**HEADERS, "retry-after": "60"})
        await self._overview.view(request)  # what is wrong is answered as elsewhere, before a stream begins
        events = self._events(request)
        return EventSourceResponse(events, headers=HEADERS, ping=PING_S, sep="\n", send_timeout=SEND_TIMEOUT_S)

    async def _events(self, request: Request) -> AsyncIterator[ServerSentEvent]:
        """`parts`: a JSON object, id -> content, of what has changed; all of it first, null for what is gone."""
        self.clients += 1
        try:
            sent: Mapping[str, str] = {}
            until = time.monotonic() + self._span_s
            while time.monotonic() < until:
                parts = (await self._overview.view(request)).parts
                if changed := difference(sent, parts):
                    yield ServerSentEvent(json.dumps(changed), event="parts", sep="\n")
                    sent = parts
                await asyncio.sleep(self._overview.period_s)
        except ChangeoverError:
            return  # the browser comes again, and is told what is wrong
        finally:
            self.clients -= 1


def difference(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, str | None]:
    """Id -> content of what is new or other than it was; None for what is gone."""
    gone = dict.fromkeys(before.keys() - after.keys())
    return gone | {id_: content for id_, content in after.items() if before.get(id_) != content}
