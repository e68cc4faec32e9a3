"""One request of a user, understood: who it is from, which route and side it belongs to, and whether it is shadowed.

What a connection's requests have in common is read once: as long as the field lines are the same bytes, and the same
rollout is in force, they mean the same (`Visit`). API clients and proxies before us repeat them.
"""

from __future__ import annotations

import hmac
import itertools
import secrets
from random import getrandbits
from time import monotonic
from typing import TYPE_CHECKING
from urllib.parse import unquote

import structlog

from proxy.core.decide import decide, find_key
from proxy.core.headers import SHADOW_LINE, origin_form, read_request
from proxy.core.max_forwards import ANSWER_HERE, next_max_forwards
from proxy.core.model import NEW, OTHER
from proxy.core.trace import continue_trace
from proxy.errors import RequestRefused
from proxy.traffic.body import Upload
from proxy.traffic.tally import UNROUTED
from proxy.traffic.watch import Watch

if TYPE_CHECKING:
    from proxy.core.decide import Decision
    from proxy.core.forwarding import Forwarding
    from proxy.core.headers import RequestHead
    from proxy.core.model import Route
    from proxy.core.trace import Trace
    from proxy.traffic.current import Current
    from proxy.traffic.health import Health
    from proxy.traffic.server import ServerProtocol
    from proxy.traffic.shadow import Shadows
    from proxy.traffic.tally import RouteTally, Tally
    from proxy.traffic.upstream.exchange import Exchange

log = structlog.get_logger(__name__)

_REFUSED_METHODS = frozenset({"CONNECT", "TRACE"})  # a tunnel past every decision; an echo of cookies (RFC 9110 §9.3.8)


class Visit:
    """What the field lines of a connection's requests mean under one rollout."""

    __slots__ = ("current", "decisions", "expects_body", "head", "is_shown", "key", "lines")

    def __init__(self, current: Current, lines: bytes, head: RequestHead, *, is_shown: bool) -> None:
        """`is_shown`: the user is one of ours, whose answers say how they were made."""
        self.current = current
        self.is_shown = is_shown
        self.lines = lines
        self.head = head
        self.expects_body = head.has_body
        self.key = find_key(current.rollout.migration.users, head.values.get)
        self.decisions: dict[tuple[str | None, bool], Decision] = {}

    def decide(self, route: Route | None, *, is_new_healthy: bool) -> Decision:
        """As `core.decide`, for the visit's own key."""
        asked = (route.name if route is not None else None, is_new_healthy)
        found = self.decisions.get(asked)
        if found is None:
            found = self.decisions[asked] = decide(
                self.current.rollout, route, self.key, self.head.values.get, is_new_healthy=is_new_healthy
            )
        return found


class Call:
    """One request under way: what every step of its handling needs to know. `issued_key` is a new user's, or None."""

    __slots__ = (
        "answer_began_at",
        "began_at",
        "current",
        "decision",
        "exchange",
        "fell_back",
        "head",
        "is_1_0",
        "is_for_us",
        "is_websocket",
        "issued_key",
        "key",
        "lines",
        "method",
        "raw_method",
        "refusal",
        "request_id",
        "route",
        "tally",
        "target",
        "trace",
        "upload",
        "user",
        "visit",
        "watch",
    )

    user: ServerProtocol
    visit: Visit
    current: Current
    method: str
    raw_method: bytes
    target: bytes
    is_1_0: bool
    is_for_us: bool  # to be answered here: nothing else but user, method and request_id is set then
    is_websocket: bool  # it asks for one; what follows it is nobody's until a backend has agreed
    head: RequestHead
    lines: bytes  # to forward, but for the framing's and the shadow's
    request_id: str
    trace: Trace
    key: str | None
    issued_key: str | None
    route: Route | None
    decision: Decision
    tally: RouteTally
    upload: Upload
    watch: Watch
    exchange: Exchange | None  # with the serving side, as long as it is under way
    fell_back: str | None  # why legacy answers in place of new
    began_at: float  # on the monotonic clock: when its head had come
    answer_began_at: float  # when an answer that goes out piece by piece began to; 0 otherwise
    refusal: RequestRefused | None  # of a body that turned out to be wrong while it was being sent

    def shadow_lines(self) -> bytes:
        """The lines that the shadow side gets: the same request, marked, in the same trace."""
        return self.lines.replace(self.trace.line, self.trace.shadow_line(getrandbits), 1) + SHADOW_LINE

    def user_left(self) -> None:
        """The user's connection has ended: what is under way for nobody is given up."""
        exchange = self.exchange
        if exchange is not None:
            exchange.user_left()


class Reader:
    """Reads calls. `current` is replaced whole when a new rollout comes."""

    def __init__(
        self,
        current: Current,
        tally: Tally,
        shadows: Shadows,
        health: Health,
        forwarding: Forwarding,
        *,
        max_kept: int,
        keeps_underscores: bool = False,
        debug_token: str | None = None,
    ) -> None:
        self.current = current
        self.forwarding = forwarding
        self._tally = tally
        self._shadows = shadows
        self._health = health
        self._max_kept = max_kept
        self._keeps_underscores = keeps_underscores
        self._debug_token = debug_token.encode() if debug_token else None
        self._prefix = secrets.token_hex(6)
        self._numbers = itertools.count()
        self._no_upload = Upload(_Nobody(), 0, has_body=False)

    def new_request_id(self) -> str:
        """An id that no other request of any worker has, without asking the system for chance each time."""
        return f"{self._prefix}-{next(self._numbers):x}"

    def read(self, user: ServerProtocol, method: bytes, target: bytes, lines: bytes, *, is_1_0: bool) -> Call:
        """The call, counted as decided. Raises RequestRefused."""
        call = Call()
        call.began_at = monotonic()
        call.answer_began_at = 0.0
        call.user = user
        call.current = current = self.current
        visit = user.visit
        if visit is None or visit.lines != lines or visit.current is not current or is_1_0:
            visit = user.visit = self._read_visit(current, user, lines, is_1_0=is_1_0)
        call.visit = visit
        call.head = head = visit.head
        call.raw_method = method
        call.method = name = method.decode("ascii")
        if name in _REFUSED_METHODS:
            raise RequestRefused(405, f"the method {name} is not served here")
        call.is_1_0 = is_1_0
        call.is_websocket = head.may_be_websocket and name == "GET"
        call.target = target = origin_form(target, method, head.host)
        call.exchange = call.refusal = call.fell_back = None
        call.is_for_us = False
        self._identify(call)
        if call.is_for_us:
            return call
        path = target.partition(b"?")[0].decode("latin-1")
        call.route = current.table.find(name, unquote(path) if "%" in path else path, head.host)
        if visit.expects_body:
            call.upload = Upload(user, self._max_kept, has_body=True)
        else:
            call.upload = self._no_upload
        self._decide(call)
        return call

    def _read_visit(self, current: Current, user: ServerProtocol, lines: bytes, *, is_1_0: bool) -> Visit:
        head = read_request(
            lines,
            current.wanted,
            peer=user.peer,
            forwarding=self.forwarding,
            is_1_0=is_1_0,
            keeps_underscores=self._keeps_underscores,
        )
        return Visit(current, lines, head, is_shown=head.debug is not None and self._is_token(head.debug))

    def _is_token(self, given: list[bytes]) -> bool:
        token = self._debug_token
        return token is not None and len(given) == 1 and hmac.compare_digest(token, given[0])

    def _identify(self, call: Call) -> None:
        """Gives the request its id and its place in a trace, and makes the lines that the serving side gets."""
        head = call.head
        call.request_id = request_id = head.request_id or self.new_request_id()
        call.trace = trace = continue_trace(head.traceparent, getrandbits)
        lines = b"%bx-request-id: %b\r\n%b" % (head.lines, request_id.encode(), trace.line)
        if head.tracestate is not None and trace.is_continued:
            lines += b"".join([b"tracestate: %b\r\n" % state for state in head.tracestate])
        if head.max_forwards is not None:
            left = next_max_forwards(call.method, head.max_forwards)
            call.is_for_us = left == ANSWER_HERE
            values = [b"%d" % left] if left is not None else head.max_forwards
            lines += b"".join([b"max-forwards: %b\r\n" % value for value in values])
        call.lines = lines

    def _decide(self, call: Call) -> None:
        visit, route, current = call.visit, call.route, call.current
        users, header = current.rollout.migration.users, call.head.values.get
        call.key = visit.key
        call.issued_key = None
        is_new_healthy = self._health.is_healthy(NEW)
        if call.key is None and users.without_key == "cookie" and route is not None:
            call.key = call.issued_key = secrets.token_urlsafe(16)
            decision = decide(current.rollout, route, call.key, header, is_new_healthy=is_new_healthy)
        else:
            decision = visit.decide(route, is_new_healthy=is_new_healthy)
        if decision.reason == "unhealthy" and route is not None and self._health.may_try(NEW, call.method, route):
            decision = decide(current.rollout, route, call.key, header, is_new_healthy=True)
        call.decision = decision
        call.tally = tally = self._tally.route(route.name if route is not None else UNROUTED)
        tally.count(f"decided.{decision.reason}")
        if decision.hashed is not None:
            tally.seen(decision.backend, decision.hashed)
        call.watch = self._watch(call, may_shadow_new=is_new_healthy or self._health.may_shadow(NEW))

    def _watch(self, call: Call, *, may_shadow_new: bool) -> Watch:
        if call.route is None:
            return Watch(None, self._shadows, "no_route", call.tally)
        if call.is_websocket:
            return Watch(None, self._shadows, "websocket", call.tally)
        try:
            reason = self._shadows.refusal(
                call.current,
                call.route,
                call.method,
                call.request_id,
                OTHER[call.decision.backend],
                is_new_healthy=may_shadow_new,
            )
        except Exception:  # law 1
            log.exception("shadow.faulted")
            reason = "fault"
        return Watch(call if reason is None else None, self._shadows, reason, call.tally)


class _Nobody:
    """The sender of a body that isn't there."""

    is_body_whole = True

    async def receive(self) -> bytes:
        raise RuntimeError("a request without a body has nothing to receive")
