"""Ending long streams while the worker still can: who has one when it stops is told so, and comes again.

1. The user of a WebSocket gets a close frame with 1001 where one of the backend's frames ends (RFC 6455 §7.4.1), and
   nothing of the backend's after it. His reply goes on to the backend like all he sends; for who gives none within
   REPLY_S, the same is said there, where one of his frames ends. The backend has FAREWELL_S to end; then both go.
2. An event stream ends after a whole event. Who reads it connects again, and says which event was the last (HTML
   §9.2). Only where the user can tell that it is an end (chunks, or the connection's), where events are seen (no
   content coding), and for GET: nothing else is asked again by itself, and half an answer must not look whole. Who
   comes again at once, on the same connection, gets a stream that is over as it begins, and `Connection: close`.
3. Nothing is put into a frame or an event. Where one doesn't end in time, the stream is broken off like all answers.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from secrets import token_bytes
from typing import TYPE_CHECKING

from proxy.core.boundaries import Events, Frames, going_away
from proxy.core.content_type import parse_content_type
from proxy.traffic.body import ClientLeft

if TYPE_CHECKING:
    from proxy.traffic.call import Call
    from proxy.traffic.upstream.exchange import Exchange

REPLY_S = 5.0  # a browser's comes at once; half of the usual drain for who has lost his network
FAREWELL_S = 1.0  # a backend is near
_MASK_BYTES = 4


class Stream:
    """An answer that lasts: what comes of it goes through `pass_on`, until it `is_over`; then `see_off` ends it."""

    __slots__ = ("_exchange", "_is_due", "is_over")

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._is_due = self.is_over = False

    def end_soon(self) -> None:
        """From now on it is over at the next place where that may be; also where nothing more comes."""
        self._is_due = True
        self._exchange.wake()

    def pass_on(self, data: bytes) -> bytes:
        """What the user gets of what has come."""
        raise NotImplementedError

    @property
    def can_end(self) -> bool:
        """Whether it is over with the next `pass_on`, though nothing more has come."""
        raise NotImplementedError

    async def see_off(self) -> None:
        """Ends the exchange, after the last words."""
        raise NotImplementedError


class EventStream(Stream):
    """The events of a backend (rule 2)."""

    __slots__ = ("_events",)

    def __init__(self, exchange: Exchange) -> None:
        super().__init__(exchange)
        self._events = Events()

    def pass_on(self, data: bytes) -> bytes:
        if self._is_due:
            end = self._events.last_end(data)
            if end is not None:
                self.is_over = True
                return data[:end]
        self._events.feed(data)
        return data

    @property
    def can_end(self) -> bool:
        return self._is_due and self._events.last_end(b"") is not None

    async def see_off(self) -> None:
        self._exchange.cut()


def find_events(call: Call, exchange: Exchange) -> EventStream | None:
    """The answer as a stream of events that can be ended; None where it isn't one, as nearly always."""
    head = exchange.head
    if head.length is not None or call.method != "GET" or b"event-stream" not in head.lines.lower():
        return None
    types, codings = ([value for name, value in exchange.headers if name == each] for each in _DESCRIBING)
    is_plain = all(coding.lower() == b"identity" for coding in codings)
    is_events = len(types) == 1 and parse_content_type(types[0].decode("latin-1")).is_events
    return EventStream(exchange) if is_events and is_plain else None


_DESCRIBING = (b"content-type", b"content-encoding")


class Tunnel(Stream):
    """A WebSocket, both ways: what its user sends comes by `receive` (rule 1)."""

    __slots__ = ("_backend_done", "_call", "_down", "_is_backend_told", "_up", "_user_done", "is_body_whole")

    def __init__(self, call: Call, exchange: Exchange) -> None:
        super().__init__(exchange)
        self._call = call
        self._down, self._up = Frames(are_masked=False), Frames(are_masked=True)
        self._user_done, self._backend_done = asyncio.Event(), asyncio.Event()
        self._is_backend_told = False
        self.is_body_whole = False

    # --- from the user ---
    async def receive(self) -> bytes:
        """What is to be sent to the backend next. Raises ClientLeft, but for who has been told to leave."""
        while True:
            try:
                piece = await self._call.user.receive()
            except ClientLeft:
                if not self.is_over:
                    raise
                piece = b""
                self._user_ended()
            if not self._is_backend_told:
                self._up.feed(piece)
                if self.is_over and self._up.is_closed:
                    self._user_ended()
                return piece
            if self.is_body_whole:
                return b""

    def _user_ended(self) -> None:
        self.is_body_whole = True
        self._user_done.set()

    # --- from the backend ---
    def pass_on(self, data: bytes) -> bytes:
        if self._is_wanted:
            end = self._down.feed_one(data)
            if end is None or self._down.has_close:
                return data
            self.is_over = True
            return data[:end] + going_away()
        self._down.feed(data)
        return data

    @property
    def can_end(self) -> bool:
        return self._is_wanted and self._down.feed_one(b"") is not None

    @property
    def _is_wanted(self) -> bool:
        """Whether it is to be ended by us: not where one of both ends it."""
        return self._is_due and not (self._down.has_close or self._up.has_close)

    # --- the end ---
    async def see_off(self) -> None:
        self._call.exchange = None  # a user who leaves now takes nothing along
        self._exchange.notify = self._backend_moved
        self._backend_moved()
        with suppress(TimeoutError):
            async with asyncio.timeout(REPLY_S):
                await self._user_done.wait()
        with suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL_S):
                await self._tell_backend()
        self._exchange.cut()

    async def _tell_backend(self) -> None:
        if not self._up.is_closed:
            if self._up.has_close or self._up.feed_one(b"") is None:
                return
            self._is_backend_told = True
            await self._exchange.send_body(going_away(token_bytes(_MASK_BYTES)))
        await self._backend_done.wait()

    def _backend_moved(self) -> None:
        """What it still says is for nobody."""
        self._exchange.take()
        if self._exchange.is_complete or self._exchange.error is not None:
            self._backend_done.set()
