"""uvicorn's server on sockets that are bound already, with a bound of ours for TLS handshakes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import uvicorn

if TYPE_CHECKING:
    import socket

HANDSHAKE_S = 10.0  # as for a request's head; asyncio's own is 60 s, in which a silent peer costs a descriptor


class Server(uvicorn.Server):
    """As uvicorn's (0.54), which hands no time limits on to the loop; without lifespan, and for given sockets only."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        loop, config = asyncio.get_running_loop(), self.config
        self.servers = [
            await loop.create_server(
                self._make_protocol,
                sock=each,
                ssl=config.ssl,
                backlog=config.backlog,
                ssl_handshake_timeout=HANDSHAKE_S if config.ssl is not None else None,
            )
            for each in sockets or ()
        ]
        self.started = True

    def _make_protocol(self) -> asyncio.Protocol:
        config = self.config
        protocol: asyncio.Protocol = config.http_protocol_class(  # type: ignore[call-arg]  # as uvicorn calls it
            config=config, server_state=self.server_state, app_state={}
        )
        return protocol
