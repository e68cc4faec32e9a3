"""One connection to a backend, from the request's bytes to the answer's, on the parser that the server side uses, too.

1. A connection carries one exchange at a time and goes back to its pool only after a whole, clean answer to a whole
   request. Bytes that nobody asked for close it.
2. An answer ends by Content-Length, by its last chunk, or, where it has neither, by the end of the connection. Any
   other end is `truncated`.
3. An answer that is known already, byte for byte (`Exchange.expected`), is not parsed again.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol, cast

import httptools

from proxy.errors import UpstreamError

if TYPE_CHECKING:
    from proxy.core.model import Backend
    from proxy.errors import Phase
    from proxy.traffic.upstream.exchange import Exchange

MAX_HEAD_BYTES = 65_536  # of an answer; nginx allows 4 to 8 KiB, HAProxy 16, Envoy 60
_BODYLESS = frozenset({204, 304})  # RFC 9112 §6.3

_LAST_CHUNK = b"0\r\n\r\n"


def _chunk(piece: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(piece), piece)


class Home(Protocol):
    """The pool that a connection belongs to."""

    backend: Backend

    def release(self, connection: Connection) -> None: ...

    def lost(self, connection: Connection) -> None: ...


class Connection(asyncio.Protocol):
    """One connection to a backend; the callbacks of its parser feed the exchange it carries."""

    def __init__(self, pool: Home, loop: asyncio.AbstractEventLoop) -> None:
        self._pool = pool
        self._loop = loop
        self._parser = httptools.HttpResponseParser(self)
        self._exchange: Exchange | None = None
        self._transport: asyncio.Transport = cast("asyncio.Transport", None)
        self._head_bytes = 0
        self._ends_with_connection = False
        self._is_reusable = True
        self._is_paused = False
        self._can_write: asyncio.Event | None = None
        self.idle_since = 0.0
        self.is_lost = False

    # --- asyncio.Protocol ---
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        exchange = self._exchange
        if exchange is None:
            self.drop()
            return
        now = self._loop.time()
        is_first = not exchange.has_answer_begun
        if is_first and data == exchange.expected:  # equal bytes are an equal answer: nothing to parse
            self._is_reusable = True
            exchange.completed_as_expected(now)
            self._finish(exchange)
            return
        exchange.has_answer_begun = True
        if not exchange.status:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if not exchange.is_complete:
                self._fail("protocol", f"its answer is not HTTP/1.1 ({error})")
                return
            self._is_reusable = False  # a whole answer with garbage behind it
        if self._exchange is None:
            return
        if self._head_bytes > MAX_HEAD_BYTES and not exchange.status:
            self._fail("protocol", f"its answer's head is over {MAX_HEAD_BYTES} bytes")
        elif exchange.is_complete:
            if is_first and self._is_reusable:
                exchange.raw = data
            self._finish(exchange)
        else:
            exchange.touched(now)
            exchange.notify()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost = True
        self._is_reusable = False
        if self._can_write is not None:
            self._can_write.set()
        exchange = self._exchange
        if exchange is not None:
            if exchange.status and self._ends_with_connection and exc is None:
                exchange.completed(self._loop.time())
                self._finish(exchange)
            else:
                self._broken_off(exchange)
        self._pool.lost(self)

    def pause_writing(self) -> None:
        self._can_write = asyncio.Event()

    def resume_writing(self) -> None:
        if self._can_write is not None:
            self._can_write.set()
            self._can_write = None

    # --- httptools' callbacks ---
    def on_header(self, name: bytes, value: bytes) -> None:
        exchange = self._exchange
        if exchange is not None and not exchange.status:  # later fields are trailers: not part of the head
            exchange.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        exchange = self._exchange
        if exchange is None or exchange.is_complete:
            return
        status = self._parser.get_status_code()
        if status < 200:
            if status == 101:
                self._fail("protocol", "it switched protocols without being asked")
            exchange.headers.clear()
            return
        self._is_reusable = self._parser.should_keep_alive()
        self._ends_with_connection = False
        if exchange.method == b"HEAD" or status in _BODYLESS:
            exchange.status = status
            self._complete(exchange)
            # The parser would wait for the body that Content-Length announces; an answer to HEAD has none.
            self._parser = httptools.HttpResponseParser(self)
            return
        if not self._has_sound_framing(exchange):
            return
        exchange.status = status

    def _has_sound_framing(self, exchange: Exchange) -> bool:
        has_length = False
        is_chunked = False
        for name, value in exchange.headers:
            if name == b"content-length":
                has_length = True
            elif name == b"transfer-encoding":
                if is_chunked or value.strip().lower() != b"chunked":
                    self._fail("protocol", f"its Transfer-Encoding {value[:40]!r} is not understood")
                    return False
                is_chunked = True
        self._ends_with_connection = not has_length and not is_chunked
        return True

    def on_body(self, body: bytes) -> None:
        exchange = self._exchange
        if exchange is None:
            return
        if exchange.is_complete:  # a body where none may be: whatever follows can't be trusted
            self._is_reusable = False
            return
        exchange.body_received(body)

    def on_message_complete(self) -> None:
        exchange = self._exchange
        if exchange is not None and exchange.status and not exchange.is_complete:
            self._complete(exchange)

    def on_message_begin(self) -> None:
        if self._exchange is not None and self._exchange.is_complete:
            self._is_reusable = False

    # --- Carrier ---
    def pause(self) -> None:
        if not self._is_paused and not self.is_lost:
            self._is_paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        if self._is_paused and not self.is_lost:
            self._is_paused = False
            self._transport.resume_reading()

    async def send_piece(self, piece: bytes) -> None:
        exchange = self._exchange
        if exchange is None:
            return
        self._transport.write(_chunk(piece) if exchange.is_chunked else piece)
        if self._can_write is not None:
            await self._can_write.wait()

    def end_request(self) -> None:
        if self._exchange is not None and self._exchange.is_chunked:
            self._transport.write(_LAST_CHUNK)

    def drop(self) -> None:
        """Closes at once; what the exchange, if any, still expects is not delivered."""
        self._exchange = None
        self._is_reusable = False
        if not self.is_lost and self._transport is not None:
            self._transport.abort()

    # --- used by the pool ---
    def carry(self, exchange: Exchange, read_timeout_s: float, *, is_reused: bool) -> None:
        """Sends the request; the answer feeds the exchange."""
        self._exchange = exchange
        self._head_bytes = 0
        body = exchange.body
        if exchange.is_chunked:
            body = (_chunk(body) if body else b"") + (_LAST_CHUNK if exchange.is_request_sent else b"")
        exchange.write_timeout_s = self._pool.backend.timeouts.write_s
        exchange.carried_by(self, read_timeout_s, self._loop.time(), is_reused=is_reused)
        self._transport.write(b"%b %b HTTP/1.1\r\n%b\r\n%b" % (exchange.method, exchange.target, exchange.lines, body))

    @property
    def is_usable(self) -> bool:
        return not self.is_lost and not self._transport.is_closing()

    # --- endings ---
    def _complete(self, exchange: Exchange) -> None:
        exchange.completed(self._loop.time())

    def _finish(self, exchange: Exchange) -> None:
        self._exchange = None
        exchange.carrier = None
        self.resume()
        if self._is_reusable and exchange.is_request_sent:
            self._pool.release(self)
        else:
            self.drop()
        exchange.notify()

    def _broken_off(self, exchange: Exchange) -> None:
        if exchange.has_answer_begun:
            self._fail("truncated", "it closed the connection amid its answer")
        else:
            self._fail("read", "it closed the connection before its answer", is_stale=exchange.is_reused)

    def _fail(self, phase: Phase, message: str, *, is_stale: bool = False) -> None:
        exchange, self._exchange = self._exchange, None
        self.drop()
        if exchange is not None:
            exchange.carrier = None
            exchange.failed(UpstreamError(exchange.side, phase, message, is_stale=is_stale), self._loop.time())
