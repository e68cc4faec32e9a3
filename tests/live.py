"""An ASGI application on a real socket of this machine, served by uvicorn in a thread."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import uvicorn

from proxy.listeners import url_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import ASGIApp, Receive, Scope, Send


class _Announcing(uvicorn.Server):
    """Says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listens = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listens.set()


class Stage:
    """An application that hands on to whichever one plays: a server for many tests, which costs 0.1 s to stop."""

    def __init__(self) -> None:
        self.app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self.app is not None
        await self.app(scope, receive, send)


@contextmanager
def serve(app: ASGIApp | Any, given: socket.socket | None = None) -> Iterator[str]:
    """The URL of the application while the context is open, on a given listener or on a free port of 127.0.0.1."""
    server = _Announcing(uvicorn.Config(app, log_config=None, ws="none", lifespan="off", loop="asyncio", http="h11"))
    with given or socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        if not server.listens.wait(10):
            raise RuntimeError("the application did not start")
        yield url_of(listener)
        server.should_exit = True
        thread.join(10)
