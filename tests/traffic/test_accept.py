"""Who accepts connections where TLS begins: all of them, none after its end, and none for ever in vain."""

from __future__ import annotations

import asyncio
import resource
import socket
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from proxy.traffic import accept as accept_module
from proxy.traffic.accept import Acceptor
from tests.traffic.wire import run, until

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as entered:
        yield entered


def listener(stack: ExitStack) -> socket.socket:
    return stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=256))


def connect(stack: ExitStack, to: socket.socket, number: int) -> set[tuple[str, int]]:
    """The addresses of so many users."""
    made = [stack.enter_context(socket.create_connection(to.getsockname())) for _ in range(number)]
    return {each.getsockname() for each in made}


def test_acceptor_hands_on_each_connection_once(stack: ExitStack) -> None:
    """Also more than it takes in one turn of the loop; none of them blocks."""

    async def scenario() -> None:
        taken: list[socket.socket] = []
        listening = listener(stack)
        users = connect(stack, listening, accept_module._MOST_AT_ONCE + 10)
        acceptor = Acceptor(listening, 256, lambda each: taken.append(stack.enter_context(each)))
        await until(lambda: len(taken) == len(users))
        assert users == {each.getpeername() for each in taken}
        assert {False} == {each.getblocking() for each in taken}
        acceptor.close()

    run(scenario())


def test_acceptor_that_is_closed_leaves_the_queue_to_others(stack: ExitStack) -> None:
    """A successor has the same socket."""

    async def scenario() -> None:
        taken: list[socket.socket] = []
        listening = listener(stack)
        Acceptor(listening, 256, taken.append).close()
        users = connect(stack, listening, 2)
        await asyncio.sleep(0.05)
        assert [] == taken
        successor = Acceptor(listening, 256, lambda each: taken.append(stack.enter_context(each)))
        await until(lambda: len(taken) == 2)
        assert users == {each.getpeername() for each in taken}
        successor.close()

    run(scenario())


@contextmanager
def no_free_descriptor() -> Iterator[None]:
    """Nothing more can be opened by this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_acceptor_pauses_while_the_system_has_no_room(stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    """It doesn't look again and again in vain: one line in the log for each pause, and users wait in the queue."""
    monkeypatch.setattr(accept_module, "_PAUSE_S", 0.2)

    async def scenario() -> None:
        taken: list[socket.socket] = []
        listening = listener(stack)
        users = connect(stack, listening, 3)
        with capture_logs() as logs, no_free_descriptor():
            acceptor = Acceptor(listening, 256, lambda each: taken.append(stack.enter_context(each)))
            await asyncio.sleep(0.5)
        assert [] == taken
        paused = [entry["cause"] for entry in logs if entry["event"] == "listener.paused"]
        assert (True, {"Too many open files"}) == (1 <= len(paused) <= 3, set(paused))
        await until(lambda: len(taken) == 3)
        assert users == {each.getpeername() for each in taken}
        acceptor.close()

    run(scenario())
