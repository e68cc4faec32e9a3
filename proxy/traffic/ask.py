"""Asking a backend on a user's behalf: once, and a second time only by law 4.

1. A request is sent again only where its method is idempotent (RFC 9110 §9.2.2), its body is still whole, and no byte
   of an answer has gone to the user: after a stale connection to the same side, after a failure of new to legacy.
2. Legacy is never replaced by new.
3. Who waits for an answer that takes its time notices when the user leaves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from proxy.core.model import LEGACY, NEW
from proxy.errors import UpstreamError
from proxy.traffic.body import ClientLeft
from proxy.traffic.upstream.exchange import Exchange

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.core.model import Side
    from proxy.traffic.call import Call
    from proxy.traffic.deadlines import Deadlines
    from proxy.traffic.tasks import Tasks

log = structlog.get_logger(__name__)

_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"})
_FAILED_STATUSES = frozenset({502, 503, 504})  # a gateway's own words for "the backend did not answer"


class Asker:
    """Makes exchanges with the serving side."""

    def __init__(self, deadlines: Deadlines, tasks: Tasks, now: Callable[[], float]) -> None:
        self._deadlines = deadlines
        self._tasks = tasks
        self._now = now

    # --- without waiting ---
    def begin(self, call: Call) -> Exchange | None:
        """An exchange under way with the decided side, for a request without a body and where a connection is free."""
        if not call.upload.is_whole:
            return None
        side = call.decision.backend
        exchange = self._exchange(call, side, b"")
        if not call.current.served[side].begin(exchange):
            return None
        call.watch.request_sent(b"")
        return exchange

    @staticmethod
    def is_final(call: Call, exchange: Exchange) -> bool:
        """Whether the answer is whole and is the one that the user gets."""
        return exchange.is_complete and not _calls_for_fallback(call, exchange)

    # --- waiting ---
    async def ask(self, call: Call, begun: Exchange | None = None) -> Exchange:
        """An exchange whose answer has begun: with the decided side, with it again, or with legacy.

        `begun` is the first try, where `begin` made it. Raises UpstreamError when the last try has failed, and
        ClientLeft.
        """
        side = call.decision.backend
        try:
            exchange = await (self._ask_once(call, side) if begun is None else self._wait(begun))
        except UpstreamError as error:
            if error.is_client_gone or not _may_repeat(call):
                raise
            if error.is_stale:
                return await self._ask_again(call, side)
            if not _may_fall_back(call, side):
                raise
            return await self._fall_back(call, error.phase)
        if _calls_for_fallback(call, exchange):
            exchange.abandon()
            return await self._fall_back(call, str(exchange.status))
        return exchange

    async def _ask_again(self, call: Call, side: Side) -> Exchange:
        """Once more after a kept-alive connection turned out to be closed."""
        call.tally.count(f"retried.{side}")
        try:
            return await self._ask_once(call, side, is_again=True)
        except UpstreamError as error:
            if error.is_client_gone or not _may_fall_back(call, side):
                raise
            return await self._fall_back(call, error.phase)

    async def _fall_back(self, call: Call, cause: str) -> Exchange:
        call.tally.count("fallback")
        call.watch.lost("fallback")
        log.info("request.fell_back", request_id=call.head.request_id, cause=cause)
        return await self._ask_once(call, LEGACY)

    async def _ask_once(self, call: Call, side: Side, *, is_again: bool = False) -> Exchange:
        """One try. `is_again` takes a new connection: the kept-alive ones are likely to be closed all together."""
        upload = call.upload
        body = upload.copy
        if body is None:
            body = await upload.next()
        exchange = self._exchange(call, side, body)
        upstream = call.current.served[side]
        try:
            if is_again or not upstream.begin(exchange):
                await upstream.open(exchange)
        except BaseException:
            exchange.abandon()
            raise
        if upload.is_whole:
            call.watch.request_sent(upload.copy)
            return await self._wait(exchange)
        pump = self._tasks.spawn(self._pump(call, exchange))
        try:
            return await self._wait(exchange)
        except BaseException:
            pump.cancel()
            raise

    def _exchange(self, call: Call, side: Side, body: bytes) -> Exchange:
        is_whole = call.upload.is_whole
        exchange = Exchange(
            side,
            call.method.encode("latin-1"),
            call.target,
            call.head.lines,
            deadlines=self._deadlines,
            now=self._now(),
            body=body,
            is_chunked=call.head.is_chunked,
            is_request_whole=is_whole,
        )
        exchange.idle_timeout_s = 0.0  # set by the client that carries it
        if is_whole:
            exchange.on_slow = lambda: self.watch_client(call, exchange)
        return exchange

    @staticmethod
    async def _wait(exchange: Exchange) -> Exchange:
        try:
            await exchange.wait_head()
        except BaseException:
            exchange.abandon()
            raise
        return exchange

    async def _pump(self, call: Call, exchange: Exchange) -> None:
        try:
            await call.upload.pump(exchange)
        except ClientLeft:
            self._client_left(exchange)
            return
        call.watch.request_sent(call.upload.copy)
        self.watch_client(call, exchange)

    def watch_client(self, call: Call, exchange: Exchange) -> None:
        """Rule 3: from now on, the user's leaving ends the exchange."""
        self._tasks.spawn(self._wait_for_leaving(call, exchange))

    async def _wait_for_leaving(self, call: Call, exchange: Exchange) -> None:
        message = await call.receive()
        while message["type"] == "http.request":
            message = await call.receive()
        if not exchange.is_complete:
            self._client_left(exchange)

    def _client_left(self, exchange: Exchange) -> None:
        exchange.failed(UpstreamError(exchange.side, "read", "the user left", is_client_gone=True), self._now())


def _may_repeat(call: Call) -> bool:
    return call.method in _IDEMPOTENT and call.upload.copy is not None


def _may_fall_back(call: Call, side: Side) -> bool:
    return side == NEW and call.route is not None and call.route.fallback


def _calls_for_fallback(call: Call, exchange: Exchange) -> bool:
    return exchange.status in _FAILED_STATUSES and _may_fall_back(call, exchange.side) and _may_repeat(call)
