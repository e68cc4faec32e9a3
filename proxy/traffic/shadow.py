"""Asking the other side the same, beside the user's request and never in its way.

1. Whatever happens here changes nothing of the served answer (law 1): no await, no shared connection, no exception.
2. Everything is bounded: pairs per route and in all, bytes kept, time. Full means: counted with its reason, not asked.
3. Every request of a route ends as a pair that was handed on, or in `skipped.<reason>` (law 5).
4. After a shadowed write of a user, that user's later shadows wait until it has ended, so that the other side is
   asked in the order in which the user acted.
"""

from __future__ import annotations

import time
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Literal

import structlog

from proxy.core.bucket import is_sampled
from proxy.core.headers import SHADOW_LINE
from proxy.core.model import LEGACY, NEW
from proxy.errors import UpstreamError, UpstreamTimeout
from proxy.traffic.upstream.exchange import Exchange, unheard

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.core.headers import RawHeaders, RequestHead
    from proxy.core.model import Route, Side
    from proxy.settings import Settings
    from proxy.traffic.current import Current
    from proxy.traffic.deadlines import Deadlines
    from proxy.traffic.tally import RouteTally, Tally
    from proxy.traffic.tasks import Tasks
    from proxy.traffic.upstream import Upstream

log = structlog.get_logger(__name__)

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})  # RFC 9110 §9.2.1, without TRACE


class OpenPair:
    """One request whose two answers are being collected. `finished` is called once both are there."""

    # As in Exchange: what a pair begins with is the class's.
    bytes_kept = 0
    has_answer = False
    has_shadow_ended = False
    is_closed = False
    request_bytes = 0
    served_body: list[bytes]
    served_elapsed_s = 0.0
    served_headers: RawHeaders
    served_status = 0
    shadow: Exchange | None = None
    shadow_body: list[bytes]

    def __init__(
        self,
        shadows: Shadows,
        current: Current,
        route: Route,
        kind: Literal["candidate", "noise"],
        served_side: Side,
        method: str,
        target: bytes,
        head: RequestHead,
        request_headers: RawHeaders,
        key: str | None,
        tally: RouteTally,
    ) -> None:
        self.shadows = shadows
        self.current = current
        self.route = route
        self.kind: Literal["candidate", "noise"] = kind
        self.served_side: Side = served_side
        self.shadow_side: Side = LEGACY if kind == "noise" or served_side == NEW else NEW
        self.method = method
        self.target = target
        self.head = head
        self.request_headers = request_headers
        self.key = key
        self.tally = tally
        self.at = time.time()
        self.served_body = []
        self.shadow_body = []

    @property
    def is_write(self) -> bool:
        return self.method not in SAFE_METHODS

    # --- the user's side ---
    def keep(self, chunks: list[bytes]) -> None:
        """Keeps a copy of what the user is sent, within the bounds."""
        if self.is_closed:
            return
        self.served_body += chunks
        if not self._reserve(_size(chunks)):
            self.served_body = []

    def answered(self, exchange: Exchange) -> None:
        """The user got a whole answer."""
        self.served_status = exchange.status
        self.served_headers = exchange.headers
        self.served_elapsed_s = exchange.finished_at - exchange.started_at
        self.has_answer = True
        if self.shadow is not None:
            self.shadow.expected = exchange.raw
        self._settle()

    def lost(self, reason: str) -> None:
        """There will be nothing to compare."""
        if self.is_closed:
            return
        self._close()
        self.served_body = self.shadow_body = []
        self.skip(reason)
        if self.shadow is not None and not self.is_write and not self.has_shadow_ended:
            self.shadow.abandon()
            self._shadow_ended()

    def harmless(self, do: Callable[..., None], *arguments: object) -> None:
        """Law 1: whatever `do` raises ends this pair and nothing else."""
        try:
            do(*arguments)
        except Exception:  # whatever it is, the user's answer goes on
            log.exception("shadow.faulted")
            self.fault()

    def fault(self) -> None:
        """The pair is void because of a bug: counted, and nothing of it stays behind."""
        if not self.is_closed:
            self._close()
            self.skip("fault")
        self.served_body = self.shadow_body = []
        if not self.has_shadow_ended:
            if self.shadow is not None:
                self.shadow.abandon()
            self._shadow_ended()

    def skip(self, reason: str) -> None:
        if self.kind == "candidate":
            self.tally.count(f"skipped.{reason}")

    # --- the shadow side ---
    def progress(self) -> None:
        """Called by the shadow's exchange whenever something came in."""
        shadow = self.shadow
        if shadow is None or self.has_shadow_ended:
            return
        if shadow.error is not None:
            self._shadow_ended()
            self.lost(shadow_reason(shadow.error))
            return
        chunks = shadow.take()
        if not self.is_closed:
            self.shadow_body += chunks
            self._reserve(_size(chunks))
        if shadow.is_complete and not self.has_shadow_ended:
            self._shadow_ended()
            self.tally.answered(self.shadow_side, shadow.finished_at - shadow.started_at)
            self._settle()

    def _reserve(self, size: int) -> bool:
        self.bytes_kept += size
        self.shadows.bytes_kept += size
        if self.bytes_kept > self.shadows.max_pair_bytes:
            self.lost("too_large")
        elif self.shadows.bytes_kept > self.shadows.max_bytes:
            self.lost("shed")
        return not self.is_closed

    def _shadow_ended(self) -> None:
        self.has_shadow_ended = True
        if self.shadow is not None:
            self.shadow.notify = unheard
        self.shadows.ended(self)

    def _settle(self) -> None:
        if self.has_answer and self.has_shadow_ended and not self.is_closed:
            self._close()
            self.shadows.finished(self)

    def _close(self) -> None:
        self.is_closed = True
        self.shadows.bytes_kept -= self.bytes_kept


def _size(chunks: list[bytes]) -> int:
    return len(chunks[0]) if len(chunks) == 1 else sum(map(len, chunks))


def shadow_reason(error: UpstreamError) -> str:
    """The reason under which a failed shadow is counted."""
    return "shadow_failed.timeout" if isinstance(error, UpstreamTimeout) else f"shadow_failed.{error.phase}"


class Shadows:
    """All shadows of a worker, and their bounds."""

    def __init__(
        self,
        settings: Settings,
        deadlines: Deadlines,
        tasks: Tasks,
        tally: Tally,
        finished: Callable[[OpenPair], None],
        now: Callable[[], float],
    ) -> None:
        self.max_bytes = settings.shadow_total_bytes
        self.max_pair_bytes = 2 * settings.max_compared_bytes
        self.bytes_kept = 0
        self.finished = finished
        self._max_per_route = settings.shadow_concurrency
        self._max_in_all = settings.shadow_total_concurrency
        self._deadlines = deadlines
        self._tasks = tasks
        self._tally = tally
        self._now = now
        self._open_by_route: dict[str, int] = {}
        self._open = 0
        self._lanes: dict[str, deque[tuple[OpenPair, bytes]]] = {}

    def __len__(self) -> int:
        return self._open

    def refusal(
        self, current: Current, route: Route, method: str, request_id: str, shadow_side: Side, *, is_new_healthy: bool
    ) -> str | None:
        """Why this request is not shadowed, or None if it is to be."""
        migration = current.rollout.migration
        if migration.kill_switch:
            return "kill_switch"
        if method not in SAFE_METHODS and not route.shadow.writes:
            return "method"
        if not is_sampled(migration.users.salt, "shadow", route.name, request_id, route.shadow.millipercent):
            return "not_sampled"
        if shadow_side == NEW and not is_new_healthy:
            return "unhealthy"
        return "shed" if self.is_full(route) else None

    def is_full(self, route: Route) -> bool:
        """Whether as many shadows are under way as may be, in all or for this route."""
        return self._open >= self._max_in_all or self._open_by_route.get(route.name, 0) >= self._max_per_route

    def open(
        self,
        current: Current,
        route: Route,
        served_side: Side,
        method: str,
        target: bytes,
        head: RequestHead,
        request_headers: RawHeaders,
        key: str | None,
        tally: RouteTally,
    ) -> tuple[OpenPair, ...]:
        """The pair of this request, and a second one of legacy with itself if it is in the noise sample."""
        made = OpenPair(
            self, current, route, "candidate", served_side, method, target, head, request_headers, key, tally
        )
        self._begin(made)
        if not self._is_noise_run(current, route, served_side, method, head.request_id):
            return (made,)
        again = OpenPair(self, current, route, "noise", served_side, method, target, head, request_headers, key, tally)
        self._begin(again)
        return (made, again)

    def _is_noise_run(self, current: Current, route: Route, served_side: Side, method: str, request_id: str) -> bool:
        share = route.compare.noise_millipercent
        if not share or served_side != LEGACY or method not in SAFE_METHODS or self._open >= self._max_in_all:
            return False
        return is_sampled(current.rollout.migration.users.salt, "noise", route.name, request_id, share)

    def _begin(self, pair: OpenPair) -> None:
        name = pair.route.name
        self._open += 1
        self._open_by_route[name] = self._open_by_route.get(name, 0) + 1

    def launch(self, pair: OpenPair, body: bytes) -> None:
        """Asks the shadow side now, or after the user's write that is still under way there (rule 4)."""
        if body and not self._reserve_request(pair, len(body)):
            return
        lane = self._lanes.get(pair.key) if pair.key is not None else None
        if lane is not None:
            lane.append((pair, body))
        else:
            self._start(pair, body)

    def _reserve_request(self, pair: OpenPair, size: int) -> bool:
        """Takes `size` bytes of the budget until the shadow has ended; False if they aren't there: shed."""
        if self.bytes_kept + size > self.max_bytes:
            pair.has_shadow_ended = True
            self._leave(pair)
            pair.lost("shed")
            return False
        pair.request_bytes = size
        self.bytes_kept += size
        return True

    def _start(self, pair: OpenPair, body: bytes) -> None:
        if pair.is_closed and not pair.is_write:  # lost while it waited
            pair.has_shadow_ended = True
            self._leave(pair)
            return
        if pair.is_write and pair.key is not None:
            self._lanes.setdefault(pair.key, deque())
        now = self._now()
        shadow = Exchange(
            pair.shadow_side,
            pair.method.encode("latin-1"),
            pair.target,
            pair.head.lines + SHADOW_LINE,
            deadlines=self._deadlines,
            now=now,
            body=body,
            is_chunked=pair.head.is_chunked,
        )
        shadow.deadline = now + pair.route.shadow.timeout_s
        shadow.notify = partial(pair.harmless, pair.progress)
        pair.shadow = shadow
        upstream = pair.current.shadows[pair.shadow_side]
        if not upstream.begin(shadow):
            self._tasks.spawn(self._open_upstream(upstream, pair, shadow))

    async def _open_upstream(self, upstream: Upstream, pair: OpenPair, shadow: Exchange) -> None:
        try:
            await upstream.open(shadow)
        except UpstreamError as error:
            shadow.failed(error, self._now())
        except Exception:  # law 1
            log.exception("shadow.faulted")
            pair.fault()

    def ended(self, pair: OpenPair) -> None:
        """The shadow's exchange is over, one way or another: the next in its lane may go."""
        self._leave(pair)
        if not pair.is_write or pair.key is None:
            return
        waiting = self._lanes.pop(pair.key, None)
        while waiting:
            following, body = waiting.popleft()
            following.harmless(self._start, following, body)
            if following.key in self._lanes:  # it is a write: the rest waits for it
                self._lanes[following.key].extend(waiting)
                return

    def _leave(self, pair: OpenPair) -> None:
        self.bytes_kept -= pair.request_bytes
        self._open -= 1
        self._open_by_route[pair.route.name] -= 1
