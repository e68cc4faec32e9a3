"""The commands find an admin API on a Unix socket."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from proxy.addresses import UnixAddress
from proxy.admin.api import create_app
from proxy.cli import main
from proxy.listeners import bind
from proxy.settings import Settings
from tests.e2e.program import changeover
from tests.live import serve

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fakes import FakeControl


def test_verbs_ask_a_unix_socket(control: FakeControl, tmp_path: Path):
    """By flag or variable; without a token, as by loopback."""
    path = tmp_path / "admin.sock"
    url = f"unix:{path}"
    with serve(create_app(control, Settings(admin_listen=url)), bind(UnixAddress(str(path)), "--admin-listen")):
        by_flag = CliRunner().invoke(main, ["health", "--admin-url", url])
        by_variable = CliRunner(env={"CHANGEOVER_ADMIN_URL": url}).invoke(main, ["diffs", "list"])
    assert [(0, "ready\n"), (0, True)] == [
        (by_flag.exit_code, by_flag.stdout),
        (by_variable.exit_code, bool(by_variable.stdout)),
    ]


def test_unix_socket_without_a_server_ends_with_3(tmp_path: Path):
    """The message names it. As a process: httpcore (1.0) leaves a socket that didn't connect to the collector."""
    url = f"unix:{tmp_path / 'admin.sock'}"
    result = changeover("status", "--admin-url", url)
    assert (3, True) == (result.returncode, f"no server answers at {url} (" in result.stderr)


@pytest.mark.parametrize("url", ["unix:", "unix:admin.sock", "unix:/run/"])
def test_path_that_is_none_ends_with_2(url: str):
    """A wrong path is a usage error."""
    result = CliRunner().invoke(main, ["status", "--admin-url", url])
    assert (2, True) == (result.exit_code, "unix:/PATH" in result.stderr)
