"""Where something listens, as people write it: `127.0.0.1:8000`, `[::1]:8000`, `unix:/run/changeover.sock`.

Text to values and back; nothing is bound or looked up here. `listeners` binds, `settings` and `config` read.
"""

from __future__ import annotations

import ipaddress
import os
import re
from typing import NamedTuple

UNIX = "unix:"
MAX_SOCKET_PATH_BYTES = 107  # unix(7): `sun_path` has 108, one of them for the final NUL
_TCP = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9][A-Za-z0-9._-]*):(?P<port>[0-9]{1,5})")


class TcpAddress(NamedTuple):
    """Host (IPv6 without brackets) and port; port 0 means any that is free."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class UnixAddress(NamedTuple):
    """The absolute path of a Unix socket."""

    path: str

    def __str__(self) -> str:
        return UNIX + self.path


Address = TcpAddress | UnixAddress


def parse_address(text: str) -> Address:
    """The address in a text. Raises ValueError that says how to write one."""
    if text.startswith(UNIX):
        return UnixAddress(socket_path(text))
    found = _TCP.fullmatch(text)
    if found is None or int(found["port"]) > 65_535:
        raise ValueError(
            f"{text!r} is not an address to listen on; write HOST:PORT, as 127.0.0.1:8000 or [::1]:8000, or unix:/PATH"
        )
    host = found["host"]
    if not host.startswith("["):
        return TcpAddress(host, int(found["port"]))
    try:
        return TcpAddress(str(ipaddress.IPv6Address(host[1:-1])), int(found["port"]))
    except ValueError as error:
        raise ValueError(f"{text!r} has no IPv6 address in its brackets; write it as [::1]:8000") from error


def socket_path(text: str) -> str:
    """The path of `unix:/PATH`. Raises ValueError for one that can't name a Unix socket."""
    path = text.removeprefix(UNIX)
    if not path.startswith("/") or path.endswith("/"):
        raise ValueError(f"{text!r} has no absolute path of a socket; write it as unix:/run/app.sock")
    if not path.isprintable():
        raise ValueError(f"{text!r} has control characters; write it as unix:/run/app.sock")
    if len(os.fsencode(path)) > MAX_SOCKET_PATH_BYTES:
        raise ValueError(f"{text!r} is longer than the {MAX_SOCKET_PATH_BYTES} bytes of a Unix socket's path")
    return path
