"""Connections that mean harm, as a program: `python -m bench.abuser PORT KIND CONNECTIONS PATIENCE_S [again]`.

`--upload-bytes` and `--upload-s` say how much an upload sends, and how long at most.

It prints a JSON line once all connections are open and at it, and another one once the server has ended all of them
or patience has: `ended`, how many; `after_s`; `sent`, the bytes they could send. It ends no connection itself. With
`again`, each that the server has ended is followed by another one within a second, as long as patience lasts.

Connections do what they do at times of their own. All at once, 200 bytes held up the core that they share with the load
by 2 ms: as much as they cost a request to the backend itself, which no proxy had seen.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

DRIP_S = 0.2  # between two bytes
SIP_S = 1.0
LOOK_S = 0.05
AGAIN_S = 1.0
HEAD_BYTES = 32 << 20  # of each head without end, for a server that would take it all
UPLOAD_BYTES, UPLOAD_S = 10 << 30, 4.0  # whichever comes first
ANSWER_S = 4.0
CHUNK = b"%x\r\n%b\r\n" % (1 << 20, bytes(1 << 20))
ENDED = frozenset({7, 8})  # CLOSE, CLOSE_WAIT: the server has reset or closed it (tcp_states.h)
HEAD = b"%b %b HTTP/1.1\r\nhost: reader.example\r\nx-user-id: abuser\r\n"


class Connection:
    """One of them; `sent` counts."""

    def __init__(self, sock: socket.socket, upload_bytes: int = UPLOAD_BYTES, upload_s: float = UPLOAD_S) -> None:
        self._sock = sock
        self.upload_bytes = upload_bytes
        self.upload_s = upload_s
        self.sent = 0

    @property
    def has_ended(self) -> bool:
        """Whether the server has ended it, also where that was not read yet: the kernel's view (tcp(7), TCP_INFO)."""
        return self._sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] in ENDED

    def close(self) -> None:
        self._sock.close()

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self._sock, data)
        self.sent += len(data)

    async def read(self, most: int) -> bytes:
        return await asyncio.get_running_loop().sock_recv(self._sock, most)

    async def drip(self, byte: bytes) -> None:
        """For ever, in the same steps, which begin at a time of its own."""
        await asyncio.sleep(DRIP_S * random.random())
        while True:
            await self.send(byte)
            await asyncio.sleep(DRIP_S)


# --- slowloris ---
async def idle(_: Connection) -> None:
    """Never says anything."""


async def partial_head(connection: Connection) -> None:
    await connection.send(HEAD % (b"GET", b"/abused") + b"x-half")


async def dripped_head(connection: Connection) -> None:
    await connection.send(HEAD % (b"GET", b"/abused") + b"x-long: ")
    await connection.drip(b"a")


async def dripped_body(connection: Connection) -> None:
    await connection.send(HEAD % (b"PUT", b"/abused") + b"content-length: 100000\r\n\r\n")
    await connection.drip(b"a")


async def stalled_body(connection: Connection) -> None:
    await connection.send(HEAD % (b"PUT", b"/abused") + b"content-length: 100000\r\n\r\nbegun")


# --- floods ---
async def endless_head(connection: Connection) -> None:
    await connection.send(HEAD % (b"GET", b"/abused") + b"x-long: ")
    while connection.sent < HEAD_BYTES:
        await connection.send(b"a" * (1 << 16))


async def endless_fields(connection: Connection) -> None:
    await connection.send(HEAD % (b"GET", b"/abused"))
    while connection.sent < HEAD_BYTES:
        await connection.send(b"x-one-more: of many\r\n" * 1000)


async def upload(connection: Connection) -> None:
    """As fast as it is taken; then it is ended properly, and the connection stays open for nothing."""
    began = time.monotonic()
    await connection.send(HEAD % (b"PUT", b"/abused") + b"transfer-encoding: chunked\r\n\r\n")
    while connection.sent < connection.upload_bytes and time.monotonic() - began < connection.upload_s:
        await connection.send(CHUNK)
    await connection.send(b"0\r\n\r\n")


# --- answers without end ---
async def endless_answer(connection: Connection) -> None:
    """Takes it as fast as it comes, and then no more of it."""
    began = time.monotonic()
    await connection.send(HEAD % (b"GET", b"/endless") + b"\r\n")
    while time.monotonic() - began < ANSWER_S and await connection.read(1 << 20):
        pass


async def deaf(connection: Connection) -> None:
    """Asks for what has no end and stops reading."""
    await connection.send(HEAD % (b"GET", b"/endless") + b"\r\n")
    await connection.read(1 << 16)


async def sipping(connection: Connection) -> None:
    """Reads a byte each second."""
    await connection.send(HEAD % (b"GET", b"/big") + b"\r\n")
    while await connection.read(1):  # noqa: ASYNC110  # it is the slowness that matters
        await asyncio.sleep(SIP_S)


KINDS: dict[str, Callable[[Connection], Awaitable[None]]] = {
    "idle": idle,
    "partial-head": partial_head,
    "dripped-head": dripped_head,
    "dripped-body": dripped_body,
    "stalled-body": stalled_body,
    "endless-head": endless_head,
    "endless-fields": endless_fields,
    "upload": upload,
    "endless-answer": endless_answer,
    "deaf": deaf,
    "sipping": sipping,
}


async def abuse(
    port: int,
    kind: str,
    number: int,
    patience_s: float,
    *,
    again: bool = False,
    upload_bytes: int = UPLOAD_BYTES,
    upload_s: float = UPLOAD_S,
) -> None:
    """Until the server has ended all connections, or patience has."""

    async def connect() -> Connection:
        return Connection(await _connect(port), upload_bytes, upload_s)

    async def act(connection: Connection) -> None:
        with suppress(OSError):  # it was ended
            await KINDS[kind](connection)

    async def follow(connection: Connection) -> None:
        await asyncio.sleep(AGAIN_S * random.random())
        while again:
            while not connection.has_ended:  # noqa: ASYNC110  # the kernel's view, which nobody is told of
                await asyncio.sleep(AGAIN_S)
            connection.close()
            connection = await connect()
            await act(connection)

    connections = [await connect() for _ in range(number)]
    began = time.monotonic()
    acts = [asyncio.create_task(act(connection)) for connection in connections]
    acts += [asyncio.create_task(follow(connection)) for connection in connections]
    await asyncio.sleep(0)
    _say(opened=len(connections))
    while time.monotonic() - began < patience_s and (  # noqa: ASYNC110
        again or not all(each.has_ended for each in connections)
    ):
        await asyncio.sleep(LOOK_S)
    after_s = time.monotonic() - began
    _say(
        ended=sum(each.has_ended for each in connections), after_s=after_s, sent=sum(each.sent for each in connections)
    )
    for task in acts:
        task.cancel()


async def _connect(port: int) -> socket.socket:
    sock = socket.socket()
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
    return sock


def _say(**values: float) -> None:
    print(json.dumps(values), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.abuser")
    parser.add_argument("port", type=int)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("connections", type=int)
    parser.add_argument("patience_s", type=float)
    parser.add_argument("again", nargs="?", choices=["again"])
    parser.add_argument("--upload-bytes", type=int, default=UPLOAD_BYTES)
    parser.add_argument("--upload-s", type=float, default=UPLOAD_S)
    given = parser.parse_args()
    asyncio.run(
        abuse(
            *(given.port, given.kind, given.connections, given.patience_s),
            again=given.again is not None,
            upload_bytes=given.upload_bytes,
            upload_s=given.upload_s,
        )
    )


if __name__ == "__main__":
    main()
