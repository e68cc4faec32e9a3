"""Socket activation: descriptors 3 and up, as a service manager hands them over, in a process of their own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from proxy.activation import Inherited, address_of, take_inherited
from proxy.addresses import TcpAddress, UnixAddress
from proxy.errors import StartError
from proxy.node import settled
from proxy.settings import Settings
from tests.activated import activated

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

PROGRAM = """
import os
from proxy.activation import address_of, take_inherited
from proxy.errors import StartError
try:
    found = take_inherited(os.environ)
except StartError as error:
    print(error)
else:
    print("users", *(address_of(each).port for each in found.users))
    print("admin", *([address_of(found.admin).port] if found.admin else []))
    print(sorted(name for name in os.environ if name.startswith("LISTEN_")))
"""


def hand_over(listeners: Sequence[socket.socket], names: str | None = None) -> list[str]:
    """What a process prints that finds these as its descriptors from 3 on."""
    argv, descriptors = activated((sys.executable, "-c", PROGRAM), listeners, names)
    return subprocess.run(argv, pass_fds=descriptors, capture_output=True, text=True, check=True).stdout.splitlines()


@pytest.fixture
def listeners() -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        yield [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(3)]


def ports(*listeners: socket.socket) -> str:
    return " ".join(str(each.getsockname()[1]) for each in listeners)


def test_sockets_without_our_names_are_taken_in_order(listeners: list[socket.socket]):
    """The first is the users', the second the admin API's; the variables are gone afterwards."""
    a, b, _ = listeners
    assert [f"users {ports(a)}", f"admin {ports(b)}", "[]"] == hand_over([a, b])
    assert [f"users {ports(a)}", "admin", "[]"] == hand_over([a], "changeover.socket")


def test_sockets_are_taken_by_their_names(listeners: list[socket.socket]):
    """In any order, and several for users: one for each worker."""
    a, b, c = listeners
    assert [f"users {ports(b, c)}", f"admin {ports(a)}", "[]"] == hand_over([a, b, c], "admin:users:users")
    assert ["users", f"admin {ports(a)}", "[]"] == hand_over([a], "admin")


@pytest.mark.parametrize(
    ("number", "names", "said"),
    [
        (2, "users:metrics", "name each of them users or admin"),
        (3, "users:admin", "not the names of 3 sockets"),
        (2, "admin:admin", "2 sockets named admin"),
        (3, None, "which is for whom?"),
    ],
)
def test_sockets_that_nobody_can_tell_apart_are_refused(
    listeners: list[socket.socket], number: int, names: str | None, said: str
):
    """A guess could put the admin API where users are."""
    (line,) = hand_over(listeners[:number], names)
    assert said in line


def test_descriptor_that_is_no_listening_socket_is_refused():
    """One that doesn't listen, and one for datagrams."""
    with socket.socket() as idle, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
        said = [hand_over([each])[0] for each in (idle, datagrams)]
    assert [True, True] == ["descriptor 3 (users) doesn't listen" in each for each in said]


def test_descriptor_that_is_no_socket_is_refused(tmp_path: Path):
    """A wrong number in the environment is told as such."""
    with (tmp_path / "file").open("w") as file:
        argv, descriptors = activated((sys.executable, "-c", PROGRAM), [file])  # type: ignore[list-item]  # on purpose
        done = subprocess.run(argv, pass_fds=descriptors, capture_output=True, text=True, check=True)
    assert "descriptor 3 (users) is no socket" in done.stdout


@pytest.mark.parametrize("pid", ["1", "", "x"])
def test_sockets_for_another_process_are_left_alone(pid: str):
    """LISTEN_PID says whose they are; the variables are taken out all the same."""
    environ = {"LISTEN_PID": pid, "LISTEN_FDS": "2", "LISTEN_FDNAMES": "users:admin"}
    assert (Inherited(), {}) == (take_inherited(environ), environ)


def test_settings_say_where_inherited_sockets_listen(tmp_path: Path):
    """So the rule that a public admin listener needs a token holds for them as well."""
    with socket.create_server(("127.0.0.1", 0)) as users, socket.create_server(("0.0.0.0", 0)) as admin:
        found = settled(Settings(), Inherited((users,), admin))
        assert (users.getsockname(), admin.getsockname()) == (found.listen_address, found.admin_address)
    assert Settings() == settled(Settings(), Inherited())


def test_address_of_a_socket_is_what_the_settings_would_say(tmp_path: Path):
    """TCP in both families, and a path; a socket without a path can't be written there."""
    path = str(tmp_path / "users.sock")
    with socket.socket(socket.AF_UNIX) as unix, socket.socket(socket.AF_UNIX) as abstract:
        unix.bind(path)
        abstract.bind(f"\0changeover-test-{os.getpid()}")
        assert UnixAddress(path) == address_of(unix)
        with pytest.raises(StartError, match="neither TCP nor a path"):
            address_of(abstract)
    with socket.create_server(("127.0.0.1", 0)) as tcp:
        assert TcpAddress(*tcp.getsockname()) == address_of(tcp)
