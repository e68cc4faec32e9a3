"""The way of a request through a worker: read it, ask a backend, answer the user.

1. The common case takes no task: a request without a body on a free connection, whose answer arrives whole, is read,
   sent and answered in the callbacks of the two connections (`begin`, `_progressed`). Everything else, and whatever
   turns out not to be common, goes on in a task (`_serve`); both use the same steps.
2. What concerns the shadow happens beside, in `shadow`, and can't fail into here (`watch`).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import structlog

from proxy.errors import RequestRefused, UpstreamError
from proxy.traffic.answer import answer, answer_failure, answer_fields, answer_problem, answered
from proxy.traffic.body import ClientLeft
from proxy.traffic.upstream.exchange import unheard

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from proxy.traffic.ask import Asker
    from proxy.traffic.call import Call, Reader, Receive, Scope, Send
    from proxy.traffic.server import Cycle
    from proxy.traffic.upstream.exchange import Exchange

    App = Callable[[Scope, Receive, Send], Awaitable[None]]

log = structlog.get_logger(__name__)


class Handler:
    """The application of a worker, for ASGI servers in general and, faster, for `server.ServerProtocol`."""

    def __init__(self, reader: Reader, asker: Asker) -> None:
        self.reader = reader
        self._asker = asker
        self.in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = self.reader.new_request_id()
        try:
            call = self.reader.read(scope, receive, send, request_id)
        except RequestRefused as refusal:
            await answer_problem(send, refusal, request_id)
            return
        self.in_flight += 1
        await self._serve(call, None)

    # --- rule 1: without a task ---
    def begin(self, cycle: Cycle) -> App | None:
        """Takes a request from the server. What it returns, if anything, the server runs as the request's task."""
        request_id = self.reader.new_request_id()
        try:
            call = self.reader.read(cycle.scope, cycle.receive, cycle.send, request_id)  # type: ignore[arg-type]
        except RequestRefused as refusal:
            return partial(_refuse, refusal, request_id)
        self.in_flight += 1
        exchange = self._asker.begin(call)
        if exchange is None:
            return partial(self._continue, call, None)
        exchange.notify = partial(self._progressed, cycle, call, exchange)
        exchange.on_slow = partial(self._slow, cycle, call, exchange)
        return None

    def _progressed(self, cycle: Cycle, call: Call, exchange: Exchange) -> None:
        try:
            self._advance(cycle, call, exchange)
        except Exception:  # in a callback of the backend's connection: there is no server to turn it into a 500
            log.exception("request.faulted", request_id=call.head.request_id)
            cycle.transport.abort()

    def _advance(self, cycle: Cycle, call: Call, exchange: Exchange) -> None:
        if self._asker.is_final(call, exchange) and cycle.can_write:
            self.in_flight -= 1
            exchange.notify = unheard
            chunks = exchange.take()
            call.watch.keep(chunks)
            cycle.answer(exchange.status, answer_fields(call, exchange), b"".join(chunks))
            answered(call, exchange)
        else:
            self._go_on(cycle, call, exchange)

    def _slow(self, cycle: Cycle, call: Call, exchange: Exchange) -> None:
        self._go_on(cycle, call, exchange)
        self._asker.watch_client(call, exchange)

    def _go_on(self, cycle: Cycle, call: Call, exchange: Exchange) -> None:
        """The rest needs waiting: from here on as a task."""
        exchange.notify = exchange.wake
        if exchange.on_slow is not None:
            exchange.on_slow = partial(self._asker.watch_client, call, exchange)
        cycle.start_task(partial(self._continue, call, exchange))

    async def _continue(self, call: Call, begun: Exchange | None, *_: object) -> None:
        await self._serve(call, begun)

    # --- in a task ---
    async def _serve(self, call: Call, begun: Exchange | None) -> None:
        try:
            exchange = await self._asker.ask(call, begun)
        except UpstreamError as error:
            await answer_failure(call, error)
        except ClientLeft:
            call.watch.lost("client_left")
        except BaseException:  # the worker is stopping
            call.watch.lost("stopped")
            raise
        else:
            await answer(call, exchange)
        finally:
            self.in_flight -= 1


async def _refuse(refusal: RequestRefused, request_id: str, scope: Scope, receive: Receive, send: Send) -> None:
    del scope, receive
    await answer_problem(send, refusal, request_id)
