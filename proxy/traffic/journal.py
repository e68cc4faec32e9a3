"""One wide event for each request, or for each that went wrong, written beside the traffic and never in its way.

1. While a request is handled, noting it is no more than an append. Events become lines afterwards, for at most SLICE_S
   in one piece, so that no request waits longer; a thread writes them (`lines`). What finds no room is counted.
2. An event waits up to PATIENCE_S for what became of its shadow, so that both stand in one line.
3. Names are OpenTelemetry's where it has one (semantic conventions for HTTP, 1.27), our own begin with `changeover.`.
4. Nothing unmasked is written (law 6): no user's key, no field but User-Agent, and targets as the evidence has them.
"""

from __future__ import annotations

import re
import time
from collections import deque
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import structlog

if TYPE_CHECKING:
    import asyncio

    from proxy.core.model import Route, Side
    from proxy.errors import ChangeoverError, UpstreamError
    from proxy.traffic.call import Call
    from proxy.traffic.current import Current
    from proxy.traffic.upstream.exchange import Exchange

log = structlog.get_logger(__name__)

Scope = Literal["off", "problems", "all"]
_FROM_STATUS = {"all": 0, "problems": 500, "off": 1000}  # the lowest status of an answer that is noted
_ROOM = 8_192
SLICE_S = 0.001
REST_S = 0.005  # between two slices: a sixth of a worker's time, some 1,500 events a second
_HOST_CHARACTERS = 200
PATIENCE_S = 1.0
_USER_AGENT = re.compile(rb"(?i)(?:^|\n)user-agent:[ \t]*([^\r]{0,200})")


class Entry:
    """One request that has ended, as it was known then. `shadow` follows by `settled`, which makes the entry ready."""

    __slots__ = (
        "answer",
        "at",
        "body_bytes",
        "cause",
        "current",
        "decision",
        "duration_s",
        "error",
        "event",
        "first_byte_s",
        "host",
        "is_1_0",
        "is_ready",
        "lines",
        "method",
        "noted_at",
        "peer",
        "ready",
        "request_id",
        "route",
        "scheme",
        "shadow",
        "target",
        "trace",
    )

    def __init__(self, event: str, call: Call, ready: deque[Entry | Own], now: float) -> None:
        """Takes what it needs, and not the call: that would keep bodies in memory until the entry is written."""
        self.event = event
        self.at = time.time()
        self.duration_s = monotonic() - call.began_at
        self.first_byte_s = call.answer_began_at - call.began_at if call.answer_began_at else self.duration_s
        self.noted_at = now
        self.ready = ready
        self.is_ready = False
        self.current = call.current
        self.decision = call.decision
        self.method = call.method
        self.target = call.target
        self.lines = call.visit.lines
        self.is_1_0 = call.is_1_0
        self.host = call.head.host
        self.scheme = call.user.scheme
        self.body_bytes = call.head.content_length
        self.peer = call.user.peer
        self.request_id = call.request_id
        self.route = call.route
        self.trace = call.trace
        self.cause = call.fell_back
        self.answer: _Answer | None = None
        self.error: UpstreamError | None = None
        self.shadow: str | None = None

    def settled(self, outcome: str) -> None:
        """What became of the shadow: "match", "sent" to be compared, or why there is nothing to compare."""
        self.shadow = outcome
        self.make_ready()

    def make_ready(self) -> None:
        if not self.is_ready:
            self.is_ready = True
            self.ready.append(self)


class _Answer(NamedTuple):
    side: Side
    status: int
    elapsed_s: float
    length: int | None


class Asked(NamedTuple):
    """What was asked, as far as it was understood."""

    current: Current
    method: str
    target: bytes
    route: Route | None = None


class Own(NamedTuple):
    """A request that went to no backend: refused (`code` says why), or answered here."""

    event: str
    at: float
    request_id: str
    address: str
    status: int
    code: str | None
    asked: Asked | None


class Journal:
    """A worker's events. `from_status` is the lowest status of a whole answer that is to be `served`."""

    def __init__(self, scope: Scope, loop: asyncio.AbstractEventLoop) -> None:
        """`sweep` is to be called now and then, by the loop's time."""
        self.from_status = _FROM_STATUS[scope]
        self.dropped = 0
        self._is_on = scope != "off"
        self._notes_all = scope == "all"
        self._loop = loop
        self._next_slice: asyncio.TimerHandle | None = None
        self._waiting: deque[Entry] = deque()
        self._ready: deque[Entry | Own] = deque()

    # --- while a request is handled ---
    def served(self, call: Call, exchange: Exchange) -> None:
        """A user got a whole answer of a backend."""
        self._note("request.served", call, exchange, None)

    def ended(self, call: Call, exchange: Exchange) -> None:
        """An answer that was passed on piece by piece has ended, whole or not."""
        error = exchange.error
        if error is None or exchange.is_complete or (error.is_client_gone and exchange.is_upgraded):
            if exchange.status >= self.from_status or (self._is_on and call.fell_back is not None):
                self.served(call, exchange)
        elif error.is_client_gone:
            self._gave_up(call)
        elif self._is_on:
            self._note("answer.broken_off", call, exchange, error)

    def failed(self, call: Call, error: UpstreamError) -> None:
        """A user got our own 502, 503 or 504, or left before."""
        if error.is_client_gone:
            self._gave_up(call)
        elif self._is_on:
            self._note("request.failed", call, None, error)

    def _gave_up(self, call: Call) -> None:
        """It ended because of the user, who left, or whose body was refused."""
        if call.refusal is not None:
            asked = Asked(call.current, call.method, call.target, call.route)
            self.refused(call.refusal, call.request_id, call.user.peer.node.text, asked)
        else:
            self.left(call)

    def left(self, call: Call) -> None:
        """A user left before the answer's end."""
        if self._notes_all:
            self._note("request.left", call, None, None)

    def refused(self, refusal: ChangeoverError, request_id: str, address: str, asked: Asked | None) -> None:
        """A request was not forwarded."""
        if self._is_on and self._has_room():
            own = Own("request.refused", time.time(), request_id, address, refusal.status, refusal.code, asked)
            self._ready.append(own)

    def answered_here(self, call: Call) -> None:
        """A request was for this proxy itself."""
        if self._notes_all and self._has_room():
            asked = Asked(call.current, call.method, call.target)
            address = call.user.peer.node.text
            self._ready.append(Own("request.answered", time.time(), call.request_id, address, 200, None, asked))

    def _note(self, event: str, call: Call, exchange: Exchange | None, error: UpstreamError | None) -> None:
        if not self._has_room():
            return
        entry = Entry(event, call, self._ready, self._loop.time())
        if exchange is not None:
            elapsed_s = exchange.finished_at - exchange.started_at
            entry.answer = _Answer(exchange.side, exchange.status, elapsed_s, exchange.head.length)
        entry.error = error
        call.watch.report_to(entry)
        if not entry.is_ready:
            self._waiting.append(entry)

    def _has_room(self) -> bool:
        if len(self._waiting) + len(self._ready) < _ROOM:
            return True
        self.dropped += 1
        return False

    # --- beside ---
    def sweep(self, now: float) -> None:
        """Sets the writing of what is ready going."""
        waiting = self._waiting
        while waiting and (waiting[0].is_ready or now - waiting[0].noted_at > PATIENCE_S):
            waiting.popleft().make_ready()
        if self._ready and self._next_slice is None:
            self._write_slice()

    def _write_slice(self) -> None:
        self._next_slice = None
        end = time.perf_counter() + SLICE_S
        while self._ready:
            _write(self._ready.popleft())
            if time.perf_counter() >= end:
                break
        if self._ready:
            self._next_slice = self._loop.call_later(REST_S, self._write_slice)

    def flush(self) -> None:
        """Writes everything: the worker is stopping."""
        if self._next_slice is not None:
            self._next_slice.cancel()
        while self._waiting:
            self._waiting.popleft().make_ready()
        while self._ready:
            _write(self._ready.popleft())


def _write(entry: Entry | Own) -> None:
    """One event as a line of the log; a fault in it costs the line alone."""
    try:
        if isinstance(entry, Own):
            log.info(entry.event, **_own_fields(entry))
        else:
            say = log.info if entry.error is None else log.warning
            say(entry.event, **_fields(entry))
    except Exception:
        log.exception("journal.faulted")


def _own_fields(own: Own) -> dict[str, Any]:
    asked = own.asked
    request_id = own.request_id if asked is None else _masked(asked.current, "x-request-id", own.request_id)
    fields = {
        "at": _moment(own.at),
        "client.address": own.address,
        "http.response.status_code": own.status,
        "error.type": own.code,
        "changeover.request_id": request_id,
        **(_asked_fields(asked) if asked is not None else {}),
    }
    return {name: value for name, value in fields.items() if value is not None}


def _asked_fields(asked: Asked) -> dict[str, Any]:
    path, _, query = asked.current.masker.target(asked.target.decode("latin-1")).partition("?")
    return {"http.request.method": asked.method, "url.path": path, "url.query": query or None, **_routed(asked.route)}


def _routed(route: Route | None) -> dict[str, Any]:
    """The pattern, as OpenTelemetry wants it, and the route's name in the config."""
    return {} if route is None else {"http.route": route.match.pattern, "changeover.route": route.name}


def _fields(entry: Entry) -> dict[str, Any]:
    decision, answer, error = entry.decision, entry.answer, entry.error
    fields: dict[str, Any] = {
        "at": _moment(entry.at),
        **_asked_fields(Asked(entry.current, entry.method, entry.target, entry.route)),
        "url.scheme": entry.scheme,
        "server.address": entry.host[:_HOST_CHARACTERS] if entry.host is not None else None,
        "network.protocol.version": "1.0" if entry.is_1_0 else "1.1",
        "user_agent.original": _user_agent(entry),
        "http.request.body.size": entry.body_bytes,
        "client.address": entry.peer.node.text,
        "trace_id": entry.trace.trace_id,
        "span_id": entry.trace.span_id,
        "changeover.request_id": _masked(entry.current, "x-request-id", entry.request_id),  # it may be the user's own
        "changeover.backend": decision.backend,
        "changeover.reason": decision.reason,
        "changeover.bucket": decision.bucket,
        "changeover.fell_back": entry.cause,
        "changeover.shadow": entry.shadow,
        "changeover.duration_s": round(entry.duration_s, 6),
    }
    if answer is not None:
        fields["changeover.first_byte_s"] = round(entry.first_byte_s, 6)
        fields["changeover.backend"] = answer.side
        fields["changeover.backend.duration_s"] = round(answer.elapsed_s, 6)
        fields["http.response.status_code"] = answer.status
        fields["http.response.body.size"] = answer.length
    if error is not None:
        fields |= {"changeover.backend": error.backend, "error.type": error.code}
        fields |= {"phase": error.phase, "cause": str(error)}
        fields.setdefault("http.response.status_code", error.status)
    return {name: value for name, value in fields.items() if value is not None}


def _user_agent(entry: Entry) -> str | None:
    agent = _USER_AGENT.search(entry.lines)
    return None if agent is None else _masked(entry.current, "user-agent", agent[1].decode("latin-1"))


def _masked(current: Current, name: str, value: str) -> str:
    return current.masker.headers([(name, value)])[0][1]


def _moment(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s, UTC).isoformat(timespec="milliseconds")
