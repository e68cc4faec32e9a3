"""An admin API on a real socket over a control plane of our own, asked as its clients ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from proxy.admin.api import create_app
from proxy.settings import Settings
from tests.fakes import FakeControl
from tests.live import Stage, serve

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def control() -> FakeControl:
    return FakeControl()


@pytest.fixture(scope="session")
def stage() -> Iterator[tuple[Stage, str]]:
    """A server for all tests of this folder, and its URL."""
    stage = Stage()
    with serve(stage) as url:
        yield stage, url


@pytest.fixture
def client(control: FakeControl, stage: tuple[Stage, str]) -> Iterator[httpx.Client]:
    app, url = stage
    app.app = create_app(control, Settings(admin_listen="127.0.0.1:9000"))
    with httpx.Client(base_url=url, trust_env=False) as client:
        yield client
