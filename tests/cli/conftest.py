"""The commands against an admin API on a real socket, and without one."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from proxy.admin.api import create_app
from proxy.cli import main
from proxy.settings import Settings
from tests.fakes import FakeControl
from tests.live import Stage, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables of whoever runs the tests have no say."""
    for name in ("CHANGEOVER_ADMIN_URL", "CHANGEOVER_ADMIN_TOKEN", "CHANGEOVER_CONFIG"):
        monkeypatch.delenv(name, raising=False)


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
def admin_url(control: FakeControl, stage: tuple[Stage, str]) -> str:
    app, url = stage
    app.app = create_app(control, Settings(admin_listen="127.0.0.1:9000"))
    return url


@pytest.fixture
def run(admin_url: str) -> Callable[..., Result]:
    """Runs a command against the server; stdout and stderr are apart in the result."""

    def call(*arguments: str, **options: Any) -> Result:
        return CliRunner(env={"CHANGEOVER_ADMIN_URL": admin_url}).invoke(main, arguments, **options)

    return call


@pytest.fixture
def nobody_url() -> Iterator[str]:
    """A URL where nothing answers: the port is taken, and nobody listens on it."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{reserved.getsockname()[1]}"
