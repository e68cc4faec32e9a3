"""One connection to a backend, from the request's bytes to the answer's.

1. A connection carries one exchange at a time and goes back to its pool only after a whole, clean answer to a whole
   request. Bytes that nobody asked for close it.
2. An answer ends by Content-Length, by its last chunk, or, where it has neither, by the end of the connection. Any
   other end is `truncated`.
3. An answer that is known already, byte for byte (`Exchange.expected`), is not read again.
4. A head that breaks the grammar is mended where RFC 9112 asks a proxy to (folds, spaces before a colon); anything else
   is `protocol`, and the connection is not used again.
5. A head that is the same, byte for byte, as the backend's last one is not read again: the same thing asked for within
   a second (`Date`), by one user or by many.
6. A whole request goes out together with others (`Outbox`). What comes before it has gone out is no answer to it.
"""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple, Protocol, cast

from proxy.core.framing import LAST_CHUNK, Chunked, Malformed, chunk
from proxy.core.head import ANSWER, MAX_HEAD_BYTES, is_possible_answer, mend_answer
from proxy.core.headers import (
    AnswerHead,
    agrees_to_websocket,
    interim_lines,
    read_answer,
    reset_content_head,
    trailer_lines,
)
from proxy.errors import UpstreamError

if TYPE_CHECKING:
    import re

    from proxy.core.model import Backend, Timeouts
    from proxy.errors import Phase
    from proxy.traffic.outbox import Outbox
    from proxy.traffic.upstream.exchange import Exchange

_MAX_FIELDS = 200  # of an answer: twice what a request may have; backends are trusted more than strangers
_MAX_INTERIM = 16  # 1xx answers before the one that counts
_END_OF_HEAD = b"\r\n\r\n"
# What is read at once, of all connections one after the other. uvloop's own 256 kB take half a millisecond to be passed
# on, while others wait; where nobody waits they are faster (docs/performance.md).
_BUFFER = memoryview(bytearray(65_536))


class KnownHead(NamedTuple):
    """A final answer's head, read: its bytes with the empty line at its end, and what they say."""

    wire: bytes
    status: int
    reason: bytes
    head: AnswerHead


class Home(Protocol):
    """The pool that a connection belongs to. `known` is the last answer's head: equal bytes mean the same (rule 5)."""

    backend: Backend
    known: KnownHead | None
    outbox: Outbox

    def release(self, connection: Connection) -> None: ...

    def lost(self, connection: Connection) -> None: ...

    def failed(self, failure: UpstreamError) -> None: ...


class Connection(asyncio.BufferedProtocol):
    """One connection to a backend; what it reads feeds the exchange it carries."""

    def __init__(self, pool: Home) -> None:
        self._pool = pool
        self._exchange: Exchange | None = None
        self.transport: asyncio.Transport = cast("asyncio.Transport", None)
        self._request = b""  # a whole one that is still to go out (rule 6)
        self._head = b""  # of an answer, as long as it isn't whole
        self._left: int | None = 0  # of a body with a length; None: until the connection ends
        self._chunked: Chunked | None = None
        self._interim = 0
        self._is_reusable = True
        self._is_paused = False
        self._can_write: asyncio.Event | None = None
        self._now = monotonic()  # when something was last read
        self.idle_since = self._now
        self.is_lost = False

    # --- asyncio.BufferedProtocol ---
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        del sizehint
        return _BUFFER

    def buffer_updated(self, nbytes: int) -> None:
        self.data_received(bytes(_BUFFER[:nbytes]))

    def data_received(self, data: bytes) -> None:
        exchange = self._exchange
        if exchange is None:
            self.drop()
            return
        now = self._now = monotonic()
        if self._request:
            self._broken_off(exchange)
            return
        if exchange.status:
            self._body_received(exchange, data)
        elif not exchange.has_answer_begun:
            if data == exchange.expected:  # equal bytes are an equal answer: nothing to read
                self._is_reusable = True
                exchange.completed_as_expected(now)
                self._finish(exchange)
                return
            exchange.has_answer_begun = True
            self._head_received(exchange, data)
            if self._is_reusable and exchange.is_complete and exchange.trailers == b"":
                exchange.raw = data
        else:
            self._head_received(exchange, self._head + data)
        if self._exchange is None:  # it has failed
            return
        if exchange.is_complete:
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
            self._now = monotonic()
            if exchange.status and self._left is None and exc is None:
                exchange.completed(self._now)
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

    # --- the answer ---
    def _head_received(self, exchange: Exchange, data: bytes) -> None:
        """Reads as much of the answer as `data`, which begins with its head, holds."""
        known = self._pool.known
        if known is not None and data.startswith(known.wire):
            self._head_read(exchange, known, data)
            return
        found = ANSWER.match(data)
        while found is not None and found[2] < b"200":
            data = data[found.end() :]
            if not self._interim_received(exchange, found):
                return
            if exchange.is_upgraded:
                self._body_received(exchange, data)
                return
            found = ANSWER.match(data)
        if found is None:
            self._odd_head_received(exchange, data)
            return
        self._head = b""
        status = int(found[2])
        if found.end() > MAX_HEAD_BYTES or data.count(b"\n", 0, found.end()) > _MAX_FIELDS + 2:
            self._fail("protocol", f"its answer's head is over {MAX_HEAD_BYTES} bytes or {_MAX_FIELDS} fields")
            return
        try:
            head = read_answer(found[4], is_1_0=found[1] == b"0", may_have_length=status != 204)
        except ValueError as error:
            self._fail("protocol", str(error))
            return
        if status == 205:
            head = reset_content_head(head)
        self._pool.known = known = KnownHead(data[: found.end()], status, found[3] or b" ", head)
        self._head_read(exchange, known, data)

    def _head_read(self, exchange: Exchange, known: KnownHead, data: bytes) -> None:
        """Goes on after an answer's final head, with which `data` begins."""
        wire, status, reason, head = known
        exchange.answer_begun(status, reason, head)
        self._is_reusable = head.keeps_alive
        if exchange.method == b"HEAD" or status in (204, 304):  # RFC 9112 §6.3
            self._left, self._chunked = 0, None
        else:
            self._chunked = Chunked(may_pad=True) if head.is_chunked else None
            self._left = None if head.length is None and not head.is_chunked else head.length or 0
        self._body_received(exchange, data[len(wire) :])

    def _odd_head_received(self, exchange: Exchange, data: bytes) -> None:
        """A head that isn't whole yet, or has to be mended, or can't be."""
        end = data.find(_END_OF_HEAD) + 4
        if end < 4 and len(data) <= MAX_HEAD_BYTES and is_possible_answer(data, len(self._head)):
            self._head = data
            return
        mended = mend_answer(data[:end]) if end >= 4 else data
        if mended != data[:end] and ANSWER.fullmatch(mended):
            self._head_received(exchange, mended + data[end:])
            return
        self._fail("protocol", f"its answer is not HTTP/1.1, or its head is too long: {data[:60]!r}")

    def _interim_received(self, exchange: Exchange, found: re.Match[bytes]) -> bool:
        """Takes a 1xx answer; False if the exchange has failed of it (RFC 9110 §15.2)."""
        self._head = b""
        self._interim += 1
        if found[2] == b"101":
            if not (exchange.may_upgrade and agrees_to_websocket(found[4])):
                self._fail("protocol", "it switched to a protocol that it wasn't asked for")
                return False
            exchange.answer_begun(101, found[3] or b" ", AnswerHead(interim_lines(found[4]), None, False, False))
            exchange.upgraded()
            self._is_reusable = False
            self._left, self._chunked = None, None
        elif self._interim > _MAX_INTERIM or found.end() > MAX_HEAD_BYTES:
            self._fail(
                "protocol", f"it sent more than {_MAX_INTERIM} interim answers, or one over {MAX_HEAD_BYTES} bytes"
            )
            return False
        elif exchange.on_interim is not None and found[2] != b"100":  # a 100 answers our Expect; we send none
            exchange.on_interim(b"HTTP/1.1 %b%b\r\n%b\r\n" % (found[2], found[3] or b" ", interim_lines(found[4])))
        return True

    def _body_received(self, exchange: Exchange, data: bytes) -> None:
        if exchange.is_complete:  # bytes that nobody asked for
            self._is_reusable = False
            return
        if self._chunked is not None:
            self._chunks_received(exchange, self._chunked, data)
            return
        left = self._left
        if left is None:
            if data:
                exchange.body_received(data)
            return
        if len(data) > left:  # what follows can't be trusted
            self._is_reusable = False
            data = data[:left]
        if data:
            exchange.body_received(data)
        self._left = left = left - len(data)
        if not left:
            exchange.completed(self._now)

    def _chunks_received(self, exchange: Exchange, chunked: Chunked, data: bytes) -> None:
        try:
            body, rest = chunked.feed(data)
        except Malformed as error:
            self._fail("protocol", str(error))
            return
        if body:
            exchange.body_received(body)
        if chunked.is_whole:
            self._is_reusable = self._is_reusable and not rest
            exchange.trailers = chunked.trailers and trailer_lines(chunked.trailers)
            exchange.completed(self._now)

    # --- Carrier ---
    def pause(self) -> None:
        if not self._is_paused and not self.is_lost:
            self._is_paused = True
            self.transport.pause_reading()

    def resume(self) -> None:
        if self._is_paused and not self.is_lost:
            self._is_paused = False
            self.transport.resume_reading()

    async def send_piece(self, piece: bytes) -> None:
        exchange = self._exchange
        if exchange is None:
            return
        self.transport.write(chunk(piece) if exchange.is_chunked else piece)
        if self._can_write is not None:
            await self._can_write.wait()

    def end_request(self) -> None:
        if self._exchange is not None and self._exchange.is_chunked:
            self.transport.write(LAST_CHUNK)

    def drop(self) -> None:
        """Closes at once; what the exchange, if any, still expects is not delivered."""
        self._exchange = None
        self._is_reusable = False
        if not self.is_lost and self.transport is not None:
            self.transport.abort()

    # --- used by the pool ---
    def carry(self, exchange: Exchange, timeouts: Timeouts, now: float, *, is_reused: bool) -> None:
        """Sends the request; the answer feeds the exchange."""
        self._exchange = exchange
        self._interim = 0
        body = exchange.body
        if exchange.is_chunked:
            body = (chunk(body) if body else b"") + (LAST_CHUNK if exchange.is_request_sent else b"")
        exchange.write_timeout_s = timeouts.write_s
        exchange.carried_by(self, timeouts.read_s, now, is_reused=is_reused)
        request = b"%b %b HTTP/1.1\r\n%b\r\n%b" % (exchange.method, exchange.target, exchange.lines, body)
        if exchange.is_request_sent:
            self._request = request
            self._pool.outbox.add(self)
        else:
            self.transport.write(request)

    def send_waiting(self) -> None:
        """Sends the request, unless nobody wants its answer any more."""
        request, self._request = self._request, b""
        if request and self._exchange is not None and not self.transport.is_closing():
            self.transport.write(request)

    # --- endings ---
    def _finish(self, exchange: Exchange) -> None:
        self._exchange = None
        exchange.carrier = None
        if self._is_paused:
            self.resume()
        if self._is_reusable and exchange.is_request_sent:
            self.idle_since = self._now
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
            failure = UpstreamError(exchange.side, phase, message, is_stale=is_stale)
            self._pool.failed(failure)
            exchange.failed(failure, monotonic())
