"""uvicorn's server on sockets that are bound already, and who accepts connections where TLS begins."""

from __future__ import annotations

import asyncio
import errno
from typing import TYPE_CHECKING

import structlog
import uvicorn

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable

log = structlog.get_logger(__name__)

_MOST_AT_ONCE = 64  # in one turn of the loop: who is being served has the next one
_PAUSE_S = 1.0  # asyncio's (ACCEPT_RETRY_DELAY)
# The system has no room for another connection: the queue stays readable, and looking again at once would be for ever.
_NO_ROOM = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Server(uvicorn.Server):
    """As uvicorn's (0.54); without lifespan, for given sockets only, and without TLS."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await self.listen(sockets or ())
        self.started = True

    async def listen(self, listeners: Iterable[socket.socket]) -> None:
        loop, backlog = asyncio.get_running_loop(), self.config.backlog
        self.servers = [await loop.create_server(self.make_protocol, sock=each, backlog=backlog) for each in listeners]

    def make_protocol(self) -> asyncio.Protocol:
        config = self.config
        protocol: asyncio.Protocol = config.http_protocol_class(  # type: ignore[call-arg]  # as uvicorn calls it
            config=config, server_state=self.server_state, app_state={}
        )
        return protocol


class Acceptor:
    """Accepts what comes to a listening socket and hands it to `take`, until `close`, which leaves the socket open.

    For TLS, in place of the loop's own server: that one tells nobody of a connection before its handshake is over, so
    that nobody could count those who never end it.
    """

    def __init__(self, listener: socket.socket, backlog: int, take: Callable[[socket.socket], None]) -> None:
        self._listener = listener
        self._take = take
        self._loop = asyncio.get_running_loop()
        self._resumption: asyncio.TimerHandle | None = None
        listener.setblocking(False)
        listener.listen(backlog)
        self._resume()

    def _resume(self) -> None:
        self._resumption = None
        self._loop.add_reader(self._listener, self._accept)

    def _accept(self) -> None:
        for _ in range(_MOST_AT_ONCE):
            try:
                accepted, _address = self._listener.accept()
            except OSError as error:  # none is left, a sibling was faster, the user has gone: accept(2)
                if error.errno in _NO_ROOM:
                    self._pause(error)
                return
            accepted.setblocking(False)
            self._take(accepted)

    def _pause(self, error: OSError) -> None:
        log.warning("listener.paused", cause=error.strerror, pause_s=_PAUSE_S)
        self._loop.remove_reader(self._listener)
        self._resumption = self._loop.call_later(_PAUSE_S, self._resume)

    def close(self) -> None:
        """Accepts no more; what waits in the socket's queue stays there."""
        if self._resumption is not None:
            self._resumption.cancel()
        self._loop.remove_reader(self._listener)
