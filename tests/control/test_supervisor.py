"""Supervisor: real processes that tell through a pipe that they live, and that they were told to stop."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from proxy.control import supervisor as supervisor_module
from proxy.control.supervisor import Backoff, Child, Supervisor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

QUICK = Backoff(first_s=0.01, max_s=0.04, steady_s=30.0)

# Says "<name> <word>" through the pipe at each turn of its life; exits with the given code, or lives until SIGTERM.
PROGRAM = """
import os, signal, sys
from proxy.process import die_with_parent
die_with_parent(signal.SIGKILL)
name, fd, manner = sys.argv[1], int(sys.argv[2]), sys.argv[3]
def say(word):
    os.write(fd, f"{name} {word} {os.getpid()}\\n".encode())
def stop(*_):
    say("stopped")
    sys.exit(0)
signal.signal(signal.SIGTERM, signal.SIG_IGN if manner == "stubborn" else stop)
signal.signal(signal.SIGHUP, lambda *_: say("reloaded"))
say("started")
if manner.startswith("exit"):
    sys.exit(int(manner[4:]))
while True:
    signal.pause()
"""


class Pipe:
    """What the children say, line by line."""

    def __init__(self) -> None:
        self.read_fd, self.write_fd = os.pipe()
        self._reader = asyncio.StreamReader()

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(self._reader), os.fdopen(self.read_fd, "rb", buffering=0)
        )

    async def line(self) -> tuple[str, str, int]:
        """Name, word, pid."""
        name, word, pid = (await self._reader.readline()).decode().split()
        return name, word, int(pid)

    async def words(self, number: int) -> list[tuple[str, str]]:
        return [(await self.line())[:2] for _ in range(number)]

    async def is_closed(self) -> bool:
        """Waits for the end: nobody holds the other end any more."""
        return await self._reader.read() == b""


@asynccontextmanager
async def running(
    *children: Callable[[Pipe], Child], drain_s: float = 5.0
) -> AsyncIterator[tuple[Supervisor, Pipe, asyncio.Task[int]]]:
    pipe = Pipe()
    await pipe.open()
    node = Supervisor([make(pipe) for make in children], drain_s, QUICK)
    task = asyncio.create_task(node.run())
    try:
        yield node, pipe, task
    finally:
        os.close(pipe.write_fd)
        node.stop()
        node.stop()
        await task


def child(name: str, manner: str = "live", **fields: Any) -> Callable[[Pipe], Child]:
    def make(pipe: Pipe) -> Child:
        argv = (sys.executable, "-c", PROGRAM, name, str(pipe.write_fd), manner)
        return Child(name, argv, pass_fds=(pipe.write_fd,), **fields)

    return make


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await scenario()

    asyncio.run(bounded())


def test_supervisor_starts_a_killed_child_again():
    """A child that was killed from outside is replaced by a new process."""

    async def scenario() -> None:
        async with running(child("a")) as (_, pipe, _task):
            _, _, first = await pipe.line()
            os.kill(first, signal.SIGKILL)
            name, word, second = await pipe.line()
            assert (name, word, second != first) == ("a", "started", True)

    run(scenario)


def test_supervisor_pauses_longer_before_each_restart_of_a_child_that_ends_early():
    """The pauses double up to their bound: no storm of restarts."""

    async def scenario() -> None:
        with capture_logs() as logs:
            async with running(child("a", "exit1")) as (_, pipe, _task):
                await pipe.words(6)
        pauses = [line["pause_s"] for line in logs if line["event"] == "child.ended"]
        assert [0.01, 0.02, 0.04, 0.04, 0.04] == pauses[:5]

    run(scenario)


def test_supervisor_keeps_the_others_while_one_ends_again_and_again():
    """Restarts of one child don't touch another."""

    async def scenario() -> None:
        with capture_logs() as logs:
            async with running(child("steady"), child("sick", "exit1")) as (_, pipe, _task):
                words = await pipe.words(5)
        assert words.count(("steady", "started")) == 1
        assert "steady" not in {line["child"] for line in logs if line["event"] == "child.ended"}

    run(scenario)


@pytest.mark.parametrize(("previous_s", "lived_s", "pause_s"), [(0, 0, 1), (1, 0, 2), (2, 9, 4), (4, 9, 4), (4, 10, 1)])
def test_backoff_doubles_to_its_bound_and_begins_anew_after_a_steady_life(
    previous_s: float, lived_s: float, pause_s: float
):
    """The pause depends on the one before, and on how long the child lived."""
    assert pause_s == Backoff(first_s=1, max_s=4, steady_s=10).after(previous_s, lived_s)


def test_supervisor_ends_with_2_when_a_child_refuses_its_first_start():
    """An occupied port or a bad config is no reason to try for ever: all ends, with the child's code."""

    async def scenario() -> None:
        async with running(child("fine"), child("refusing", "exit2")) as (_, _pipe, task):
            assert await task == 2

    run(scenario)


def test_supervisor_goes_on_when_a_child_exits_with_2_later(tmp_path: Path):
    """Only the very first start can refuse: a config that goes bad later takes nothing down (law 7)."""
    program = f"""
import os, pathlib, sys
lives = pathlib.Path({str(tmp_path / "lives")!r})
number = len(lives.read_text()) if lives.exists() else 0
lives.write_text("x" * (number + 1))
os.write(int(sys.argv[1]), f"a life{{number}} {{os.getpid()}}\\n".encode())
sys.exit(1 if number == 0 else 2)
"""

    def make(pipe: Pipe) -> Child:
        return Child("a", (sys.executable, "-c", program, str(pipe.write_fd)), pass_fds=(pipe.write_fd,))

    async def scenario() -> None:
        async with running(make) as (_, pipe, task):
            assert [("a", "life0"), ("a", "life1"), ("a", "life2")] == await pipe.words(3)
            assert not task.done()

    run(scenario)


def test_supervisor_stops_rank_after_rank_on_sigterm():
    """Those of the lower rank have ended before the next are told."""

    async def scenario() -> None:
        async with running(child("control", stop_rank=1), child("worker", stop_rank=0)) as (_, pipe, task):
            await pipe.words(2)
            os.kill(os.getpid(), signal.SIGTERM)
            assert [("worker", "stopped"), ("control", "stopped")] == await pipe.words(2)
            assert await task == 0

    run(scenario)


def test_supervisor_kills_a_child_that_does_not_stop(monkeypatch: pytest.MonkeyPatch):
    """After its time to drain a child is killed, and the node ends."""
    monkeypatch.setattr(supervisor_module, "_LAST_WORDS_S", 0.05)

    async def scenario() -> None:
        async with running(child("a", "stubborn"), drain_s=0) as (node, pipe, task):
            await pipe.line()
            node.stop()
            assert await task == 0

    run(scenario)


def test_supervisor_hurries_when_it_is_told_twice():
    """A second Ctrl-C doesn't wait for the drain."""

    async def scenario() -> None:
        async with running(child("a", "stubborn"), drain_s=3600) as (_, pipe, task):
            await pipe.line()
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.sleep(0)
            os.kill(os.getpid(), signal.SIGINT)
            assert await task == 0

    run(scenario)


def test_supervisor_passes_sighup_to_reloadable_children_only():
    """SIGHUP means "read the config again", and only control can."""

    async def scenario() -> None:
        async with running(child("control", is_reloadable=True, stop_rank=1), child("worker")) as (node, pipe, _task):
            await pipe.words(2)
            os.kill(os.getpid(), signal.SIGHUP)
            assert await pipe.words(1) == [("control", "reloaded")]
            node.stop()
            assert [("worker", "stopped"), ("control", "stopped")] == await pipe.words(2)

    run(scenario)


def test_supervisor_survives_a_program_that_is_not_there():
    """A child that can't be started at all is tried again like one that ended."""

    async def scenario() -> None:
        with capture_logs() as logs:
            missing = Child("gone", ("/nonexistent/program",))
            async with running(lambda _: missing, child("fine")) as (_, pipe, _task):
                assert await pipe.words(1) == [("fine", "started")]
        assert "child.unstartable" in {line["event"] for line in logs}

    run(scenario)


def test_children_die_when_their_supervisor_is_killed(tmp_path: Path):
    """A kill -9 of the supervisor leaves no orphan behind that holds the ports."""
    script = f"""
import asyncio, sys
from proxy.control.supervisor import Child, Supervisor
fd = int(sys.argv[1])
child = Child("a", (sys.executable, "-c", {PROGRAM!r}, "a", str(fd), "stubborn"), pass_fds=(fd,))
asyncio.run(Supervisor([child], 5).run())
"""

    async def scenario() -> None:
        pipe = Pipe()
        await pipe.open()
        process = subprocess.Popen(  # noqa: ASYNC220  # the scenario is alone on its loop
            [sys.executable, "-c", script, str(pipe.write_fd)], pass_fds=(pipe.write_fd,), stderr=subprocess.DEVNULL
        )
        os.close(pipe.write_fd)
        assert (await pipe.line())[:2] == ("a", "started")
        process.kill()
        process.wait()
        assert await pipe.is_closed()

    run(scenario)
