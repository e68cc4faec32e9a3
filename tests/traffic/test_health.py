"""Health: an ill new backend serves nobody until it is well again."""

from __future__ import annotations

from typing import Any

from proxy.core.model import Health
from proxy.traffic.health import SideHealth
from tests.traffic.stage import SHADOWED, Stage, staged
from tests.traffic.wire import hang, ok, run, until

PROBED = Health("/healthz", interval_s=0.05)


class Patient:
    """A new backend whose probes are answered as `probe` says."""

    def __init__(self) -> None:
        self.probe: Any = ok(b"well")

    async def __call__(self, asked: Any) -> None:
        manner = self.probe if asked.target == "/healthz" else ok(b"new")
        await (asked.write(manner) if isinstance(manner, bytes) else manner(asked))


def is_well(stage: Stage) -> bool:
    return stage.worker.health.is_healthy("new")


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
            assert [False, True] == [entry["healthy"] for entry in stage.events("backend.turned")]

    run(scenario())


def test_health_of_a_silent_backend_is_bad() -> None:
    """A probe that gets no answer counts as a bad one."""
    patient = Patient()

    async def scenario() -> None:
        async with staged(ok(b"legacy"), patient, percent=100, health=PROBED) as stage:
            patient.probe = hang
            await until(lambda: not is_well(stage))
            assert b"legacy" == (await stage.ask()).body

    run(scenario())


def test_health_without_a_probe_is_taken_for_granted() -> None:
    """No `health` path: new is judged by its answers only."""

    async def scenario() -> None:
        async with staged(ok(b"legacy"), ok(b"new"), percent=100) as stage:
            assert b"new" == (await stage.ask()).body
            assert ["GET /"] == stage.new.requests

    run(scenario())


def test_health_needs_two_probes_in_a_row_to_turn() -> None:
    """One lost packet is no illness, one good answer no recovery."""
    health = SideHealth()
    turned = [health.probed(is_good=good) for good in (False, True, False, False, True, False, True, True)]
    assert [False, False, False, True, False, False, False, True] == turned
