"""A load that comes at its own pace: requests leave at fixed times, whether earlier ones were answered or not.

Each time counts from when a request was due, so that a stall of the proxy is seen by all the requests it held up
(a closed loop like wrk's would send none meanwhile: coordinated omission).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

PATIENCE_S = 5.0
_END_OF_HEAD = b"\r\n\r\n"


@dataclass(slots=True)
class Paced:
    """What the requests of a phase met: times in seconds, ascending by when they were answered, and failures."""

    elapsed_s: list[float] = field(default_factory=list)
    failed: int = 0

    def percentile_ms(self, percent: float) -> float:
        """The nearest-rank percentile in milliseconds; NaN of nothing."""
        ordered = sorted(self.elapsed_s)
        rank = max(0, -int(-len(ordered) * percent // 100) - 1)
        return ordered[rank] * 1000 if ordered else float("nan")


def send_paced(port: int, path: str, requests_per_s: int, seconds: float) -> Paced:
    """Asks `GET path` of the port for so long; waits for the last answers."""
    return asyncio.run(_send(port, path, requests_per_s, seconds))


async def _send(port: int, path: str, requests_per_s: int, seconds: float) -> Paced:
    loop = asyncio.get_running_loop()
    result, free = Paced(), list[_Connection]()
    request = f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nx-user-id: 1\r\n\r\n".encode()
    start, under_way = loop.time(), set[asyncio.Task[None]]()
    for number in range(int(requests_per_s * seconds)):
        due = start + number / requests_per_s
        if (wait := due - loop.time()) > 0:
            await asyncio.sleep(wait)
        task = asyncio.create_task(_ask(port, request, due, free, result))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
    if under_way:
        await asyncio.wait(under_way)
    for connection in free:
        connection.transport.abort()
    return result


async def _ask(port: int, request: bytes, due: float, free: list[_Connection], result: Paced) -> None:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(PATIENCE_S):
            connection = free.pop() if free else (await loop.create_connection(_Connection, "127.0.0.1", port))[1]
            await connection.ask(request)
    except (OSError, TimeoutError):
        result.failed += 1
        return
    if not connection.is_good:
        result.failed += 1
        connection.transport.abort()
        return
    result.elapsed_s.append(loop.time() - due)
    free.append(connection)


class _Connection(asyncio.Protocol):
    """One request at a time; its answer has a Content-Length."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self._data = b""
        self._answered: asyncio.Future[None] | None = None
        self.is_good = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    async def ask(self, request: bytes) -> None:
        """Until the answer is whole or the connection has ended; then `is_good` tells whether it was a 200."""
        self._data, self.is_good = b"", False
        self._answered = asyncio.get_running_loop().create_future()
        if self.transport.is_closing():
            return
        self.transport.write(request)
        await self._answered

    def data_received(self, data: bytes) -> None:
        self._data += data
        head, found, body = self._data.partition(_END_OF_HEAD)
        if found and len(body) >= _length(head.lower()):
            self.is_good = head.startswith(b"HTTP/1.1 200 ")
            self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._wake()

    def _wake(self) -> None:
        if self._answered is not None and not self._answered.done():
            self._answered.set_result(None)


def _length(head: bytes) -> int:
    _, found, rest = head.partition(b"\r\ncontent-length:")
    return int(rest.split(b"\r\n", 1)[0]) if found else 0
