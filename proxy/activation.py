"""Listening sockets that the service manager made and holds (sd_listen_fds(3)): none of their queue is lost between
the end of one node and the start of the next.

By name: each socket named `users` serves users, the one named `admin` the admin API. Without these names the first is
for users and the second for the admin API.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from proxy.addresses import TcpAddress, UnixAddress
from proxy.errors import StartError

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from proxy.addresses import Address

_FIRST = 3  # SD_LISTEN_FDS_START
_NAMES = ("users", "admin")


@dataclass(frozen=True, slots=True)
class Inherited:
    """What was handed over; `users` may be several sockets, one for each worker to begin with."""

    users: tuple[socket.socket, ...] = ()
    admin: socket.socket | None = None


def take_inherited(environ: MutableMapping[str, str]) -> Inherited:
    """The sockets that were handed over to this process. Raises StartError for one that can't be listened on.

    The variables are taken out of `environ`: they are not for our children.
    """
    given = {name: environ.pop(f"LISTEN_{name}", "") for name in ("PID", "FDS", "FDNAMES")}
    if given["PID"] != str(os.getpid()) or not given["FDS"].isdecimal():
        return Inherited()
    number = int(given["FDS"])
    names = _known_names(number, given["FDNAMES"].split(":"))
    listeners = [(name, _listener(_FIRST + place, name)) for place, name in enumerate(names)]
    users = tuple(listener for name, listener in listeners if name == "users")
    admins = [listener for name, listener in listeners if name == "admin"]
    if len(admins) > 1:
        raise StartError(f"LISTEN_FDS: {len(admins)} sockets named admin; one is enough")
    return Inherited(users, admins[0] if admins else None)


def _known_names(number: int, names: list[str]) -> list[str]:
    if set(names) & set(_NAMES):
        unknown = sorted(set(names) - set(_NAMES))
        if unknown or len(names) != number:
            raise StartError(
                f"LISTEN_FDNAMES {':'.join(names)}: not the names of {number} sockets; name each of them users or admin"
            )
        return names
    if number > len(_NAMES):
        raise StartError(
            f"LISTEN_FDS {number}: which is for whom? Name each socket users or admin (FileDescriptorName)"
        )
    return list(_NAMES[:number])


def _listener(descriptor: int, name: str) -> socket.socket:
    try:
        listener = socket.socket(fileno=descriptor)
        is_listening = listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError as error:
        raise StartError(
            f"LISTEN_FDS: descriptor {descriptor} ({name}) is no socket ({error.strerror or error})"
        ) from error
    if not is_listening or listener.type != socket.SOCK_STREAM:
        raise StartError(f"LISTEN_FDS: descriptor {descriptor} ({name}) doesn't listen; use ListenStream= for it")
    listener.set_inheritable(False)
    return listener


def address_of(listener: socket.socket) -> Address:
    """Where a socket listens, as the settings write it. Raises StartError for a kind that they can't write."""
    name = listener.getsockname()
    if listener.family == socket.AF_UNIX and isinstance(name, str):
        return UnixAddress(name)
    if listener.family in {socket.AF_INET, socket.AF_INET6}:
        return TcpAddress(*name[:2])
    raise StartError(f"LISTEN_FDS: a socket at {name!r} is neither TCP nor a path; use another ListenStream=")
