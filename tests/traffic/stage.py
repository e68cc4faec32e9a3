"""A real worker in this process, between raw backends, with or without the control side of its link."""

from __future__ import annotations

import asyncio
import logging
import socket
import tempfile
from collections import Counter
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from structlog.testing import capture_logs

from proxy.app import worker_server
from proxy.core.evidence import Pair, decode_pair
from proxy.core.model import KeySource, ShadowRule, Timeouts, Users
from proxy.settings import Settings
from proxy.traffic.frames import Decoder, Kind, decode_json, decode_numbered, encode_json
from proxy.traffic.worker import Worker, http1_upstream, working
from tests.factories import make_backend, make_rollout, make_route
from tests.traffic.wire import Backend, Client, Reply, client, ok, request, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping

    from proxy.core.model import Rollout
    from proxy.traffic.serving import WorkerServer
    from tests.traffic.wire import Asked

ALL = 100_000
SHADOWED = ShadowRule(ALL, timeout_s=2.0)
WITH_WRITES = ShadowRule(ALL, writes=True, timeout_s=2.0)
NO_SHADOW = ShadowRule(0)
PATIENT = Timeouts(connect_s=30.0, read_s=30.0, write_s=30.0, pool_s=30.0)  # more than a busy machine stands still
QUICK = replace(PATIENT, read_s=0.3)  # for backends that don't answer
KEYED = Users("inkzee-2026", (KeySource("header", "x-user"),))


class Control:
    """Control's end of the link: keeps every byte and frame that comes up, acknowledges as `acks` says."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.acks = True
        self.received = bytearray()
        self.hellos: list[dict[str, Any]] = []
        self.tallies: list[dict[str, Any]] = []
        self.pairs: list[tuple[int, Pair]] = []
        self.writers: list[asyncio.StreamWriter] = []
        self.happened = asyncio.Event()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self.path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._accepted, str(self.path))

    async def stop(self) -> None:
        """Hangs up and listens no more: what a worker sees when control dies."""
        if self._server is not None:
            self._server.close()
        for writer in self.writers:
            writer.transport.abort()
        self.path.unlink(missing_ok=True)

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        decoder = Decoder()
        with suppress(ConnectionError):
            while data := await reader.read(1 << 16):
                self.received += data
                for kind, payload in decoder.feed(data):
                    self._take(kind, payload, writer)
                    self.happened.set()
        writer.close()

    def _take(self, kind: Kind, payload: bytes, writer: asyncio.StreamWriter) -> None:
        if kind == Kind.HELLO:
            self.hellos.append(decode_json(payload))
        elif kind == Kind.TALLY:
            self.tallies.append(decode_json(payload))
            if self.acks:
                writer.write(encode_json(Kind.TALLY_ACK, {"seq": self.tallies[-1]["seq"]}))
        elif kind == Kind.PAIR:
            number, encoded = decode_numbered(payload)
            self.pairs.append((number, decode_pair(encoded)))
            if self.acks:
                writer.write(encode_json(Kind.PAIR_ACK, {"numbers": [number]}))

    def send(self, kind: int, value: dict[str, Any]) -> None:
        self.writers[-1].write(encode_json(kind, value))

    async def wait(self, is_so: Callable[[], object]) -> None:
        """Until a frame has made `is_so` true."""
        while not is_so():
            self.happened.clear()
            await self.happened.wait()

    async def wait_pairs(self, number: int = 1) -> list[Pair]:
        await self.wait(lambda: len(self.pairs) >= number)
        return [pair for _, pair in self.pairs]

    @property
    def counts(self) -> Counter[str]:
        """Counters of all routes of all tallies."""
        total: Counter[str] = Counter()
        for tally in self.tallies:
            for counts in tally["routes"].values():
                total.update(counts)
        return total


@dataclass
class Stage:
    """What a scenario plays on."""

    worker: Worker
    port: int
    legacy: Backend
    new: Backend
    control: Control
    folder: Path
    logs: list[MutableMapping[str, Any]]
    server: WorkerServer
    taken: Counter[str] = field(default_factory=Counter)

    def begin_drain(self) -> None:
        """What SIGTERM does."""
        self.server.should_exit = True

    async def ask(self, method: str = "GET", target: str = "/", *fields: str, **options: Any) -> Reply:
        """One request on a connection of its own."""
        return await self.send(request(method, target, *fields, **options), method)

    async def send(self, data: bytes, method: str = "GET") -> Reply:
        async with client(self.port) as connected:
            await connected.send(data)
            return await connected.answer(method)

    def client(self) -> Any:
        return client(self.port)

    def connect(self) -> Awaitable[Client]:
        return Client.connect(self.port)

    async def settle_shadows(self) -> None:
        """Until no request, shadow or encoding is under way."""
        worker = self.worker
        await until(
            lambda: not (worker.handler.in_flight or len(worker.shadows) or len(worker.evidence) or len(worker.masking))
        )

    async def settle(self) -> Counter[str]:
        """The counters of all routes, once no request, shadow or encoding is under way."""
        worker = self.worker
        await self.settle_shadows()
        if self.control.acks:
            await until(lambda: not worker.link._unacked)
        return self.counts()

    def counts(self) -> Counter[str]:
        """The counters of all routes so far."""
        for counts in self.worker.tally.take()["routes"].values():
            self.taken.update(counts)
        return self.control.counts + self.taken

    async def check_nothing_lost(self) -> Counter[str]:
        """Law 5: every request that was decided is a match, a pair that went up, or a skip with its reason."""
        counts = await self.settle()
        requests = sum(number for name, number in counts.items() if name.startswith("decided."))
        skipped = sum(number for name, number in counts.items() if name.startswith("skipped."))
        sent = sum(pair.kind == "candidate" for _, pair in self.control.pairs)
        accounted = counts["match"] + sent - counts["skipped.link_lost"] + skipped  # a lost one is in `sent`, too
        assert requests == accounted, f"{requests} decided, {accounted} accounted for: {dict(counts)}"
        assert 0 == self.worker.shadows.bytes_kept
        return counts

    def events(self, name: str) -> list[MutableMapping[str, Any]]:
        self.worker.journal.flush()
        return [entry for entry in self.logs if entry["event"] == name]


class _Faults(logging.Handler):
    """What uvicorn and asyncio complain of through logging."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(self.format(record))


# Said by uvicorn whenever an answer is broken off on purpose.
_EXPECTED = "ASGI callable returned without completing response."


def make_stage_rollout(legacy_port: int, new_port: int, **changes: Any) -> Rollout:
    """One route for all, keyed by X-User. `percent` of users are on new; `shadow`, `fallback`, `compare` are its."""
    timeouts = changes.pop("timeouts", PATIENT)
    sides = {
        side: make_backend(
            side,
            port,
            timeouts=timeouts,
            connections=changes.get("connections", 256),
            health=changes.get("health") if side == "new" else None,
            breaker=changes.get("breaker") if side == "new" else None,
        )
        for side, port in (("legacy", legacy_port), ("new", new_port))
    }
    changes.pop("connections", None)
    changes.pop("health", None)
    changes.pop("breaker", None)
    fields = {name: changes.pop(name) for name in ("shadow", "fallback", "compare", "match") if name in changes}
    route = make_route("feeds", millipercent=int(changes.pop("percent", 0) * 1000), **fields)
    return make_rollout(*changes.pop("routes", (route,)), **({"users": KEYED} | sides | changes))


@asynccontextmanager
async def staged(
    legacy: bytes | Callable[[Asked], Awaitable[None]] | None = None,
    new: bytes | Callable[[Asked], Awaitable[None]] | None = None,
    *,
    is_linked: bool = False,
    settings: dict[str, Any] | None = None,
    has_faults: bool = False,
    new_port: int | None = None,
    legacy_port: int | None = None,
    make_upstream: Any = http1_upstream,
    listener: socket.socket | None = None,
    **rollout: Any,
) -> AsyncIterator[Stage]:
    """A worker between two backends; at the end nothing may have failed unseen (but where `has_faults`).

    It serves on `listener` where one is given (`Stage.port` is 0 for a Unix socket), else on a free port.
    """
    unhandled: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unhandled.append(context))
    faults = _Faults()
    logging.getLogger("uvicorn.error").addHandler(faults)
    sides = Backend(legacy if legacy is not None else ok()), Backend(new if new is not None else ok())
    with tempfile.TemporaryDirectory(prefix="stage-") as name, capture_logs() as logs:
        folder = Path(name)
        control = Control(folder / "link.sock")
        for side in sides:
            await side.start()
        if is_linked:
            await control.start()
        made = make_stage_rollout(legacy_port or sides[0].port, new_port or sides[1].port, **rollout)
        given: dict[str, Any] = {"state_dir": folder, "drain_s": 1.0, "gives_way": False} | (settings or {})
        try:
            async with _serving(Settings(**given), made, make_upstream, listener) as (worker, port, server):
                stage = Stage(worker, port, sides[0], sides[1], control, folder, logs, server)
                if is_linked:
                    await control.wait(lambda: control.hellos)
                yield stage
        finally:
            await control.stop()
            for side in sides:
                await side.stop()
            logging.getLogger("uvicorn.error").removeHandler(faults)
        assert [] == [fault for side in sides for fault in side.faults]
        if not has_faults:
            assert [] == unhandled
            assert [] == [message for message in faults.messages if message != _EXPECTED]
            assert [] == [entry for entry in logs if entry["event"].endswith((".faulted", "task.failed"))]


@asynccontextmanager
async def _serving(
    settings: Settings, rollout: Rollout, make_upstream: Any, listener: socket.socket | None
) -> AsyncIterator[tuple[Worker, int, WorkerServer]]:
    listener = listener or socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1] if listener.family == socket.AF_INET else 0
    async with working(settings, rollout, b"k" * 32, "worker-1", make_upstream) as worker:
        server = worker_server(worker, settings)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield worker, port, server
        finally:
            server.should_exit = True
            await serving
