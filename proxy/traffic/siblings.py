"""The listening sockets of a worker's siblings: their connections are taken over when they are left to wait.

With one socket for each worker the kernel spreads new connections evenly, but keeps those of a dead or stuck worker
for it alone (SO_REUSEPORT, socket(7)). So each worker looks at the others' queues a few times a second and accepts
what lies there. In the queue of a worker that is well there is nothing: it takes each connection within its turn.
"""

from __future__ import annotations

import select
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable

_MOST_AT_ONCE = 16  # of one socket in one look: the rest is for the other siblings, or for the next look


class Siblings:
    """Sockets of which this process has a copy, and another one the care."""

    def __init__(self, listeners: Iterable[socket.socket] = ()) -> None:
        self._listeners = {listener.fileno(): listener for listener in listeners}
        self._poll = select.poll()
        for descriptor, listener in self._listeners.items():
            listener.setblocking(False)
            self._poll.register(descriptor, select.POLLIN)

    def waiting(self) -> list[socket.socket]:
        """Connections that nobody has taken, accepted now. One system call where there is none."""
        if not self._listeners:
            return []
        return [taken for descriptor, _ in self._poll.poll(0) for taken in _accept(self._listeners[descriptor])]

    def close(self) -> None:
        for descriptor, listener in self._listeners.items():
            self._poll.unregister(descriptor)
            listener.close()
        self._listeners = {}


def _accept(listener: socket.socket) -> list[socket.socket]:
    taken: list[socket.socket] = []
    with suppress(OSError):  # none is left, somebody was faster, the user has gone, or no descriptor is free
        while len(taken) < _MOST_AT_ONCE:
            accepted, _ = listener.accept()
            accepted.setblocking(False)
            taken.append(accepted)
    return taken
