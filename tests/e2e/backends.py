"""A backend that says who it is and behaves as it is told: well, or as broken backends do.

One event loop in a thread of its own, raw bytes: fast enough to stand behind a load, and able to answer what no HTTP
library would. Both sides of a pair answer the same bytes, but for `x-backend` and for what `answers` and `whole` say.

`python -m tests.e2e.backends` is a well one in a process of its own, for loads that are to share no interpreter with
it: it prints its URL and runs until it is ended.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import struct
import threading
from collections import Counter
from typing import TYPE_CHECKING, Literal, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

Behaviour = Literal["well", "hang", "garbage", "slow", "late", "held", "reset", "drip", "endless"]
SLOW_S = 5.0
LATE_S = 2.0
GARBAGE = b"\x16\x03\x01\x00\xa5 this is no HTTP at all\r\n\r\n\x00\xff"
DRIP_S = 1.0  # between two bytes
PIECE = b"%x\r\n%b\r\n" % (1 << 16, bytes(1 << 16))  # of an answer without end, as a chunk
LAST_CHUNK = b"0\r\n\r\n"
AT_ONCE = struct.pack("ii", 1, 0)  # linger on, for 0 s: what close() turns into a reset (socket(7))
JOIN_S = 10.0
PASSES = 5  # of the loop, until a connection that was just accepted is known, and has been told of its end


class Backend:
    """`behaviour` may be changed at any time; `asked` counts requests by (method, is_shadow).

    By path, `answers` has bodies, `whole` has answers with their heads, and `by_path` ways to behave.
    """

    def __init__(
        self,
        name: str,
        answers: dict[str, bytes] | None = None,
        whole: dict[str, bytes] | None = None,
        by_path: dict[str, Behaviour] | None = None,
    ) -> None:
        self.name = name
        self.answers = answers or {}
        self.whole = whole or {}
        self.by_path = by_path or {}
        self.behaviour: Behaviour = "well"
        self.endless = 0  # answers without end that are under way
        self.held: list[Callable[[], None]] = []  # what sends each answer that waits for `let_go`
        self.asked: Counter[tuple[str, bool]] = Counter()
        self.arrived = threading.Event()  # set by each request
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"backend-{name}", daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def served(self) -> int:
        """Requests of users, not counting shadows."""
        return sum(number for (_, is_shadow), number in self.asked.items() if not is_shadow)

    def let_go(self) -> None:
        """Sends the answers that were held; those of later requests are held again."""
        held, self.held = self.held, []
        for send in held:
            self._loop.call_soon_threadsafe(send)

    def __enter__(self) -> Self:
        self._thread.start()
        self.listen()
        return self

    def __exit__(self, *_: object) -> None:
        self.hang_up()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(JOIN_S)
        self._loop.close()

    def listen(self) -> None:
        """Accepts connections, on the same port as before if there was one."""
        self._do(self._listen())

    def hang_up(self) -> None:
        """What a stopped process looks like: connections reset, new ones refused."""
        self._do(self._hang_up())

    def _do(self, work: Coroutine[None, None, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(JOIN_S)

    async def _listen(self) -> None:
        self._server = await self._loop.create_server(
            lambda: _Connection(self, self._connections), "127.0.0.1", self.port, backlog=1024, reuse_address=True
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def _hang_up(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for _ in range(PASSES):
            for connection in list(self._connections):
                connection.abort()
            await asyncio.sleep(0)

    def answer(self, target: str) -> bytes:
        path = target.partition("?")[0]
        if path in self.whole:
            return self.whole[path]
        if path == "/endless/number":
            return self.whole_of(b"%d" % self.endless)
        body = self.answers.get(path, b'{"path": "%b"}' % path.encode())
        return self.whole_of(body)

    def whole_of(self, body: bytes) -> bytes:
        """An answer with this body."""
        head = f"HTTP/1.1 200 OK\r\nx-backend: {self.name}\r\ncontent-type: application/json\r\n"
        return b"%bcontent-length: %d\r\n\r\n%b" % (head.encode(), len(body), body)


class _Connection(asyncio.Protocol):
    """Requests one after the other; a chunked body is thrown away as it comes, and answered with its size."""

    def __init__(self, backend: Backend, connections: set[_Connection]) -> None:
        self._backend = backend
        self._connections = connections
        self._loop = asyncio.get_running_loop()
        self._data = b""
        self._discarded: int | None = None  # bytes of the chunked body under way
        self._is_endless = False
        self._can_write = True
        self._timers: list[asyncio.TimerHandle] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._connections.add(self)
        if self._backend.behaviour == "reset":
            self._reset()

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        self._backend.endless -= self._is_endless
        for timer in self._timers:
            timer.cancel()

    def abort(self) -> None:
        self._transport.abort()

    def _reset(self) -> None:
        self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._discarded is not None:
            self._discard(data)
            return
        self._data += data
        while (end := self._data.find(b"\r\n\r\n")) >= 0:
            head = self._data[:end].lower()
            if b"\r\ntransfer-encoding: chunked" in head:
                body, self._data, self._discarded = self._data[end + 4 :], b"", 0
                self._discard(body)
                return
            length = _length(head)
            if len(self._data) < end + 4 + length:
                return
            first_line = self._data[:end].split(b"\r\n", 1)[0].decode("latin-1")
            self._data = self._data[end + 4 + length :]
            self._asked(first_line, is_shadow=b"\r\nx-changeover-shadow:" in head)

    def _discard(self, data: bytes) -> None:
        """Up to the last chunk, which must be whole in one piece, and after which nothing may come unasked."""
        assert self._discarded is not None
        self._discarded += len(data)
        if data.endswith(LAST_CHUNK):
            self._transport.write(self._backend.whole_of(b"%d" % self._discarded))
            self._discarded = None

    def _asked(self, first_line: str, *, is_shadow: bool) -> None:
        method, target, _ = first_line.split(" ")
        backend = self._backend
        backend.asked[method, is_shadow] += 1
        send: Callable[[], None] = lambda: self._send(method, target)
        match backend.by_path.get(target.partition("?")[0], backend.behaviour):
            case "well":
                send()
            case "hang":
                pass
            case "garbage":
                self._transport.write(GARBAGE)
            case "slow":
                self._timers.append(self._loop.call_later(SLOW_S, send))
            case "late":
                self._timers.append(self._loop.call_later(LATE_S, send))
            case "held":
                backend.held.append(send)
            case "reset":
                self._reset()
            case "drip":
                self._drip(backend.answer(target))
            case "endless":
                self._begin_endless()
        backend.arrived.set()

    def _send(self, method: str, target: str) -> None:
        if not self._transport.is_closing():
            answer = self._backend.answer(target)
            self._transport.write(answer if method != "HEAD" else answer.partition(b"\r\n\r\n")[0] + b"\r\n\r\n")

    def _drip(self, answer: bytes) -> None:
        self._transport.write(answer[:1])
        if answer[1:]:
            self._timers = [self._loop.call_later(DRIP_S, self._drip, answer[1:])]

    # --- an answer without end, at the pace at which it is taken ---
    def _begin_endless(self) -> None:
        self._is_endless = True
        self._backend.endless += 1
        self._transport.write(b"HTTP/1.1 200 OK\r\nx-backend: %b\r\n" % self._backend.name.encode())
        self._transport.write(b"transfer-encoding: chunked\r\n\r\n")
        self._pour()

    def _pour(self) -> None:
        if self._can_write and not self._transport.is_closing():
            self._transport.write(PIECE)
            if self._can_write:
                self._loop.call_soon(self._pour)

    def pause_writing(self) -> None:
        self._can_write = False

    def resume_writing(self) -> None:
        self._can_write = True
        if self._is_endless:
            self._loop.call_soon(self._pour)  # not at once: asyncio forgets that a write from in here may fail


def _length(head: bytes) -> int:
    _, found, rest = head.partition(b"\r\ncontent-length:")
    return int(rest.split(b"\r\n", 1)[0]) if found else 0


BIG = bytes(range(256)) * (1 << 16)  # 16 MiB


def main() -> None:
    """A well backend whose `/endless` has no end, `/big` is 16 MiB, `/endless/number` counts the endless answers."""
    with Backend("alone", {"/big": BIG}, by_path={"/endless": "endless"}) as backend:
        print(backend.url, flush=True)
        signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    main()
