"""The kill switch by hand: everything to legacy on all nodes, without the file; off by hand as well."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from proxy.core.decide import decide
from proxy.core.model import EVERY_ROUTE, Hold
from proxy.errors import NotFound, Refused, StoreError
from tests.control.nodes import CONFIG, make_settings, running
from tests.factories import make_rollout, make_route

if TYPE_CHECKING:
    from pathlib import Path

    from proxy.settings import Settings

WHY = {"reason": "errors", "who": "ada"}
KILL = Hold(EVERY_ROUTE, 0, "ada", "errors", 1.0)


def no_header(_: str) -> None:
    return None


def test_nobody_is_on_new_while_it_is_on() -> None:
    """Whatever the percentage is; when it is off, everybody is back where they were."""
    route = make_route(millipercent=100_000)
    killed, before = (make_rollout(route, holds=holds) for holds in ((KILL,), ()))
    sides = [decide(rollout, route, "ada", no_header, is_new_healthy=True) for rollout in (killed, before)]
    assert [("legacy", "kill_switch"), ("new", "bucket")] == [(each.backend, each.reason) for each in sides]
    assert (True, 100_000) == (killed.is_killed, killed.effective[route.name])


def test_it_is_in_force_at_once_and_ends_by_hand(tmp_path: Path) -> None:
    """Status, routes and audit say so, who and why; the file stays as it is."""

    async def scenario() -> None:
        settings = make_settings(tmp_path)
        async with running(settings) as control:
            assert {"on": False, "by_file": False, "by_hand": None} == await control.kill_switch()
            state = await control.put_kill_switch(**WHY)
            assert (True, "ada", "errors") == (state["on"], state["by_hand"]["who"], state["by_hand"]["reason"])
            status = await control.status()
            assert (True, state["by_hand"]) == (status["kill_switch"], status["killed_by"])
            route = (await control.routes())[0]
            assert (0.0, "off", None) == (route["effective_percentage"], route["stage"], route["hold"])
            assert CONFIG == settings.config.read_text()
            assert False is (await control.delete_kill_switch("well again", "ada"))["on"]
            assert (await control.routes())[0]["effective_percentage"] > 0
            lines = await control.audit(9, EVERY_ROUTE)
            assert [("kill_switch.off", "well again"), ("kill_switch.on", "errors")] == [
                (line["action"], line["reason"]) for line in lines
            ]
            with pytest.raises(NotFound, match="it is off"):
                await control.delete_kill_switch("again", "ada")

    asyncio.run(scenario())


def test_it_reaches_the_other_nodes(tmp_path: Path) -> None:
    """Two nodes on one store."""

    async def scenario() -> None:
        one, other = (node(tmp_path, name) for name in ("a", "b"))
        async with running(one) as here, running(other) as there:
            await here.put_kill_switch(**WHY)
            await until_on(there, is_on=True)
            await there.delete_kill_switch("well", "ole")
            await until_on(here, is_on=False)

    asyncio.run(scenario())


def node(folder: Path, name: str) -> Settings:
    (folder / name).mkdir()
    return make_settings(folder / name, node=name, store_url=f"sqlite:///{folder / 'shared.sqlite'}")


async def until_on(control: Any, *, is_on: bool) -> None:
    async with asyncio.timeout(20):
        while (await control.kill_switch())["on"] is not is_on:  # noqa: ASYNC110  # the other node tells nobody
            await asyncio.sleep(0.05)


def test_what_the_file_says_is_taken_out_there(tmp_path: Path) -> None:
    """The page can't take it off; who takes off their own is told that the file has it on still."""

    async def scenario() -> None:
        settings = make_settings(tmp_path)
        settings.config.write_text(CONFIG + "kill_switch: true\n")
        async with running(settings) as control:
            with pytest.raises(Refused, match="take it out there"):
                await control.delete_kill_switch("r", "ada")
            await control.put_kill_switch(**WHY)
            state = await control.delete_kill_switch("r", "ada")
            assert {"on": True, "by_file": True, "by_hand": None} == state

    asyncio.run(scenario())


def test_without_the_store_the_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It can't be kept for all nodes then; nothing is half done."""

    async def scenario() -> None:
        async with running(make_settings(tmp_path)) as control:

            def away(*_: object) -> None:
                raise StoreError("store: away")

            monkeypatch.setattr(control._store, "put_hold", away)
            with pytest.raises(StoreError, match="kill_switch: true"):
                await control.put_kill_switch(**WHY)
            assert not (await control.kill_switch())["on"]

    asyncio.run(scenario())


def test_it_outlives_a_restart(tmp_path: Path) -> None:
    """Workers that start before the store answers find it in the state folder."""

    async def scenario() -> None:
        settings = make_settings(tmp_path)
        async with running(settings) as control:
            await control.put_kill_switch(**WHY)
        from proxy.app import read_rollout

        assert read_rollout(settings).is_killed
        async with running(settings) as control:
            assert (await control.kill_switch())["on"]

    asyncio.run(scenario())
