"""Reloads and rolling restarts under load, and what becomes of connections whose worker is gone: nobody notices."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.certificates import Authority, der_of
from tests.e2e.load import Load, get, has_wrk, wrk
from tests.e2e.program import is_running, until
from tests.e2e.workers import (
    FEED,
    connections_of,
    current_workers,
    two_sided_node,
    wait_rolled,
    worker_processes,
)

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.e2e.node import Node

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

HANGUPS = 30
TWO = ("--workers", "2")


def feed(n: int) -> bytes:
    return get(FEED, f"user-{n % 500}")


def hang_up_each_second(node: Node, times: int, roll_at: set[int]) -> None:
    """SIGHUP once a second; a rolling restart begins beside the ones in `roll_at`."""
    for number in range(times):
        node.program.process.send_signal(signal.SIGHUP)
        if number in roll_at:
            node.program.process.send_signal(signal.SIGUSR2)
        time.sleep(1)


@pytest.mark.slow
@pytest.mark.skipif(not has_wrk(), reason="wrk is not installed; the test below makes its own load")
def test_thirty_reloads_and_a_rolling_restart_under_the_load_of_wrk_fail_no_request(
    tmp_path: Path, figure: Callable[[str], None]
):
    """SIGHUP every second for 30 s, and all workers replaced in between: every answer is a good one."""
    with two_sided_node(tmp_path, *TWO) as (node, _, _):
        before = current_workers(node, 2)
        with wrk(node.port, FEED, tmp_path, connections=32) as load:
            hang_up_each_second(node, HANGUPS, roll_at={10})
            wait_rolled(node, 1)
        after = current_workers(node, 2)
        figure(f"{HANGUPS} SIGHUPs and a rolling restart under wrk: {load.requests} requests, {load.failures} failed")
        assert (0, True) == (load.failures, load.requests > 1_000), load.printed
        assert not set(before.values()) & set(after.values())
        assert node.stop() == 0


def test_rolling_restarts_one_after_the_other_fail_no_request(tmp_path: Path, figure: Callable[[str], None]):
    """Users on kept-open connections, with pauses between their requests, are answered by whoever serves now."""
    with two_sided_node(tmp_path, *TWO) as (node, _, _):
        with Load(node.port, feed, connections=24, pause_s=0.02) as load:
            load.wait_answers(200)
            for times in (1, 2, 3):
                node.program.process.send_signal(signal.SIGHUP)
                node.program.process.send_signal(signal.SIGUSR2)
                wait_rolled(node, times)
            load.wait_answers(500)
            load.stop()
        figure(f"three rolling restarts: {len(load.answers)} requests, {len(load.bad)} failed")
        assert [] == load.bad
        assert node.stop() == 0


def test_rolling_restart_lets_a_request_in_flight_end(tmp_path: Path):
    """The old worker answers what it has begun, says that the connection ends, and only then is gone."""
    with two_sided_node(tmp_path) as (node, legacy, _), ExitStack() as stack:
        legacy.behaviour = "held"
        legacy.arrived.clear()
        user = stack.enter_context(httpx.Client(base_url=node.url, headers={"x-user-id": "user-1"}, timeout=30))
        answers: list[httpx.Response] = []
        asking = threading.Thread(target=lambda: answers.append(user.get("/api/search")))
        asking.start()
        assert legacy.arrived.wait(10)
        (old,) = worker_processes(node)
        node.program.process.send_signal(signal.SIGUSR2)
        wait_rolled(node, 1)
        node.program.wait_until(lambda: node.program.events("worker.draining"), "the old worker to drain")
        assert is_running(old)
        legacy.let_go()
        asking.join(30)
        assert [(200, "close")] == [(each.status_code, each.headers.get("connection")) for each in answers]
        until(lambda: worker_processes(node) == {node.pid_of("worker-1")}, "the old worker gone", within_s=20)
        assert node.stop() == 0


def test_workers_that_drain_are_bounded_however_often_a_restart_is_wanted(tmp_path: Path):
    """While an old worker still has an answer under way a further restart waits: two processes at the most."""
    with two_sided_node(tmp_path, CHANGEOVER_DRAIN_S="6") as (node, legacy, _):
        legacy.behaviour = "hang"
        legacy.arrived.clear()
        seen = 0
        with socket.create_connection(("127.0.0.1", node.port), timeout=30) as user:
            user.sendall(get("/api/search", "user-1"))
            assert legacy.arrived.wait(10)
            end = time.monotonic() + 30
            is_rolled = False
            while time.monotonic() < end:
                node.program.process.send_signal(signal.SIGUSR2)
                time.sleep(0.05)
                seen = max(seen, len(worker_processes(node)))
                if not is_rolled and node.program.events("roll.done"):
                    is_rolled, end = True, time.monotonic() + 3  # half of what the old worker may drain
            assert 1 == len(node.program.events("roll.done"))
        wait_rolled(node, 2)
        assert 2 == seen
        assert node.stop() == 0


def test_successor_that_cannot_start_leaves_the_old_worker_in_its_place(tmp_path: Path):
    """A state folder that has become unreadable stops the restart, not the service; mended, the next one works."""
    with two_sided_node(tmp_path, *TWO) as (node, _, _), Load(node.port, feed, connections=8, pause_s=0.02) as load:
        load.wait_answers(50)
        before = current_workers(node, 2)
        rollout = node.state / "rollout.json"
        text = rollout.read_bytes()
        rollout.write_bytes(b"{")
        node.program.process.send_signal(signal.SIGUSR2)
        until(lambda: node.program.events("roll.ended_early"), "the restart given up", within_s=30)
        assert set(before.values()) <= worker_processes(node)
        rollout.write_bytes(text)
        node.program.process.send_signal(signal.SIGUSR2)
        wait_rolled(node, 1)
        load.wait_answers(50)
        load.stop()
        assert ([], set()) == (load.bad, set(before.values()) & set(current_workers(node, 2).values()))
        assert node.stop() == 0


def test_sighup_puts_a_renewed_certificate_in_force(tmp_path: Path):
    """On every worker, when the reload is told as done; a user who is connected goes on."""
    authority = Authority(tmp_path)
    pair, renewed = authority.issue(), authority.issue()
    files = ("--tls-certificate", str(pair.certificate), "--tls-key", str(pair.key))
    with two_sided_node(tmp_path, *TWO, *files) as (node, _, _), ExitStack() as stack:
        shown = der_of(pair), der_of(renewed)
        before = tls_connect(stack, node, authority)
        assert shown[0] == before.getpeercert(binary_form=True)
        pair.replace(renewed)
        node.program.process.send_signal(signal.SIGHUP)
        until(lambda: len(node.program.events("certificate.replaced")) == 2, "two replaced", within_s=10)
        assert {shown[1]} == {tls_connect(stack, node, authority).getpeercert(binary_form=True) for _ in range(8)}
        assert [b"HTTP/1.1 200 OK"] == ask_each([before])
        assert node.stop() == 0


def tls_connect(stack: ExitStack, node: Node, authority: Authority) -> ssl.SSLSocket:
    plain = socket.create_connection(("127.0.0.1", node.port), timeout=30)
    return stack.enter_context(authority.trusting().wrap_socket(plain, server_hostname="localhost"))


# --- connections and their workers ---
def connect(stack: ExitStack, node: Node, number: int) -> list[socket.socket]:
    return [stack.enter_context(socket.create_connection(("127.0.0.1", node.port), timeout=30)) for _ in range(number)]


def ask_each(users: Sequence[socket.socket]) -> list[bytes]:
    """The status line of each one's answer."""
    for number, user in enumerate(users):
        user.sendall(feed(number))
    return [user.recv(1 << 16).split(b"\r\n", 1)[0] for user in users]


def test_connections_are_spread_over_two_workers(tmp_path: Path, figure: Callable[[str], None]):
    """Of 64 users each worker has a fair part: chance gives one of them fewer than 12 once in ten million times."""
    with two_sided_node(tmp_path, *TWO) as (node, _, _), ExitStack() as stack:
        until(lambda: len(node.worker_pids()) == 2, "two workers linked", within_s=40)  # one is enough to be ready
        users = connect(stack, node, 64)
        assert {b"HTTP/1.1 200 OK"} == set(ask_each(users))
        owned = sorted(connections_of(pid, node.port) for pid in current_workers(node, 2).values())
        figure(f"64 connections over two workers: {owned[0]} and {owned[1]}")
        assert (64, True) == (sum(owned), owned[0] >= 12)


def test_connections_of_a_worker_that_is_stuck_are_served_by_its_sibling(tmp_path: Path):
    """One of two workers hangs: new users wait for a moment, whichever queue the kernel put them in."""
    with two_sided_node(tmp_path, *TWO) as (node, _, _), ExitStack() as stack:
        stuck = current_workers(node, 2)["worker-1"]
        os.kill(stuck, signal.SIGSTOP)
        stack.callback(os.kill, stuck, signal.SIGCONT)
        assert [b"HTTP/1.1 200 OK"] * 32 == ask_each(connect(stack, node, 32))


def test_connections_made_while_the_only_worker_is_dead_are_served_by_the_next(tmp_path: Path):
    """They wait in the queue that the supervisor holds open; none is refused or lost."""
    with two_sided_node(tmp_path) as (node, _, _), ExitStack() as stack:
        worker = current_workers(node, 1)["worker-1"]
        os.kill(worker, signal.SIGKILL)
        until(lambda: not is_running(worker), "the worker dead", within_s=5)
        assert [b"HTTP/1.1 200 OK"] * 16 == ask_each(connect(stack, node, 16))
        assert worker != current_workers(node, 1)["worker-1"]


def test_connections_queued_at_a_worker_as_it_drains_are_served_by_its_successor(tmp_path: Path):
    """The old worker is stopped before it can accept, and told to end: what waits in its queue is not its own."""
    with two_sided_node(tmp_path) as (node, _, _), ExitStack() as stack:
        old = current_workers(node, 1)["worker-1"]
        os.kill(old, signal.SIGSTOP)
        users = connect(stack, node, 16)
        node.program.process.send_signal(signal.SIGUSR2)
        assert [b"HTTP/1.1 200 OK"] * 16 == ask_each(users)
        os.kill(old, signal.SIGCONT)
        until(lambda: not is_running(old), "the old worker gone", within_s=20)
        assert node.stop() == 0
