"""How commands end as processes, when things are wrong: the right code, one message, never a traceback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from subprocess import PIPE, Popen
from typing import TYPE_CHECKING

import httpx
import pytest
from click.testing import CliRunner
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

import proxy.cli
from proxy.cli import main
from tests.live import serve

if TYPE_CHECKING:
    from pathlib import Path
    from subprocess import CompletedProcess

    from tests.fakes import FakeControl

TOKEN = "correct horse battery staple"


def own_environment(**environ: str) -> dict[str, str]:
    """Without the variables of whoever tests; unbuffered Python drops the rest of a write to a closed pipe."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("CHANGEOVER_", "PYTHONUNBUFFERED"))
    }
    return {**kept, **environ}


def changeover(*arguments: str, cwd: Path | None = None, **environ: str) -> CompletedProcess[str]:
    """Runs the command as its own process, as users do."""
    command = [sys.executable, "-m", "proxy", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, cwd=cwd, env=own_environment(**environ)
    )


def start(*arguments: str) -> Popen[bytes]:
    """The command as a process that the test talks to while it runs; it hears Ctrl-C, also where this one doesn't."""
    # A suite in the background of a script ignores SIGINT, and so would what it starts.
    hear = "import signal, runpy; signal.signal(signal.SIGINT, signal.default_int_handler);"
    command = [
        sys.executable,
        "-c",
        f"{hear} runpy.run_module('proxy', run_name='__main__', alter_sys=True)",
        *arguments,
    ]
    return Popen(command, stdout=PIPE, stderr=PIPE, env=own_environment())


@pytest.mark.parametrize(
    "arguments",
    [
        ("status",),
        ("status", "-w"),
        ("rollout", "set", "feeds", "5", "--reason", "r"),
        ("rollout", "hold", "feeds", "--reason", "r"),
        ("rollout", "release", "feeds", "--reason", "r"),
        ("rollout", "history"),
        ("explain", "GET", "/"),
        ("diffs", "list"),
        ("diffs", "show", "a1b2c3d4e5f6"),
        ("diffs", "ignore", "a1b2c3d4e5f6", "--reason", "r"),
        ("diffs", "accept", "a1b2c3d4e5f6", "--reason", "r"),
        ("report",),
        ("health",),
    ],
)
def test_every_verb_without_a_server_ends_with_3(nobody_url: str, arguments: tuple[str, ...]):
    """Nobody answers: 3, and a line that says how to start a server or where to look for it."""
    result = CliRunner().invoke(main, [*arguments, "--admin-url", nobody_url])
    assert (3, "") == (result.exit_code, result.stdout)
    assert result.stderr.startswith(f"changeover: no server answers at {nobody_url} (")
    assert "changeover serve" in result.stderr


def test_process_without_a_server_ends_with_3(nobody_url: str):
    """The same as a process: the code reaches the shell and no traceback reaches the user."""
    result = changeover("status", CHANGEOVER_ADMIN_URL=nobody_url)
    assert (3, "", False) == (result.returncode, result.stdout, "Traceback" in result.stderr)


def test_process_with_an_unknown_route_ends_with_2(admin_url: str):
    """A refusal of the server is the user's to mend."""
    result = changeover("rollout", "set", "nope", "5", "--reason", "r", "--admin-url", admin_url)
    assert (2, "", "changeover: route nope: not found\n") == (result.returncode, result.stdout, result.stderr)


@pytest.mark.parametrize("url", ["ftp://127.0.0.1", "127.0.0.1:9000", "http://[", "http://127.0.0.1:99999", ""])
def test_url_that_is_none_ends_with_2(url: str):
    """A wrong --admin-url is a usage error, not a server that is away."""
    result = CliRunner().invoke(main, ["status", "--admin-url", url])
    assert (2, True) == (result.exit_code, "--admin-url" in result.stderr)


@pytest.mark.parametrize(
    ("status", "body"), [(200, "<html>"), (200, "[1, 2"), (404, "<html>"), (404, '{"a": 1}'), (500, "{}")]
)
def test_another_server_at_the_address_ends_with_3(status: int, body: str):
    """Something else listens there: the message doubts the address, and shows nothing of its answer."""

    def stranger(_request: object) -> PlainTextResponse:
        return PlainTextResponse(body, status)

    with serve(Starlette(routes=[Route("/{rest:path}", stranger)])) as url:
        result = CliRunner().invoke(main, ["diffs", "list", "--admin-url", url])
    assert (3, "") == (result.exit_code, result.stdout)
    assert "not Changeover's admin API" in result.stderr


def test_server_with_a_fault_ends_with_3(run, control: FakeControl):
    """A server that can't is as good as none; its words are passed on."""
    control.fault = RuntimeError("secret")
    result = run("status")
    assert (3, True, False) == (result.exit_code, "(RuntimeError)" in result.stderr, "secret" in result.stderr)


def test_proxy_variables_are_not_read(admin_url: str):
    """HTTP_PROXY points to nowhere, and the command asks the server directly."""
    result = changeover(
        "health", "--admin-url", admin_url, HTTP_PROXY="http://127.0.0.1:9", http_proxy="http://127.0.0.1:9"
    )
    assert (0, "ready\n") == (result.returncode, result.stdout)


def test_token_of_the_environment_opens_the_door(control: FakeControl):
    """The variable that locks the server also unlocks it; without it the message names it."""
    from proxy.admin.api import create_app
    from proxy.settings import Settings

    with serve(create_app(control, Settings(admin_listen="0.0.0.0:9000", admin_token=TOKEN))) as url:
        codes = [
            CliRunner(env={"CHANGEOVER_ADMIN_TOKEN": token}).invoke(main, ["diffs", "list", "--admin-url", url])
            for token in (TOKEN, None)
        ]
    assert [0, 2] == [result.exit_code for result in codes]
    assert "CHANGEOVER_ADMIN_TOKEN" in codes[1].stderr


@pytest.mark.parametrize("arguments", [["nope"], ["status", "--nope"], ["rollout", "set", "feeds"], ["diffs", "nope"]])
def test_wrong_usage_ends_with_2(arguments: list[str]):
    """Click's own refusals keep their code."""
    result = CliRunner().invoke(main, arguments)
    assert (2, "") == (result.exit_code, result.stdout)


def test_fault_of_ours_ends_without_a_traceback(monkeypatch: pytest.MonkeyPatch):
    """The last resort: a bug is said to be one, in a line."""

    def fail(**_: object) -> None:
        raise ZeroDivisionError("by design")

    monkeypatch.setattr(httpx, "Client", fail)
    result = CliRunner().invoke(main, ["health"])
    expected = "changeover: fault in changeover itself: ZeroDivisionError: by design; please report it\n"
    assert (2, "", expected) == (result.exit_code, result.stdout, result.stderr)


def test_interrupt_ends_with_130(admin_url: str):
    """Ctrl-C is not "differences found": 128 + SIGINT."""
    with start("status", "-w", "-o", "json", "--admin-url", admin_url) as process:
        assert process.stdout is not None
        first_look = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=30)
    assert (130, b"", {"status", "routes"}) == (process.returncode, stderr.strip(), set(first_look))


def test_closed_pipe_ends_quietly(admin_url: str, control: FakeControl):
    """`changeover diffs list | head -1` leaves no words behind."""
    control.signature_rows *= 5_000
    with start("diffs", "list", "-o", "json", "--admin-url", admin_url) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        stderr = process.stderr.read()
        assert (141, b"") == (process.wait(timeout=30), stderr)


def test_version_is_the_packages():
    """`changeover --version` is one line."""
    assert CliRunner().invoke(main, ["--version"]).stdout == f"changeover {proxy.__version__}\n"
