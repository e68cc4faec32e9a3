"""One request of a user, understood: who it is from, which route and side it belongs to, and whether it is shadowed."""

from __future__ import annotations

import itertools
import secrets
from typing import TYPE_CHECKING, Any

import structlog

from proxy.core.decide import decide, find_key
from proxy.core.headers import read_request
from proxy.core.model import LEGACY, NEW
from proxy.errors import RequestRefused
from proxy.traffic.body import Upload
from proxy.traffic.tally import UNROUTED
from proxy.traffic.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from proxy.core.decide import Decision
    from proxy.core.headers import RequestHead
    from proxy.core.model import Route
    from proxy.traffic.current import Current
    from proxy.traffic.health import Health
    from proxy.traffic.shadow import Shadows
    from proxy.traffic.tally import RouteTally, Tally

    Scope = MutableMapping[str, Any]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
    Receive = Callable[[], Awaitable[Any]]

log = structlog.get_logger(__name__)

_VERSIONS = frozenset({"1.1", "1.0"})


class Call:
    """One request under way: what every step of its handling needs to know. `issued_key` is a new user's, or None."""

    __slots__ = (
        "current",
        "decision",
        "head",
        "issued_key",
        "key",
        "method",
        "receive",
        "route",
        "scope",
        "send",
        "tally",
        "target",
        "upload",
        "watch",
    )

    scope: Scope
    receive: Receive
    send: Send
    current: Current
    method: str
    target: bytes
    head: RequestHead
    key: str | None
    issued_key: str | None
    route: Route | None
    decision: Decision
    tally: RouteTally
    upload: Upload
    watch: Watch


class Reader:
    """Reads calls. `current` is replaced whole when a new rollout comes."""

    def __init__(self, current: Current, tally: Tally, shadows: Shadows, health: Health, max_kept: int) -> None:
        self.current = current
        self._tally = tally
        self._shadows = shadows
        self._health = health
        self._max_kept = max_kept
        self._prefix = secrets.token_hex(6)
        self._numbers = itertools.count()

    def new_request_id(self) -> str:
        """An id that no other request of any worker has, without asking the system for chance each time."""
        return f"{self._prefix}-{next(self._numbers):x}"

    def read(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> Call:
        """The call, counted as decided. Raises RequestRefused."""
        version = scope["http_version"]
        if version not in _VERSIONS:  # 0.9, which has no header fields, and what no HTTP/1 parser should have let pass
            raise RequestRefused(505 if version >= "2" else 400, f"HTTP/{version} is not served here; use HTTP/1.1")
        call = Call()
        call.scope, call.receive, call.send = scope, receive, send
        call.current = current = self.current
        call.method = scope["method"]
        call.target = target_of(scope)
        client = scope["client"]
        call.head = head = read_request(
            scope["headers"],
            current.wanted,
            client=client[0] if client else None,
            scheme=scope["scheme"],
            new_request_id=request_id,
        )
        if head.host is None and version == "1.1":
            raise RequestRefused(400, "the request has no Host field (RFC 9112 §3.2)")
        call.route = current.table.find(call.method, scope["path"], head.host)
        call.upload = Upload(receive, self._max_kept, has_body=head.has_body)
        self._decide(call)
        return call

    def _decide(self, call: Call) -> None:
        current, route, header = call.current, call.route, call.head.values.get
        users = current.rollout.migration.users
        call.key = find_key(users, header)
        call.issued_key = None
        if call.key is None and users.without_key == "cookie" and route is not None:
            call.key = call.issued_key = secrets.token_urlsafe(16)
        is_new_healthy = self._health.is_healthy(NEW)
        call.decision = decision = decide(current.rollout, route, call.key, header, is_new_healthy=is_new_healthy)
        call.tally = tally = self._tally.route(route.name if route is not None else UNROUTED)
        tally.count(f"decided.{decision.reason}")
        if decision.hashed is not None:
            tally.seen(decision.backend, decision.hashed)
        call.watch = self._watch(call, is_new_healthy=is_new_healthy)

    def _watch(self, call: Call, *, is_new_healthy: bool) -> Watch:
        if call.route is None:
            return Watch(None, self._shadows, "no_route", call.tally)
        try:
            reason = self._shadows.refusal(
                call.current,
                call.route,
                call.method,
                call.head.request_id,
                LEGACY if call.decision.backend == NEW else NEW,
                is_new_healthy=is_new_healthy,
            )
        except Exception:  # law 1
            log.exception("shadow.faulted")
            reason = "fault"
        return Watch(call if reason is None else None, self._shadows, reason, call.tally)


def target_of(scope: Scope) -> bytes:
    """The request target as the user sent it; rebuilt from path and query where the server doesn't keep it."""
    target: bytes | None = scope.get("target")
    if target is None:
        query = scope["query_string"]
        target = scope["raw_path"] + (b"?" + query if query else b"")
    return target
