"""A worker: handler, shadows, upstreams, health and link wired together, and kept in step with the rollout."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, cast

import structlog

from proxy import config, logs
from proxy.core.forwarding import Forwarding
from proxy.core.model import LEGACY, NEW
from proxy.descriptors import descriptor_limit
from proxy.traffic.ask import Asker
from proxy.traffic.call import Reader
from proxy.traffic.current import make_current
from proxy.traffic.deadlines import Deadlines
from proxy.traffic.evidence import Evidence
from proxy.traffic.handler import Handler
from proxy.traffic.health import Health
from proxy.traffic.journal import Journal
from proxy.traffic.link import Link
from proxy.traffic.masking import Masking
from proxy.traffic.server import Limits
from proxy.traffic.shadow import Shadows
from proxy.traffic.tally import Tally
from proxy.traffic.tasks import Tasks
from proxy.traffic.turns import Turns
from proxy.traffic.upstream.http1 import REST_S, Http1Upstream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine
    from typing import Any

    from proxy.core.model import Backend, Rollout, Side
    from proxy.settings import Settings
    from proxy.traffic.upstream import Upstream

log = structlog.get_logger(__name__)

_LAST_WORDS_S = 1.0  # for the acknowledgement of the last counters; a comparison under way may take longer


def http1_upstream(backend: Backend, purpose: str, deadlines: Deadlines) -> Upstream:
    """The fast client; `purpose` ("served" or "shadow") has a pool of its own each."""
    return Http1Upstream(backend, deadlines, rest_s=REST_S if purpose == "shadow" else 0.0)


def _limits(settings: Settings) -> Limits:
    """As set; fewer connections where the system wouldn't give each user one and the backends as many."""
    most = descriptor_limit() // 2
    if most < settings.max_connections:
        log.warning("worker.few_descriptors", connections=most, wanted=settings.max_connections, raise_with="ulimit -n")
    return Limits(
        head_timeout_s=settings.head_timeout_s,
        body_timeout_s=settings.body_timeout_s,
        keep_alive_s=settings.keep_alive_s,
        send_timeout_s=settings.send_timeout_s,
        max_connections=min(settings.max_connections, most),
        max_body_bytes=settings.max_request_body_bytes,
    )


class Worker:
    """Everything one worker process does. Made by `working`; `handler` is its ASGI application."""

    def __init__(
        self,
        settings: Settings,
        rollout: Rollout,
        mask_key: bytes,
        tasks: Tasks,
        name: str,
        make_upstream: Callable[[Backend, str, Deadlines], Upstream] = http1_upstream,
    ) -> None:
        loop = asyncio.get_running_loop()
        self._settings = settings
        self._mask_key = mask_key
        self._tasks = tasks
        self._make_upstream = make_upstream
        self._retired: set[Upstream] = set()
        self._probes: dict[Side, tuple[Backend, asyncio.Task[None]]] = {}
        self._drained_at: float | None = None
        self.deadlines = Deadlines()
        self.tally = Tally()
        self.health = Health(loop.time)
        self.link = Link(
            settings.link_path,
            name,
            self.tally,
            settings.link_buffer_bytes,
            self.apply_document,
            self.gauges,
            lambda: self.evidence.take_versions(),  # made below, with this link  # noqa: PLW0108
        )
        self.masking = Masking(tasks, mask_key, settings.max_compared_bytes, loop.time, gives_way=settings.gives_way)
        self.evidence = Evidence(self.link, self.masking, settings.max_compared_bytes)
        self.shadows = Shadows(settings, self.deadlines, tasks, self.tally, self.evidence.take, loop.time)
        current = make_current(rollout, mask_key, self._upstream, None)
        self.reader = Reader(
            current,
            self.tally,
            self.shadows,
            self.health,
            Forwarding(settings.trusted),
            max_kept=settings.max_shadow_body_bytes,
            keeps_underscores=settings.underscore_headers == "keep",
            debug_token=settings.debug_token,
        )
        asker = Asker(self.deadlines, tasks, self.health, loop.time)
        self.journal = Journal(settings.request_log, loop)
        self.deadlines.on_sweep(self.journal.sweep)
        self.handler = Handler(
            self.reader,
            asker,
            tasks,
            self.journal,
            _limits(settings),
            Turns(settings.upload_bytes_per_s, settings.download_bytes_per_s, loop.time),
            max_in_flight=settings.max_in_flight,
        )
        self.shadows.is_pressed = self.handler.is_pressed
        self.shadows.is_masking_behind = self.masking.is_behind
        self._probe(rollout)

    def _upstream(self, backend: Backend, purpose: str) -> Upstream:
        return self._make_upstream(backend, purpose, self.deadlines)

    # --- the rollout ---
    def apply_document(self, document: dict[str, Any]) -> None:
        """A rollout as it comes down the link. Raises ConfigError and leaves all as it was."""
        self.apply(config.rollout_from_document(document))

    def apply(self, rollout: Rollout) -> None:
        """Puts a rollout in force, for requests that begin from now on."""
        before = self.reader.current
        after = make_current(rollout, self._mask_key, self._upstream, before)
        self.reader.current = after
        kept = {id(upstream) for upstream in (*after.served.values(), *after.shadows.values())}
        for upstream in (*before.served.values(), *before.shadows.values()):
            if id(upstream) not in kept:
                self._tasks.spawn(self._retire(upstream))
        self._probe(rollout)
        log.info("rollout.applied", version=rollout.version, digest=rollout.digest[:12])

    async def _retire(self, upstream: Upstream) -> None:
        """Closes a replaced backend's connections once the requests that began on them have had their time."""
        self._retired.add(upstream)
        await asyncio.sleep(upstream.backend.timeouts.read_s)
        self._retired.discard(upstream)
        await upstream.close()

    def _probe(self, rollout: Rollout) -> None:
        for side in (LEGACY, NEW):
            backend = rollout.migration.backend(side)
            running = self._probes.get(side)
            if running is not None:
                if running[0] == backend:
                    continue
                running[1].cancel()
            self.health.take(backend)
            self._probes[side] = (backend, self._tasks.spawn(self.health.watch(backend)))

    def spawn(self, work: Coroutine[Any, Any, None]) -> object:
        """Runs `work` beside everything else, until the worker ends."""
        return self._tasks.spawn(work)

    # --- figures and the end ---
    def gauges(self) -> dict[str, float]:
        """How the worker is now, for the status page and `/metrics`; what it refused and dropped since it started."""
        return {
            "connections": self.handler.connections,
            "handshakes": self.handler.handshakes,
            "in_flight": self.handler.in_flight,
            "tasks": len(self._tasks),
            "deadlines": len(self.deadlines),
            "shadows": len(self.shadows),
            "shadow_bytes": self.shadows.bytes_kept,
            "masking": len(self.masking),
            "legacy_healthy": float(self.health.is_healthy(LEGACY)),
            "new_healthy": float(self.health.is_healthy(NEW)),
            "new_breaker": float(self.health.breaker_state(NEW)),
            "new_turned": self.health.turned[NEW],
            "rollout_version": self.reader.current.rollout.version,
            "events_dropped": self.journal.dropped + logs.dropped(),
            **{f"refused.{status}": number for status, number in self.handler.refused.items()},
            **self._pool_gauges(),
        }

    def _pool_gauges(self) -> dict[str, float]:
        current = self.reader.current
        found: dict[str, float] = {}
        for purpose, pools in (("served", current.served), ("shadow", current.shadows)):
            for side, pool in pools.items():
                connections, idle = pool.connections
                found[f"{purpose}.{side}.connections"] = connections
                found[f"{purpose}.{side}.idle"] = idle
        return found

    def begin_drain(self) -> None:
        """From now on, or since the first call, `drain_s` runs: one bound for the users' requests and the shadows."""
        if self._drained_at is None:
            self._drained_at = asyncio.get_running_loop().time() + self._settings.drain_s

    async def drain_shadows(self) -> None:
        """Waits, at most for what is left of `drain_s`, for the shadows under way, then says the last counters."""
        self.begin_drain()
        loop = asyncio.get_running_loop()
        end = cast("float", self._drained_at)
        while (len(self.shadows) or len(self.evidence) or len(self.masking)) and loop.time() < end:  # noqa: ASYNC110  # once, at the end: no event for each shadow
            await asyncio.sleep(0.02)
        await self.link.finish(_LAST_WORDS_S)

    async def close_upstreams(self) -> None:
        current = self.reader.current
        for upstream in (*current.served.values(), *current.shadows.values(), *self._retired):
            await upstream.close()


@asynccontextmanager
async def working(
    settings: Settings,
    rollout: Rollout,
    mask_key: bytes,
    name: str,
    make_upstream: Callable[[Backend, str, Deadlines], Upstream] = http1_upstream,
) -> AsyncIterator[Worker]:
    """A worker that is linked (or trying to be) as long as the context lasts; stops in the order of rule: shadows
    drained, link closed, pools closed, tasks ended.
    """
    async with Tasks() as tasks:
        worker = Worker(settings, rollout, mask_key, tasks, name, make_upstream)
        worker.deadlines.start()
        tasks.spawn(worker.link.run())
        try:
            yield worker
        finally:
            await worker.drain_shadows()
            await worker.close_upstreams()
            await worker.masking.close()
            worker.deadlines.stop()
            worker.journal.flush()
