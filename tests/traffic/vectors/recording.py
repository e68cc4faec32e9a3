"""A backend that keeps every byte of every connection, and answers each whole request as it is told."""

from __future__ import annotations

import asyncio
import socket
import struct
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, cast

from tests.traffic.vectors.reading import Read, read_request
from tests.traffic.vectors.watching import READINGS, ports

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    Behave = Callable[["Connection", Read], Coroutine[None, None, None] | None]


@dataclass(frozen=True, slots=True)
class Recorded:
    """A whole request, and the connection it came by."""

    request: Read
    connection: Connection


class Connection(asyncio.Protocol):
    """One connection to the backend. `rest` is what came behind the last whole request."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._transport: asyncio.Transport
        self._sent = 0
        self.rest = b""
        self.is_over = False  # its peer sends no more, or it is closed
        self.is_lost = False
        self.answering = 0  # requests

    # --- asyncio.Protocol ---
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.key = ports(transport, has_opened=False)
        self._recorder.connections.append(self)

    def data_received(self, data: bytes) -> None:
        self.rest += data
        try:
            while (request := read_request(self.rest)) is not None:
                self.rest = self.rest[request.size :]
                self._recorder.took(self, request)
        except AssertionError as fault:
            self._recorder.faults.append(fault)
            self._transport.abort()

    def eof_received(self) -> bool:
        self.is_over = True
        return self.answering > 0  # who sends no more may still be reading

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_over = self.is_lost = True

    # --- used by who behaves ---
    def write(self, data: bytes) -> None:
        """To who has gone, it writes nothing, as that is no fault."""
        if data and not self._transport.is_closing():
            self._sent += len(data)
            self._transport.write(data)

    async def taken(self) -> None:
        """Until the worker has read all that was written, or has closed the connection."""
        await READINGS.wait_read(self.key, self._sent)

    def write_end(self) -> None:
        """Sends no more; goes on reading."""
        if not self._transport.is_closing():
            self._transport.write_eof()

    def close(self) -> None:
        """When all has gone out."""
        self.is_over = True
        self._transport.close()

    def abort(self) -> None:
        self.is_over = True
        self._transport.abort()

    def reset(self) -> None:
        """Closes with a TCP reset in place of an orderly end."""
        if not self._transport.is_closing():
            raw = self._transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.abort()


class Recorder:
    """The backend. `behave` is called with each whole request; what it returns is run as a task."""

    def __init__(self, behave: Behave) -> None:
        self.behave = behave
        self.port = 0
        self.connections: list[Connection] = []
        self.whole: list[Recorded] = []
        self.faults: list[BaseException] = []  # what was sent that is no HTTP/1.1, and what failed of behaving
        self._server: asyncio.Server
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self), "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        for connection in self.connections:
            connection.abort()
        await self._server.wait_closed()

    def took(self, connection: Connection, request: Read) -> None:
        self.whole.append(Recorded(request, connection))
        behaviour = self.behave(connection, request)
        if behaviour is not None:
            task = asyncio.ensure_future(behaviour)
            self._tasks.add(task)
            connection.answering += 1
            task.add_done_callback(partial(self._ended, connection))

    def _ended(self, connection: Connection, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        connection.answering -= 1
        if connection.is_over and not connection.answering:
            connection.close()
        if not task.cancelled() and (fault := task.exception()) is not None:
            self.faults.append(fault)

    def forget(self) -> None:
        """All that was recorded; connections that are lost, too."""
        self.whole.clear()
        self.faults.clear()
        self.connections = [each for each in self.connections if not each.is_lost]
