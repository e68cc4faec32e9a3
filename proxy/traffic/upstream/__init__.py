"""Clients of the backends: `http1` is the fast one, `adapter` lends httpx's transports; both feed an `Exchange`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from proxy.core.model import Backend
    from proxy.traffic.upstream.exchange import Exchange


class Upstream(Protocol):
    """A client of one backend.

    `begin` sends the request at once if a connection is free, else it returns False and `open` waits for one. Both
    feed the exchange from then on, until it is complete or has failed; `open` raises UpstreamError.
    """

    backend: Backend

    @property
    def connections(self) -> tuple[int, int]:
        """How many it has, and how many of them are idle; (0, 0) for a client that doesn't tell."""
        ...

    def begin(self, exchange: Exchange) -> bool: ...

    async def open(self, exchange: Exchange) -> None: ...

    async def close(self) -> None: ...
