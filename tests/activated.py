"""A program started as a service manager starts it: with sockets as its descriptors 3, 4 … (sd_listen_fds(3))."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

# Moves the descriptors that it is told, says so in the environment, and becomes the program.
_LAUNCHER = """
import fcntl, os, sys
descriptors, names, argv = sys.argv[1].split(","), sys.argv[2], sys.argv[3:]
copies = [fcntl.fcntl(int(each), fcntl.F_DUPFD, 100) for each in descriptors]
for place, copy in enumerate(copies):
    os.dup2(copy, 3 + place)
    os.close(copy)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(len(descriptors))}
if names != "-":
    os.environ["LISTEN_FDNAMES"] = names
os.execv(argv[0], argv)
"""


def activated(
    argv: tuple[str, ...], listeners: Sequence[socket.socket], names: str | None = None
) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """The command that becomes `argv` with these sockets, and the descriptors that it must be started with."""
    descriptors = tuple(each.fileno() for each in listeners)
    return (sys.executable, "-c", _LAUNCHER, ",".join(map(str, descriptors)), names or "-", *argv), descriptors
