"""A node as a service: sockets handed over, every state told to the manager, a restart without a refused user."""

from __future__ import annotations

import os
import signal
import socket
import sys
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.activated import activated
from tests.e2e.backends import Backend
from tests.e2e.load import Load, get
from tests.e2e.node import Node, write_example
from tests.e2e.program import Program, until
from tests.e2e.workers import FEED, connections_of, current_workers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


class Manager:
    """The service manager's end: what it was told, in order."""

    def __init__(self, folder: Path) -> None:
        self.address = str(folder / "notify")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.settimeout(40)
        self._socket.bind(self.address)
        self.told: list[list[str]] = []

    def close(self) -> None:
        self._socket.close()

    def wait_for(self, word: str) -> list[str]:
        """The next message that has this line."""
        while True:
            lines = self._socket.recv(4096).decode().split("\n")
            self.told.append(lines)
            if word in lines:
                return lines


@contextmanager
def managed(folder: Path) -> Iterator[Manager]:
    manager = Manager(folder)
    try:
        yield manager
    finally:
        manager.close()


@contextmanager
def service(
    config: Path,
    folder: Path,
    listeners: Sequence[socket.socket] = (),
    names: str | None = None,
    arguments: Sequence[str] = (),
    **environ: str,
) -> Iterator[Program]:
    """`changeover serve` as a unit would start it."""
    argv = (
        *(sys.executable, "-m", "proxy", "serve", "--config", str(config), "--state-dir", str(folder / "state")),
        *("--log-format", "json", *arguments),
    )
    argv, descriptors = activated(argv, listeners, names) if listeners else (argv, ())
    with Program("serve", argv, folder, environ, descriptors) as program:
        yield program


@contextmanager
def two_backends(folder: Path) -> Iterator[tuple[Path, Backend]]:
    """The config of a node between two backends, and the legacy one."""
    with Backend("legacy") as legacy, Backend("new") as new:
        yield write_example(folder, legacy.url, new.url), legacy


def listeners(stack: ExitStack, number: int, *, is_shared: bool = False) -> list[socket.socket]:
    """Listening sockets, all on one port where `is_shared`."""
    made: list[socket.socket] = []
    for _ in range(number):
        port = made[0].getsockname()[1] if made and is_shared else 0
        made.append(stack.enter_context(socket.create_server(("127.0.0.1", port), reuse_port=is_shared, backlog=512)))
    return made


def url_of(listener: socket.socket) -> str:
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


def has_worker(client: httpx.Client, admin: socket.socket) -> bool:
    status = client.get(f"{url_of(admin)}/api/v1/status").json()
    return (1, None) == (status["workers"]["linked"], status["config"]["error"])


def test_manager_is_told_each_state_of_the_service(tmp_path: Path):
    """Ready once users and operators are served, reloading and ready again once it is read, alive, stopping."""
    with two_backends(tmp_path) as (config, _), managed(tmp_path) as manager, ExitStack() as stack:
        users, admin = listeners(stack, 2)
        told = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "400000"}
        with service(config, tmp_path, (users, admin), "users:admin", **told) as program:
            manager.wait_for("READY=1")
            with httpx.Client(trust_env=False) as client:  # the queue was open before: here, who answers at once
                assert 200 == client.get(f"{url_of(users)}{FEED}", headers={"x-user-id": "u"}).status_code
                until(lambda: has_worker(client, admin), "a worker linked, no fault in the config", within_s=10)
                manager.wait_for("WATCHDOG=1")

                config.write_text(config.read_text().replace("percentage: 10,", "percentage: 25,"))
                program.process.send_signal(signal.SIGHUP)
                assert manager.wait_for("RELOADING=1")[1].startswith("MONOTONIC_USEC=")
                manager.wait_for("READY=1")
                good = config.read_text()
                config.write_text(good.replace("version: 1", "version: 0", 1))
                program.process.send_signal(signal.SIGHUP)
                manager.wait_for("RELOADING=1")
                status = manager.wait_for("READY=1")[1]
                place = f"{config}:{1 + good[: good.index('version: 1')].count(chr(10))}:"
                assert status.startswith(
                    f"STATUS=serving; the config is refused, the last good one is in force: {place}"
                )
                config.write_text(good)
                manager.wait_for("STATUS=serving")

                rows = client.get(f"{url_of(admin)}/api/v1/routes").json()
                assert 25 == next(row["percentage"] for row in rows if row["name"] == "feeds")

            program.process.send_signal(signal.SIGUSR2)
            manager.wait_for("STATUS=replacing worker-1")
            manager.wait_for("STATUS=all replaced")
            program.process.send_signal(signal.SIGTERM)
            manager.wait_for("STOPPING=1")
            assert program.process.wait(30) == 0


def test_ready_is_not_said_by_a_service_that_refuses_to_start(tmp_path: Path):
    """The manager learns it from the exit code, and nothing before."""
    with managed(tmp_path) as manager:
        missing = tmp_path / "missing.yaml"
        with service(missing, tmp_path, NOTIFY_SOCKET=manager.address) as program:
            assert 2 == program.process.wait(30)
        manager._socket.setblocking(False)
        with pytest.raises(BlockingIOError):
            manager.wait_for("READY=1")


def test_sockets_of_the_manager_are_served_by_name_in_any_order(tmp_path: Path):
    """Only the admin socket may be handed over as well; then users are where the settings say."""
    with two_backends(tmp_path) as (config, _), ExitStack() as stack:
        (admin,) = listeners(stack, 1)
        with service(config, tmp_path, [admin], "admin", ("--listen", "127.0.0.1:0")) as program:
            node = Node(program, config, tmp_path / "state")
            stack.callback(node.close)
            assert url_of(admin) == node.admin_url
            assert 200 == httpx.get(f"{node.url}{FEED}", trust_env=False).status_code
            assert node.stop() == 0
        assert admin.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)


def test_public_admin_socket_of_the_manager_needs_a_token(tmp_path: Path):
    """The rule holds for where the socket really listens, whatever the settings say."""
    with two_backends(tmp_path) as (config, _), ExitStack() as stack:
        (users,) = listeners(stack, 1)
        admin = stack.enter_context(socket.create_server(("0.0.0.0", 0)))
        with service(config, tmp_path, [users, admin]) as program:
            assert 2 == program.process.wait(30)
            assert "CHANGEOVER_ADMIN_TOKEN" in program.last_words()


def test_restart_of_the_service_fails_no_request(tmp_path: Path, figure: Callable[[str], None]):
    """Between the end of one node and the start of the next users wait in the manager's queue."""
    with two_backends(tmp_path) as (config, _), managed(tmp_path) as manager, ExitStack() as stack:
        users, admin = listeners(stack, 2)
        with Load(users.getsockname()[1], lambda n: get(FEED, f"user-{n}"), pause_s=0.02) as load:
            for _ in range(2):
                with service(config, tmp_path, (users, admin), NOTIFY_SOCKET=manager.address) as program:
                    manager.wait_for("READY=1")
                    load.wait_answers(300)
                    assert program.stop() == 0
            with service(config, tmp_path, (users, admin), NOTIFY_SOCKET=manager.address):
                load.wait_answers(300)
                load.stop()
        slowest_s = max(answered.elapsed_s for answered in load.answers)
        figure(f"two restarts of a service: {len(load.answers)} requests, {len(load.bad)} failed; {slowest_s:.1f} s")
        assert [] == load.bad


def test_two_sockets_on_one_address_are_one_for_each_worker(tmp_path: Path):
    """ReusePort= in the unit: the kernel spreads users over the workers, and the manager holds both queues."""
    with two_backends(tmp_path) as (config, _), ExitStack() as stack:
        users = listeners(stack, 2, is_shared=True)
        admin = listeners(stack, 1)
        given = service(config, tmp_path, [*users, *admin], "users:users:admin", ("--workers", "2"))
        with given as program:
            node = Node(program, config, tmp_path / "state")
            stack.callback(node.close)
            node.program.wait_until(lambda: node.program.events("node.ready"), "both workers ready")
            clients = [
                stack.enter_context(socket.create_connection(users[0].getsockname(), timeout=30)) for _ in range(64)
            ]
            for client in clients:
                client.sendall(get(FEED, "user-1"))
            assert {b"HTTP/1.1 200"} == {client.recv(1 << 16)[:12] for client in clients}
            owned = sorted(connections_of(pid, node.port) for pid in current_workers(node, 2).values())
            assert (64, True) == (sum(owned), owned[0] >= 12)
            assert [] == node.program.events("listener.shared")
            assert node.stop() == 0


def test_children_of_a_service_know_nothing_of_its_manager(tmp_path: Path):
    """None of them could speak in its name, or take its sockets for their own."""
    with two_backends(tmp_path) as (config, _), managed(tmp_path) as manager, ExitStack() as stack:
        users, admin = listeners(stack, 2)
        with service(config, tmp_path, (users, admin), NOTIFY_SOCKET=manager.address) as program:
            manager.wait_for("READY=1")
            pids = [entry["pid"] for entry in program.events("child.started")]
            environs = [_environ_of(pid) for pid in pids]
    assert [[], []] == [[name for name in each if name.startswith(("LISTEN_", "NOTIFY_"))] for each in environs]


def _environ_of(pid: int) -> list[str]:
    with open(f"/proc/{pid}/environ") as file:  # noqa: PTH123
        return [entry.partition("=")[0] for entry in file.read().split("\0")]


def test_hangup_during_the_start_ends_nothing(tmp_path: Path):
    """Whoever edits and reloads at once must not kill what has just begun."""
    with two_backends(tmp_path) as (config, _), managed(tmp_path) as manager, ExitStack() as stack:
        users, admin = listeners(stack, 2)
        with service(config, tmp_path, (users, admin), NOTIFY_SOCKET=manager.address) as program:
            program.wait_until(lambda: program.events("child.started"), "the first process")
            for number in (signal.SIGHUP, signal.SIGUSR2, signal.SIGHUP):
                os.kill(program.pid, number)
            manager.wait_for("READY=1")
            assert 200 == httpx.get(f"{url_of(users)}{FEED}", trust_env=False).status_code
            assert program.stop() == 0
