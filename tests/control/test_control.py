"""Control: a whole node's control process, with real workers' links, comparer processes, config file and store."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from proxy.control import changes, decisions, recorder
from proxy.control import control as control_module
from proxy.core.model import NEW
from proxy.errors import ConfigError, NotFound, Refused, StartError, StoreError
from tests.control.nodes import (
    CONFIG,
    FIVE,
    SIX,
    TOO_MUCH,
    linked,
    make_settings,
    open_store,
    run,
    running,
    stored,
    until,
    until_answer,
)
from tests.control.pairs import encoded_pair

if TYPE_CHECKING:
    from pathlib import Path

    from proxy.control.control import Control

PERCENTAGE_VARIABLE = "CHANGEOVER_ROUTES__FEEDS__ROLLOUT__PERCENTAGE"


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    """Polls and pauses are shortened, patience is lengthened; nothing depends on their length."""
    monkeypatch.setattr(changes, "AUDIT_PATIENCE_S", 60.0)
    monkeypatch.setattr(decisions, "POLL_S", 0.02)
    monkeypatch.setattr(recorder, "FIRST_RETRY_S", 0.01)
    monkeypatch.setattr(recorder, "LAST_RETRY_S", 0.02)


async def figures_of(control: Control, route: str = "feeds") -> dict[str, Any]:
    return next(row for row in await control.routes() if row["name"] == route)


async def percentages(control: Control) -> list[tuple[float, float]]:
    return [(row["percentage"], row["effective_percentage"]) for row in await control.routes()]


# --- evidence -----------------------------------------------------------------------------------------------
def test_control_turns_pairs_into_one_signature_with_its_count(tmp_path: Path):
    """Unequal pairs of a worker end as mismatches of one group, with an example; every one is acknowledged."""

    async def scenario() -> None:
        settings = make_settings(
            tmp_path, text=CONFIG.replace("shadow: {", "compare: {ignore: [$.at]}\n    shadow: {", 1)
        )
        async with running(settings) as control, linked(settings.link_path) as worker:
            for number in range(3):
                worker.send(encoded_pair({"title": "a", "id": number}, {"title": number, "id": number}))
            worker.send(encoded_pair({"a": 1, "b": 2}, b'{"b": 2, "a": 1}'))
            await until(lambda: not worker.unsettled)
            row = await figures_of(control)
            assert ([], 1, 3, 0.25) == (worker.skipped, row["matches"], row["mismatches"], row["match_rate"])
            await stored(control)
            found = await control.diffs("feeds", "new")
            assert [("$.title", 3)] == [(each["path"], each["count"]) for each in found]
            detail = await control.diff(found[0]["id"])
            assert (None, ["$.at"]) == (detail["hint"], detail["ignored"])
            assert {"title": "a", "id": 0} == json.loads(detail["examples"][0]["control"]["body"])

    run(scenario)


def test_control_counts_noise_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """What differs as often when legacy is asked twice doesn't count against new, once that is proven."""
    monkeypatch.setattr(decisions, "REREAD_POLLS", 1)

    async def scenario() -> None:
        settings = make_settings(tmp_path)
        async with running(settings) as control, linked(settings.link_path) as worker:
            worker.send(encoded_pair({"at": 3}, {"at": 4}))
            for number in range(10):
                worker.send(encoded_pair({"at": 1}, {"at": 2}, kind="noise", request_id=f"r-{number}"))
            await until(lambda: not worker.unsettled)
            await stored(control)
            found = await control.diffs("feeds", "noise")
            assert ["$.at"] == [each["path"] for each in found]
            await until(lambda: found[0]["id"] in control._silenced)
            worker.send(encoded_pair({"at": 3}, {"at": 4}))
            worker.send(encoded_pair({"at": 3, "n": 1}, {"at": 4, "n": 2}))
            await until(lambda: not worker.unsettled)
            row = await figures_of(control)
            assert (1, 2, 10) == (row["noise"], row["mismatches"], row["noise_runs"]["mismatches"])

    run(scenario)


def test_control_counts_ignored_differences_as_noise(tmp_path: Path):
    """A difference that somebody ignores is noise from then on."""

    async def scenario() -> None:
        settings = make_settings(tmp_path)
        async with running(settings) as control, linked(settings.link_path) as worker:
            worker.send(encoded_pair({"a": 1}, {"a": 2}))
            found = await until_answer(lambda: control.diffs(None, None), bool)
            answer = await control.set_state(found[0]["id"], "ignored", "on purpose", "ada", None, "T-1", None)
            worker.send(encoded_pair({"a": 1}, {"a": 2}))
            await until(lambda: not worker.unsettled)
            row = await figures_of(control)
            assert ("ignored", "T-1", 1, 1) == (answer["state"], answer["ticket"], row["mismatches"], row["noise"])

    run(scenario)


def test_control_adds_the_counters_of_workers_up(tmp_path: Path):
    """Counters and users of two workers are one route's figures, also in the metrics."""

    async def scenario() -> None:
        settings = make_settings(tmp_path, workers=2)
        path = settings.link_path
        async with running(settings) as control, linked(path, "worker-1") as one, linked(path, "worker-2") as other:
            for number, worker in enumerate((one, other)):
                worker.tally.route("feeds").count("served.legacy", 5)
                worker.tally.route("feeds").seen(NEW, number)
                worker.link.send_tally()
            row = await until_answer(lambda: figures_of(control), lambda row: row["users"]["new"] == 2)
            assert {"legacy": 10, "new": 0} == row["requests"]
            status, metrics = await control.status(), await control.metrics_snapshot()
            assert (2, 2, 10) == (
                status["workers"]["linked"],
                metrics["workers_linked"],
                metrics["routes"]["feeds"]["served.legacy"],
            )

    run(scenario)


def test_control_counts_pairs_beyond_the_backlog(tmp_path: Path, monkeypatch: Any):
    """A pair that no comparer has room for is acknowledged and counted by its reason (law 5)."""

    async def scenario() -> None:
        settings = make_settings(tmp_path)
        async with running(settings) as control, linked(settings.link_path) as worker:
            monkeypatch.setattr(control._comparers, "submit", lambda *_: False)
            worker.send(encoded_pair({"a": 1}, {"a": 2}))
            await until(lambda: not worker.unsettled)
            row = await figures_of(control)
            assert ({"comparer_busy": 1}, 0.0) == (row["coverage"]["skipped"], row["coverage"]["ratio"])

    run(scenario)


@pytest.mark.parametrize("is_busy", [False, True])
def test_control_hangs_up_on_a_pair_that_is_none(tmp_path: Path, monkeypatch: Any, is_busy: bool):
    """Bytes that are no pair are the worker's loss, counted there, whether or not a comparer has room."""

    async def scenario() -> None:
        settings = make_settings(tmp_path)
        async with running(settings) as control, linked(settings.link_path) as worker:
            if is_busy:
                monkeypatch.setattr(control._comparers, "submit", lambda *_: False)
            worker.send(b"not a pair")
            await until(lambda: worker.skipped)
            assert ["link_lost"] == worker.skipped
            assert {} == (await figures_of(control))["coverage"]["skipped"]

    run(scenario)


def test_control_compares_what_is_left_when_it_stops(tmp_path: Path):
    """Pairs on the way when control stops are judged, acknowledged and stored before it ends."""

    async def scenario() -> None:
        settings = make_settings(tmp_path)
        async with running(settings) as control, linked(settings.link_path) as worker:
            worker.send(encoded_pair({"a": 1}, {"a": 2}))
            await until(lambda: not worker.unsettled)  # comparers are there: a machine may take long to start one
            rows = [{"n": number, "name": f"row {number}"} for number in range(3_000)]
            for _ in range(5):
                worker.send(encoded_pair({"a": 1, "rows": rows}, {"a": 2, "rows": rows[:-1]}))
            await until(lambda: control._comparers.backlog or control._comparers.busy or not worker.unsettled)
            await control._stop_evidence()
            assert [] == worker.skipped
        with open_store(settings) as store:
            assert {"feeds": {"mismatch": 6}} == store.totals()

    run(scenario)


# --- the config ---------------------------------------------------------------------------------------------
def swap_config_map(folder: Path, text: str, version: int) -> None:
    """What Kubernetes does at a change of a ConfigMap: a new folder, and `..data` renamed onto it."""
    target = folder / f"..{version}"
    target.mkdir()
    (target / "migration.yaml").write_text(text)
    link = folder / "..data_tmp"
    link.symlink_to(target.name)
    link.replace(folder / "..data")
    if not (folder / "migration.yaml").is_symlink():
        (folder / "migration.yaml").symlink_to("..data/migration.yaml")


def test_control_follows_the_file(tmp_path: Path):
    """A new content is in force at the workers, a refused one isn't and is visible until it is mended (law 7)."""

    async def scenario() -> None:
        settings = make_settings(tmp_path)
        async with running(settings) as control, linked(settings.link_path) as worker:
            settings.config.write_text(CONFIG.replace(FIVE, SIX))
            await until(lambda: worker.versions[-1] == 2)
            assert [(6.0, 6.0), (6.0, 6.0)] == await percentages(control)
            settings.config.write_text(CONFIG.replace(FIVE, TOO_MUCH))
            status = await until_answer(control.status, lambda status: status["config"]["error"])
            assert f"{settings.config}:9:27: routes.feeds" in status["config"]["error"]
            assert (await control.metrics_snapshot())["config_refused"]
            place = f"{settings.config}:9:27: routes.feeds"
            assert control.trouble.startswith(f"the config is refused, the last good one is in force: {place}")
            settings.config.write_text(CONFIG.replace(FIVE, TOO_MUCH).replace("version: 1", "version: 0"))
            await until(lambda: control.trouble.endswith(" (and 1 more)"))
            assert "\n" not in control.trouble
            assert [1, 2] == worker.versions
            settings.config.write_text(CONFIG)
            await until(lambda: worker.versions[-1] == 3)
            assert (None, "") == ((await control.status())["config"]["error"], control.trouble)

    run(scenario)


def test_control_follows_each_swap_of_a_config_map(tmp_path: Path):
    """Kubernetes' swap of a link is seen the first time and the second time."""

    async def scenario() -> None:
        state, mounted = tmp_path / "state", tmp_path / "mounted"
        state.mkdir()
        mounted.mkdir()
        swap_config_map(mounted, CONFIG, 1)
        settings = make_settings(state, config=mounted / "migration.yaml")
        async with running(settings) as control, linked(settings.link_path) as worker:
            for version, wish in ((2, SIX), (3, "percentage: 7,")):
                swap_config_map(mounted, CONFIG.replace(FIVE, wish), version)
                await until(lambda version=version: worker.versions[-1] == version)  # type: ignore[misc]
            assert [(7.0, 7.0), (7.0, 7.0)] == await percentages(control)
            with pytest.raises(Refused, match="ConfigMap"):
                await control.set_rollout("feeds", 8, "by hand", "ada")

    run(scenario)


def test_control_reloads_at_a_signal(tmp_path: Path, monkeypatch: Any):
    """SIGHUP reads the file again, where no event tells of a change."""

    async def nothing_happens(_file: Path, _known: str | None) -> Any:
        await asyncio.Event().wait()
        yield

    monkeypatch.setattr(control_module, "changes", nothing_happens)

    async def scenario() -> None:
        settings = make_settings(tmp_path)
        async with running(settings) as control, linked(settings.link_path) as worker:
            told: list[str] = []
            control.on_reloading, control.on_reloaded = lambda: told.append("begun"), told.append
            settings.config.write_text(CONFIG.replace(FIVE, SIX))
            os.kill(os.getpid(), signal.SIGHUP)
            await until(lambda: worker.versions[-1] == 2 and len(told) == 2)
            settings.config.write_text(CONFIG.replace(FIVE, TOO_MUCH))
            os.kill(os.getpid(), signal.SIGHUP)
            await until(lambda: len(told) == 4)
            assert ["begun", "", "begun", control.trouble] == told

    run(scenario)


def test_control_reloads_when_it_is_asked(tmp_path: Path):
    """The admin call answers what is in force, or the refusal; the last good one stays."""

    async def scenario() -> None:
        settings = make_settings(tmp_path)
        async with running(settings) as control:
            assert not (await control.reload())["changed"]
            settings.config.write_text("version: 2\n")
            with pytest.raises(ConfigError):
                await control.reload()
            assert [(5.0, 5.0), (5.0, 5.0)] == await percentages(control)

    run(scenario)


def test_control_refuses_to_begin_with_a_bad_config(tmp_path: Path):
    """Without a last good config there is nothing to serve with."""

    async def scenario() -> None:
        with pytest.raises(ConfigError):
            async with running(make_settings(tmp_path, text="version: 1\n")):
                pass

    run(scenario)


def test_control_refuses_a_state_folder_in_use(tmp_path: Path):
    """A second node on one state folder is told so, and the first goes on."""

    async def scenario() -> None:
        settings = make_settings(tmp_path)
        async with running(settings), linked(settings.link_path) as worker:
            with pytest.raises(StartError):
                async with running(settings):
                    pass
            assert worker.link.is_up

    run(scenario)


# --- rollout and holds --------------------------------------------------------------------------------------
def test_set_rollout_changes_one_line_and_the_workers(tmp_path: Path):
    """The file's line, what is in force, the audit and the answer say the same; comments stay."""

    async def scenario() -> None:
        settings = make_settings(tmp_path)
        async with running(settings) as control, linked(settings.link_path) as worker:
            answer = await control.set_rollout("feeds", 12.5, "wave 2", "ada")
            assert (12.5, 12.5, True, True) == (
                answer["percentage"],
                answer["effective_percentage"],
                answer["changed"],
                answer["audited"],
            )
            assert CONFIG.replace(FIVE, "percentage: 12.5,") == settings.config.read_text()
            await until(lambda: worker.versions == [1, 2])
            assert [(12.5, 12.5), (12.5, 12.5)] == await percentages(control)
            assert [
                ("ada", "rollout.set", "items", {"percentage": 5.0}, {"percentage": 12.5}, "wave 2"),
                ("ada", "rollout.set", "feeds", {"percentage": 5.0}, {"percentage": 12.5}, "wave 2"),
            ] == [
                (line["who"], line["action"], line["subject"], line["before"], line["after"], line["reason"])
                for line in await control.audit(10)
            ]
            assert not (await control.set_rollout("feeds", 12.5, "again", "ada"))["changed"]

    run(scenario)


def test_set_rollout_tells_its_own_change_from_an_editor_s(tmp_path: Path, monkeypatch: Any):
    """What somebody wrote into the file just before is in the audit under the file's name, not under the caller's."""

    async def never(_file: Path, _known: str | None) -> Any:
        await asyncio.Event().wait()
        yield

    monkeypatch.setattr(control_module, "changes", never)

    async def scenario() -> None:
        settings = make_settings(tmp_path)
        async with running(settings) as control:
            settings.config.write_text(CONFIG + "kill_switch: true\n")
            await control.set_rollout("feeds", 6, "wave 2", "ada")
            assert [("ada", "items"), ("ada", "feeds"), ("file on node-a", "config")] == [
                (line["who"], line["subject"]) for line in await control.audit(10)
            ]

    run(scenario)


@pytest.mark.parametrize(
    ("route", "environ", "fault", "said"),
    [
        ("feds", {}, NotFound, "did you mean 'feeds'"),
        ("feeds", {PERCENTAGE_VARIABLE: "30"}, Refused, PERCENTAGE_VARIABLE),
    ],
)
def test_set_rollout_says_why_not(tmp_path: Path, route: str, environ: Any, fault: Any, said: str):
    """An unknown route and a variable that wins over the file are named, and the file stays as it was."""

    async def scenario() -> None:
        settings = make_settings(tmp_path)
        async with running(settings, environ) as control:
            with pytest.raises(fault, match=said):
                await control.set_rollout(route, 25, "wave 2", "ada")
            assert CONFIG == settings.config.read_text()

    run(scenario)


def test_set_rollout_refuses_a_file_that_is_broken(tmp_path: Path):
    """A file that is refused as it is isn't edited: nobody knows what was meant by it."""

    async def scenario() -> None:
        settings = make_settings(tmp_path)
        async with running(settings) as control:
            settings.config.write_text(CONFIG.replace(FIVE, TOO_MUCH))
            with pytest.raises(ConfigError):
                await control.set_rollout("items", 6, "wave 2", "ada")
            assert [(5.0, 5.0), (5.0, 5.0)] == await percentages(control)

    run(scenario)


def test_hold_caps_the_group_and_release_restores_it(tmp_path: Path):
    """A hold is in force at the workers when the call returns, leaves wish and file alone, and lifts whole (law 3)."""

    async def scenario() -> None:
        settings = make_settings(tmp_path)
        async with running(settings) as control, linked(settings.link_path) as worker:
            held = await control.hold("items", 1.5, "errors", "ada")
            assert (5.0, 1.5, "errors") == (held["percentage"], held["effective_percentage"], held["hold"]["reason"])
            await until(lambda: worker.versions == [1, 2])
            assert [("items", 1_500)] == [
                (hold["route"], hold["cap_millipercent"]) for hold in worker.rollouts[-1]["holds"]
            ]
            assert [(5.0, 1.5), (5.0, 1.5)] == await percentages(control)
            await control.set_rollout("feeds", 50, "raised under the hold", "ada")
            assert [(50.0, 1.5), (50.0, 1.5)] == await percentages(control)
            released = await control.release("items", "mended", "ada")
            assert (50.0, None) == (released["effective_percentage"], released["hold"])
            assert CONFIG.replace(FIVE, "percentage: 50,") == settings.config.read_text()

    run(scenario)


@pytest.mark.parametrize(
    ("held", "released", "said"),
    [((), "feeds", "has no hold"), (("items",), "feeds", "the hold on items"), ((), "feds", "did you mean 'feeds'")],
)
def test_release_says_what_there_is_to_release(tmp_path: Path, held: Any, released: str, said: str):
    """No hold, a hold of another route of the group, no such route: each has its own words."""

    async def scenario() -> None:
        async with running(make_settings(tmp_path)) as control:
            for route in held:
                await control.hold(route, 0, "errors", "ada")
            with pytest.raises(NotFound, match=said):
                await control.release(released, "mended", "ada")

    run(scenario)


def test_hold_of_a_route_that_is_gone_can_be_released(tmp_path: Path):
    """A route that left the config doesn't leave its hold behind for ever."""

    async def scenario() -> None:
        settings = make_settings(tmp_path)
        async with running(settings) as control:
            await control.hold("items", 0, "errors", "ada")
            settings.config.write_text(CONFIG.partition("  items:")[0])
            await control.reload()
            assert {"name": "items", "hold": None} == await control.release("items", "gone", "ada")

    run(scenario)


def test_hold_of_another_node_comes_into_force(tmp_path: Path):
    """Nodes that share a store share their holds and their triage."""

    async def scenario() -> None:
        (tmp_path / "b").mkdir()
        one = make_settings(tmp_path)
        other = make_settings(tmp_path / "b", node="node-b", store_url=one.effective_store_url)
        async with running(one) as control, running(other), linked(other.link_path) as worker:
            await control.hold("feeds", 0, "errors", "ada")
            await until(lambda: worker.rollouts[-1]["holds"])
            await control.release("feeds", "mended", "ada")
            await until(lambda: not worker.rollouts[-1]["holds"])

    run(scenario)


# --- a dead store -------------------------------------------------------------------------------------------
def test_control_runs_without_its_store(tmp_path: Path):
    """With no store at the start rollout, links and figures work; what needs the store says so; it heals (law 8)."""

    async def scenario() -> None:
        folder = tmp_path / "later"
        settings = make_settings(tmp_path, store_url=f"sqlite:///{folder}/state.sqlite")
        async with running(settings) as control, linked(settings.link_path) as worker:
            assert not (await until_answer(control.status, lambda status: not status["store"]["up"]))["store"]["up"]
            worker.send(encoded_pair({"a": 1}, {"a": 2}))
            await until(lambda: not worker.unsettled)
            assert 1 == (await figures_of(control))["mismatches"]
            with pytest.raises(StoreError):
                await control.hold("feeds", 0, "errors", "ada")
            answer = await control.set_rollout("feeds", 6, "wave 2", "ada")
            assert (6.0, False) == (answer["effective_percentage"], answer["audited"])
            folder.mkdir()
            await until_answer(control.status, lambda status: status["store"]["up"])
            found = await until_answer(lambda: control.diffs(None, None), bool)
            assert ([1], 1, 2) == (
                [each["count"] for each in found],
                (await figures_of(control))["mismatches"],
                len(await control.audit(10)),
            )

    run(scenario)


def test_control_keeps_figures_and_holds_while_the_store_is_locked(tmp_path: Path):
    """Figures go on from what was read last, holds stay, and nothing is counted twice when it heals (law 8)."""

    async def scenario() -> None:
        settings = make_settings(tmp_path)
        with open_store(settings) as store:
            store.upgrade()  # which may take longer than the busy timeout below
        async with running(settings, busy_timeout_s=0.5) as control, linked(settings.link_path) as worker:
            await control.hold("feeds", 1, "errors", "ada")
            worker.send(encoded_pair({"a": 1}, {"a": 2}))
            await until_answer(lambda: control.diffs(None, None), bool)
            with closing(sqlite3.connect(tmp_path / "changeover.sqlite", isolation_level=None)) as other:
                other.execute("BEGIN EXCLUSIVE")
                worker.send(encoded_pair({"a": 1}, {"a": 2}))
                await until_answer(control.status, lambda status: not status["store"]["up"])
                row = await figures_of(control)
                assert (2, 1.0) == (row["mismatches"], row["effective_percentage"])
                other.execute("ROLLBACK")
            await until_answer(control.status, lambda status: status["store"]["up"])
            await until_answer(lambda: control.diffs(None, None), lambda rows: rows[0]["count"] == 2)
            assert 2 == (await figures_of(control))["mismatches"]

    run(scenario)


def test_hold_outlives_a_restart_without_the_store(tmp_path: Path):
    """A hold is lifted by a person, not by an outage: it is in force again before the store has been read."""

    async def scenario() -> None:
        settings = make_settings(tmp_path)
        async with running(settings) as control:
            await control.hold("feeds", 0, "errors", "ada")
        away = make_settings(tmp_path, store_url=f"sqlite:///{tmp_path}/nowhere/state.sqlite")
        async with running(away) as control, linked(away.link_path) as worker:
            assert [(5.0, 0.0), (5.0, 0.0)] == await percentages(control)
            assert ["feeds"] == [hold["route"] for hold in worker.rollouts[0]["holds"]]

    run(scenario)


# --- the rest of what the admin side asks ----------------------------------------------------------------------
def test_explain_knows_what_the_workers_say_of_new(tmp_path: Path):
    """While every worker finds new ill, its users are explained as `unhealthy`."""

    async def scenario() -> None:
        settings = make_settings(tmp_path, text=CONFIG.replace(FIVE, "percentage: 100,"))
        async with running(settings) as control, linked(settings.link_path) as worker:
            answer = await control.explain("GET", "/api/feeds", "ada", None, {})
            assert ("new", "bucket", 100.0) == (answer["backend"], answer["reason"], answer["shadow"])
            await until(lambda: worker.link._sent_delta is None)
            worker.gauges["new_healthy"] = 0.0
            worker.link.send_tally()
            await until_answer(
                lambda: control.explain("GET", "/api/feeds", "ada", None, {}),
                lambda answer: answer["reason"] == "unhealthy",
            )

    run(scenario)


def test_diffs_of_an_unknown_route_are_not_found(tmp_path: Path):
    """A known route without differences is an empty list, a typo is an error."""

    async def scenario() -> None:
        async with running(make_settings(tmp_path)) as control:
            assert [] == await control.diffs("feeds", None)
            with pytest.raises(NotFound, match="did you mean 'feeds'"):
                await control.diffs("feds", None)
            with pytest.raises(NotFound):
                await control.diff("cccccccccccc")

    run(scenario)


def test_control_passes_on_what_ends_it(tmp_path: Path):
    """An error of whoever runs inside it arrives as it is, not wrapped in groups: the exit code depends on it."""

    async def scenario() -> None:
        with pytest.raises(StartError, match="taken"):
            async with running(make_settings(tmp_path)):
                raise StartError("the port is taken")

    run(scenario)
