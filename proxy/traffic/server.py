"""One connection of a user: requests in, from bytes to the handler; answers out, from the backend's fields to bytes.

1. One request is under way at a time. What a user sends ahead waits in order, up to HIGH_WATER bytes; then nothing more
   is read until it is its turn.
2. A request that breaks the rules (`core/head`, `core/framing`, `core/headers`) is refused and the connection closed:
   nobody knows where the next request would begin.
3. Every wait for the user is bounded: for a head, a body, the next request, and for reading what is sent (`check`).
4. An answer is ended as the backend ended it. One that broke off is shown as broken: by a connection that ends too soon
   where it has a length or chunks, by a reset where only the connection's end would end it (RFC 9112 §8).
5. Nothing is added to an answer but its framing on this connection.
6. A whole answer goes out together with others (`Outbox`); whatever else is written to the connection goes behind it.
7. What comes behind a WebSocket's handshake goes to a backend only after that has switched (`begin_tunnel`). Where it
   refuses, nobody can tell whether it was meant for a tunnel or is a request: it is dropped, and the connection closed.
8. Who sends no more may still be reading, or have gone: what was asked whole is answered, unless nothing of the answer
   goes out for HALF_CLOSED_S. Under TLS it is the end, as asyncio knows no half of one.
"""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

from proxy.core.framing import LAST_CHUNK, chunk
from proxy.core.head import REQUEST, check_size, explain, is_possible
from proxy.core.headers import WEBSOCKET_LINES
from proxy.errors import Overloaded, RequestRefused
from proxy.traffic.body import ClientLeft
from proxy.traffic.incoming import Incoming

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import uvicorn
    from uvicorn.server import ServerState

    from proxy.core.forwarding import Peer
    from proxy.traffic.call import Call, Visit
    from proxy.traffic.closing import Stream
    from proxy.traffic.handler import Handler
    from proxy.traffic.turns import Transfer
    from proxy.traffic.upstream.exchange import Exchange

HIGH_WATER = 65_536  # bytes read ahead of who takes them; asyncio's own limit for what is written
_SWEEP_S = 1.0
_SHARES = 16  # of a second's twenty sweeps
_LINGER_S = 2.0  # how long what a refused user still sends is read, so that the refusal isn't lost to a reset
_LINGER_REST_S = 0.1
_LINGER_BYTES = 4_194_304  # and how much of it: who sends on and on isn't listening
_MOST_TOLD = 64  # refused users at a time that are told why; they linger, and cost a descriptor meanwhile
_GRACE_S = 1.0  # a stopping worker closes idle connections after this: a request may be on its way already
HALF_CLOSED_S = 5.0  # what is sent to who has gone is answered by a reset; until then nobody knows, and a backend works
_AT_ONCE = struct.pack("ii", 1, 0)  # linger on, for 0 s: what close() turns into a reset (socket(7))
_END_OF_HEAD = b"\r\n\r\n"
_PIECEMEAL_BYTES = 2_048
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_BODYLESS = frozenset({204, 304})  # RFC 9112 §6.3
_BARE_NEWLINE = re.compile(rb"(?<!\r)\n")


@dataclass(frozen=True, slots=True)
class Limits:
    """What one user may take: seconds to wait for, connections of a worker, bytes of a body (0: any).

    Who comes when there are `max_connections` is told to come again, by a connection of his own; above `most_accepted`,
    there is no place even for that.
    """

    head_timeout_s: float = 10.0
    body_timeout_s: float = 60.0
    keep_alive_s: float = 75.0
    send_timeout_s: float = 60.0
    max_connections: int = 10_000
    max_body_bytes: int = 0

    @property
    def most_accepted(self) -> int:
        """Connections of every kind, also amid their handshake or lingering after a refusal."""
        return self.max_connections + min(_MOST_TOLD, self.max_connections // 8 + 1)


class ServerProtocol(asyncio.Protocol):
    """See the module. Made by uvicorn, which accepts connections, and asks them to end by `shutdown`."""

    __slots__ = (  # as Exchange
        "_body",
        "_buffer",
        "_call",
        "_closing_since",
        "_ends_by_close",
        "_handler",
        "_has_answered",
        "_has_begun_answer",
        "_has_skipped_line",
        "_has_user_ended",
        "_has_written",
        "_is_chunked",
        "_is_lingering",
        "_is_reading_paused",
        "_keeps_alive",
        "_limits",
        "_lingered_bytes",
        "_loop",
        "_readable",
        "_reading_paused_at",
        "_refusal",
        "_since",
        "_state",
        "_upload",
        "_waiting",
        "_writable",
        "_write_paused_at",
        "can_write",
        "is_gone",
        "is_write_paused",
        "peer",
        "scheme",
        "stream",
        "transport",
        "visit",
    )

    peer: Peer
    _upload: Transfer  # of the request under way, where it has a body

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        del app_state
        self._handler = cast("Handler", config.loaded_app)
        self._limits = self._handler.limits
        self._state = server_state
        self._loop = _loop or asyncio.get_running_loop()
        self._readable, self._writable = _Gate(self._loop), _Gate(self._loop)
        self._since = self._loop.time()
        self._buffer = b""  # read, and not taken yet: a head that isn't whole, or requests sent ahead
        self._waiting = b""  # whole answers that are still to go out (rule 6)
        self._call: Call | None = None
        self._body: Incoming | None = None  # of the request under way, where it has one
        self._refusal: RequestRefused | None = None
        self._closing_since = self._reading_paused_at = self._write_paused_at = 0.0
        self._is_chunked = self._ends_by_close = False  # the answer
        self._has_answered = self._has_begun_answer = self._is_lingering = self._is_reading_paused = False
        self._has_user_ended = self._has_written = False
        self._has_skipped_line = False  # before the next request: one empty line is
        self._keeps_alive = True
        self._lingered_bytes = 0
        self.can_write = True  # whether the user takes an answer now: there, and not behind with reading
        self.is_gone = self.is_write_paused = False
        self.scheme = "http"
        self.stream: Stream | None = None  # the answer under way, where it lasts (`closing`)
        self.transport: asyncio.Transport = cast("asyncio.Transport", None)
        self.visit: Visit | None = None

    # --- asyncio.Protocol ---
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._handler.connections += 1
        self._state.connections.add(self)  # type: ignore[arg-type]  # uvicorn asks of it no more than `shutdown`
        self.scheme = "http" if transport.get_extra_info("ssl_object") is None else "https"
        address = transport.get_extra_info("peername")
        self.peer = self._handler.peer(address[0] if isinstance(address, tuple) else None, self.scheme)
        if self._handler.connections > self._limits.max_connections:
            self._refuse_connection()

    def _refuse_connection(self) -> None:
        if self._handler.connections > self._limits.most_accepted:
            self._handler.turned_away()
            self.reset()
        else:
            self._handler.refuse(self, Overloaded("too many connections; try again in a moment"))

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self.is_gone = True
        self.can_write = False
        self._handler.connections -= 1
        self._state.connections.discard(self)
        self._readable.open()
        self._writable.open()
        call, self._call = self._call, None
        if call is not None:
            call.user_left()

    def data_received(self, data: bytes) -> None:
        if self._is_lingering:
            self._lingered(len(data))
        elif self._call is None:
            self._head_received(data)
        elif self._body is not None and not self._body.is_complete:
            self._body_received(self._body, data)
        else:
            self._buffer += data
            if len(self._buffer) > HIGH_WATER:
                self._pause_reading()

    def eof_received(self) -> bool:
        """Whether the connection stays open for what is still to be answered (rule 8)."""
        if self.scheme == "https":
            return False
        self._has_user_ended, self._has_written = True, False
        self._loop.call_later(HALF_CLOSED_S, self._end_if_silent)
        if self._call is None:
            self._next()
        elif not self._is_answering:
            self._close()
        return True

    @property
    def _is_answering(self) -> bool:
        """Whether there is an answer under way that needs nothing more from the user."""
        call = self._call
        return call is not None and self._is_body_complete and not call.is_websocket

    def pause_writing(self) -> None:
        self.is_write_paused = True
        self.can_write = False
        self._write_paused_at = self._loop.time()

    def resume_writing(self) -> None:
        self.is_write_paused = False
        self.can_write = not self.is_gone
        self._writable.open()

    # --- the head ---
    def _head_received(self, data: bytes) -> None:
        before = len(self._buffer)
        if before:
            if before < _PIECEMEAL_BYTES and b"\n" not in data and len(data) < _PIECEMEAL_BYTES:
                self._buffer += data  # what drips costs little: only a line's end may make of it a head, or a fault
                return
            data = self._buffer + data
            if data.find(_END_OF_HEAD, max(0, before - 3)) < 0:
                self._unfinished_head_received(data, before)
                return
        found = REQUEST.match(data)
        if found is None:
            self._odd_head_received(data)
            return
        end = found.end()
        self._buffer = data[end:] if end < len(data) else b""
        method, target, minor, lines = found.groups()
        try:
            check_size(end, found.start(4) - 2, lines.count(b"\n"))
            call = self._handler.read(self, method, target, lines, is_1_0=minor == b"0")
        except (RequestRefused, Overloaded) as refusal:
            self._handler.refuse(self, refusal, (method, target))
            return
        try:
            self._expect_body(call)
        except RequestRefused as refusal:
            self._handler.give_up(call, refusal)
            return
        self._call = call
        self._has_skipped_line = False
        self._keeps_alive = not (call.head.is_last or call.is_websocket or self._closing_since)
        self._handler.begin(call)

    def _odd_head_received(self, data: bytes) -> None:
        """What doesn't begin with a whole, sound head."""
        if data[:2] == b"\r\n" and not self._has_skipped_line:  # RFC 9112 §2.2: at least one is to be ignored
            self._has_skipped_line = True
            self._buffer = b""
            if len(data) > 2:
                self._head_received(data[2:])
            return
        end = data.find(_END_OF_HEAD)
        if end >= 0:
            self._handler.refuse(self, self._too_large(data[: end + 4]) or explain(data))
            return
        if not self._buffer:
            self._since = self._loop.time()
        self._unfinished_head_received(data, 0)

    def _unfinished_head_received(self, data: bytes, before: int) -> None:
        """Keeps a head whose end hasn't come, unless it can be told already that it won't be one."""
        self._buffer = data
        line_end = data.find(b"\r\n")
        if not line_end and not self._has_skipped_line:  # of an empty line that came in two pieces
            self._odd_head_received(data)
            return
        is_hopeless = not is_possible(data) if line_end < 0 else _BARE_NEWLINE.search(data, before) is not None
        if not is_hopeless and line_end >= 0:
            is_hopeless = REQUEST.match(data[:line_end] + _END_OF_HEAD) is None
        refusal = self._too_large(data) or (explain(data) if is_hopeless else None)
        if refusal is not None:
            self._handler.refuse(self, refusal)

    @staticmethod
    def _too_large(data: bytes) -> RequestRefused | None:
        line_end = data.find(b"\r\n")
        line_bytes = len(data.removesuffix(b"\r")) if line_end < 0 else line_end
        try:
            check_size(len(data), line_bytes, data.count(b"\n") - 2)
        except RequestRefused as refusal:
            return refusal
        return None

    # --- the body ---
    def _expect_body(self, call: Call) -> None:
        """Raises RequestRefused for a body that is said to be too long."""
        self._body = None
        if call.visit.expects_body:
            self._body = Incoming(call.head, self._limits.max_body_bytes, self._loop.time())
            self._upload = self._handler.turns.uploads.begin()
            data, self._buffer = self._buffer, b""
            if data:
                self._body_received(self._body, data)

    def _body_received(self, body: Incoming, data: bytes) -> None:
        try:
            self._buffer = body.feed(data)
        except RequestRefused as refusal:
            self._refuse_body(body, refusal)
            return
        if body.waiting_bytes > HIGH_WATER:
            self._pause_reading()
        self._readable.open()

    def _refuse_body(self, body: Incoming, refusal: RequestRefused) -> None:
        self._refusal = refusal
        self._is_lingering = True  # nothing that follows is a body
        body.drop()
        self._readable.open()

    @property
    def is_body_whole(self) -> bool:
        """Whether everything that `receive` will ever give has been given."""
        return self._body is None or self._body.is_whole

    def begin_tunnel(self, call: Call) -> None:
        """The backend has switched protocols: `receive` gives what the user sends, from behind the head on (rule 7)."""
        self._body = Incoming(call.head, 0, self._loop.time(), is_raw=True)
        self._upload = self._handler.turns.uploads.begin()
        data, self._buffer = self._buffer, b""
        if data:
            self._body_received(self._body, data)

    @property
    def has_sent_much(self) -> bool:
        """Whether the body of the request under way is a large one."""
        return self._body is not None and self._upload.is_large

    @property
    def _is_body_complete(self) -> bool:
        """Whether what comes next on the connection belongs to the next request."""
        return self._body is None or self._body.is_complete

    async def receive(self) -> bytes:
        """The next piece of the request's body; b"" at most at its end. Raises ClientLeft, RequestRefused."""
        body = self._body
        if body is None:
            return b""
        if body.may_continue and not body.has_pieces:
            body.may_continue = False
            self.write(_CONTINUE)
        while not (body.has_pieces or body.is_complete or self.is_gone) and self._refusal is None:
            self._resume_reading()
            await self._readable.wait()
        if self._refusal is not None:
            raise self._refusal
        if self.is_gone:
            raise ClientLeft
        piece = body.take()
        if not body.is_whole:
            await self._upload.moved(len(piece))
            if not (body.has_pieces or body.is_complete):
                self._resume_reading()
        return piece

    # --- the answer ---
    async def writable(self) -> None:
        """Until the user has read enough of what was written. Raises ClientLeft."""
        while self.is_write_paused and not self.is_gone:
            await self._writable.wait()
        if self.is_gone:
            raise ClientLeft

    def head_of(self, call: Call, exchange: Exchange, added: bytes) -> bytes:
        """The head of the answer, framed for this connection; what follows goes through `framed`."""
        self._has_begun_answer = True
        head, status = exchange.head, exchange.status
        lines = head.lines + added if added else head.lines
        self._is_chunked = False
        self._ends_by_close = False
        if status == 101:
            self._keeps_alive = False
            return b"HTTP/1.1 101%b\r\n%b%b\r\n" % (exchange.reason, lines, WEBSOCKET_LINES)
        if head.length is None and call.method != "HEAD" and status not in _BODYLESS:
            if call.is_1_0:
                self._keeps_alive = False
                self._ends_by_close = True
            else:
                self._is_chunked = True
                lines += b"transfer-encoding: chunked\r\n"
        if self._is_last():
            self._keeps_alive = False
            lines += b"connection: close\r\n"
        return b"HTTP/1.1 %d%b\r\n%b\r\n" % (status, exchange.reason, lines)

    def framed(self, body: bytes) -> bytes:
        """A piece of the answer's body as it goes over this connection."""
        return chunk(body) if self._is_chunked and body else body

    def end_of(self, exchange: Exchange) -> bytes:
        """What ends the answer: trailers pass where there are chunks to carry them (RFC 9110 §6.5)."""
        if not self._is_chunked:
            return b""
        return b"0\r\n%b\r\n" % exchange.trailers if exchange.trailers else LAST_CHUNK

    def pass_interim(self, head: bytes) -> None:
        """A backend's 1xx answer, before its final one (RFC 9110 §15.2)."""
        if self._call is not None and not self._call.is_1_0 and not self._has_begun_answer and self.can_write:
            self.write(head)

    def finish(self, data: bytes) -> None:
        """Writes the last bytes of an answer; the connection is free for the next request, or closed."""
        if self.is_gone:
            return
        if data:
            self._send_soon(data) if self._keeps_alive else self.write(data)
        call, self._call = self._call, None
        self._has_begun_answer = False
        if not self._keeps_alive:
            is_tunnel = self._body is not None and self._body.is_raw
            is_refused_tunnel = call is not None and call.is_websocket and not is_tunnel
            self._close_after_answer(may_linger=is_refused_tunnel or not (self._is_body_complete or is_tunnel))
            return
        self._has_answered = True
        self._since = self._loop.time()
        if self._buffer or self._is_reading_paused or self._has_user_ended:
            self._loop.call_soon(self._next)

    def write(self, data: bytes) -> None:
        """Sends at once, behind what waits."""
        waiting, self._waiting = self._waiting, b""
        self._has_written = True
        self.transport.write(waiting + data if waiting else data)

    def _send_soon(self, data: bytes) -> None:
        is_first = not self._waiting
        self._waiting += data
        if is_first:
            self._handler.outbox.add(self)

    def send_waiting(self) -> None:
        """For the outbox."""
        if self._waiting and not self.transport.is_closing():
            self.write(b"")

    def _close(self) -> None:
        """Closes when everything has gone out."""
        self.send_waiting()
        self.transport.close()

    def _next(self) -> None:
        """Takes up what was sent ahead."""
        self._resume_reading()
        size = len(self._buffer)
        if size and self._call is None and not self.is_gone:
            data, self._buffer = self._buffer, b""
            self._head_received(data)
        is_answered = (
            self._call is None and 0 < len(self._buffer) < size
        )  # by us, at once: what follows has its turn yet
        if self._has_user_ended and not (self._is_answering or is_answered):
            self._close()

    def break_off(self) -> None:
        """Ends an answer that will never be whole (rule 4)."""
        if self.is_gone:
            return
        if self._ends_by_close:
            self.reset()
        else:
            self._close()

    def reset(self) -> None:
        """Ends the connection at once, with nothing left of it in the system."""
        with suppress(OSError, AttributeError):  # not every transport has a socket of its own
            raw = self.transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        self.transport.abort()

    @property
    def is_last(self) -> bool:
        """Whether the connection ends with the answer under way."""
        return self._is_last()

    def _is_last(self) -> bool:
        body = self._body
        return not self._keeps_alive or bool(self._closing_since) or not (body is None or body.is_complete)

    def answer_ourselves(self, data: bytes) -> None:
        """Writes a whole answer that no backend made; it says `connection: close` where this one `is_last`."""
        self._keeps_alive = not self.is_last
        self.finish(data)

    def refuse(self, data: bytes) -> None:
        """Writes a whole answer of ours, the last one of this connection."""
        self.write(data)
        self._call = None
        self._close_after_answer(may_linger=True)

    def _close_after_answer(self, *, may_linger: bool) -> None:
        """Closes; where the user may still be sending, only after a while of reading that away."""
        self._is_lingering = True
        self._keeps_alive = False
        self._buffer = b""
        if self._has_user_ended or not (may_linger and self.transport.can_write_eof()):
            self._close()
            return
        self._since = self._loop.time()
        self._resume_reading()
        self.send_waiting()
        self.transport.write_eof()

    def _lingered(self, size: int) -> None:
        """Reads away what a refused user still sends: with a rest after each large piece, as others are waiting."""
        self._lingered_bytes += size
        if self._lingered_bytes > _LINGER_BYTES:
            self.reset()
        elif size >= HIGH_WATER:
            self._pause_reading()
            self._loop.call_later(_LINGER_REST_S, self._resume_reading)

    # --- waiting ---
    def _pause_reading(self) -> None:
        if not self._is_reading_paused and not self.is_gone:
            self._is_reading_paused = True
            self._reading_paused_at = self._loop.time()
            self.transport.pause_reading()

    def _resume_reading(self) -> None:
        if self._is_reading_paused and not self.is_gone:
            self._is_reading_paused = False
            self.transport.resume_reading()
            if self._body is not None:  # the time in which the backend didn't take it is not the user's
                self._body.rested(self._loop.time() - self._reading_paused_at)

    # --- time and the end ---
    def shutdown(self) -> None:
        """The worker is stopping: the answer under way, or to a request on its way already, is the last one."""
        self._closing_since = self._loop.time()
        self._loop.call_later(_GRACE_S, self._close_if_idle)
        if self._call is not None and not self._has_begun_answer:
            self._keeps_alive = False
        if self.stream is not None:
            self.stream.end_soon()

    def follow(self, stream: Stream | None) -> None:
        """The answer under way is this stream, which is to end when the worker stops; None: it is any other."""
        self.stream = stream
        if stream is not None and self._closing_since:
            stream.end_soon()

    def _close_if_idle(self) -> None:
        if self._call is None and not self._buffer:
            self._close()

    def check(self, now: float) -> None:
        """Ends what the user has taken too long for (rule 3)."""
        limits = self._limits
        if self.is_write_paused and now - self._write_paused_at > limits.send_timeout_s:
            self.reset()
        elif self._is_lingering and self._call is None:
            if now - self._since > _LINGER_S:
                self.reset()
        elif self._call is None:
            self._check_idle(now)
        elif self._body is not None and self._is_waiting_for_body and self._body.is_late(now, limits.body_timeout_s):
            late = RequestRefused(408, "the request's body did not come in time; send it faster")
            self._refuse_body(self._body, late)

    def _end_if_silent(self) -> None:
        """Gives up an answer of which nothing was sent for a while to a user who may have gone (rule 8)."""
        if self.is_gone:
            return
        if self._has_written or self.is_write_paused or self._call is None:
            self._has_written = False
            self._loop.call_later(HALF_CLOSED_S, self._end_if_silent)
        else:
            self.reset()

    @property
    def _is_waiting_for_body(self) -> bool:
        return not self._is_reading_paused and self._refusal is None

    def _check_idle(self, now: float) -> None:
        waited_s = now - self._since
        if self._buffer:
            if waited_s > self._limits.head_timeout_s:
                self._handler.refuse(self, RequestRefused(408, "the request's head did not come in time"))
        elif waited_s > (self._limits.keep_alive_s if self._has_answered else self._limits.head_timeout_s) or (
            self._closing_since and now - self._closing_since > _GRACE_S
        ):
            self._close()


class _Gate:
    """Where one waits until another opens it."""

    __slots__ = ("_loop", "_waiter")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiter: asyncio.Future[None] | None = None

    async def wait(self) -> None:
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def open(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


def sweeper(server: uvicorn.Server) -> Callable[[float], None]:
    """A sweep (loop's time) over a server's connections that ends what took too long, each of them once a second.

    A few at a time: to look at thousands in a row would hold up whoever asks meanwhile.
    """
    connections = cast("set[ServerProtocol]", server.server_state.connections)  # nothing is upgraded away from it
    next_at, share = 0.0, 0
    left: Iterator[ServerProtocol] = iter(())

    def sweep(now: float) -> None:
        nonlocal next_at, share, left
        if now < next_at:
            check(now, islice(left, share))
            return
        check(now, left)  # where sweeps came late
        next_at = now + _SWEEP_S
        left, share = iter(list(connections)), -(-len(connections) // _SHARES)

    def check(now: float, some: Iterable[ServerProtocol]) -> None:
        for connection in some:
            if connection in connections:
                connection.check(now)

    return sweep
