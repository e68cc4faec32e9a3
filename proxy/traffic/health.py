"""Whether the new backend is well enough to serve: an active probe for each backend that has a `health` path.

Ill after two failed probes in a row, well again after two good ones. Unknown is well: a backend without a probe, or one
not probed yet, is judged by its answers only. Legacy is probed for the status page; nothing is decided by it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx
import structlog

from proxy.core.model import LEGACY, NEW

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.core.model import Backend, Side

log = structlog.get_logger(__name__)

_TURNS_AFTER = 2  # probes in a row: one lost packet turns nothing, two intervals are soon enough


class SideHealth:
    """What the probes of one side have said so far."""

    __slots__ = ("is_healthy", "streak")

    def __init__(self) -> None:
        self.is_healthy = True
        self.streak = 0

    def probed(self, *, is_good: bool) -> bool:
        """Takes in one probe; True if the verdict has turned."""
        if is_good == self.is_healthy:
            self.streak = 0
            return False
        self.streak += 1
        if self.streak < _TURNS_AFTER:
            return False
        self.is_healthy, self.streak = is_good, 0
        return True


class Health:
    """The health of both sides; `watch` probes until it is cancelled. `turned` is called with (side, is_healthy)."""

    def __init__(self, turned: Callable[[Side, bool], None] | None = None) -> None:
        self._sides: dict[Side, SideHealth] = {LEGACY: SideHealth(), NEW: SideHealth()}
        self._turned = turned

    def is_healthy(self, side: Side) -> bool:
        return self._sides[side].is_healthy

    def forget(self, side: Side) -> None:
        """The backend is another one now: what its predecessor's probes said is void."""
        self._sides[side] = SideHealth()

    async def watch(self, backend: Backend) -> None:
        if backend.health is None:
            return
        interval_s = backend.health.interval_s
        async with httpx.AsyncClient(
            base_url=backend.url, trust_env=False, timeout=max(interval_s, 0.5), follow_redirects=False
        ) as client:
            while True:
                is_good = await _probe(client, backend.health.path)
                if self._sides[backend.side].probed(is_good=is_good):
                    log.warning("backend.turned", backend=backend.side, healthy=is_good)
                    if self._turned is not None:
                        self._turned(backend.side, is_good)
                await asyncio.sleep(interval_s)


async def _probe(client: httpx.AsyncClient, path: str) -> bool:
    """Whether the backend answers with a status below 500."""
    try:
        answer = await client.get(path)
    except (httpx.HTTPError, httpx.InvalidURL):
        return False
    return answer.status_code < 500
