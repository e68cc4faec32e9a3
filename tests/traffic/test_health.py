"""Health by active probes: an ill new backend serves nobody until it is well again."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from proxy.core.breaker import State
from proxy.core.model import BackendTls, BreakerRule, Health, Timeouts
from proxy.traffic import health as health_module
from proxy.traffic.health import Prober, Probes
from tests.certificates import Authority, server_context
from tests.factories import make_backend
from tests.traffic.stage import SHADOWED, Stage, staged
from tests.traffic.wire import backend, chunked, free_port, hang, ok, read_head, reset, run, then_close, until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.traffic.wire import Asked

PROBED = Health("/healthz", interval_s=0.05, timeout_s=0.1)
ONCE = Health("/healthz", interval_s=3600.0, timeout_s=0.1)


class Patient:
    """A new backend whose probes are answered as `probe` says."""

    def __init__(self) -> None:
        self.probe: Any = ok(b"well")

    async def __call__(self, asked: Any) -> None:
        manner = self.probe if asked.target == "/healthz" else ok(b"new")
        await (asked.write(manner) if isinstance(manner, bytes) else manner(asked))


def is_well(stage: Stage) -> bool:
    return stage.worker.health.is_healthy("new")


async def probe(port: int, rule: Health = ONCE, **fields: Any) -> bool:
    """What one probe says of a backend."""
    prober = Prober(make_backend("new", port, health=rule, **fields), rule)
    try:
        return await prober.probe()
    finally:
        await prober.close()


def test_health_turns_users_to_legacy_and_back() -> None:
    """After two bad probes users of new are served by legacy, for the reason unhealthy; after two good ones by new."""
    patient = Patient()

    async def scenario() -> None:
        async with staged(ok(b"legacy"), patient, percent=100, shadow=SHADOWED, health=PROBED) as stage:
            assert b"new" == (await stage.ask()).body
            patient.probe = ok(status="500 Ill")
            await until(lambda: not is_well(stage))
            assert b"legacy" == (await stage.ask()).body
            patient.probe = ok(status="404 Not Found")
            await until(lambda: is_well(stage))
            assert b"new" == (await stage.ask()).body
            counts = await stage.check_nothing_lost()
            assert (2, 1) == (counts["decided.bucket"], counts["decided.unhealthy"])
            assert 1 == counts["skipped.unhealthy"]
            turned = [(entry["healthy"], entry["cause"]) for entry in stage.events("backend.turned")]
            assert [(False, "probe"), (True, "probe")] == turned
            gauges = stage.worker.gauges()
            assert (1.0, 2, 0.0) == (gauges["new_healthy"], gauges["new_turned"], gauges["new_breaker"])

    run(scenario())


def test_health_by_probes_and_by_answers_must_both_be_good() -> None:
    """While its probes are bad, a backend is not even tried, nor shadowed, when its breaker has cooled down."""
    patient = Patient()

    async def scenario() -> None:
        rule = BreakerRule(min_requests=1, cool_down_s=0.001)
        options: dict[str, Any] = {"percent": 100, "shadow": SHADOWED, "health": PROBED, "breaker": rule}
        async with staged(ok(b"legacy"), patient, **options) as stage:
            health = stage.worker.health
            patient.probe = ok(status="500 Ill")
            await until(lambda: not is_well(stage))
            now = asyncio.get_running_loop().time()
            health.failed("new", now, now)
            await until(lambda: health.breaker_state("new") is State.HALF_OPEN)
            assert b"legacy" == (await stage.ask()).body
            assert not health.may_shadow("new")
            patient.probe = ok()
            await until(lambda: health.may_shadow("new"))
            assert not is_well(stage)
            assert b"new" == (await stage.ask()).body
            turned = [(entry["healthy"], entry["cause"]) for entry in stage.events("backend.turned")]
            assert [(False, "probe")] == turned

    run(scenario())


def test_health_without_a_probe_is_taken_for_granted() -> None:
    """No `health` path: new is judged by its answers only."""

    async def scenario() -> None:
        async with staged(ok(b"legacy"), ok(b"new"), percent=100) as stage:
            assert b"new" == (await stage.ask()).body
            assert ["GET /"] == stage.new.requests

    run(scenario())


def test_health_of_legacy_decides_nothing() -> None:
    """Legacy is probed by nobody here, and whatever its probes said, its users stay on it."""

    async def scenario() -> None:
        async with staged(ok(b"legacy"), ok(b"new"), percent=0) as stage:
            stage.worker.health._sides["legacy"].is_healthy = False
            assert b"legacy" == (await stage.ask()).body
            assert (await stage.settle())["decided.bucket"] == 1

    run(scenario())


# --- streaks ---
def test_probes_need_two_in_a_row_to_turn() -> None:
    """One lost packet is no illness, one good answer no recovery."""
    probes, said = Probes(PROBED), []
    for is_good in (False, True, False, False, True, False, True, True):
        probes.probed(is_good=is_good)
        said.append(probes.is_good)
    assert [True, True, True, False, False, False, False, True] == said


def test_probes_turn_after_as_many_as_configured() -> None:
    """Three bad ones make ill, a single good one well."""
    probes, said = Probes(Health("/", healthy_after=1, unhealthy_after=3)), []
    for is_good in (False, False, True, False, False, False, True):
        probes.probed(is_good=is_good)
        said.append(probes.is_good)
    assert [True, True, True, True, True, False, True] == said


def test_probes_of_a_backend_that_has_none_say_nothing() -> None:
    """What nobody asked for turns nothing."""
    probes = Probes(None)
    for _ in range(5):
        probes.probed(is_good=False)
    assert probes.is_good


# --- one probe ---
@pytest.mark.parametrize(
    ("status", "is_good"),
    [("200 OK", True), ("302 Found", True), ("404 Not Found", True), ("499 Odd", True), ("500 Ill", False),
     ("503 Service Unavailable", False)],
)  # fmt: skip
def test_probe_is_good_below_500(status: str, is_good: bool) -> None:
    """Also a 404 is an answer of a backend that lives; redirects are not followed."""

    async def scenario() -> None:
        async with backend(ok(b"", "location: /elsewhere", status=status)) as asked:
            assert is_good is await probe(asked.port)
            assert ["GET /healthz"] == asked.requests
            assert "changeover-health" == asked.asked[0].head.get("user-agent")

    run(scenario())


async def drip_head(asked: Asked) -> None:
    """A byte now and then, for ever: no phase of it takes long."""
    with contextlib.suppress(ConnectionError):
        while True:
            await asked.write(b"H")
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("behave", [hang, reset, then_close(b""), then_close(b"SSH-2.0-x\r\n\r\n"), drip_head])
def test_probe_without_an_answer_is_bad(behave: Any) -> None:
    """Silence, a reset, an end, garbage, and a head that takes longer than the timeout in all."""

    async def scenario() -> None:
        async with backend(behave) as asked:
            assert not await probe(asked.port)
        assert not await probe(free_port())

    run(scenario())


def test_probe_does_not_wait_for_the_body() -> None:
    """A body without end neither takes time nor memory."""

    async def behave(asked: Asked) -> None:
        with contextlib.suppress(ConnectionError):
            await asked.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
            while True:
                await asked.write(chunked(b"x" * 100_000))
        asked.left.set()

    async def scenario() -> None:
        async with backend(behave) as asked:
            assert await probe(asked.port)
            await (await asked.wait_asked()).left.wait()

    run(scenario())


def test_probe_of_a_host_that_is_none_is_bad() -> None:
    """A name that can't be looked up is the backend's fault, whatever the libraries raise for it."""

    async def scenario() -> None:
        assert not await probe(80, host="a..b")

    run(scenario())


def test_probe_goes_on_after_a_fault_of_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """What should never be raised is logged, and counts as a bad probe."""

    def fault(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(health_module, "backend_ssl_context", fault)

    async def scenario() -> None:
        with capture_logs() as logs:
            assert not await probe(80)
        assert ["probe.faulted"] == [entry["event"] for entry in logs]

    run(scenario())


def test_probe_goes_over_the_backends_unix_socket(tmp_path: Path) -> None:
    """A backend that listens on a path is probed there."""

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(ok())
        writer.close()

    async def scenario() -> None:
        path = str(tmp_path / "app.sock")
        async with await asyncio.start_unix_server(converse, path):
            assert await probe(80, host="localhost", socket_path=path)
        assert not await probe(80, host="localhost", socket_path=str(tmp_path / "none.sock"))

    run(scenario())


def test_probe_goes_over_the_backends_tls(tmp_path: Path) -> None:
    """With its authority and its name the probe is good; without either, or with a file that is missing, it is bad."""
    authority = Authority(tmp_path)

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await read_head(reader)
            writer.write(ok())
        writer.close()

    async def scenario() -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        context = server_context(authority.issue("app.internal"))
        rule = Health("/", timeout_s=5.0)
        ca = str(authority.file)
        async with await asyncio.start_server(converse, sock=listener, ssl=context):
            for tls, is_good in (
                (BackendTls(ca=ca, server_name="app.internal"), True),
                (BackendTls(ca=ca), False),
                (BackendTls(server_name="app.internal"), False),
                (BackendTls(ca=str(tmp_path / "none.pem")), False),
            ):
                prober = Prober(make_tls_backend(port, tls), rule)
                assert is_good is await prober.probe()
                await prober.close()

    def make_tls_backend(port: int, tls: BackendTls) -> Any:
        return make_backend("new", port, scheme="https", tls=tls, timeouts=Timeouts())

    run(scenario())


# --- watching ---
def test_probes_of_many_workers_begin_at_different_times() -> None:
    """The first probe comes after a part of the interval that chance decides."""

    async def scenario() -> None:
        async with backend(ok()) as early, backend(ok()) as late:
            tasks = []
            for asked, jitter in ((early, lambda: 0.0), (late, lambda: 1.0)):
                health = health_module.Health(asyncio.get_running_loop().time, jitter)
                made = make_backend("new", asked.port, health=ONCE)
                health.take(made)
                tasks.append(asyncio.create_task(health.watch(made)))
            await early.wait_asked()
            assert [] == late.asked
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    run(scenario())
