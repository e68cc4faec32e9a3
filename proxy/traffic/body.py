"""A request's body on its way from the user to a backend: passed on as it comes, with a bounded copy kept.

The copy serves the shadow, and a retry or fallback by law 4: only a body that is still whole may be sent again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from proxy.traffic.upstream.exchange import Exchange


class ClientLeft(Exception):  # an event between handler and body, not an error of the product
    """The user has gone: nobody is left to answer."""


class Sender(Protocol):
    """Who sends the body: `receive` gives its next piece, and `is_body_whole` says whether that was the last."""

    @property
    def is_body_whole(self) -> bool: ...

    async def receive(self) -> bytes: ...


class Upload:
    """The body of one request. `copy` gives the whole of it once `is_whole`, or None where it was over `max_kept`."""

    _is_kept = True
    _size = 0

    def __init__(self, sender: Sender, max_kept: int, *, has_body: bool) -> None:
        self._sender = sender
        self._max_kept = max_kept
        self._kept: list[bytes] = []
        self.is_whole = not has_body

    @property
    def copy(self) -> bytes | None:
        return b"".join(self._kept) if self.is_whole and self._is_kept else None

    async def next(self) -> bytes:
        """The next piece, b"" at times; afterwards `is_whole` says whether it was the last.

        Raises ClientLeft, and RequestRefused where the body turns out to be malformed or too long.
        """
        piece = await self._sender.receive()
        self.is_whole = self._sender.is_body_whole
        if self._is_kept and piece:
            self._size += len(piece)
            if self._size > self._max_kept:
                self._is_kept = False
                self._kept.clear()
            else:
                self._kept.append(piece)
        return piece

    async def pump(self, exchange: Exchange) -> None:
        """Sends the rest of the body to the exchange's backend as it comes. Raises as `next`."""
        while not self.is_whole:
            piece = await self.next()
            if piece:
                await exchange.send_body(piece)
        exchange.end_body()
