"""Asking the other side the same, beside the user's request and never in its way.

1. Whatever happens here changes nothing of the served answer (law 1): no await, no shared connection, no exception.
2. Everything is bounded: pairs per route and in all, bytes kept, time. Full means: counted with its reason, not asked;
   so does a worker that is near the end of what it may do for users. A side that fails is asked less (`pace`).
3. Every request of a route ends as a pair that was handed on, or in `skipped.<reason>` (law 5); every noise run too,
   in `self_skipped.<reason>`.
4. After a shadowed write of a user, that user's later shadows wait until it has ended, so that the other side is
   asked in the order in which the user acted.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import structlog

from proxy.core.bucket import is_sampled
from proxy.core.model import NEW
from proxy.errors import UpstreamError
from proxy.traffic.pace import Pace
from proxy.traffic.pair import SAFE_METHODS, OpenPair
from proxy.traffic.upstream.exchange import Exchange

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.core.model import Route, Side
    from proxy.settings import Settings
    from proxy.traffic.call import Call
    from proxy.traffic.current import Current
    from proxy.traffic.deadlines import Deadlines
    from proxy.traffic.tally import Tally
    from proxy.traffic.tasks import Tasks
    from proxy.traffic.upstream import Upstream

log = structlog.get_logger(__name__)

_IN_VAIN = 3  # times more is taken for what was read of an answer that is too large: it cost a connection as well
_BURST_S = 0.25  # of reading that may be ahead of its time: shadows come in bursts as users do


class Shadows:
    """All shadows of a worker, and their bounds."""

    def __init__(
        self,
        settings: Settings,
        deadlines: Deadlines,
        tasks: Tasks,
        tally: Tally,
        finished: Callable[[OpenPair, OpenPair | None], None],
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
        self._bytes_per_s = settings.shadow_bytes_per_s
        self._read_until = 0.0
        self._masked_too_late: set[str] = set()  # routes
        # Told by the worker: whether users need what shadows take; whether the masking child has enough to do.
        self.is_pressed: Callable[[], bool] = bool
        self.is_masking_behind: Callable[[], bool] = bool
        self._open_by_route: dict[str, int] = {}
        self._paces: dict[tuple[str, Side], Pace] = {}
        self._open = 0
        self._lanes: dict[str, deque[tuple[OpenPair, bytes]]] = {}

    def __len__(self) -> int:
        return self._open

    def refusal(
        self, current: Current, route: Route, method: str, request_id: str, shadow_side: Side, *, is_new_healthy: bool
    ) -> str | None:
        """Why this request is not shadowed, or None if it is to be."""
        if current.rollout.is_killed:
            return "kill_switch"
        migration = current.rollout.migration
        if method not in SAFE_METHODS and not route.shadow.writes:
            return "method"
        if not is_sampled(migration.users.salt, "shadow", route.name, request_id, route.shadow.millipercent):
            return "not_sampled"
        if shadow_side == NEW and not is_new_healthy:
            return "unhealthy"
        return "shed" if self.is_pressed() else None

    def lacks(self, route: Route, shadow_side: Side) -> str | None:
        """Why this side can't be asked now: it fails, or as much is under way as may be. None if it is to be asked."""
        now = self._now()
        if self._is_full(route, now):
            return "shed"
        return self._pace(route, shadow_side).refusal(now)

    def _is_full(self, route: Route, now: float) -> bool:
        """Whether as much is under way as may be: in all, for this route, or of bytes in a second."""
        return (
            self._open >= self._max_in_all
            or self._open_by_route.get(route.name, 0) >= self._max_per_route
            or (self._read_until > 0 and self._read_until > now + _BURST_S)
            or (bool(self._masked_too_late) and self._waits_for_masking(route))
        )

    def _pace(self, route: Route, shadow_side: Side) -> Pace:
        pace = self._paces.get((route.name, shadow_side))
        if pace is None:
            pace = self._paces[route.name, shadow_side] = Pace(self._max_per_route)
        return pace

    def read(self, size: int) -> None:
        """Takes so many bytes, which a shadow has brought, from what may be read in a second.

        Reading takes the loop's time, which is the users': a backend that answers with gigabytes must not get it.
        """
        self._read_until = max(self._read_until, self._now()) + size / self._bytes_per_s

    def was_too_large(self, pair: OpenPair) -> None:
        """What is kept of the pair by now is more than can be compared."""
        self.read(_IN_VAIN * pair.bytes_kept)
        pair.pace.was_too_large(self._now())

    def was_masked_too_late(self, route: Route) -> None:
        """A pair was read for nothing, as the masking child had no room for it. The route waits until there is some."""
        self._masked_too_late.add(route.name)

    def _waits_for_masking(self, route: Route) -> bool:
        if not self.is_masking_behind():
            self._masked_too_late.clear()
        return route.name in self._masked_too_late

    def open(self, call: Call, route: Route) -> tuple[OpenPair, ...]:
        """The pair of this request, and a second one of legacy with itself if it is in the noise sample.

        Where new serves, both of legacy's answers are shadows, and the second pair gets its first one from the first.
        Those of one noise run are `finished` together.
        """
        made = OpenPair(self, call, route, "candidate")
        self._begin(made)
        if not route.compare.noise_millipercent or not self._is_noise_run(call, route):
            return (made,)
        again = OpenPair(self, call, route, "noise")
        made.belong_to(again)
        self._begin(again)
        return (made, again)

    def _is_noise_run(self, call: Call, route: Route) -> bool:
        if call.method not in SAFE_METHODS:
            return False
        salt = call.current.rollout.migration.users.salt
        if not is_sampled(salt, "noise", route.name, call.request_id, route.compare.noise_millipercent):
            return False
        if self._open >= self._max_in_all:
            call.tally.count("self_skipped.shed")
            return False
        return True

    def _begin(self, pair: OpenPair) -> None:
        name = pair.route.name
        pair.pace = self._pace(pair.route, pair.shadow_side)
        pair.pace.begin(self._now())
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
            pair.raw_method,
            pair.target,
            pair.shadow_lines,
            deadlines=self._deadlines,
            now=now,
            body=body,
            is_chunked=pair.head.is_chunked,
        )
        shadow.deadline = now + pair.route.shadow.timeout_s
        shadow.notify = pair.progress
        pair.shadow = shadow
        upstream = pair.current.shadows[pair.shadow_side]
        if not upstream.begin(shadow):
            self._tasks.spawn(self._open_upstream(upstream, pair, shadow))

    async def _open_upstream(self, upstream: Upstream, pair: OpenPair, shadow: Exchange) -> None:
        try:
            await upstream.open(shadow)
        except UpstreamError as error:
            shadow.failed(error, self._now())
        except Exception as error:  # law 1
            pair.fault(error)

    def ended(self, pair: OpenPair) -> None:
        """The shadow's exchange is over, one way or another: the next in its lane may go."""
        self._leave(pair)
        if not pair.is_write or pair.key is None:
            return
        waiting = self._lanes.pop(pair.key, None)
        while waiting:
            following, body = waiting.popleft()
            try:
                self._start(following, body)
            except Exception as error:  # law 1: the others of the lane go on
                following.fault(error)
            if following.key in self._lanes:  # it is a write: the rest waits for it
                self._lanes[following.key].extend(waiting)
                return

    def answered(self, pair: OpenPair, taken_s: float) -> None:
        """The shadow has brought a whole answer."""
        pair.pace.answered(taken_s, pair.bytes_kept)

    def failed(self, pair: OpenPair, began_at: float, reason: str) -> None:
        """The shadow side gave none, or none in time."""
        pair.pace.failed(began_at, self._now(), reason)

    def _leave(self, pair: OpenPair) -> None:
        pair.pace.leave()
        self.bytes_kept -= pair.request_bytes
        self._open -= 1
        self._open_by_route[pair.route.name] -= 1
