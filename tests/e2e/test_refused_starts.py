"""Starts and commands that can't be: one clear message, the right exit code, never a traceback."""

from __future__ import annotations

import socket
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.e2e.backends import Backend
from tests.e2e.node import serving, write_example
from tests.e2e.program import changeover, free_port, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from subprocess import CompletedProcess

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A config whose backends nobody is."""
    return write_example(tmp_path, f"http://127.0.0.1:{free_port()}", f"http://127.0.0.1:{free_port()}")


@pytest.fixture
def occupied() -> Iterator[str]:
    """An address where somebody else listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def serve(config: Path, *arguments: str | Path, verb: str = "serve", **environ: str) -> CompletedProcess[str]:
    """Starts a node that is expected to refuse."""
    defaults: dict[str, str | Path] = {
        "--listen": "127.0.0.1:0",
        "--admin-listen": "127.0.0.1:0",
        "--state-dir": config.parent.parent / "state",
    }
    defaults.update(dict(zip(arguments[::2], arguments[1::2], strict=True)))  # type: ignore[arg-type]  # flags are text
    flags = [part for flag in defaults.items() for part in flag]
    return changeover(verb, "--config", config, *flags, **environ)


def check_refusal(done: CompletedProcess[str], *words: str) -> None:
    """Exit code 2, nothing on stdout, a message with these words, and no traceback."""
    assert (2, "", False) == (done.returncode, done.stdout, "Traceback" in done.stderr), done.stderr
    assert [] == [word for word in words if word not in done.stderr], done.stderr


def test_missing_config_is_refused_by_name(tmp_path: Path):
    """The message names the file that isn't there."""
    check_refusal(serve(tmp_path / "config" / "absent.yaml"), "absent.yaml", "doesn't exist", "--config")


def test_invalid_config_is_refused_with_every_fault_and_its_place(config: Path):
    """Three faults, three places with their source lines."""
    text = config.read_text().replace("percentage: 10,", "percentage: 100.5,").replace("connections:", "conections:")
    config.write_text(text.replace("fallback: true", "fallback: 3", 1))
    done = serve(config)
    check_refusal(done, "percentage: 100.5", "did you mean 'connections'?", "fallback: 3")
    assert 3 == done.stderr.count(f"{config}:")


def test_config_that_is_no_yaml_is_refused_with_its_place(config: Path):
    """A tab, a bracket that isn't closed: file, line and column."""
    config.write_text("version: 1\nbackends: {legacy: [\n")
    check_refusal(serve(config), f"{config}:")


@pytest.mark.parametrize("flag", ["--listen", "--admin-listen"])
def test_occupied_port_is_refused_by_its_flag(flag: str, config: Path, occupied: str):
    """The message names flag, address and cause."""
    check_refusal(serve(config, flag, occupied), f"{flag} {occupied}", "already in use")


def test_demo_with_an_occupied_backend_port_is_refused(tmp_path: Path, occupied: str):
    """The demo's backends need the ports of the config."""
    config = write_example(tmp_path, f"http://{occupied}", f"http://127.0.0.1:{free_port()}")
    listen = f"127.0.0.1:{free_port()}"
    check_refusal(serve(config, "--listen", listen, verb="demo"), occupied, "already in use", "legacy_backend")


def test_demo_on_any_free_port_is_refused(config: Path):
    """The demo's readers must be told where to go."""
    check_refusal(serve(config, verb="demo"), "--listen 127.0.0.1:0", "name one")


def test_state_folder_that_cant_be_made_is_refused(config: Path, tmp_path: Path):
    """A file stands where the folder's parent should be."""
    file = tmp_path / "file"
    file.write_text("")
    check_refusal(serve(config, "--state-dir", file / "state"), str(file / "state"), "--state-dir")


def test_newer_store_is_refused(config: Path, tmp_path: Path):
    """A store that a later version has made is left alone."""
    state = tmp_path / "state"
    state.mkdir()
    file = state / "changeover.sqlite"
    made = changeover("db", "upgrade", "--store-url", f"sqlite:///{file}")
    assert 0 == made.returncode, made.stderr
    with closing(sqlite3.connect(file)) as store:
        store.execute("UPDATE alembic_version SET version_num = 'r9999'")
        store.commit()
    before = file.read_bytes()
    check_refusal(serve(config), "r9999", "changeover.sqlite")
    assert before == file.read_bytes()


def test_public_admin_listener_without_a_token_is_refused(config: Path):
    """Whoever reaches the port could move users."""
    check_refusal(serve(config, "--admin-listen", "0.0.0.0:0"), "CHANGEOVER_ADMIN_TOKEN")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("CHANGEOVER_WORKERS", "none", "CHANGEOVER_WORKERS: "),
        ("CHANGEOVER_LISTEN", "8000", "CHANGEOVER_LISTEN: '8000' is not an address"),
        ("CHANGEOVER_STORE_URL", "nosuch://x", "store URL: nosuch is not supported"),  # the rest may be a password
    ],
)
def test_wrong_setting_is_refused_by_its_variable(name: str, value: str, said: str, config: Path):
    """A variable that can't be is named with its value's fault."""
    done = changeover("serve", "--config", config, "--state-dir", config.parent.parent / "state", **{name: value})
    check_refusal(done, said)


def test_commands_without_a_server_end_with_3(tmp_path: Path):
    """Nobody answers: a script can tell that from a refusal."""
    url = f"http://127.0.0.1:{free_port()}"
    asked = (("status",), ("diffs", "list"), ("rollout", "set", "feeds", "25", "--reason", "r"), ("health",))
    done = [changeover(*arguments, CHANGEOVER_ADMIN_URL=url) for arguments in asked]
    assert [(3, "", True)] * 4 == [(each.returncode, each.stdout, url in each.stderr) for each in done]
    assert not any("Traceback" in each.stderr for each in done)


def test_commands_about_what_is_not_there_end_with_2(tmp_path: Path):
    """An unknown route or signature: the nearest known one is named, and the file stays as it is."""
    with Backend("legacy") as legacy, Backend("new") as new:
        file = write_example(tmp_path, legacy.url, new.url)
        with serving(file, tmp_path) as node:
            text = file.read_text()
            done = [
                node.run("rollout", "set", "feed", "25", "--reason", "r"),
                node.run("rollout", "hold", "feed", "--reason", "r"),
                node.run("diffs", "show", "000000000000"),
                node.run("diffs", "list", "--route", "feed"),
            ]
            for each in done:
                check_refusal(each)
            assert "feeds" in done[0].stderr
            assert text == file.read_text()
            assert node.stop() == 0


def test_node_starts_again_on_the_same_addresses_at_once(tmp_path: Path):
    """After a stop the ports are free, and what was seen is still there."""
    with Backend("legacy") as legacy, Backend("new") as new:
        file = write_example(tmp_path, legacy.url, new.url)
        with serving(file, tmp_path) as node:
            listen, admin = node.url.removeprefix("http://"), node.admin_url.removeprefix("http://")
            assert 0 == node.run("rollout", "set", "feeds", "25", "--reason", "r").returncode
            assert node.stop() == 0
        with serving(file, tmp_path, "--listen", listen, "--admin-listen", admin) as node:
            until(lambda: node.route("feeds")["effective_percentage"] == 25, "25 % in force", within_s=10)
            assert ["feeds"] == sorted({line["subject"] for line in node.get("audit")} & {"feeds"})
            assert node.stop() == 0
