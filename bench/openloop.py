"""A load that comes at its own pace: requests leave at fixed times, whether earlier ones were answered or not.

Each time counts from when a request was due, so that a stall of the proxy is seen by all the requests it held up
(a closed loop like wrk's would send none meanwhile: coordinated omission). How late the sender itself was is told
beside it. No asyncio: a loop of its own over epoll paces several times as many requests in one thread.
"""

from __future__ import annotations

import select
import socket
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bench.standstill import Standstills

PATIENCE_S = 5.0
CONNECT_S = 1.0
MAX_CONNECTIONS = 256
"""Far more than a proxy that keeps up needs; requests due beyond it wait, which counts as their time."""

CEILING_REQUESTS = 20_000
_END_OF_HEAD = b"\r\n\r\n"
_GONE = select.EPOLLHUP | select.EPOLLERR


@dataclass(slots=True)
class Paced:
    """What the requests of a phase met: times in seconds, in the order of the answers; failures, and how many `left`.

    `differing`: answers with status 200 whose body was another than expected; they have a time as well. `due`: when
    each answered request was due (CLOCK_MONOTONIC). `late_s`: how long after its time each request left the sender.
    """

    elapsed_s: list[float] = field(default_factory=list)
    failed: int = 0
    left: int = 0
    differing: int = 0
    due: list[float] = field(default_factory=list, compare=False)
    late_s: list[float] = field(default_factory=list, compare=False)

    def percentile_ms(self, percent: float) -> float:
        return percentile_ms(self.elapsed_s, percent)

    def without(self, standstills: Standstills) -> Paced:
        """The same without the times of answers that were under way while a core stood still."""
        kept = [
            (due, elapsed)
            for due, elapsed in zip(self.due, self.elapsed_s, strict=True)
            if not standstills.spoiled(due, due + elapsed)
        ]
        return replace(self, due=[due for due, _ in kept], elapsed_s=[elapsed for _, elapsed in kept])


def percentile_ms(times_s: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile in milliseconds; NaN of nothing."""
    ordered = sorted(times_s)
    rank = max(0, -int(-len(ordered) * percent // 100) - 1)
    return ordered[rank] * 1000 if ordered else float("nan")


def make_get(path: str) -> bytes:
    """The request that this sender asks unless told otherwise; one user's."""
    return f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nx-user-id: 1\r\n\r\n".encode()


def send_paced(port: int, path: str, requests_per_s: float, seconds: float, *, expected: bytes | None = None) -> Paced:
    """Asks `GET path` of the port for so long; waits for the last answers. Each body should be the `expected` bytes."""
    request = make_get(path)
    with Sender(port, lambda _: request, expected=expected) as sender:
        sender.send(requests_per_s, seconds)
        sender.finish()
        return sender.take()


def measure_ceiling(port: int, path: str) -> float:
    """The requests per second that the sender gets answered when all are overdue: it can't pace more, on this core."""
    start = time.monotonic()
    paced = send_paced(port, path, CEILING_REQUESTS * 1000, 0.001)
    return len(paced.elapsed_s) / (time.monotonic() - start)


class _Connection:
    """One request at a time; its answer has a Content-Length. `asked` counts its requests."""

    __slots__ = ("asked", "data", "due", "is_busy", "socket")

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        self.asked = 0
        self.due = 0.0
        self.data = b""
        self.is_busy = False


class Sender:
    """Sends at given times on as few connections as it can; every `leave_every`-th user hangs up unanswered.

    `make_request` gets the number of the request, from 0, and returns its bytes. Each body is compared with `expected`,
    byte by byte, unless that is None. Answers that come between two calls
    of `send` are noticed by the second, with the time they have waited: nothing but a moment may lie in between.
    """

    def __init__(
        self,
        port: int,
        make_request: Callable[[int], bytes],
        leave_every: int = 0,
        *,
        expected: bytes | None = None,
    ) -> None:
        self._port = port
        self._expected = expected
        self._make_request = make_request
        self._leave_every = leave_every
        self._number = 0
        self._poll = select.epoll()
        self._connections: dict[int, _Connection] = {}
        self._free: list[_Connection] = []
        self._due: deque[float] = deque()  # times of requests that have not left yet
        self._deadlines: deque[tuple[float, _Connection, int]] = deque()  # the number tells a later request's apart
        self._paced = Paced()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for connection in list(self._connections.values()):
            self._close(connection)
        self._poll.close()

    def send(self, requests_per_s: float, seconds: float) -> None:
        """Sends for so long; what is still unanswered then is left to the next call, or to `finish`."""
        start, sent, count = time.monotonic(), 0, round(requests_per_s * seconds)
        while sent < count:
            now = time.monotonic()
            due = min(count, int((now - start) * requests_per_s) + 1)
            self._due.extend(start + number / requests_per_s for number in range(sent, due))
            sent = due
            self._advance(now, start + sent / requests_per_s)
        while (now := time.monotonic()) < start + seconds:
            self._advance(now, start + seconds)

    def finish(self) -> None:
        """Until everything is answered or given up."""
        while self._due or len(self._free) < len(self._connections):
            now = time.monotonic()
            self._advance(now, now + PATIENCE_S)

    def take(self) -> Paced:
        """What was measured since the last call."""
        taken, self._paced = self._paced, Paced()
        return taken

    def _advance(self, now: float, until: float) -> None:
        """Sends what is due, hears what has come, and waits for more no longer than `until`."""
        while self._due and (self._free or len(self._connections) < MAX_CONNECTIONS):
            self._ask(self._due.popleft())
        while self._deadlines and self._deadlines[0][0] <= now:
            _, connection, asked = self._deadlines.popleft()
            if connection.is_busy and connection.asked == asked:
                self._fail(connection)
        if self._deadlines:
            until = min(until, self._deadlines[0][0])
        # epoll waits in whole milliseconds; select on it waits in microseconds.
        if not self._hear() and (wait_s := until - time.monotonic()) > 0:
            select.select([self._poll], [], [], wait_s)
            self._hear()

    def _ask(self, due: float) -> None:
        number, self._number = self._number, self._number + 1
        try:
            connection = self._free.pop() if self._free else self._connect()
        except OSError:
            self._paced.failed += 1
            return
        now = time.monotonic()
        connection.is_busy, connection.due, connection.data = True, due, b""
        connection.asked += 1
        self._paced.late_s.append(now - due)
        try:
            connection.socket.send(self._make_request(number))
        except OSError:
            self._fail(connection)
            return
        if self._leave_every and number % self._leave_every == 0:
            self._paced.left += 1
            self._close(connection)
            return
        self._deadlines.append((now + PATIENCE_S, connection, connection.asked))

    def _connect(self) -> _Connection:
        connected = socket.create_connection(("127.0.0.1", self._port), timeout=CONNECT_S)
        connected.setblocking(False)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = self._connections[connected.fileno()] = _Connection(connected)
        self._poll.register(connected, select.EPOLLIN)
        return connection

    def _hear(self) -> bool:
        """Whether there was anything to hear."""
        events = self._poll.poll(0)
        for descriptor, event in events:
            connection = self._connections.get(descriptor)
            if connection is not None:
                self._receive(connection, event)
        return bool(events)

    def _receive(self, connection: _Connection, event: int) -> None:
        data = b""
        with suppress(OSError):
            data = connection.socket.recv(65536)
        if not data or not connection.is_busy:
            self._fail(connection)
            return
        connection.data += data
        head, found, body = connection.data.partition(_END_OF_HEAD)
        if not found:
            return
        lowered = head.lower()
        if len(body) >= _length(lowered):
            self._answered(connection, body, is_good=head.startswith(b"HTTP/1.1 200 "))
            if b"\r\nconnection: close" in lowered or event & _GONE:
                self._close(connection)

    def _answered(self, connection: _Connection, body: bytes, *, is_good: bool) -> None:
        if not is_good:
            self._fail(connection)
            return
        self._paced.differing += self._expected is not None and body != self._expected
        self._paced.due.append(connection.due)
        self._paced.elapsed_s.append(time.monotonic() - connection.due)
        connection.is_busy = False
        self._free.append(connection)

    def _fail(self, connection: _Connection) -> None:
        """Ends the connection; a failure if it was asked something."""
        self._paced.failed += connection.is_busy
        self._close(connection)

    def _close(self, connection: _Connection) -> None:
        connection.is_busy = False
        if self._connections.pop(connection.socket.fileno(), None) is not None:
            if connection in self._free:
                self._free.remove(connection)
            connection.socket.close()  # which takes it out of the epoll set, too


def _length(head: bytes) -> int:
    _, found, rest = head.partition(b"\r\ncontent-length:")
    return int(rest.split(b"\r\n", 1)[0]) if found else 0
