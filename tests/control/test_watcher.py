"""Watcher: real files in real folders, changed in all the ways in which editors and Kubernetes change them."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest

from proxy.control import watcher
from proxy.control.watcher import changes, content_hash

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "migration.yaml"
    file.write_text("version: 1\n")
    return file


def watch(file: Path, scenario: Callable[[AsyncIterator[str | None]], Awaitable[None]]) -> None:
    """Runs the scenario with the changes of a file whose first content is known."""

    async def bounded() -> None:
        found = changes(file, content_hash(file))
        async with asyncio.timeout(60):
            await scenario(found)

    asyncio.run(bounded())


def write_over(file: Path, text: str) -> None:
    file.write_text(text)


def replace_whole(file: Path, text: str) -> None:
    other = file.with_suffix(".new")
    other.write_text(text)
    other.replace(file)


def keep_its_times(file: Path, text: str) -> None:
    before = file.stat()
    file.write_text(text)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("change", [write_over, replace_whole, keep_its_times])
def test_changes_are_seen_however_they_are_made(file: Path, change: Callable[[Path, str], None]):
    """Written over, replaced by a rename, or with the old time of modification: each change is told, twice in a row."""

    async def scenario(found: AsyncIterator[str | None]) -> None:
        for text in ("version: 2\n", "version: 3\n"):
            asyncio.get_running_loop().call_later(0.05, change, file, text)
            told = await anext(found)
            assert content_hash(file) == told

    watch(file, scenario)


def test_changes_follow_each_swap_of_a_kubernetes_configmap(tmp_path: Path):
    """The second swap of `..data` is seen as the first one: a watch on the file itself would miss it."""
    file = tmp_path / "migration.yaml"

    def mount(name: str, text: str) -> None:
        folder = tmp_path / f"..{name}"
        folder.mkdir()
        (folder / "migration.yaml").write_text(text)
        (tmp_path / "..data_tmp").symlink_to(folder.name)
        (tmp_path / "..data_tmp").replace(tmp_path / "..data")

    mount("2026_11_23_a", "version: 1\n")
    file.symlink_to("..data/migration.yaml")

    async def scenario(found: AsyncIterator[str | None]) -> None:
        for name, text in (("2026_11_23_b", "version: 2\n"), ("2026_11_23_c", "version: 3\n")):
            asyncio.get_running_loop().call_later(0.05, mount, name, text)
            assert await anext(found) == content_hash(file)
            assert file.read_text() == text

    watch(file, scenario)


def test_changes_of_a_link_into_another_folder_are_found_by_looking(
    file: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
):
    """Nothing happens in the watched folder: the slow look finds it."""
    monkeypatch.setattr(watcher, "LOOK_S", 0.05)
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "migration.yaml"
    elsewhere.write_text("version: 1\n")
    file.unlink()
    file.symlink_to(elsewhere)

    async def scenario(found: AsyncIterator[str | None]) -> None:
        asyncio.get_running_loop().call_later(0.05, elsewhere.write_text, "version: 2\n")
        assert await anext(found) == content_hash(elsewhere)

    watch(file, scenario)


def test_changes_go_on_when_the_folder_is_taken_away_and_comes_back(file: Path, monkeypatch: pytest.MonkeyPatch):
    """The file that is gone is a change (None), and so is the one that comes back."""
    monkeypatch.setattr(watcher, "LOOK_S", 0.05)
    folder, aside = file.parent, file.parent.with_name("aside")

    async def scenario(found: AsyncIterator[str | None]) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(0.05, folder.rename, aside)
        assert await anext(found) is None
        (aside / "migration.yaml").write_text("version: 2\n")
        loop.call_later(0.05, aside.rename, folder)
        assert await anext(found) == content_hash(file)

    watch(file, scenario)


def test_changes_say_nothing_of_a_file_that_was_only_touched(file: Path):
    """The content counts: after a touch the next thing told is the next real change."""
    before = content_hash(file)

    async def scenario(found: AsyncIterator[str | None]) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(0.05, os.utime, file)
        loop.call_later(0.3, file.write_text, "version: 2\n")
        assert await anext(found) == content_hash(file)
        assert content_hash(file) != before

    watch(file, scenario)


def test_changes_tell_at_once_what_changed_before_the_watch_began(file: Path):
    """A change between the loading of the config and the beginning of the watch isn't lost."""
    known = content_hash(file)
    file.write_text("version: 2\n")

    async def begun_late() -> None:
        async with asyncio.timeout(60):
            assert await anext(changes(file, known)) == content_hash(file)

    asyncio.run(begun_late())


def test_content_hash_of_what_cannot_be_read_is_none(tmp_path: Path):
    """A folder or a missing file has no content."""
    assert [None, None] == [content_hash(tmp_path), content_hash(tmp_path / "missing")]
