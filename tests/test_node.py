"""The sockets of a node: bound or handed over, one for each worker, released as they came."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from proxy.activation import Inherited
from proxy.addresses import TcpAddress, UnixAddress
from proxy.errors import StartError
from proxy.listeners import bind, bind_each
from proxy.node import Listeners, open_listeners
from proxy.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as entered:
        yield entered


def anywhere(workers: int = 1, **fields: str) -> Settings:
    given: dict[str, Any] = {"listen": "127.0.0.1:0", "admin_listen": "127.0.0.1:0", "workers": workers}
    return Settings(**(given | fields))


def test_each_worker_has_a_socket_of_its_own_on_one_address():
    """The kernel spreads what comes; each worker has its siblings' sockets as well."""
    with open_listeners(anywhere(workers=3), Inherited()) as listeners:
        assert (3, 1) == (len(listeners.users), len({each.getsockname() for each in listeners.users}))
        numbers = [each.fileno() for each in listeners.users]
        parts = [listeners.of_worker(number, 3) for number in range(3)]
        assert [(number,) for number in numbers] == [own for own, _ in parts]
        assert all({*own, *others} == set(numbers) for own, others in parts)
    assert {-1} == {each.fileno() for each in listeners.users}


@pytest.mark.parametrize(
    ("sockets", "workers", "own"),
    [
        (1, 1, [[0]]),
        (1, 3, [[0], [0], [0]]),
        (2, 3, [[0], [1], [0]]),
        (3, 2, [[0, 2], [1]]),
    ],
)
def test_sockets_of_another_number_than_the_workers_are_all_served(
    stack: ExitStack, sockets: int, workers: int, own: list[list[int]]
):
    """Too few are shared, and of too many a worker has several; none is left without one."""
    users = tuple(stack.enter_context(socket.socket()) for _ in range(sockets))
    listeners = Listeners(users, users[0])
    found = [listeners.of_worker(number, workers)[0] for number in range(workers)]
    assert own == [[[each.fileno() for each in users].index(one) for one in part] for part in found]


def test_inherited_sockets_stay_open_and_bound_ones_are_released(stack: ExitStack, tmp_path: Path):
    """What the manager handed over is the manager's."""
    given = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    path = tmp_path / "admin.sock"
    with open_listeners(anywhere(admin_listen=f"unix:{path}"), Inherited((given,))) as listeners:
        assert ((given,), True) == (listeners.users, path.exists())
    assert (False, False) == (given.fileno() == -1, path.exists())


@pytest.mark.parametrize(
    ("sockets", "workers", "said"), [(1, 1, []), (1, 2, [(1, 2)]), (2, 3, [(2, 3)]), (2, 2, []), (3, 2, [])]
)
def test_sockets_that_workers_share_are_warned_about(
    stack: ExitStack, sockets: int, workers: int, said: list[tuple[int, int]]
):
    """Once, with their numbers: users are not spread over these workers."""
    given = tuple(stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(sockets))
    with capture_logs() as logs, open_listeners(anywhere(workers), Inherited(given)):
        pass
    assert said == [(each["sockets"], each["workers"]) for each in logs if each["event"] == "listener.shared"]


@pytest.mark.parametrize(("kind", "said"), [("tcp", 0), ("unix", 1)])
def test_sockets_that_are_bound_are_warned_about_where_they_are_shared(kind: str, said: int, tmp_path: Path):
    """A Unix socket is one for all workers; of TCP sockets each has its own."""
    listen = {"tcp": "127.0.0.1:0", "unix": f"unix:{tmp_path / 'users.sock'}"}[kind]
    with capture_logs() as logs, open_listeners(anywhere(workers=2, listen=listen), Inherited()):
        pass
    assert said == sum(each["event"] == "listener.shared" for each in logs)


def test_sockets_of_workers_are_refused_where_somebody_listens_already(stack: ExitStack):
    """Also where that one shares its port: two nodes on one address would each get half of the users."""
    (first, *_) = (stack.enter_context(each) for each in bind_each(TcpAddress("127.0.0.1", 0), "--listen", 2))
    taken = TcpAddress(*first.getsockname())
    for number in (1, 2):
        with pytest.raises(StartError, match="Address already in use"):
            bind_each(taken, "--listen", number)


def test_sockets_of_workers_are_bound_again_right_after_their_end():
    """Connections that have just been closed keep no port taken."""
    first = bind_each(TcpAddress("127.0.0.1", 0), "--listen", 2)
    address = TcpAddress(*first[0].getsockname())
    with socket.create_connection(address):
        accepted = [_accepted(each) for each in first]
    for each in (*first, *filter(None, accepted)):
        each.close()
    for each in bind_each(address, "--listen", 2):
        each.close()


def _accepted(listener: socket.socket) -> socket.socket | None:
    listener.setblocking(False)
    try:
        return listener.accept()[0]
    except BlockingIOError:
        return None


def test_unix_socket_is_one_for_all_workers(stack: ExitStack, tmp_path: Path):
    """The kernel doesn't spread these."""
    address = UnixAddress(str(tmp_path / "users.sock"))
    (only,) = bind_each(address, "--listen", 4)
    with only, pytest.raises(StartError, match="another process listens there"):
        bind(address, "--listen")
