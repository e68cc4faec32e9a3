"""Whether a backend is well enough to serve: by active probes, and by the answers that users got (`core.breaker`).

1. Ill by either is ill; only new's illness decides anything: its users go to legacy, never the reverse.
2. Probes: ill after `unhealthy_after` bad ones in a row, well after `healthy_after` good ones. Unknown is well: a
   backend without a probe, or not probed yet, is judged by its answers only. Legacy is probed for the status page.
3. The breaker of new takes in what users of new got, each request once: `answered` or `failed`, or `left` where it
   ended without saying anything of the backend: its user left, or found all connections taken. Shadows don't count: a
   backend that only they ask has no users who need to be sent elsewhere, their own timeouts and limits make them fail
   more easily, and law 1 lets nothing of theirs reach a user. What was asked of the backend before it was configured as
   it is now doesn't count either.
4. While the breaker is half-open, `may_try` lets single requests of new's users through. Shadows are asked again then,
   too (`may_shadow`): after a rollback nobody is on new to close the breaker, and the evidence must not end with that.
"""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import httpx
import structlog

from proxy.certificates import UnusableFile
from proxy.core.breaker import Breaker, State
from proxy.core.model import LEGACY, NEW
from proxy.traffic.upstream.tls import backend_server_name, backend_socket_path, backend_ssl_context

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal

    from proxy.core.model import Backend, Route, Side, Timeouts
    from proxy.core.model import Health as ProbeRule

    Cause = Literal["probe", "breaker"]

log = structlog.get_logger(__name__)

FAILED_STATUSES = frozenset({502, 503, 504})  # a gateway's own words for "the backend did not answer"
IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"})  # RFC 9110 §9.2.2
_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})  # RFC 9110 §9.2.1
_USER_AGENT = "changeover-health"


class Probes:
    """What the probes of one backend have said so far."""

    __slots__ = ("_rule", "_streak", "is_good")

    def __init__(self, rule: ProbeRule | None) -> None:
        self._rule = rule
        self._streak = 0
        self.is_good = True

    def probed(self, *, is_good: bool) -> None:
        """Takes in one probe; a streak of them turns `is_good`."""
        if self._rule is None or is_good == self.is_good:
            self._streak = 0
            return
        self._streak += 1
        if self._streak >= (self._rule.healthy_after if is_good else self._rule.unhealthy_after):
            self.is_good, self._streak = is_good, 0


class Condition:
    """One backend as it is known from `now` on. `is_healthy` is the verdict of the last `judge`."""

    __slots__ = ("breaker", "is_healthy", "probes")

    def __init__(self, backend: Backend | None, now: float) -> None:
        self.probes = Probes(backend.health if backend is not None else None)
        self.breaker: Breaker | None = None
        if backend is not None and backend.breaker is not None:
            self.breaker = Breaker(backend.breaker, _longest_s(backend.timeouts), now)
        self.is_healthy = True

    def judge(self) -> bool:
        """Whether the verdict is another one now."""
        before = self.is_healthy
        self.is_healthy = self.probes.is_good and (self.breaker is None or self.breaker.is_closed)
        return before != self.is_healthy


def _longest_s(timeouts: Timeouts) -> float:
    """How long a request without a long body can be under way before its answer begins."""
    return timeouts.pool_s + timeouts.connect_s + timeouts.write_s + timeouts.read_s


class Health:
    """The health of both sides. `now` is the loop's clock; `jitter` gives a number from 0 to 1, by chance.

    `take` a backend before it is asked. `turned` counts how often each side's verdict has turned.
    """

    def __init__(self, now: Callable[[], float], jitter: Callable[[], float] = random.random) -> None:
        self._now = now
        self._jitter = jitter
        self._sides: dict[Side, Condition] = {LEGACY: Condition(None, now()), NEW: Condition(None, now())}
        self.turned: dict[Side, int] = {LEGACY: 0, NEW: 0}

    def take(self, backend: Backend) -> None:
        """A side is this backend from now on: what is known of its predecessor is void."""
        self._sides[backend.side] = Condition(backend, self._now())

    # --- asked for each request ---
    def is_healthy(self, side: Side) -> bool:
        return self._sides[side].is_healthy

    def may_try(self, side: Side, method: str, route: Route) -> bool:
        """Whether this request goes to a side that is ill, as a trial: True at most a few times at once.

        Asked only for requests that would go there if it were healthy, and followed by one of the outcomes.
        """
        condition = self._sides[side]
        if condition.breaker is None or not condition.probes.is_good:
            return False
        is_harmless = method in _SAFE or (route.fallback and method in IDEMPOTENT)
        return condition.breaker.may_try(self._now(), is_harmless=is_harmless)

    def may_shadow(self, side: Side) -> bool:
        """Whether shadows may ask a side: not while its probes are bad or its breaker is open."""
        return self._sides[side].probes.is_good and self.breaker_state(side) is not State.OPEN

    def breaker_state(self, side: Side) -> State:
        """Closed also where there is no breaker."""
        breaker = self._sides[side].breaker
        return State.CLOSED if breaker is None else breaker.state(self._now())

    # --- outcomes, on the loop's clock: when the request began, and now ---
    def answered(self, side: Side, status: int, began: float, now: float) -> None:
        """A user's request got an answer: its head, or all of it."""
        breaker = self._sides[side].breaker
        if breaker is not None:
            has_turned = breaker.failed(began, now) if status in FAILED_STATUSES else breaker.answered(began, now)
            if has_turned:
                self._breaker_turned(side, breaker, now)

    def failed(self, side: Side, began: float, now: float, *, was_answered: bool = False) -> None:
        """A user's request got no usable answer. `was_answered`: one whose head was told of broke off."""
        breaker = self._sides[side].breaker
        if breaker is not None and breaker.failed(began, now, was_answered=was_answered):
            self._breaker_turned(side, breaker, now)

    def left(self, side: Side, began: float) -> None:
        """A user's request ended before anything was known: the user left, or the backend wasn't asked."""
        breaker = self._sides[side].breaker
        if breaker is not None:
            breaker.left(began)

    def _breaker_turned(self, side: Side, breaker: Breaker, now: float) -> None:
        failures, requests = breaker.failed_of
        log.info(
            "breaker.turned",
            backend=side,
            state=breaker.state(now).name.lower(),
            cool_down_s=breaker.cool_down_s,
            failures=failures,
            requests=requests,
        )
        self._judge(side, self._sides[side], "breaker")

    def _judge(self, side: Side, condition: Condition, cause: Cause) -> None:
        if condition.judge():
            self.turned[side] += 1
            log.warning("backend.turned", backend=side, healthy=condition.is_healthy, cause=cause)

    # --- probes ---
    async def watch(self, backend: Backend) -> None:
        """Probes a backend that was taken, until it is cancelled; returns at once if it has no probe."""
        rule = backend.health
        if rule is None:
            return
        condition = self._sides[backend.side]
        prober = Prober(backend, rule)
        try:
            await asyncio.sleep(self._jitter() * rule.interval_s)  # all workers of all nodes begin at once otherwise
            while True:
                condition.probes.probed(is_good=await prober.probe())
                self._judge(backend.side, condition, "probe")
                await asyncio.sleep(rule.interval_s)
        finally:
            await prober.close()


class Prober:
    """Asks one backend how it is, as it is reached by users: over its TLS, by its Unix socket."""

    def __init__(self, backend: Backend, rule: ProbeRule) -> None:
        self._backend = backend
        self._rule = rule
        self._client: httpx.AsyncClient | None = None
        name = backend_server_name(backend)
        self._extensions = {"sni_hostname": name} if name is not None else {}

    async def probe(self) -> bool:
        """Whether a status below 500 comes within the timeout. The body is not read: it may be without end."""
        try:
            async with (
                asyncio.timeout(self._rule.timeout_s),
                self._open().stream("GET", self._rule.path, extensions=self._extensions) as answer,
            ):
                return answer.status_code < 500
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, UnusableFile):
            return False
        except Exception:  # a fault of ours must not end the probing, and with it every change of the verdict
            log.exception("probe.faulted", backend=self._backend.side)
            return False

    def _open(self) -> httpx.AsyncClient:
        """The client; made where it is needed, because files that can't be used now may be usable later."""
        if self._client is None:
            context = backend_ssl_context(self._backend)
            transport = httpx.AsyncHTTPTransport(
                verify=context if context is not None else False,
                uds=backend_socket_path(self._backend),
                trust_env=False,
            )
            self._client = httpx.AsyncClient(
                transport=transport,
                base_url=self._backend.base_url,
                headers={"user-agent": _USER_AGENT},
                timeout=self._rule.timeout_s,
                trust_env=False,
                follow_redirects=False,
            )
        return self._client

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()
