"""A worker's server: uvicorn's, that says when it serves, cares for its siblings' queues, and stops without a loss.

A user who comes by TLS takes a place from the moment in which the connection is accepted; without one there is no
handshake (`Limits.most_accepted`).

It stops in this order, all within `drain_s`:

1. The listening sockets are closed here. What waits in their queues is for whoever else holds them: the successor.
2. Every connection is told to end (`ServerProtocol.shutdown`), also one that was accepted before and appears only now:
   it answers what is under way, and what still comes within its grace, says so by `Connection: close`, and ends.
   WebSockets and event streams are ended where that may be (`closing`).
3. What is left when the time is over is broken off by a reset: an answer that was cut must not look like a whole one.
"""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

import structlog

from proxy.traffic.accept import Acceptor, Server

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable, Coroutine, Iterable

    import uvicorn

    from proxy.traffic.handler import Handler
    from proxy.traffic.server import ServerProtocol
    from proxy.traffic.siblings import Siblings

log = structlog.get_logger(__name__)

HANDSHAKE_S = 10.0  # as for a request's head; asyncio's own is 60 s, in which a silent peer costs a descriptor
_LATECOMERS_S = 0.1  # from accepted to known: a turn of the loop
_LATECOMERS_TLS_S = 1.0  # the same with a handshake between: two round trips around the earth
_LOOK_S = 0.02
_CANCELLED_S = 1.0  # for what is cancelled to put its affairs in order


class AnnouncingServer(Server):
    """A server that awaits `on_serving` once it accepts connections."""

    def __init__(self, config: uvicorn.Config, on_serving: Callable[[], Awaitable[None]]) -> None:
        super().__init__(config)
        self._on_serving = on_serving

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        await self._on_serving()


class WorkerServer(AnnouncingServer):
    """See the module. `handler` is the configured one, of requests; `spawn` runs a task that nobody waits for;
    `on_stopping` is called as the stop begins.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        on_serving: Callable[[], Awaitable[None]],
        *,
        handler: Handler,
        drain_s: float,
        siblings: Siblings,
        spawn: Callable[[Coroutine[Any, Any, None]], object],
        on_stopping: Callable[[], None],
    ) -> None:
        super().__init__(config, on_serving)
        self.reload: Callable[[], object] = lambda: None  # what SIGHUP means here
        self._acceptors: list[Acceptor] = []
        self._handler = handler
        self._drain_s = drain_s
        self._siblings = siblings
        self._spawn = spawn
        self._on_stopping = on_stopping

    # --- siblings, and TLS ---
    async def listen(self, listeners: Iterable[socket.socket]) -> None:
        if self.config.ssl is None:
            await super().listen(listeners)
            return
        self.servers = []
        self._acceptors = [Acceptor(each, self.config.backlog, self._accepted) for each in listeners]

    async def on_tick(self, counter: int) -> bool:
        """As uvicorn's, ten times a second."""
        if await super().on_tick(counter):
            return True
        for accepted in self._siblings.waiting():
            self._accepted(accepted)
        return False

    def _accepted(self, accepted: socket.socket) -> None:
        """Takes a connection in, or turns it away: what there is no place for is not even told so."""
        handler = self._handler
        if handler.connections + handler.handshakes >= handler.limits.most_accepted:
            handler.turned_away()
            accepted.close()
            return
        handler.handshakes += 1
        self._spawn(self._begin(accepted))

    async def _begin(self, accepted: socket.socket) -> None:
        """Until the connection is one of `Handler.connections`, or has come to nothing."""
        tls = self.config.ssl
        try:
            with suppress(OSError, ssl.SSLError):  # gone again, no TLS, or too slow: nobody is there to be answered
                await asyncio.get_running_loop().connect_accepted_socket(
                    self.make_protocol, accepted, ssl=tls, ssl_handshake_timeout=None if tls is None else HANDSHAKE_S
                )
        finally:
            self._handler.handshakes -= 1

    # --- the end ---
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Instead of uvicorn's, which doesn't tell who appears late, and lets what is left look like an end."""
        loop = asyncio.get_running_loop()
        began_at = loop.time()
        log.info("worker.draining", connections=len(self.server_state.connections), drain_s=self._drain_s)
        self._on_stopping()
        self._siblings.close()
        for server in self.servers:
            server.close()
        for acceptor in self._acceptors:
            acceptor.close()
        for listener in sockets or ():
            listener.close()
        latecomers_until = began_at + (_LATECOMERS_TLS_S if self.config.ssl else _LATECOMERS_S)
        await self._tell_to_end(latecomers_until, began_at + self._drain_s)
        await self._break_off()

    async def _tell_to_end(self, at_least_until: float, at_most_until: float) -> None:
        loop, state = asyncio.get_running_loop(), self.server_state
        told: set[object] = set()
        while True:
            for connection in set(state.connections) - told:
                connection.shutdown()
                told.add(connection)
            now = loop.time()
            is_done = now > at_least_until and not state.connections and not state.tasks
            if is_done or now > at_most_until:
                return
            await asyncio.sleep(_LOOK_S)

    async def _break_off(self) -> None:
        connections, tasks = list(self.server_state.connections), list(self.server_state.tasks)
        if not connections and not tasks:
            return
        log.warning("worker.broke_off", connections=len(connections), drain_s=self._drain_s)
        for connection in connections:
            cast("ServerProtocol", connection).reset()  # there are no others
        for task in tasks:
            task.cancel()
        await asyncio.sleep(0)  # the connections' ends are told
        if tasks:
            await asyncio.wait(tasks, timeout=_CANCELLED_S)
