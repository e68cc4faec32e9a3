"""Programs as users start them: real processes, found by their ids, ended by SIGTERM, none left behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from subprocess import CompletedProcess, Popen
from typing import TYPE_CHECKING, Any, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_T = TypeVar("_T")

ROOT = Path(__file__).parents[2]
OURS = ("CHANGEOVER_", "NEW_BACKEND_", "LEGACY_BACKEND_", "_CHANGEOVER_")
START_S = 40.0  # for a node on a machine that is busy; it takes about 1.5 s
COMMAND_S = 60.0
STOP_S = 30.0  # above drain_s and the last words of each rank
MIN_PAUSE_S, MAX_PAUSE_S = 0.02, 0.5  # between two looks
PAUSE_SHARE = 0.05  # of the time that was waited until then: so late a thing is seen at most


def own_environment(**environ: str) -> dict[str, str]:
    """Without the settings of whoever runs the tests, who may fill the machine: what gives way would never go on."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith((*OURS, "PYTHONUNBUFFERED"))}
    return {**kept, "CHANGEOVER_GIVES_WAY": "false", **environ}


def changeover(*arguments: str | Path, **environ: str) -> CompletedProcess[str]:
    """Runs a command to its end."""
    command = [sys.executable, "-m", "proxy", *map(str, arguments)]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=COMMAND_S,
        check=False,
        cwd=ROOT,
        env=own_environment(**environ),
        stdin=subprocess.DEVNULL,
    )


def free_port() -> int:
    """A port on which nobody listens now; for programs that can't say which one they took."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(ask: Callable[[], _T], what: str, *, within_s: float) -> _T:
    """The first true answer of `ask`; an AssertionError names `what` and the last answer at the deadline.

    It asks often at first and then less: what asks for nothing else all the time slows what it waits for.
    """
    began = time.monotonic()
    while not (answer := ask()):
        waited_s = time.monotonic() - began
        if waited_s > within_s:
            raise AssertionError(f"not within {within_s:g} s: {what}; the last answer was {answer!r}")
        time.sleep(min(max(MIN_PAUSE_S, waited_s * PAUSE_SHARE), MAX_PAUSE_S))
    return answer


# --- processes by their ids ---
def is_running(pid: int) -> bool:
    """Whether there is such a process that is more than a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def descendants(pid: int) -> list[int]:
    """Everything that a process has started, directly or not."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with suppress(OSError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
    found, waiting = [], [pid]
    while waiting:
        started = children.get(waiting.pop(), [])
        found += started
        waiting += started
    return found


def resident_bytes(pid: int) -> int:
    """The memory that a process holds now (proc(5), statm: pages)."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Program:
    """A program that runs while the context is open; its output goes to files in `folder`."""

    def __init__(
        self,
        name: str,
        argv: tuple[str, ...],
        folder: Path,
        environ: Mapping[str, str] | None = None,
        pass_fds: tuple[int, ...] = (),
    ):
        self.name = name
        self._started: list[int] = []  # at its end
        self.stdout, self.stderr = folder / f"{name}.out", folder / f"{name}.err"
        with self.stdout.open("wb") as out, self.stderr.open("wb") as err:
            self.process = Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd=ROOT,
                env=own_environment(**(environ or {})),
                pass_fds=pass_fds,
                start_new_session=True,  # where Linux shares processors among sessions, it gets what tests leave over
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    @property
    def pid(self) -> int:
        return self.process.pid

    def events(self, name: str) -> list[dict[str, Any]]:
        """The lines of the JSON log with this event, in order."""
        found = []
        for line in self.stderr.read_text().splitlines():
            if line.startswith("{") and line.endswith("}"):
                entry = json.loads(line)
                if entry.get("event") == name:
                    found.append(entry)
        return found

    def last_words(self, lines: int = 25) -> str:
        return "\n".join(self.stderr.read_text().splitlines()[-lines:])

    def wait_until(self, ask: Callable[[], _T], what: str, *, within_s: float = START_S) -> _T:
        """As `until`; fails at once when the program ends meanwhile."""

        def ask_while_alive() -> _T:
            if self.process.poll() is not None:
                raise AssertionError(f"{self.name} ended with {self.process.returncode}:\n{self.last_words()}")
            return ask()

        return until(ask_while_alive, what, within_s=within_s)

    def stop(self) -> int:
        """SIGTERM; the exit code. AssertionError when a process of the program outlives it."""
        self._started = descendants(self.pid)
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(STOP_S)
        orphans = [pid for pid in self._started if is_running(pid)]
        assert [] == orphans, f"{self.name} left processes behind: {orphans}\n{self.last_words()}"
        return code

    def kill(self) -> list[int]:
        """SIGKILL, to this process alone; those that it had started."""
        self._started = descendants(self.pid)
        self.process.kill()
        self.process.wait()
        return self._started

    def end(self) -> None:
        """Whatever happened: nothing runs on."""
        if self.process.poll() is None:
            self._started = descendants(self.pid)
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.kill()
        for pid in filter(is_running, self._started):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
