"""`python -m legacy_backend` and `python -m new_backend` as a user starts them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

MODULES = ("legacy_backend", "new_backend")
DEADLINE_S = 30
STARTED = re.compile(r"running on (http://\S+)")


@contextmanager
def command(module: str, *flags: str, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """The running command; stderr carries its log."""
    env = {"PATH": os.environ["PATH"], **variables}
    with subprocess.Popen(
        [sys.executable, "-m", module, *flags], env=env, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def refusal(module: str, *flags: str, **variables: str) -> tuple[int, str]:
    """Exit code and the last line on stderr of a command that doesn't start."""
    with command(module, *flags, **variables) as process:
        _, stderr = process.communicate(timeout=DEADLINE_S)
    assert "Traceback" not in stderr
    return process.returncode, stderr.strip().splitlines()[-1]


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_command_serves_until_it_is_told_to_stop(tmp_path, module, number):
    """A free port, a state folder from the environment, an answer, and a clean end, with a connection still open."""
    with command(module, "--port", "0", **{f"{module.upper()}_STATE_DIR": str(tmp_path / "state")}) as process:
        assert process.stderr is not None
        url = next(match[1] for line in process.stderr if (match := STARTED.search(line)))
        with httpx.Client(base_url=url) as client:
            answer = client.get("/healthz")
            process.send_signal(number)
            log = process.stderr.read()
        process.wait(DEADLINE_S)
    seen = (answer.json(), "Traceback" in log, (tmp_path / "state").is_dir(), process.returncode)
    assert ({"status": "ok"}, False, True, 0) == seen


@pytest.mark.parametrize("module", MODULES)
def test_unusable_state_folder_is_refused(tmp_path, module):
    """A file in the folder's place: exit 2 and one line with the advice."""
    (tmp_path / "file").touch()
    code, message = refusal(module, "--state-dir", str(tmp_path / "file"))
    assert (2, True) == (code, message.endswith("choose another one with --state-dir"))


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize(
    ("flags", "message"),
    [(("--port", "70000"), "port: Input should be less than or equal to 65535, got '70000'")],
)
def test_wrong_setting_is_refused(module, flags, message):
    """Exit 2 and the setting's name, value and rule."""
    assert (2, f"{module}: {message}") == refusal(module, *flags)


def test_unknown_bug_is_refused_with_advice():
    """The switch is checked before anything starts."""
    code, message = refusal("new_backend", NEW_BACKEND_BUGS="all,-tieorder")
    assert (2, True) == (code, "bug 'tieorder' is unknown; did you mean 'tie_order'?" in message)
