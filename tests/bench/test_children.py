"""Started programs: pinned, waited for within bounds, and ended with all that they started."""

import os
import select
import sys
from pathlib import Path

import pytest

from bench.children import ContenderFailed, find_program, started
from bench.cores import available_cores

pytestmark = pytest.mark.skipif(find_program("taskset") is None, reason="needs taskset (util-linux)")

CORE = available_cores()[-1]
PARENT = """\
import pathlib, signal, subprocess, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"], process_group=0)
pathlib.Path("child.new").write_text(str(child.pid))
pathlib.Path("child.new").rename("child.pid")
signal.pause()
"""
STUBBORN = """\
import pathlib, signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path("set").touch()
signal.pause()
"""


def has_ended(pidfd: int) -> bool:
    """Whether the process behind the descriptor ends within some seconds (pidfd_open(2): readable at its end)."""
    return bool(select.select([pidfd], [], [], 5.0)[0])


def test_child_is_pinned_and_ended_with_its_own_children(tmp_path: Path) -> None:
    """A grandchild that its parent forgets at the end is ended too, even in a process group of its own."""
    pid_file = tmp_path / "child.pid"
    with started("parent", [sys.executable, "-c", PARENT], cores=[CORE], folder=tmp_path) as child:
        child.wait_until(pid_file.exists)
        grandchild = int(pid_file.read_text())
        pidfd = os.pidfd_open(grandchild)
        assert {CORE} == os.sched_getaffinity(grandchild)
        assert child.exit_code is None
    assert has_ended(pidfd)
    os.close(pidfd)
    assert child.exit_code == 0


def test_child_that_ends_early_is_reported_with_its_last_words(tmp_path: Path) -> None:
    """The waiting stops at once and shows code and log."""
    command = [sys.executable, "-c", "raise SystemExit('port taken')"]
    with (
        started("early", command, cores=[CORE], folder=tmp_path) as child,
        pytest.raises(ContenderFailed, match=r"early ended with code 1\n    port taken"),
    ):
        child.wait_until(lambda: False)


def test_child_that_never_gets_ready_is_given_up_at_the_deadline(tmp_path: Path) -> None:
    """No wait is endless, and leaving still ends the program."""
    command = [sys.executable, "-c", "import signal; signal.pause()"]
    with started("idle", command, cores=[CORE], folder=tmp_path) as child:
        with pytest.raises(ContenderFailed, match=r"idle was not ready after 0\.1 s"):
            child.wait_until(lambda: False, deadline_s=0.1)
        assert child.exit_code is None
    assert child.exit_code == -15


def test_child_that_ignores_the_request_to_stop_is_killed(tmp_path: Path) -> None:
    """SIGTERM first, SIGKILL at the deadline."""
    with started("stubborn", [sys.executable, "-c", STUBBORN], cores=[CORE], folder=tmp_path) as child:
        child.wait_until((tmp_path / "set").exists)
        child.end(deadline_s=0.1)
        assert child.exit_code == -9
