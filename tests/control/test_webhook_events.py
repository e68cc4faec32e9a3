"""What a node tells of: each event from a real control process, as a receiver gets it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from proxy.control.webhooks import EVENTS
from proxy.errors import ConfigError
from tests.control.nodes import CONFIG, FIVE, SIX, TOO_MUCH, linked, make_settings, run, running, until
from tests.control.pairs import encoded_pair
from tests.control.receiver import HANG, Receiver, receiving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from proxy.control.control import Control
    from proxy.settings import Settings

SECRET = "a secret of sixteen or more"


@asynccontextmanager
async def node(folder: Path, receiver: Receiver, **fields: Any) -> AsyncIterator[tuple[Control, Settings]]:
    settings = make_settings(folder, webhook_url=receiver.url, webhook_secret=SECRET, **fields)
    async with running(settings) as control:
        yield control, settings


def data_of(receiver: Receiver, event: str) -> list[dict[str, Any]]:
    return [each.document["data"] for each in receiver.got if each.document["event"] == event]


def test_changes_of_the_rollout_are_told(tmp_path: Path):
    """Holds, releases, percentages (for each route that moves) and edits of the file, with who and why."""

    async def scenario() -> None:
        with receiving(Receiver()) as receiver:
            async with node(tmp_path, receiver) as (control, settings):
                await control.hold("feeds", 2, "slow", "ada")
                await control.release("feeds", "well again", "bo")
                await control.set_rollout("feeds", 6, "wave 2", "ada")
                settings.config.write_text(
                    CONFIG.replace(FIVE, SIX).replace("version: 1", "version: 1\nkill_switch: true")
                )
                await control.reload()
                await until(lambda: len(receiver.got) == 5)
            assert ["hold.set", "hold.released", *["rollout.changed"] * 2, "config.changed"] == receiver.events
            assert [{"route": "feeds", "percentage": 2, "who": "ada", "reason": "slow"}] == data_of(
                receiver, "hold.set"
            )
            assert [{"route": "feeds", "who": "bo", "reason": "well again"}] == data_of(receiver, "hold.released")
            change = {"before": {"percentage": 5}, "after": {"percentage": 6}, "who": "ada", "reason": "wave 2"}
            assert [{"route": each, **change} for each in ("feeds", "items")] == data_of(receiver, "rollout.changed")
            edited = data_of(receiver, "config.changed")[0]
            assert (False, True, "file on node-a") == (
                edited["before"]["kill_switch"],
                edited["after"]["kill_switch"],
                edited["who"],
            )

    run(scenario)


def test_refused_config_is_told_once(tmp_path: Path):
    """With every fault's place; again only when the faults are others."""

    async def scenario() -> None:
        with receiving(Receiver()) as receiver:
            async with node(tmp_path, receiver) as (control, settings):
                settings.config.write_text(CONFIG.replace(FIVE, TOO_MUCH))
                for _ in range(3):
                    with pytest.raises(ConfigError):
                        await control.reload()
                await until(lambda: receiver.got)
                settings.config.write_text(CONFIG.replace("version: 1", "version: 2"))
                with pytest.raises(ConfigError):
                    await control.reload()
                await until(lambda: len(receiver.got) == 2)
            first = data_of(receiver, "config.refused")[0]
            assert (str(settings.config), 0, 1) == (first["file"], first["left_out"], len(first["problems"]))
            assert "routes.feeds.rollout.percentage" == first["problems"][0]["path"]
            # A node that begins beside a refused file says so as well.
            async with node(tmp_path, receiver):
                await until(lambda: len(receiver.got) == 3)
            assert ["config.refused"] * 3 == receiver.events

    run(scenario)


def test_new_signature_is_told_once(tmp_path: Path):
    """However often it is seen: one event, with its place and shape, and without any value."""

    async def scenario() -> None:
        with receiving(Receiver()) as receiver:
            async with node(tmp_path, receiver) as (control, settings), linked(settings.link_path) as worker:
                for body in (b'{"a":"secret value","b":1}', b'{"a":"another","b":2}'):
                    worker.send(encoded_pair(b'{"a":1,"b":1}', body))
                    await until(lambda: not worker.unsettled)
                    await until(lambda: control._recorder.accepted == control._recorder.written)
                await until(lambda: len(receiver.got) == 2)
            found = [[each["path"] for each in told["signatures"]] for told in data_of(receiver, "signature.new")]
            assert [["$.a"], ["$.b"]] == found
            told = data_of(receiver, "signature.new")[0]
            assert {"id", "route", "kind", "path", "shape"} == set(told["signatures"][0])
            assert (0, "feeds", "body") == (
                told["left_out"],
                told["signatures"][0]["route"],
                told["signatures"][0]["kind"],
            )
            assert not [each for each in receiver.got if b"secret value" in each.body]

    run(scenario)


def test_route_whose_list_is_full_is_told_once(tmp_path: Path):
    """New kinds are told until there is no room for more; then that, and not each that comes and gives way again."""

    async def scenario() -> None:
        with receiving(Receiver()) as receiver:
            async with node(tmp_path, receiver) as (control, settings), linked(settings.link_path) as worker:
                control._store._limits = replace(control._store._limits, signatures_per_route=2)
                for name in "abcdba":
                    worker.send(encoded_pair({name: 1}, {name: 2}))
                    await until(lambda: not worker.unsettled)
                    await until(lambda: control._recorder.accepted == control._recorder.written)
                await control.hold("feeds", 0, "the last event", "ada")
                await until(lambda: "hold.set" in receiver.events)
            assert ["signature.new"] * 2 + ["signatures.full", "hold.set"] == receiver.events
            assert [{"route": "feeds"}] == data_of(receiver, "signatures.full")

    run(scenario)


def test_receiver_that_hangs_holds_nobody_up(tmp_path: Path):
    """Changes are in force, and control ends, while an event waits for its answer."""

    async def scenario() -> None:
        with receiving(Receiver(HANG)) as receiver:
            async with node(tmp_path, receiver) as (control, _):
                await control.hold("feeds", 0, "slow", "ada")
                await until(lambda: receiver.got)
                answer = await control.release("feeds", "well again", "ada")
                assert None is answer["hold"]
                state = (await control.status())["webhooks"]
                assert (True, 2, 0) == (state["configured"], state["waiting"], state["delivered"])

    run(scenario)


def test_page_names_each_event_and_no_other():
    """docs/webhooks.md has a row for every event."""
    import re
    from pathlib import Path

    page = (Path(__file__).parents[2] / "docs" / "webhooks.md").read_text()
    assert sorted(EVENTS) == sorted(re.findall(r"^\| `([a-z._]+)` \|", page, re.MULTILINE))


def test_example_of_the_page_verifies_what_is_sent(tmp_path: Path):
    """Who copies the example takes what is ours, and nothing that was changed, signed by others, or old."""
    import re
    import time
    from pathlib import Path

    from proxy.control.webhooks import signature

    page = (Path(__file__).parents[2] / "docs" / "webhooks.md").read_text()
    example = re.search(r"<!-- example -->\n```python\n(.*?)```", page, re.DOTALL)
    assert example is not None
    names: dict[str, Any] = {}
    exec(example[1], names)
    is_ours, body = names["is_ours"], b'{"event":"hold.set"}'
    header = signature(SECRET, int(time.time()), body)
    assert is_ours(header, body, SECRET)
    assert [False] * 5 == [
        is_ours(header, body + b" ", SECRET),
        is_ours(header, body, "another secret of sixteen"),
        is_ours(signature(SECRET, int(time.time()) - 3_600, body), body, SECRET),
        is_ours(header.replace("t=", "t=1"), body, SECRET),
        is_ours("", body, SECRET),
    ]
