"""The way of a request through a worker: read it, ask a backend, answer the user.

1. The common case takes no task: a request without a body on a free connection, whose answer arrives whole, is read,
   sent and answered in the callbacks of the two connections (`begin`, `_progressed`). Everything else, and whatever
   turns out not to be common, goes on in a task (`_serve`); both use the same steps.
2. What concerns the shadow happens beside, in `shadow`, and can't fail into here (`watch`).
3. At most `max_in_flight` requests are under way, and users' connections are bounded (`Limits`); further ones are told
   to come again, not queued. Near any limit of users', shadows yield (law 1).
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
from proxy.traffic.current import SHED_SHARE
from proxy.traffic.journal import Asked
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
        self.handshakes = 0  # under way, of connections that aren't among `connections` yet
        self.refused: Counter[int] = Counter()  # by status
        self._asker = asker
        self._journal = journal
        self._tasks = tasks
        self._max_in_flight = max_in_flight
        self._pressed_requests = SHED_SHARE * max_in_flight
        self._pressed_connections = SHED_SHARE * limits.max_connections

    def is_pressed(self) -> bool:
        """Whether users are near one of their limits, so that shadows have to yield: the one that is nearest counts.

        Asked for each shadow: the connections to backends are only looked at where so many requests are under way that
        they might be near their limit, as each of these has one of them at most.
        """
        in_flight, current = self.in_flight, self.reader.current
        return (
            in_flight >= self._pressed_requests
            or self.connections + self.handshakes >= self._pressed_connections
            or (in_flight >= current.crowded_from and current.is_crowded())
        )

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
        return call

    def refuse(self, user: ServerProtocol, refusal: ChangeoverError, asked: tuple[bytes, bytes] | None = None) -> None:
        """Answers a request that was not understood, and ends its connection. `asked`: method and target, if known."""
        known = None
        if asked is not None:
            known = Asked(self.reader.current, asked[0].decode("latin-1"), asked[1])
        self._refuse(user, refusal, self.reader.new_request_id(), known)

    def turned_away(self) -> None:
        """A connection was ended at once because there was no place to tell its user why."""
        self.refused[Overloaded.status] += 1

    def give_up(self, call: Call, refusal: RequestRefused) -> None:
        """Refuses a request that was read, and asks nobody."""
        self.in_flight -= 1
        if not call.is_for_us:
            self._asker.left(call)
        self._refuse_call(call, refusal)

    def _refuse_call(self, call: Call, refusal: RequestRefused) -> None:
        route = None
        if not call.is_for_us:
            call.watch.lost("request_refused")
            route = call.route
        asked = Asked(call.current, call.method, call.target, route)
        self._refuse(call.user, refusal, call.request_id, asked)

    def _refuse(self, user: ServerProtocol, refusal: ChangeoverError, request_id: str, asked: Asked | None) -> None:
        self.refused[refusal.status] += 1
        self._journal.refused(refusal, request_id, user.peer.node.text, asked)
        user.refuse(make_problem(refusal, request_id, is_last=True))

    def begin(self, call: Call) -> None:
        """Sets a request going; its answer goes to `call.user`."""
        if call.is_for_us:
            self.in_flight -= 1
            self._journal.answered_here(call)
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
            self.turns.served += 1
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
        download = self.turns.downloads.begin()
        try:
            exchange = await self._asker.ask(call, begun)
        except UpstreamError as error:
            if error.is_client_gone and call.refusal is not None and not call.user.is_gone:
                self._refuse_call(call, call.refusal)
            else:
                answer_failure(call, error)
                self._journal.failed(call, error)
        except RequestRefused as refusal:
            self._refuse_call(call, refusal)
        except ClientLeft:
            call.tally.count("client_left")
            call.watch.lost("client_left")
            self._journal.left(call)
        except BaseException:  # the worker is stopping
            call.watch.lost("stopped")
            raise
        else:
            await answer(call, exchange, download)
            self._asker.ended(exchange)
            self._journal.ended(call, exchange)
        finally:
            call.exchange = None
            self.in_flight -= 1
            if not (download.is_large or call.user.has_sent_much):
                self.turns.served += 1
