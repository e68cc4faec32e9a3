"""A request's body on its way from the user to a backend: passed on as it comes, with a bounded copy kept.

The copy serves the shadow, and a retry or fallback by law 4: only a body that is still whole may be sent again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any

    from proxy.traffic.upstream.exchange import Exchange


class ClientLeft(Exception):  # an event between handler and body, not an error of the product
    """The user has gone: nobody is left to answer."""


class Upload:
    """The body of one request. `copy` gives the whole of it once `is_whole`, or None where it was over `max_kept`."""

    _is_kept = True
    _size = 0

    def __init__(self, receive: Callable[[], Awaitable[Any]], max_kept: int, *, has_body: bool) -> None:
        self._receive = receive
        self._max_kept = max_kept
        self._kept: list[bytes] = []
        self.is_whole = not has_body

    @property
    def copy(self) -> bytes | None:
        return b"".join(self._kept) if self.is_whole and self._is_kept else None

    async def next(self) -> bytes:
        """The next piece, b"" at times; afterwards `is_whole` says whether it was the last. Raises ClientLeft."""
        message = await self._receive()
        if message["type"] != "http.request":
            raise ClientLeft
        piece: bytes = message["body"]
        self.is_whole = not message["more_body"]
        if self._is_kept and piece:
            self._size += len(piece)
            if self._size > self._max_kept:
                self._is_kept = False
                self._kept.clear()
            else:
                self._kept.append(piece)
        return piece

    async def pump(self, exchange: Exchange) -> None:
        """Sends the rest of the body to the exchange's backend as it comes. Raises ClientLeft."""
        while not self.is_whole:
            piece = await self.next()
            if piece:
                await exchange.send_body(piece)
        exchange.end_body()
