"""One wide event for each request, or for each that went wrong, written beside the traffic and never in its way.

1. While a request is handled, noting it is no more than an append. Events are written in batches by the sweep, for at
   most BUDGET_S of each; what finds no room is dropped and counted (`dropped`).
2. An event waits up to PATIENCE_S for what became of its shadow, so that both stand in one line.
3. Names are OpenTelemetry's where it has one (semantic conventions for HTTP, 1.27), our own begin with `changeover.`.
4. Nothing unmasked is written (law 6): no user's key, no field but User-Agent, and targets as the evidence has them.
"""

from __future__ import annotations

import re
import time
from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.core.model import Side
    from proxy.errors import ChangeoverError, UpstreamError
    from proxy.traffic.call import Call
    from proxy.traffic.upstream.exchange import Exchange

log = structlog.get_logger(__name__)

Scope = Literal["off", "problems", "all"]
_FROM_STATUS = {"all": 0, "problems": 500, "off": 1000}  # the lowest status of an answer that is noted
_ROOM = 8_192
BUDGET_S = 0.008  # of each sweep (50 ms): some 4,000 events a second
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
        "error",
        "event",
        "is_ready",
        "lines",
        "method",
        "noted_at",
        "peer",
        "ready",
        "request_id",
        "route",
        "shadow",
        "target",
        "trace",
    )

    def __init__(self, event: str, call: Call, ready: deque[Entry | Refusal], now: float) -> None:
        """Takes what it needs, and not the call: that would keep bodies in memory until the entry is written."""
        self.event = event
        self.at = time.time()
        self.noted_at = now
        self.ready = ready
        self.is_ready = False
        self.current = call.current
        self.decision = call.decision
        self.method = call.method
        self.target = call.target
        self.lines = call.visit.lines
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


class Refusal(NamedTuple):
    """A request that was not forwarded; nothing of it is known but who sent it."""

    at: float
    request_id: str
    address: str
    status: int
    code: str


class Journal:
    """A worker's events. `from_status` is the lowest status of a whole answer that is to be `served`."""

    def __init__(self, scope: Scope, now: Callable[[], float]) -> None:
        """`now` is the loop's clock, on which `sweep` is called."""
        self.from_status = _FROM_STATUS[scope]
        self.dropped = 0
        self._is_on = scope != "off"
        self._notes_all = scope == "all"
        self._now = now
        self._waiting: deque[Entry] = deque()
        self._ready: deque[Entry | Refusal] = deque()

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
            self.left(call)
        elif self._is_on:
            self._note("answer.broken_off", call, exchange, error)

    def failed(self, call: Call, error: UpstreamError) -> None:
        """A user got our own 502 or 504, or left before."""
        if call.refusal is not None:
            self.refused(call.refusal, call.request_id, call.user.peer.node.text)
        elif error.is_client_gone:
            self.left(call)
        elif self._is_on:
            self._note("request.failed", call, None, error)

    def left(self, call: Call) -> None:
        """A user left before the answer's end."""
        if self._notes_all:
            self._note("request.left", call, None, None)

    def refused(self, refusal: ChangeoverError, request_id: str, address: str) -> None:
        """A request was not forwarded."""
        if self._is_on and self._has_room():
            self._ready.append(Refusal(time.time(), request_id, address, refusal.status, refusal.code))

    def _note(self, event: str, call: Call, exchange: Exchange | None, error: UpstreamError | None) -> None:
        if not self._has_room():
            return
        entry = Entry(event, call, self._ready, self._now())
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
        """Writes what is ready, as long as the time for it lasts."""
        waiting = self._waiting
        while waiting and (waiting[0].is_ready or now - waiting[0].noted_at > PATIENCE_S):
            waiting.popleft().make_ready()
        end = time.perf_counter() + BUDGET_S
        while self._ready and time.perf_counter() < end:
            _write(self._ready.popleft())

    def flush(self) -> None:
        """Writes everything: the worker is stopping."""
        while self._waiting:
            self._waiting.popleft().make_ready()
        while self._ready:
            _write(self._ready.popleft())


def _write(entry: Entry | Refusal) -> None:
    """One event as a line of the log; a fault in it costs the line alone."""
    try:
        if isinstance(entry, Refusal):
            log.info("request.refused", **_refusal_fields(entry))
        else:
            say = log.info if entry.error is None else log.warning
            say(entry.event, **_fields(entry))
    except Exception:
        log.exception("journal.faulted")


def _refusal_fields(refusal: Refusal) -> dict[str, Any]:
    return {
        "at": _moment(refusal.at),
        "client.address": refusal.address,
        "http.response.status_code": refusal.status,
        "error.type": refusal.code,
        "changeover.request_id": refusal.request_id,
    }


def _fields(entry: Entry) -> dict[str, Any]:
    decision, answer, error = entry.decision, entry.answer, entry.error
    fields: dict[str, Any] = {
        "at": _moment(entry.at),
        "http.request.method": entry.method,
        **_masked(entry),
        "http.route": entry.route.name if entry.route is not None else None,
        "http.request.body.size": entry.body_bytes,
        "client.address": entry.peer.node.text,
        "trace_id": entry.trace.trace_id,
        "span_id": entry.trace.span_id,
        "changeover.request_id": entry.request_id,
        "changeover.backend": decision.backend,
        "changeover.reason": decision.reason,
        "changeover.bucket": decision.bucket,
        "changeover.fell_back": entry.cause,
        "changeover.shadow": entry.shadow,
    }
    if answer is not None:
        fields["changeover.backend"] = answer.side
        fields["changeover.backend.duration_s"] = round(answer.elapsed_s, 6)
        fields["http.response.status_code"] = answer.status
        fields["http.response.body.size"] = answer.length
    if error is not None:
        fields |= {"changeover.backend": error.backend, "error.type": error.code}
        fields |= {"phase": error.phase, "cause": str(error)}
        fields.setdefault("http.response.status_code", error.status)
    return {name: value for name, value in fields.items() if value is not None}


def _masked(entry: Entry) -> dict[str, Any]:
    """What users wrote, masked: the target's path and query, and User-Agent."""
    masker = entry.current.masker
    path, _, query = masker.target(entry.target.decode("latin-1")).partition("?")
    agent = _USER_AGENT.search(entry.lines)
    named = masker.headers([("user-agent", agent[1].decode("latin-1"))])[0][1] if agent is not None else None
    return {"url.path": path, "url.query": query or None, "user_agent.original": named}


def _moment(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s, UTC).isoformat(timespec="milliseconds")
