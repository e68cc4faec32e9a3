"""A backend that is broken on purpose, as a program: `python -m bench.broken PORT BEHAVIOUR`, until it is ended."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress

GARBAGE = b"\x16\x03\x01\x00\xa5 this is no HTTP at all\r\n\r\n\x00\xff"
SLOW_S = 5.0
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nlate"
BEHAVIOURS = ("hanging", "garbage", "slow")


class Broken(asyncio.Protocol):
    """One connection; each piece that comes in is taken for a request, which is what a proxy sends."""

    def __init__(self, behaviour: str) -> None:
        self._behaviour = behaviour

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        del data
        if self._behaviour == "garbage":
            self._transport.write(GARBAGE)
        elif self._behaviour == "slow":
            asyncio.get_running_loop().call_later(SLOW_S, self._transport.write, ANSWER)


async def serve(port: int, behaviour: str) -> None:
    """Serves until it is cancelled."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Broken(behaviour), "127.0.0.1", port, backlog=1024)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(serve(int(sys.argv[1]), sys.argv[2]))
