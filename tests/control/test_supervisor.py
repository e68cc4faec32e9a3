"""Supervisor: real processes that tell through a pipe that they live, and that they were told to stop."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from proxy.control import supervisor as supervisor_module
from proxy.control.supervisor import Backoff, Child, Supervisor
from proxy.sdnotify import ServiceManager

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from pathlib import Path

QUICK = Backoff(first_s=0.01, max_s=0.04, steady_s=30.0)

# Says "<name> <word>" through the pipe at each turn of its life; exits with the given code, or lives until SIGTERM.
PROGRAM = """
import os, signal, sys
from proxy.process import die_with_parent, say_ready, say_reloaded, say_reloading
die_with_parent(signal.SIGKILL)
name, fd, manner = sys.argv[1], int(sys.argv[2]), sys.argv[3]
def say(word):
    os.write(fd, f"{name} {word} {os.getpid()}\\n".encode())
def stop(*_):
    say("stopped")
    sys.exit(0)
def reload(*_):
    say_reloading()
    say("reloaded")
    say_reloaded()
signal.signal(signal.SIGTERM, signal.SIG_IGN if manner == "stubborn" else stop)
signal.signal(signal.SIGHUP, reload)
say("started")
if manner in {"live", "stubborn"}:
    say_ready()
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
    *children: Callable[[Pipe], Child], drain_s: float = 5.0, **options: Any
) -> AsyncIterator[tuple[Supervisor, Pipe, asyncio.Task[int]]]:
    pipe = Pipe()
    await pipe.open()
    node = Supervisor([make(pipe) for make in children], drain_s, QUICK, **options)
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


# --- rolling restarts ---
def rolled(name: str, manner: str = "live", **fields: Any) -> Callable[[Pipe], Child]:
    return child(name, manner, is_rolled=True, says_ready=True, **fields)


def test_rolling_restart_replaces_one_child_after_the_other():
    """Each old process is told to stop when its successor is ready, and only then the next one has its turn."""

    async def scenario() -> None:
        async with running(rolled("a"), rolled("b"), child("control")) as (_, pipe, _task):
            before = {name: pid for name, _, pid in [await pipe.line() for _ in range(3)]}
            os.kill(os.getpid(), signal.SIGUSR2)
            said = [await pipe.line() for _ in range(4)]
            assert ["a", "b"] == [name for name, word, _ in said if word == "started"]
            assert [("a", before["a"]), ("b", before["b"])] == [
                (name, pid) for name, word, pid in said if word == "stopped"
            ]
            places = {(name, word): place for place, (name, word, _) in enumerate(said)}
            assert places["a", "started"] < min(places["a", "stopped"], places["b", "started"])
            assert places["b", "started"] < places["b", "stopped"]

    run(scenario)


@pytest.mark.parametrize("successor", ["silent", "exit1", "exit2"])
def test_rolling_restart_ends_at_a_successor_that_does_not_get_ready(successor: str, tmp_path: Path):
    """It is killed, the old process goes on, and the children after it are left alone."""
    manner = tmp_path / "manner"
    manner.write_text("live")
    program = PROGRAM.replace("sys.argv[3]", f"open({str(manner)!r}).read()")

    def make(pipe: Pipe) -> Child:
        argv = (sys.executable, "-c", program, "a", str(pipe.write_fd))
        return Child("a", argv, pass_fds=(pipe.write_fd,), is_rolled=True, says_ready=True)

    async def scenario() -> None:
        with capture_logs() as logs:
            async with running(make, rolled("b"), ready_s=2.0 if successor == "silent" else 60.0) as (node, pipe, task):
                olds = {name: pid for name, _, pid in [await pipe.line() for _ in range(2)]}
                manner.write_text(successor)
                node.roll()
                assert ("a", "started") == (await pipe.line())[:2]
                while not any(line["event"] == "roll.ended_early" for line in logs):  # noqa: ASYNC110  # a log has no event
                    await asyncio.sleep(0.01)
                assert not task.done()
                node.stop()
                assert {("a", "stopped", olds["a"]), ("b", "stopped", olds["b"])} == {
                    await pipe.line() for _ in range(2)
                }
                assert 0 == await task
        assert ["a"] == [line["child"] for line in logs if line["event"] == "child.unready"]

    run(scenario)


def test_rolling_restarts_that_are_wanted_meanwhile_become_one():
    """However often it is asked for during one restart, one more comes after it."""

    async def scenario() -> None:
        async with running(rolled("a")) as (node, pipe, _task):
            await pipe.line()
            node.roll()
            assert ("a", "started") == (await pipe.line())[:2]
            for _ in range(5):
                node.roll()
            words = [word for _, word in await pipe.words(3)]
            assert ["started", "stopped", "stopped"] == sorted(words)
            node.stop()
            assert [("a", "stopped")] == await pipe.words(1)

    run(scenario)


def test_rolling_restart_waits_for_the_predecessor_of_the_one_before(monkeypatch: pytest.MonkeyPatch):
    """Two processes for one child at the most; one that doesn't end in its time is killed."""
    monkeypatch.setattr(supervisor_module, "_LAST_WORDS_S", 0.5)

    async def scenario() -> None:
        with capture_logs() as logs:
            async with running(rolled("a", "stubborn"), drain_s=0.5) as (node, pipe, _task):
                first = (await pipe.line())[2]
                node.roll()
                await pipe.line()
                node.roll()
                third = (await pipe.line())[2]
                events = [(line["event"], line.get("pid", line.get("reason"))) for line in logs]
                assert events.index(("child.killed", "did not stop")) < events.index(("child.started", third))
                with pytest.raises(ProcessLookupError):
                    os.kill(first, 0)

    run(scenario)


def test_child_that_was_replaced_is_kept_alive_like_the_first():
    """The successor has the place in every respect: killed, it is started again."""

    async def scenario() -> None:
        async with running(rolled("a")) as (node, pipe, _task):
            await pipe.line()
            node.roll()
            (successor,) = {pid for _, word, pid in [await pipe.line() for _ in range(2)] if word == "started"}
            os.kill(successor, signal.SIGKILL)
            name, word, third = await pipe.line()
            assert ("a", "started", True) == (name, word, third != successor)

    run(scenario)


def test_stop_during_a_rolling_restart_ends_old_and_new():
    """A successor that isn't ready yet is a process like any other: nothing is left behind."""

    async def scenario() -> None:
        async with running(rolled("a", "silent")) as (node, pipe, task):
            old = (await pipe.line())[2]
            node.roll()
            new = (await pipe.line())[2]
            node.stop()
            assert {("a", "stopped", old), ("a", "stopped", new)} == {await pipe.line() for _ in range(2)}
            assert 0 == await task

    run(scenario)


def test_sighup_before_a_child_is_ready_reaches_it_when_it_is():
    """Before, it may not know the signal, and would die of it."""
    program = """
import os, signal, sys
from proxy.process import say_ready
fd = int(sys.argv[1])
os.write(fd, f"a started {os.getpid()}\\n".encode())
os.read(int(sys.argv[2]), 1)
def reload(*_):
    os.write(fd, f"a reloaded {os.getpid()}\\n".encode())
signal.signal(signal.SIGHUP, reload)
say_ready()
while True:
    signal.pause()
"""
    go_read, go_write = os.pipe()

    def make(pipe: Pipe) -> Child:
        argv = (sys.executable, "-c", program, str(pipe.write_fd), str(go_read))
        return Child("a", argv, pass_fds=(pipe.write_fd, go_read), is_reloadable=True, says_ready=True)

    async def scenario() -> None:
        async with running(make) as (node, pipe, _task):
            _, _, pid = await pipe.line()
            node.reload()
            os.write(go_write, b".")
            assert ("a", "reloaded", pid) == await pipe.line()

    try:
        run(scenario)
    finally:
        os.close(go_read)
        os.close(go_write)


def test_manager_is_told_that_all_are_ready_and_that_a_reload_is_done(tmp_path: Path):
    """Ready when every child is; after SIGHUP when those that reload have said that they did."""
    address = str(tmp_path / "notify")

    async def scenario(told: socket.socket) -> None:
        loop = asyncio.get_running_loop()

        async def next_word() -> str:
            return (await loop.sock_recv(told, 4096)).decode().partition("\n")[0]

        children = child("control", is_reloadable=True, says_ready=True, stop_rank=1), rolled("worker")
        async with running(*children, manager=ServiceManager(address, watchdog_s=3600)) as (node, pipe, _task):
            assert {"WATCHDOG=1", "READY=1"} == {await next_word() for _ in range(2)}
            await pipe.words(2)
            node.reload()
            assert "RELOADING=1" == await next_word()
            assert [("control", "reloaded")] == await pipe.words(1)
            assert "READY=1" == await next_word()
            node.stop()
            assert "STOPPING=1" == await next_word()

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.bind(address)
        told.setblocking(False)
        run(lambda: scenario(told))


class Manager:
    """The service manager's end."""

    def __init__(self, folder: Path) -> None:
        self.address = str(folder / "notify")
        self._told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._told.bind(self.address)
        self._told.setblocking(False)

    def close(self) -> None:
        self._told.close()

    async def next(self) -> tuple[str, str]:
        """The first line of what it is told next, and its status."""
        first, *others = (await asyncio.get_running_loop().sock_recv(self._told, 4096)).decode().split("\n")
        return first, next((line for line in (first, *others) if line.startswith("STATUS=")), "")

    async def is_told_nothing(self) -> bool:
        """After what has come from the children so far."""
        for _ in range(20):
            await asyncio.sleep(0)
        try:
            self._told.recv(4096, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        return False


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    made = Manager(tmp_path)
    yield made
    made.close()


# Reloads as it is told through a pipe: "." ends the reload under way, "!" begins one that nobody asked for.
STEPPED = """
import os, signal, sys
from proxy.process import die_with_parent, say_ready, say_reloaded, say_reloading
die_with_parent(signal.SIGKILL)
name, fd, go = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
def say(word):
    os.write(fd, f"{name} {word} {os.getpid()}\\n".encode())
def reload():
    say_reloading()
    say("began")
    trouble = os.read(go, 1 if name == "b" else 64).decode()
    say_reloaded("" if trouble == "." else trouble)
    say("done")
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP, signal.SIGUSR1})
say("started")
say_ready()
while True:
    signal.sigwait({signal.SIGHUP, signal.SIGUSR1})
    reload()
"""


class Step:
    """Lets such a child go on."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._read, self._write = os.pipe()

    def child(self, pipe: Pipe) -> Child:
        argv = (sys.executable, "-c", STEPPED, self._name, str(pipe.write_fd), str(self._read))
        return Child(self._name, argv, pass_fds=(pipe.write_fd, self._read), is_reloadable=True, says_ready=True)

    def __call__(self, word: str) -> None:
        os.write(self._write, word.encode())

    def close(self) -> None:
        os.close(self._read)
        os.close(self._write)


@asynccontextmanager
async def stepped(manager: Manager) -> AsyncIterator[tuple[Supervisor, Pipe, int, Step]]:
    """A node of one such child, its process, and what lets it go on; the manager knows that it is ready."""
    with closing(Step("a")) as go:
        async with running(go.child, manager=ServiceManager(manager.address)) as (node, pipe, _task):
            _, _, pid = await pipe.line()
            assert ("READY=1", "STATUS=serving") == await manager.next()
            yield node, pipe, pid, go


@pytest.mark.parametrize("is_asked_for", [True, False])
def test_reload_is_told_as_done_when_one_that_began_after_it_is(is_asked_for: bool, manager: Manager):
    """The end of one under way, whoever wanted that, says nothing of what has changed since."""

    async def scenario() -> None:
        async with stepped(manager) as (node, pipe, pid, go):
            if is_asked_for:
                node.reload()
                assert "RELOADING=1" == (await manager.next())[0]
            else:
                os.kill(pid, signal.SIGUSR1)
            assert ("a", "began") == (await pipe.line())[:2]
            node.reload()
            assert "RELOADING=1" == (await manager.next())[0]
            go(".")
            assert [("a", "done"), ("a", "began")] == await pipe.words(2)
            assert await manager.is_told_nothing()
            go(".")
            assert ("READY=1", "STATUS=serving") == await manager.next()

    run(scenario)


def test_reload_that_comes_while_others_are_waited_for_is_waited_for_at_all(manager: Manager):
    """Who has done the one before has another to do."""

    async def scenario() -> None:
        with closing(Step("a")) as go_a, closing(Step("b")) as go_b:
            async with running(go_a.child, go_b.child, manager=ServiceManager(manager.address)) as (node, pipe, _task):
                await pipe.words(2)
                assert "READY=1" == (await manager.next())[0]
                node.reload()
                go_a(".")
                assert {("a", "began"), ("a", "done"), ("b", "began")} == set(await pipe.words(3))
                assert "RELOADING=1" == (await manager.next())[0]
                assert await manager.is_told_nothing()
                node.reload()
                assert "RELOADING=1" == (await manager.next())[0]
                go_b("..")
                said = await pipe.words(4)
                assert [("a", "began")] == [each for each in said if each[0] == "a"]
                assert await manager.is_told_nothing()
                go_a(".")
                assert "READY=1" == (await manager.next())[0]

    run(scenario)


def test_what_is_wrong_after_a_reload_is_part_of_the_status(manager: Manager):
    """Ready, but not simply serving; what changes without a signal is told as well."""

    async def scenario() -> None:
        async with stepped(manager) as (node, pipe, pid, go):
            node.reload()
            assert "RELOADING=1" == (await manager.next())[0]
            go("refused: a.yaml:3:1")
            assert ("READY=1", "STATUS=serving; refused: a.yaml:3:1") == await manager.next()
            for trouble, status in (
                ("refused: a.yaml:4:1", "STATUS=serving; refused: a.yaml:4:1"),
                (".", "STATUS=serving"),
            ):
                os.kill(pid, signal.SIGUSR1)
                go(trouble)
                assert (status, status) == await manager.next()
            os.kill(pid, signal.SIGUSR1)
            go(".")
            assert [("a", word) for word in ["began", "done"] * 4] == await pipe.words(8)
            assert await manager.is_told_nothing()

    run(scenario)


def test_reload_during_a_rolling_restart_reaches_the_successor_and_is_told_after_it(manager: Manager):
    """It may have read before the change what it will serve by: it reloads once it is ready, as the old one does."""
    program = PROGRAM.replace('say("started")', 'say("started"); os.read(int(sys.argv[4]), 1)')
    go_read, go_write = os.pipe()

    def make(pipe: Pipe) -> Child:
        argv = (sys.executable, "-c", program, "a", str(pipe.write_fd), "live", str(go_read))
        fds = (pipe.write_fd, go_read)
        return Child("a", argv, pass_fds=fds, is_reloadable=True, is_rolled=True, says_ready=True)

    async def scenario() -> None:
        async with running(make, manager=ServiceManager(manager.address)) as (node, pipe, _task):
            _, _, old = await pipe.line()
            os.write(go_write, b".")
            assert "READY=1" == (await manager.next())[0]
            node.roll()
            _, _, new = await pipe.line()
            assert "STATUS=replacing a" == (await manager.next())[0]
            node.reload()
            assert ("a", "reloaded", old) == await pipe.line()
            assert "RELOADING=1" == (await manager.next())[0]
            assert await manager.is_told_nothing()
            os.write(go_write, b".")
            assert {("a", "reloaded", new), ("a", "stopped", old)} == {await pipe.line() for _ in range(2)}
            assert {"READY=1", "STATUS=all replaced"} == {(await manager.next())[0] for _ in range(2)}

    try:
        run(scenario)
    finally:
        os.close(go_read)
        os.close(go_write)


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
