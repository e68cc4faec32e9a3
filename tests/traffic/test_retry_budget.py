"""The retry budget in a worker: stale connections are asked again within bounds, fallbacks always."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.core import budget
from tests.traffic.stage import NO_SHADOW, Stage, staged
from tests.traffic.wire import ok, run, stale


@pytest.fixture
def one_retry(monkeypatch: pytest.MonkeyPatch) -> None:
    """A budget of a single retry."""
    monkeypatch.setattr(budget, "RESERVE", 1)
    monkeypatch.setattr(budget, "SHARE_PERCENT", 0)


async def statuses(stage: Stage, number: int) -> list[int]:
    return [(await stage.ask(target=f"/{each}")).status for each in range(number)]


@pytest.mark.usefixtures("one_retry")
@pytest.mark.parametrize("side", ["legacy", "new"])
def test_budget_that_is_spent_leaves_the_failure_as_it_is(side: Any) -> None:
    """The first stale connection is mended by a retry, the second one is the user's 502, and is counted."""

    async def scenario() -> None:
        sides: dict[str, Any] = {side: stale(ok(b"answer"))}
        async with staged(**sides, percent=100 if side == "new" else 0, shadow=NO_SHADOW) as stage:
            assert [200, 200, 502] == await statuses(stage, 3)
            counts = await stage.check_nothing_lost()
            assert (1, 1) == (counts[f"retried.{side}"], counts[f"retry.budget_spent.{side}"])

    run(scenario())


@pytest.mark.usefixtures("one_retry")
def test_budget_that_is_spent_refuses_no_fallback() -> None:
    """Users of new whose retry is refused get legacy's answer, every one of them."""

    async def scenario() -> None:
        async with staged(ok(b"legacy"), stale(ok(b"new")), percent=100, fallback=True, shadow=NO_SHADOW) as stage:
            assert [200] * 20 == await statuses(stage, 20)
            counts = await stage.check_nothing_lost()
            assert (1, 0) == (counts["retried.new"], counts["failed.new"])
            assert counts["fallback"] == counts["retry.budget_spent.new"] > 0

    run(scenario())


@pytest.mark.usefixtures("one_retry")
def test_budget_of_one_side_is_not_spent_by_the_other() -> None:
    """New's stale connections take nothing from legacy."""

    async def scenario() -> None:
        stales: dict[str, Any] = {"legacy": stale(ok(b"legacy")), "new": stale(ok(b"new"))}
        async with staged(**stales, percent=50, shadow=NO_SHADOW) as stage:
            for number in range(40):
                await stage.ask(user=f"u{number}")
            counts = await stage.check_nothing_lost()
            assert (1, 1) == (counts["retried.legacy"], counts["retried.new"])

    run(scenario())


def test_budget_bears_the_restart_of_a_backend() -> None:
    """A hundred stale connections in a row cost no user an answer."""

    async def scenario() -> None:
        async with staged(stale(ok(b"legacy")), shadow=NO_SHADOW) as stage:
            assert [200] * 100 == await statuses(stage, 100)

    run(scenario())
