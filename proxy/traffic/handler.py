"""The way of a request through a worker: read it, ask a backend, answer the user.

1. The common case takes no task: a request without a body on a free connection, whose answer arrives whole, is read,
   sent and answered in the callbacks of the two connections (`begin`, `_progressed`). Everything else, and whatever
   turns out not to be common, goes on in a task (`_serve`); both use the same steps.
2. What concerns the shadow happens beside, in `shadow`, and can't fail into here (`watch`).
3. At most `max_in_flight` requests are under way; further ones are told to come again, not queued.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

import structlog

from proxy.errors import Overloaded, RequestRefused, UpstreamError
from proxy.traffic.answer import answer, answer_at_once, answer_failure, answered, make_options, make_problem
from proxy.traffic.ask import calls_for_fallback
from proxy.traffic.body import ClientLeft
from proxy.traffic.outbox import Outbox
from proxy.traffic.upstream.exchange import unheard

if TYPE_CHECKING:
    from proxy.core.forwarding import Peer
    from proxy.errors import ChangeoverError
    from proxy.traffic.ask import Asker
    from proxy.traffic.call import Call, Reader
    from proxy.traffic.journal import Journal
    from proxy.traffic.server import Limits, ServerProtocol
    from proxy.traffic.tasks import Tasks
    from proxy.traffic.turns import Turns
    from proxy.traffic.upstream.exchange import Exchange

log = structlog.get_logger(__name__)

_SHED_SHARE = 0.8  # of what may be in flight; above it shadows are shed, long before users are


class Handler:
    """What a worker does with requests; `server.ServerProtocol` brings them."""

    def __init__(
        self,
        reader: Reader,
        asker: Asker,
        tasks: Tasks,
        journal: Journal,
        limits: Limits,
        turns: Turns,
        *,
        max_in_flight: int,
    ) -> None:
        self.reader = reader
        self.limits = limits
        self.turns = turns
        self.outbox = Outbox()
        self.in_flight = 0
        self.connections = 0
        self.refused: Counter[int] = Counter()  # by status
        self._asker = asker
        self._journal = journal
        self._tasks = tasks
        self._max_in_flight = max_in_flight
        self._pressed_from = _SHED_SHARE * max_in_flight

    def is_pressed(self) -> bool:
        """Whether so much is under way that shadows have to yield."""
        return self.in_flight >= self._pressed_from

    # --- called by the server ---
    def peer(self, address: str | None, scheme: str) -> Peer:
        """Who is at the other end of a user's connection."""
        return self.reader.forwarding.peer(address, scheme)

    def read(self, user: ServerProtocol, method: bytes, target: bytes, lines: bytes, *, is_1_0: bool) -> Call:
        """A request, understood; `begin` or `give_up` is to be called with it. Raises RequestRefused, Overloaded."""
        if self.in_flight >= self._max_in_flight:
            raise Overloaded("too many requests are under way; try again in a moment")
        call = self.reader.read(user, method, target, lines, is_1_0=is_1_0)
        self.in_flight += 1
        self.turns.begun += 1
        return call

    def refuse(self, user: ServerProtocol, refusal: ChangeoverError) -> None:
        """Answers a request that is not forwarded, and ends its connection."""
        request_id = self.reader.new_request_id()
        self.refused[refusal.status] += 1
        self._journal.refused(refusal, request_id, user.peer.node.text)
        user.refuse(make_problem(refusal, request_id, is_last=True))

    def give_up(self, call: Call, refusal: RequestRefused) -> None:
        """Refuses a request that was read, and asks nobody."""
        self.in_flight -= 1
        if not call.is_for_us:
            call.watch.lost("request_refused")
            self._asker.left(call)
        self.refuse(call.user, refusal)

    def begin(self, call: Call) -> None:
        """Sets a request going; its answer goes to `call.user`."""
        if call.is_for_us:
            self.in_flight -= 1
            call.user.answer_ourselves(make_options(call.request_id, is_last=call.user.is_last))
            return
        exchange = self._asker.begin(call)
        if exchange is None:
            self._tasks.spawn(self._serve(call, None))
            return
        call.exchange = exchange
        exchange.notify = partial(self._progressed, call, exchange)

    # --- rule 1: without a task ---
    def _progressed(self, call: Call, exchange: Exchange) -> None:
        try:
            self._advance(call, exchange)
        except Exception:  # in a callback of the backend's connection: there is no server to turn it into a 500
            log.exception("request.faulted", request_id=call.request_id)
            call.user.transport.abort()

    def _advance(self, call: Call, exchange: Exchange) -> None:
        if exchange.is_complete and call.user.can_write and not calls_for_fallback(call, exchange):
            self.in_flight -= 1
            exchange.notify = unheard
            call.exchange = None
            answer_at_once(call, exchange)
            answered(call, exchange)
            self._asker.answered(exchange)
            if exchange.status >= self._journal.from_status:
                self._journal.served(call, exchange)
        else:
            exchange.notify = exchange.wake  # the rest needs waiting: from here on as a task
            self._tasks.spawn(self._serve(call, exchange))

    # --- in a task ---
    async def _serve(self, call: Call, begun: Exchange | None) -> None:
        try:
            exchange = await self._asker.ask(call, begun)
        except UpstreamError as error:
            answer_failure(call, error)
            self._journal.failed(call, error)
        except RequestRefused as refusal:
            call.watch.lost("request_refused")
            self.refuse(call.user, refusal)
        except ClientLeft:
            call.tally.count("client_left")
            call.watch.lost("client_left")
            self._journal.left(call)
        except BaseException:  # the worker is stopping
            call.watch.lost("stopped")
            raise
        else:
            await answer(call, exchange)
            self._asker.ended(exchange)
            self._journal.ended(call, exchange)
        finally:
            call.exchange = None
            self.in_flight -= 1
