"""The processes of a running Changeover: their names, and what the kernel says they hold."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from bench.processes import count_descriptors, find_processes, forget_most, look, name_role, parse_status

STATUS = """\
Name:\tpython VmRSS: 1
Umask:\t0022
VmHWM:\t   90000 kB
VmRSS:\t   80000 kB
Threads:\t3
"""


@pytest.mark.parametrize(
    ("words", "role"),
    [
        (("python", "-m", "proxy.app", "worker", "worker-2", "3", ""), "worker-2"),
        (("python", "-m", "proxy.app", "control", "4", ""), "control"),
        (("python", "-m", "proxy.control.comparer", "512", ""), "comparer"),
        (("python", "-m", "proxy.traffic.masker", "512", ""), "masking child"),
        (("python", "-m", "another", ""), None),
        (("python", "-m"), None),
        (("taskset", "--cpu-list", "0"), None),
        (("",), None),
    ],
)
def test_role_is_that_of_the_module_that_runs(words: tuple[str, ...], role: str | None) -> None:
    """Workers by their own names; None of what is no process of Changeover's."""
    assert role == name_role("\0".join(words).encode())


def test_status_is_read_by_name() -> None:
    """Sizes in KiB; what is no number isn't there, and a process's name can't pass for a line."""
    assert {"Umask": 22, "VmHWM": 90_000, "VmRSS": 80_000, "Threads": 3} == parse_status(STATUS)


def test_look_counts_what_a_process_holds() -> None:
    """A socket more is a descriptor and a socket more."""
    before = look(os.getpid())
    with socket.socket():
        held = look(os.getpid())
        assert held
        assert before
        assert (before.descriptors + 1, before.sockets + 1) == (held.descriptors, held.sockets)
        assert held.most_rss_kib >= held.rss_kib > 0 < held.threads
        assert held.descriptors + 1 == count_descriptors(os.getpid())  # the folder itself, which is open meanwhile


def test_most_is_counted_from_when_it_was_forgotten() -> None:
    """What was held and given back before doesn't count."""
    code = "import mmap; m = mmap.mmap(-1, 64 << 20); m.write(bytes(64 << 20)); m.close(); print(flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout
        child.stdout.readline()
        held = look(child.pid)
        assert held
        assert held.most_rss_kib - held.rss_kib > 60 << 10
        forget_most(child.pid)
        held = look(child.pid)
        assert held
        assert held.most_rss_kib - held.rss_kib < 1 << 10
        child.communicate(b"\n")
    assert (None, 0) == (look(child.pid), count_descriptors(child.pid))


def test_processes_that_are_none_of_changeover_are_left_out() -> None:
    """The one that was started is the supervisor, whatever it is; what came from it is known by its module."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True) as child:
        assert {child.pid: "supervisor"} == find_processes(child.pid)
        child.communicate(b"\n")
