"""Process: children of children, ended by the kernel when their parent is gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

PROGRAM = "from proxy.process import die_with_parent; die_with_parent(); print('alive')"
PARENT = "_CHANGEOVER_PARENT_PID"


def test_a_child_whose_parent_is_gone_already_ends_at_once():
    """The parent may die before its child can ask the kernel to be told."""
    environ = {**os.environ, PARENT: "1"}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environ, capture_output=True, check=False)
    assert (-signal.SIGTERM, b"") == (done.returncode, done.stdout)


def test_a_process_without_a_supervisor_is_left_alone():
    """Run by hand, nothing is tied to the shell."""
    environ = {name: value for name, value in os.environ.items() if name != PARENT}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environ, capture_output=True, check=True)
    assert done.stdout == b"alive\n"


def test_a_child_gets_the_wished_signal_when_its_parent_is_killed():
    """The kernel tells the child, whatever it is doing: here the signal ends it and closes the pipe."""
    child = (
        "import signal; from proxy.process import die_with_parent; die_with_parent(signal.SIGKILL);"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); signal.pause()"
    )
    parent = (
        "import os, subprocess, sys; from proxy.process import child_environment;"
        f"subprocess.run([sys.executable, '-c', {child!r}], env={{**os.environ, **child_environment()}})"
    )
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.kill()
        assert process.stdout.read() == ""
