"""What tests of the whole system share: figures that a run prints, and the node whose control room is looked at."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.e2e.browser import chromium, running_chromium
from tests.e2e.node import example_backend, serving, write_example
from tests.e2e.program import until
from tests.e2e.room import DEBUG_TOKEN, Room
from tests.e2e.sides import installed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser


@pytest.fixture
def figure(capfd: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Prints a line that is seen whatever pytest captures: a measured promise, to be quoted."""

    def show(text: str) -> None:
        with capfd.disabled():
            print(f"\n  [e2e] {text}", flush=True)

    return show


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for the module: see tests.e2e.browser."""
    with running_chromium(installed("chromium", chromium())) as running:
        yield running


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    """The node, and differences in its store; no browser yet."""
    installed("chromium", chromium())
    folder = tmp_path_factory.mktemp("room")
    with ExitStack() as stack:
        legacy = stack.enter_context(example_backend("legacy_backend", folder))
        new = stack.enter_context(example_backend("new_backend", folder))
        node = stack.enter_context(
            serving(write_example(folder, legacy, new), folder, CHANGEOVER_DEBUG_TOKEN=DEBUG_TOKEN)
        )
        users = stack.enter_context(httpx.Client(base_url=node.url, trust_env=False))
        users.post("/api/session", json={"username": "reader01", "password": "paper-boat-01"}).raise_for_status()
        room = Room(node, users)
        room.read(16)
        users.get("/api/feeds/7/items").raise_for_status()  # more differences
        room.asked += 1
        room.signature("site_url")
        until(lambda: sum(node.route("feeds")["users"].values()) >= 8, "the users in the store", within_s=20)
        yield room
        assert node.stop() == 0


@pytest.fixture(scope="module")
def room(furnished: Room, browser: Browser) -> Room:
    """The control room of one node for all modules, in this module's browser."""
    furnished.browser = browser
    return furnished
