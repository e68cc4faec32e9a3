"""Rollout: what is in force, and that it stays in force when the file, the folder or the process fails."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING, Any

import pytest

from proxy import config
from proxy.control.rollout import LiveRollout, prepare, read_snapshot
from proxy.core.model import Hold
from proxy.errors import ConfigError
from tests.control.nodes import CONFIG, FIVE, SIX, TOO_MUCH, make_settings, run

if TYPE_CHECKING:
    from pathlib import Path

HOLD = Hold("items", 1_000, "ada", "slow", 1_800_000_000.0)


class Node:
    """A live rollout on a folder, and what it published."""

    def __init__(self, folder: Path, **environ: str) -> None:
        self.settings = make_settings(folder)
        self.published: list[dict[str, Any]] = []
        self.live = LiveRollout(self.settings, environ, self.published.append)

    def write(self, text: str) -> None:
        self.settings.config.write_text(text)

    @property
    def on_disk(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.settings.rollout_path.read_bytes())
        return document


def test_rollout_is_on_disk_before_it_is_published(tmp_path: Path):
    """A worker that starts at the moment of a change never reads an older rollout than its neighbours have."""
    node = Node(tmp_path)
    on_disk: list[dict[str, Any]] = []
    live = LiveRollout(node.settings, {}, lambda _: on_disk.append(node.on_disk))
    live.start()
    live.set_holds((HOLD,))
    assert [1, 2] == [document["version"] for document in on_disk]
    assert (live.rollout, 0o600) == (
        config.rollout_from_document(on_disk[1]),
        stat.S_IMODE(node.settings.rollout_path.stat().st_mode),
    )


def test_rollout_counts_on_after_a_restart(tmp_path: Path):
    """The number grows with each change, stays with none, and goes on where the last process ended."""

    async def scenario() -> None:
        node = Node(tmp_path)
        node.live.start()
        assert not await node.live.reload()
        node.write(CONFIG.replace(FIVE, SIX))
        assert await node.live.reload()
        again = Node(tmp_path)
        again.live.start()
        node.write(CONFIG)
        changed = Node(tmp_path)
        changed.live.start()
        assert ([1, 2], [2], [3]) == tuple(
            [document["version"] for document in each.published] for each in (node, again, changed)
        )

    run(scenario)


def test_rollout_ignores_what_changes_nothing(tmp_path: Path):
    """A comment is no change, and holds that are the same are none."""

    async def scenario() -> None:
        node = Node(tmp_path)
        node.live.start()
        node.live.set_holds((HOLD,))
        node.write(CONFIG + "# a remark\n")
        assert (False, False, 2) == (await node.live.reload(), node.live.set_holds((HOLD,)), len(node.published))

    run(scenario)


def test_rollout_keeps_the_last_good_one_beside_a_refused_file(tmp_path: Path):
    """A refusal is visible with its place and changes nothing; the next good file ends it (law 7)."""

    async def scenario() -> None:
        node = Node(tmp_path)
        node.live.start()
        before = node.live.rollout
        node.write(CONFIG.replace(FIVE, TOO_MUCH))
        assert not await node.live.reload()
        refusal = node.live.refusal
        assert refusal is not None
        assert ([9], before) == ([problem.line for problem in refusal.error.problems], node.live.rollout)
        node.write(CONFIG)
        await node.live.reload()
        assert (None, before) == (node.live.refusal, node.live.rollout)

    run(scenario)


def test_rollout_starts_beside_a_refused_file_with_the_last_good_one(tmp_path: Path):
    """A control process that is restarted while the file is broken goes on with what was in force (law 7)."""
    first = Node(tmp_path)
    first.live.start()
    first.live.set_holds((HOLD,))
    first.write("routes: [")
    again = Node(tmp_path)
    again.live.start()
    assert first.live.rollout == again.live.rollout
    assert again.live.refusal is not None


@pytest.mark.parametrize("text", ["routes: [", CONFIG.replace(FIVE, TOO_MUCH)])
def test_rollout_refuses_to_begin_with_a_bad_file(tmp_path: Path, text: str):
    """Whoever starts a node reads the refusal, also where an earlier run left a good rollout (law 7)."""
    node = Node(tmp_path)
    node.write(text)
    with pytest.raises(ConfigError):
        node.live.start()
    node.write(CONFIG)
    prepare(node.settings, {})
    node.write(text)
    with pytest.raises(ConfigError):
        prepare(node.settings, {})


def test_prepared_rollout_keeps_the_holds_of_the_last_run(tmp_path: Path):
    """A hold outlives a restart of everything, before the store has been asked (law 3)."""
    node = Node(tmp_path)
    node.live.start()
    node.live.set_holds((HOLD,))
    prepare(node.settings, {})
    assert (HOLD,) == config.rollout_from_document(node.on_disk).holds


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"format": 99}', b"\xff"])
def test_rollout_begins_anew_where_the_snapshot_is_damaged(tmp_path: Path, content: bytes):
    """A file that can't be read is replaced; it stops nothing."""
    node = Node(tmp_path)
    node.settings.rollout_path.write_bytes(content)
    node.live.start()
    snapshot = read_snapshot(node.settings.rollout_path)
    assert snapshot is not None
    assert 1 == snapshot.version


def test_rollout_is_published_though_the_folder_can_not_be_written(tmp_path: Path):
    """A rollback on a full disk comes into force, and is written as soon as that is possible."""
    node = Node(tmp_path)
    node.live.start()
    path = node.settings.rollout_path
    path.unlink()
    path.mkdir()
    node.live.set_holds((HOLD,))
    assert [1, 2] == [document["version"] for document in node.published]
    path.rmdir()
    node.live.keep_on_disk()
    assert 2 == node.on_disk["version"]


def test_rollout_takes_the_environment_over_the_file(tmp_path: Path):
    """A variable overrides a key of the file in the control process as it does in `check`."""
    node = Node(tmp_path, CHANGEOVER_ROUTES__FEEDS__ROLLOUT__PERCENTAGE="30")
    node.live.start()
    assert {"feeds": 30_000, "items": 30_000} == node.live.rollout.effective
