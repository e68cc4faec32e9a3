"""Asking a backend on a user's behalf: once, and a second time only by law 4.

1. A request is sent again only where its method is idempotent (RFC 9110 §9.2.2), its body is still whole, and no byte
   of an answer has gone to the user: after a stale connection to the same side, after a failure of new to legacy.
2. Legacy is never replaced by new.
3. A user who leaves ends the exchange (`Exchange.user_left`); a body that turns out to be wrong does so, too.
4. Repeats to the same side keep within its budget (`core.budget`); fallbacks are bounded by the breaker (`health`), and
   those of users who found all connections to new taken by the number of legacy's.
5. Health is told once of each request how the decided side took it: by its last try there, and not of the fallback. A
   side that was not asked, because all its connections are taken, has shown nothing by that: a slow backend is found
   out by its timeouts and its probe, and one that answers as much as it may is not ill.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.core.budget import RetryBudget
from proxy.core.headers import WEBSOCKET_LINES
from proxy.core.model import LEGACY, NEW
from proxy.errors import RequestRefused, UpstreamBusy, UpstreamError
from proxy.traffic.body import ClientLeft, Upload
from proxy.traffic.closing import Tunnel
from proxy.traffic.health import FAILED_STATUSES, IDEMPOTENT
from proxy.traffic.upstream.exchange import Exchange

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.core.model import Side
    from proxy.traffic.call import Call
    from proxy.traffic.deadlines import Deadlines
    from proxy.traffic.health import Health
    from proxy.traffic.tasks import Tasks


class Asker:
    """Makes exchanges with the serving side."""

    def __init__(self, deadlines: Deadlines, tasks: Tasks, health: Health, now: Callable[[], float]) -> None:
        self._deadlines = deadlines
        self._tasks = tasks
        self._health = health
        self._now = now
        self._budgets: dict[Side, RetryBudget] = {LEGACY: RetryBudget(), NEW: RetryBudget()}

    # --- without waiting ---
    def begin(self, call: Call) -> Exchange | None:
        """An exchange under way with the decided side, for a request without a body and where a connection is free."""
        if call.is_websocket or not call.upload.is_whole:
            return None
        side = call.decision.backend
        exchange = self._exchange(call, side, b"", is_whole=True)
        if not call.current.served[side].begin(exchange):
            return None
        self._budgets[side].asked(exchange.started_at)
        call.watch.request_sent(b"")
        return exchange

    # --- rule 5, for who answers the user ---
    def answered(self, exchange: Exchange) -> None:
        """A whole answer that doesn't call for a fallback goes to the user without `ask`."""
        self._health.answered(exchange.side, exchange.status, exchange.started_at, exchange.finished_at)

    def left(self, call: Call) -> None:
        """A call of which nobody was asked."""
        self._health.left(call.decision.backend, self._now())

    def ended(self, exchange: Exchange) -> None:
        """An answer that came from `ask` has ended, whole or broken off; one that counts as failed counts once."""
        error = exchange.error
        if error is not None and not error.is_client_gone and exchange.status not in FAILED_STATUSES:
            self._health.failed(exchange.side, exchange.started_at, exchange.finished_at, was_answered=True)

    # --- waiting ---
    async def ask(self, call: Call, begun: Exchange | None = None) -> Exchange:
        """An exchange whose answer has begun: with the decided side, with it again, or with legacy.

        `begun` is the first try, where `begin` made it. Raises UpstreamError when the last try has failed, and
        ClientLeft.
        """
        side = call.decision.backend
        began = self._now() if begun is None else begun.started_at
        try:
            exchange = await self._ask_side(call, side, begun)
        except UpstreamError as error:
            self._failed(side, error, began)
            if error.is_client_gone or not _may_fall_back(call, side):
                raise
            return await self._fall_back(call, error.phase)
        except BaseException:  # the user left, or the worker is stopping
            self._health.left(side, began)
            raise
        self._health.answered(side, exchange.status, began, self._now())
        if calls_for_fallback(call, exchange):
            exchange.abandon()
            return await self._fall_back(call, str(exchange.status))
        return exchange

    def _failed(self, side: Side, error: UpstreamError, began: float) -> None:
        if error.is_client_gone or isinstance(error, UpstreamBusy):
            self._health.left(side, began)
        else:
            self._health.failed(side, began, self._now())

    async def _ask_side(self, call: Call, side: Side, begun: Exchange | None) -> Exchange:
        """An exchange whose answer has begun; asked once more after a kept-alive connection turned out to be closed."""
        try:
            if begun is not None:
                return await self._wait(begun)
            self._budgets[side].asked(self._now())
            return await self._ask_once(call, side)
        except UpstreamError as error:
            if not error.is_stale or error.is_client_gone or not _may_repeat(call) or not self._may_retry(call, side):
                raise
        call.tally.count(f"retried.{side}")
        return await self._ask_once(call, side, is_again=True)

    def _may_retry(self, call: Call, side: Side) -> bool:
        is_within = self._budgets[side].take(self._now())
        if not is_within:
            call.tally.count(f"retry.budget_spent.{side}")
        return is_within

    async def _fall_back(self, call: Call, cause: str) -> Exchange:
        call.tally.count("fallback")
        call.watch.lost("fallback")
        call.fell_back = cause
        return await self._ask_once(call, LEGACY)

    async def _ask_once(self, call: Call, side: Side, *, is_again: bool = False) -> Exchange:
        """One try. `is_again` takes a new connection: the kept-alive ones are likely to be closed all together."""
        upload = call.upload
        body = upload.copy
        if body is None:
            body = await upload.next()
        exchange = self._exchange(call, side, body, is_whole=upload.is_whole)
        call.exchange = exchange
        upstream = call.current.served[side]
        try:
            if is_again or call.is_websocket or not upstream.begin(exchange):
                await upstream.open(exchange)
        except BaseException:
            exchange.abandon()
            raise
        if call.user.is_gone:
            exchange.user_left()
        if upload.is_whole:
            call.watch.request_sent(upload.copy)
            await self._wait(exchange)
            if exchange.is_upgraded:
                self._begin_tunnel(call, exchange)
            return exchange
        pump = self._tasks.spawn(self._pump(call, exchange))
        try:
            return await self._wait(exchange)
        except BaseException:
            pump.cancel()
            raise

    def _exchange(self, call: Call, side: Side, body: bytes, *, is_whole: bool) -> Exchange:
        head = call.head
        exchange = Exchange(
            side,
            call.raw_method,
            call.target,
            call.lines,
            deadlines=self._deadlines,
            now=self._now(),
            body=body,
            is_chunked=head.is_chunked,
            is_request_whole=is_whole,
        )
        exchange.idle_timeout_s = 0.0  # set by the client that carries it
        exchange.on_interim = call.user.pass_interim
        if call.is_websocket:
            exchange.lines += WEBSOCKET_LINES
            exchange.may_upgrade = True
        return exchange

    @staticmethod
    async def _wait(exchange: Exchange) -> Exchange:
        try:
            await exchange.wait_head()
        except BaseException:
            exchange.abandon()
            raise
        return exchange

    def _begin_tunnel(self, call: Call, exchange: Exchange) -> None:
        call.user.begin_tunnel(call)
        tunnel = Tunnel(call, exchange)
        call.user.follow(tunnel)
        call.upload = Upload(tunnel, 0, has_body=True)
        self._tasks.spawn(self._pump(call, exchange))

    async def _pump(self, call: Call, exchange: Exchange) -> None:
        try:
            await call.upload.pump(exchange)
        except ClientLeft:
            exchange.user_left()
            return
        except RequestRefused as refusal:
            call.refusal = refusal
            exchange.user_left()
            return
        call.watch.request_sent(call.upload.copy)


def _may_repeat(call: Call) -> bool:
    return call.method in IDEMPOTENT and call.upload.copy is not None


def _may_fall_back(call: Call, side: Side) -> bool:
    return side == NEW and call.route is not None and call.route.fallback and _may_repeat(call)


def calls_for_fallback(call: Call, exchange: Exchange) -> bool:
    """Whether the answer that has begun is one that legacy's takes the place of."""
    return exchange.status in FAILED_STATUSES and _may_fall_back(call, exchange.side)
