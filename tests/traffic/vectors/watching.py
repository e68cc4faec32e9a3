"""When the worker has read what was sent to it: so that two pieces are read apart, without sleeping between them.

Its connections, to users and to backends, are made as ever, but that they say how much they have read.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from proxy.traffic import server
from proxy.traffic.upstream import http1
from proxy.traffic.upstream.connection import Connection

if TYPE_CHECKING:
    from collections.abc import Iterator

    Key = tuple[int, int]  # ports of a connection: of who opened it, and of who accepted it

PATIENCE_S = 10.0  # bounds each conversation; none comes near it unless one end waits for what will not come


class Readings:
    """Bytes that each connection of the workers in this process has read. Whoever waits has to bound it."""

    def __init__(self) -> None:
        self._read: dict[Key, int] = {}
        self._waiting: dict[Key, tuple[int, asyncio.Future[None]]] = {}

    async def wait_made(self, key: Key) -> None:
        """Until the worker has a connection."""
        if key not in self._read:
            await self._wait(key, 0)

    async def wait_read(self, key: Key, number: int) -> None:
        """Until the worker has read so many bytes of a connection that it has, or has lost it."""
        if self._read.get(key, number) < number:
            await self._wait(key, number)

    async def _wait(self, key: Key, number: int) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[key] = number, future
        try:
            await future
        finally:
            self._waiting.pop(key, None)

    # --- told by the connections ---
    def made(self, key: Key) -> None:
        self._read[key] = 0
        self._wake(key, 0)

    def read(self, key: Key, number: int) -> None:
        self._read[key] = all_of_it = self._read.get(key, 0) + number
        self._wake(key, all_of_it)

    def lost(self, key: Key) -> None:
        self._read.pop(key, None)
        self._wake(key, None)

    def _wake(self, key: Key, number: int | None) -> None:
        """None: whatever was waited for will not come."""
        waits = self._waiting.get(key)
        if waits is not None and (number is None or waits[0] <= number) and not waits[1].done():
            waits[1].set_result(None)


READINGS = Readings()  # one for the process: ports are its own as well


def ports(transport: asyncio.BaseTransport, *, has_opened: bool) -> Key:
    own, other = transport.get_extra_info("sockname")[1], transport.get_extra_info("peername")[1]
    return (own, other) if has_opened else (other, own)


class _WatchedUser(server.ServerProtocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._key = ports(transport, has_opened=False)
        READINGS.made(self._key)
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        READINGS.read(self._key, len(data))

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        READINGS.lost(self._key)


class _WatchedBackend(Connection):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._key = ports(transport, has_opened=True)
        READINGS.made(self._key)
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        READINGS.read(self._key, len(data))

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        READINGS.lost(self._key)


@contextmanager
def watched() -> Iterator[None]:
    """Workers that start within it tell READINGS."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(server, "ServerProtocol", _WatchedUser)
        patch.setattr(http1, "Connection", _WatchedBackend)
        yield
