"""The processes of a running Changeover, seen from outside: who they are, and what each of them holds (proc(5)).

A process may end between two looks: what is asked of it then is None.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass

from bench.session import PROC, list_session

ROLES = {"proxy.control.comparer": "comparer", "proxy.traffic.masker": "masking child"}
SUPERVISOR = "supervisor"
WORKER = "worker"
RESET_MOST = "5"
"""What makes the kernel forget the most that a process has been resident with, written to its clear_refs."""


@dataclass(frozen=True, slots=True)
class Held:
    """What a process holds now, and in `most_rss_kib` what it was resident with at most since `forget_most`."""

    rss_kib: int
    most_rss_kib: int
    threads: int
    descriptors: int
    sockets: int


def find_processes(leader: int) -> dict[int, str]:
    """Process id -> role, of the supervisor with this id and all that came from it."""
    found = {leader: SUPERVISOR}
    for process in list_session(leader):
        with suppress(OSError):
            role = name_role((PROC / str(process.pid) / "cmdline").read_bytes())
            if role and process.pid != leader:
                found[process.pid] = role
    return found


def name_role(command_line: bytes) -> str | None:
    """The role by the module that was run: "control", "worker-1", "comparer", "masking child"; None of others."""
    words = command_line.decode(errors="replace").split("\0")
    module, *arguments = words[words.index("-m") + 1 :] if "-m" in words[:-1] else [""]
    if module == "proxy.app":
        return arguments[1] if arguments[0] == WORKER else arguments[0]
    return ROLES.get(module)


def look(pid: int) -> Held | None:
    """None of a process that has ended."""
    try:
        status = parse_status((PROC / str(pid) / "status").read_text())
        targets = list_descriptors(pid)
    except OSError:
        return None
    if "VmRSS" not in status:  # a zombie holds nothing
        return None
    sockets = sum(target.startswith("socket:") for target in targets)
    return Held(status["VmRSS"], status["VmHWM"], status["Threads"], len(targets), sockets)


def parse_status(text: str) -> dict[str, int]:
    """The numbers in a /proc/PID/status by their names; sizes are in KiB."""
    pairs = (line.partition(":") for line in text.splitlines())
    words = ((name, value.split()) for name, _, value in pairs)
    return {name: int(value[0]) for name, value in words if value and value[0].isdigit()}


def list_descriptors(pid: int) -> list[str]:
    """What each open descriptor of the process is, without those that it closes meanwhile."""
    targets = []
    for descriptor in (PROC / str(pid) / "fd").iterdir():
        with suppress(FileNotFoundError):
            targets.append(str(descriptor.readlink()))
    return targets


def count_descriptors(pid: int) -> int:
    """The quick way: thousands of them are counted many times a second. 0 of a process that has ended."""
    with suppress(OSError):
        return len(os.listdir(PROC / str(pid) / "fd"))  # noqa: PTH208  # no Path for each of thousands
    return 0


def forget_most(pid: int) -> None:
    """Makes `most_rss_kib` count from now on."""
    with suppress(OSError):
        (PROC / str(pid) / "clear_refs").write_text(RESET_MOST)
