"""The end of a node: users are answered or told, nothing takes longer than it may, the exit code is 0."""

from __future__ import annotations

import signal
import socket
import threading
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.e2e.load import get
from tests.e2e.workers import FEED, two_sided_node

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.node import Node

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

LONG_S = "3600"  # a drain that a test never waits for


def connected(node: Node) -> socket.socket:
    return socket.create_connection(("127.0.0.1", node.port), timeout=30)


def read_head(user: socket.socket) -> bytes:
    """Up to the end of the head, in lower case; what came with it of the body is left out."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = user.recv(1)
        assert piece, f"the connection ended after {data!r}"
        data += piece
    return data.lower()


def read_answer(user: socket.socket) -> bytes:
    """The head of an answer with a length, once its body is read."""
    head = read_head(user)
    length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
    while length:
        length -= len(user.recv(length))
    return head


def begin_drain(node: Node, number: signal.Signals = signal.SIGTERM) -> None:
    node.program.process.send_signal(number)
    node.program.wait_until(lambda: node.program.events("worker.draining"), "the drain")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_request_on_a_kept_open_connection_is_answered_in_the_grace_of_the_drain(
    number: signal.Signals, tmp_path: Path
):
    """Whoever asks just as the node ends gets an answer that says that it was the last."""
    with two_sided_node(tmp_path) as (node, _, _), connected(node) as user:
        user.sendall(get(FEED, "user-1"))
        assert b"connection: close" not in read_answer(user)
        begin_drain(node, number)
        user.sendall(get(FEED, "user-1"))
        assert b"\r\nconnection: close\r\n" in read_answer(user)
        assert b"" == user.recv(1)
        assert node.program.process.wait(30) == 0


def test_idle_connections_do_not_hold_up_the_end(tmp_path: Path):
    """They are closed after their grace, long before the drain is over."""
    with two_sided_node(tmp_path, CHANGEOVER_DRAIN_S=LONG_S) as (node, _, _), connected(node) as idle:
        idle.sendall(get(FEED, "user-1"))
        read_answer(idle)
        with connected(node):  # has said nothing yet
            assert node.stop() == 0
        assert b"" == idle.recv(1)


def test_answer_without_end_is_cut_when_the_drain_is_over(tmp_path: Path):
    """It has its time, then it is broken off by a reset, so that nobody takes it for whole; all ends well."""
    with two_sided_node(tmp_path, CHANGEOVER_DRAIN_S="1") as (node, legacy, new), connected(node) as user:
        legacy.behaviour = new.behaviour = "endless"
        user.sendall(get("/api/search", "user-1"))
        assert read_head(user).startswith(b"http/1.1 200 ")
        reader = threading.Thread(target=read_until_cut, args=(user, (cut := threading.Event())))
        reader.start()
        began = time.monotonic()
        assert node.stop() == 0
        assert time.monotonic() - began >= 1
        reader.join(30)
        assert cut.is_set()
        assert [1] == [each["connections"] for each in node.program.events("worker.broke_off")]


def read_until_cut(user: socket.socket, cut: threading.Event) -> None:
    """Sets `cut` where the end is a reset and not an orderly one."""
    try:
        while user.recv(1 << 20):
            pass
    except ConnectionResetError:
        cut.set()


def test_requests_of_two_workers_end_before_control_does(tmp_path: Path):
    """What the last requests have counted is in the store when the node has ended."""
    with two_sided_node(tmp_path, "--workers", "2") as (node, legacy, _), ExitStack() as stack:
        legacy.behaviour = "late"
        users = [stack.enter_context(connected(node)) for _ in range(8)]
        for number, user in enumerate(users):
            user.sendall(get("/api/search", f"user-{number}"))
        while legacy.served + legacy.asked["GET", True] < 8:
            assert legacy.arrived.wait(10)
            time.sleep(0.01)
        begin_drain(node)
        assert [b"http/1.1 200 ok"] * 8 == [read_answer(user).partition(b"\r\n")[0] for user in users]
        assert node.program.process.wait(30) == 0
        assert [] == node.program.events("child.killed")


def test_new_connections_are_refused_once_the_node_has_ended(tmp_path: Path):
    """Nobody holds the port any more."""
    with two_sided_node(tmp_path, "--workers", "2") as (node, _, _):
        assert node.stop() == 0
        with pytest.raises(httpx.ConnectError):
            httpx.get(node.url, trust_env=False)
