"""Programs started by the bench: pinned to cores, logged to a file, ended by process id whatever happens.

It knows nothing of proxies. A program that can't be started, or doesn't get ready in time, is a
`ContenderFailed` with the end of its log.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from bench.session import kill_session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

READY_S = 30.0
"""Longest wait for a started program; ten times what the slowest contender needs on a busy two-core machine."""

END_S = 10.0
"""Longest wait between SIGTERM and SIGKILL; above the drain time of every contender without open requests."""

POLL_S = 0.02
LOG_TAIL_LINES = 8


class ContenderFailed(Exception):
    """A contender can't be measured; the message says which, and shows the end of its log."""


class Child:
    """A running program: the leader of a session of its own."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self.name = name
        self.log = log
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def wait_until(self, is_ready: Callable[[], bool], *, deadline_s: float = READY_S) -> None:
        """Return when `is_ready` says so; `ContenderFailed` when the program ends before, or at the deadline."""
        end = time.monotonic() + deadline_s
        while not is_ready():
            if self.exit_code is not None:
                raise ContenderFailed(f"{self.name} ended with code {self.exit_code}{self._last_words()}")
            if time.monotonic() > end:
                raise ContenderFailed(f"{self.name} was not ready after {deadline_s:g} s{self._last_words()}")
            time.sleep(POLL_S)

    def end(self, *, deadline_s: float = END_S) -> None:
        """Ask it to stop, then kill whatever is left of its session."""
        with suppress(ProcessLookupError):
            self._process.terminate()
        try:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(deadline_s)
        finally:
            kill_session(self.pid)
            self._process.wait()

    def _last_words(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
        return "".join(f"\n    {line}" for line in lines)


@contextmanager
def started(
    name: str,
    command: Sequence[str | Path],
    *,
    cores: Sequence[int],
    folder: Path,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Child]:
    """The program, running on `cores` only, in `folder`, which also holds its log; ended on leaving."""
    log = folder / f"{name}.log"
    with log.open("wb") as output:
        # A session of its own keeps Ctrl-C with the bench, and finds at the end whatever the program started.
        process = subprocess.Popen(
            [*pinning(cores), *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=environment,
            start_new_session=True,
        )
    child = Child(name, process, log)
    try:
        yield child
    finally:
        child.end()


def pinning(cores: Sequence[int]) -> list[str]:
    """The prefix of a command that keeps it, and all that it starts, on `cores`; taskset execs, the pid stays."""
    return ["taskset", "--cpu-list", ",".join(map(str, cores))]


def find_program(name: str) -> Path | None:
    """Where `name` is: beside this Python (its environment's scripts), on the PATH, or in /usr/sbin."""
    beside = Path(sys.executable).with_name(name)
    if beside.exists():
        return beside
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    return Path(found) if found else None


def find_free_port() -> int:
    """A loopback port that is free now; somebody else could take it before it's used, then the start fails."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
