"""The listening sockets of a node: bound by us or handed over by the service manager, and which of them is whose.

The process that supervises holds them all as long as it lives, so that the queue of a child that ends is there for
the one that comes after it. What was bound is released at the end; what was handed over is the manager's.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from proxy.activation import Inherited, address_of
from proxy.listeners import bind, bind_each, release

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from proxy.settings import Settings

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Listeners:
    """`users`: at least one, spread over the workers in order."""

    users: tuple[socket.socket, ...]
    admin: socket.socket

    def of_worker(self, number: int, workers: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The descriptors that worker `number` (from 0) serves, and its siblings'. Too few sockets are shared."""
        own = self.users[number::workers] or (self.users[number % len(self.users)],)
        others = tuple(listener for listener in self.users if listener not in own)
        return tuple(listener.fileno() for listener in own), tuple(listener.fileno() for listener in others)


def settled(settings: Settings, inherited: Inherited) -> Settings:
    """The settings as they are true with these sockets. Raises StartError for a socket that they can't describe."""
    found = {}
    if inherited.users:
        found["listen"] = str(address_of(inherited.users[0]))
    if inherited.admin is not None:
        found["admin_listen"] = str(address_of(inherited.admin))
    return settings.model_copy(update=found)


@contextmanager
def open_listeners(settings: Settings, inherited: Inherited) -> Iterator[Listeners]:
    """The node's sockets: those that were handed over, and for the rest bound ones. Raises StartError.

    Workers that share a socket share its users as it comes (ADR 5), which is said once.
    """
    with ExitStack() as stack:
        users = inherited.users
        if not users:
            users = tuple(bind_each(settings.listen_address, "--listen", settings.workers))
            for listener in users:
                stack.callback(release, listener)
        if len(users) < settings.workers:
            log.warning(
                "listener.shared",
                listen=settings.listen,
                sockets=len(users),
                workers=settings.workers,
                effect="one worker may serve most users; several workers share the load where each has a TCP socket",
            )
        admin = inherited.admin
        if admin is None:
            admin = bind(settings.admin_address, "--admin-listen")
            stack.callback(release, admin)
        yield Listeners(users, admin)
