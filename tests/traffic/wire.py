"""Raw bytes on both ends of a worker: a client that sends what it is told, backends that answer what they are told.

Nothing here helps a message to be valid: what a test writes is what goes over the wire, and every byte that comes
is kept as it came.
"""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import uvloop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
    from typing import Any

PATIENCE_S = 10.0  # bounds every wait of a test; none comes near it unless something hangs
_LIMIT = 1 << 20
_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_QUOTED = rb'"(?:[\t\x20\x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*"'
_EXTENSION = rb"[ \t]*;[ \t]*" + _TOKEN + rb"(?:[ \t]*=[ \t]*(?:" + _TOKEN + rb"|" + _QUOTED + rb"))?"
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]+)(?:" + _EXTENSION + rb")*\r\n")  # RFC 9112 §7.1 and §7.1.1
_TRAILER_LINE = re.compile(_TOKEN + rb":[\t\x20-\x7e\x80-\xff]*\r\n")  # RFC 9112 §7.1.2


def run(scenario: Coroutine[Any, Any, None]) -> None:
    """Runs a scenario on the event loop that workers use."""

    async def bounded() -> None:
        async with asyncio.timeout(PATIENCE_S):
            await scenario

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(bounded())


async def until(is_so: Callable[[], object]) -> None:
    """Waits for what has no event of its own: counters, sets of connections."""
    while not is_so():  # noqa: ASYNC110  # see above
        await asyncio.sleep(0.005)


# --- messages ---
Fields = list[tuple[str, str]]


@dataclass(slots=True)
class Head:
    """The first line and the fields of a message, as they came; names in lower case."""

    raw: bytes

    @property
    def start(self) -> str:
        return self.raw.partition(b"\r\n")[0].decode("latin-1")

    @property
    def fields(self) -> Fields:
        lines = self.raw.decode("latin-1").split("\r\n")[1:]
        pairs = (line.partition(":") for line in lines if line)
        return [(name.lower(), value.strip(" \t")) for name, _, value in pairs]

    def all(self, name: str) -> list[str]:
        return [value for each, value in self.fields if each == name]

    def get(self, name: str) -> str | None:
        found = self.all(name)
        return found[0] if found else None


async def read_head(reader: asyncio.StreamReader) -> Head:
    """Raises IncompleteReadError where the peer has closed."""
    return Head(await reader.readuntil(b"\r\n\r\n"))


def chunk_size(line: bytes) -> int:
    """What a chunk's first line says, its CRLF included; it fails the test where that isn't one, to the letter."""
    found = _CHUNK_LINE.fullmatch(line)
    assert found is not None, f"no chunk begins with {line!r}"
    return int(found[1], 16)


def check_trailer_line(line: bytes) -> None:
    assert _TRAILER_LINE.fullmatch(line), f"{line!r} is no line of a trailer section"


async def read_chunked(reader: asyncio.StreamReader, took: Callable[[bytes], None]) -> bytes:
    """Hands each chunk to `took`; returns the trailer section.

    Raises IncompleteReadError amid the body. Whatever else isn't as RFC 9112 §7.1 has it fails the test.
    """
    while size := chunk_size(await reader.readuntil(b"\r\n")):
        took(await reader.readexactly(size))
        end = await reader.readexactly(2)
        assert b"\r\n" == end, f"a chunk of {size} bytes ends with {end!r}"
    trailer = b""
    while (line := await reader.readuntil(b"\r\n")) != b"\r\n":
        check_trailer_line(line)
        trailer += line
    return trailer


# --- the backend's side ---
@dataclass(slots=True)
class Asked:
    """One request that a backend got. `body` grows as it is read; `left` is set once the peer has closed."""

    head: Head
    connection: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    body: bytearray = field(default_factory=bytearray)
    trailer: bytes = b""
    left: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def method(self) -> str:
        return self.head.start.split(" ")[0]

    @property
    def target(self) -> str:
        return self.head.start.split(" ")[1]

    @property
    def is_shadow(self) -> bool:
        return self.head.get("x-changeover-shadow") is not None

    async def read_body(self) -> bytes:
        """The whole body by the request's own framing, which is also kept in `body`."""
        length = self.head.get("content-length")
        if self.head.get("transfer-encoding") == "chunked":
            self.trailer = await read_chunked(self.reader, self.body.extend)
        elif length is not None:
            self.body += await self.reader.readexactly(int(length))
        return bytes(self.body)

    async def write(self, data: bytes) -> None:
        if self.writer.is_closing():  # uvloop would raise RuntimeError
            raise ConnectionResetError
        self.writer.write(data)
        await self.writer.drain()

    async def wait_left(self) -> None:
        """Until the peer has closed; what it sends meanwhile is thrown away."""
        with suppress(ConnectionError):
            while await self.reader.read(_LIMIT):
                pass
        self.left.set()

    def reset(self) -> None:
        """Closes with a TCP reset in place of an orderly end."""
        if self.writer.is_closing():
            return
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


class Backend:
    """A server on port 0 that treats each request as `behave` says, and keeps all that it was asked."""

    def __init__(self, behave: bytes | Callable[[Asked], Awaitable[None]]) -> None:
        self.behave = behave
        self.asked: list[Asked] = []
        self.faults: list[AssertionError] = []  # what it was sent that is no HTTP/1.1
        self.connections = 0
        self.port = 0
        self._new = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def requests(self) -> list[str]:
        """First lines of what was asked, without the version."""
        return [asked.head.start.rpartition(" ")[0] for asked in self.asked]

    async def wait_asked(self, number: int = 1) -> Asked:
        """The `number`-th request (from 1), once its head is there."""
        while len(self.asked) < number:
            self._new.clear()
            await self._new.wait()
        return self.asked[number - 1]

    async def start(self, port: int = 0) -> None:
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", port, limit=_LIMIT)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.create_task(self._converse(reader, writer, self.connections))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: int) -> None:
        try:
            while not writer.is_closing():
                asked = Asked(await read_head(reader), connection, reader, writer)
                self.asked.append(asked)
                self._new.set()
                await self._answer(asked)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        except AssertionError as fault:
            self.faults.append(fault)
        finally:
            writer.transport.abort() if asyncio.current_task().cancelling() else writer.close()  # type: ignore[union-attr]

    async def _answer(self, asked: Asked) -> None:
        if isinstance(self.behave, bytes):
            await asked.read_body()
            await asked.write(self.behave)
        else:
            await self.behave(asked)


@asynccontextmanager
async def backend(behave: bytes | Callable[[Asked], Awaitable[None]]) -> AsyncIterator[Backend]:
    started = Backend(behave)
    await started.start()
    try:
        yield started
    finally:
        await started.stop()


# --- ways to behave ---
def ok(body: bytes = b"ok", *fields: str, status: str = "200 OK") -> bytes:
    """An answer with Content-Length; `fields` are further header lines."""
    lines = [f"HTTP/1.1 {status}", *fields, f"content-length: {len(body)}"]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def chunked(*pieces: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)


def then_close(data: bytes) -> Callable[[Asked], Awaitable[None]]:
    """Answers once and ends the connection in order."""

    async def behave(asked: Asked) -> None:
        await asked.read_body()
        await asked.write(data)
        asked.writer.close()

    return behave


async def hang(asked: Asked) -> None:
    """Reads the request, says nothing, and notes when the peer has gone."""
    await asked.read_body()
    await asked.wait_left()


async def hang_unread(asked: Asked) -> None:
    """Never reads the body."""
    await asyncio.Event().wait()


async def reset(asked: Asked) -> None:
    await asked.read_body()
    asked.reset()


def stale(data: bytes) -> Callable[[Asked], Awaitable[None]]:
    """Answers the first request of each connection, and closes on reading a second one."""
    seen: set[int] = set()

    async def behave(asked: Asked) -> None:
        if asked.connection in seen:
            asked.writer.close()
            return
        seen.add(asked.connection)
        await asked.read_body()
        await asked.write(data)

    return behave


# --- the user's side ---
@dataclass(slots=True)
class Reply:
    """An answer as the client got it; `is_whole` says whether it ended as its framing promised."""

    head: Head
    body: bytes
    trailer: bytes = b""
    is_whole: bool = True
    interim: list[Head] = field(default_factory=list)  # 1xx answers before it

    @property
    def status(self) -> int:
        return int(self.head.start.split(" ")[1])


class Client:
    """One connection to a worker."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def connect(cls, port: int, limit: int = _LIMIT) -> Client:
        return cls(*await asyncio.open_connection("127.0.0.1", port, limit=limit))

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, method: str = "GET") -> Reply:
        """The next final answer, read by its framing, with the interim ones before it."""
        interim: list[Head] = []
        while (head := await read_head(self.reader)).start.split(" ")[1] in {"100", "102", "103"}:
            interim.append(head)
        reply = Reply(head, b"", interim=interim)
        if method == "HEAD" or reply.status in {204, 304}:
            return reply
        await self.read_body(reply)
        return reply

    async def read_body(self, reply: Reply) -> None:
        """The body after a head that was read, by its framing; `is_whole` says whether it ended as promised."""
        try:
            await self._read_body(reply)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            reply.is_whole = False
            reply.body += getattr(error, "partial", b"")

    async def _read_body(self, reply: Reply) -> None:
        length = reply.head.get("content-length")
        if reply.head.get("transfer-encoding") == "chunked":
            pieces: list[bytes] = []
            try:
                reply.trailer = await read_chunked(self.reader, pieces.append)
            finally:
                reply.body = b"".join(pieces)
        elif length is not None:
            reply.body = await self.reader.readexactly(int(length))
        else:
            reply.body = await self.reader.read()

    async def rest(self) -> bytes:
        """All that still comes until the worker closes."""
        return await self.reader.read()

    def close(self) -> None:
        self.writer.close()

    def abort(self) -> None:
        self.writer.transport.abort()


@asynccontextmanager
async def client(port: int) -> AsyncIterator[Client]:
    connected = await Client.connect(port)
    try:
        yield connected
    finally:
        connected.abort()


def request(method: str = "GET", target: str = "/", *fields: str, body: bytes = b"", user: str | None = "u1") -> bytes:
    """A request with Host, a user's key, and Content-Length where it has a body."""
    lines = [f"{method} {target} HTTP/1.1", "Host: shop.example"]
    lines += [f"X-User: {user}"] if user is not None else []
    lines += fields
    lines += [f"Content-Length: {len(body)}"] if body else []
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def free_port() -> int:
    """A port on which nobody listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
