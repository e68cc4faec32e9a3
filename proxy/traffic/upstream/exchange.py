"""One request to one backend and its answer as it comes in, whatever client carries it.

1. A client feeds it: `answer_begun`, `body_received`, then exactly one of `completed` and `failed`.
2. After each feed it calls `notify` once; who waits reads `status`, `chunks`, `is_complete`, `error`.
3. What is not taken is bounded: from HIGH_WATER bytes on the client is asked to pause, until `take` empties it.
4. State changes only in synchronous code; nothing here awaits but `wait`.
5. `raw` is the whole answer as it stood on the wire, where it came in one piece on a connection fit for reuse. Given
   to another exchange as `expected`, the same bytes need not be taken apart there: `is_as_expected`, and no head.
6. An exchange that `may_upgrade` goes on after a 101 as two streams of bytes without an end of their own, until either
   side closes: what comes is its answer's body, what is sent its request's.
"""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING, Protocol

from proxy.core.head import fields_of
from proxy.errors import UpstreamError, UpstreamTimeout

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.core.head import RawHeaders
    from proxy.core.headers import AnswerHead
    from proxy.core.model import Side
    from proxy.errors import Phase
    from proxy.traffic.deadlines import Deadlines

HIGH_WATER = 65_536  # unread answer bytes of one exchange, as asyncio's for a buffer; as much is read at once


def unheard() -> None:
    """The `notify` of an exchange that nobody listens to any more, which also parts it from who listened."""


class Carrier(Protocol):
    """What carries an exchange: the connection it is on."""

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def drop(self) -> None: ...

    async def send_piece(self, piece: bytes) -> None: ...

    def end_request(self) -> None: ...


class Exchange:
    """See the module. `lines` are the header lines to send, without the empty line; times are seconds of
    `time.monotonic`: uvloop's clock, which uvloop itself tells in whole milliseconds only.
    """

    # Slots, because one is made for each request: what isn't read from a slot costs twice to read, thrice to write.
    __slots__ = (
        "body",
        "buffered",
        "carrier",
        "chunks",
        "deadline",
        "deadlines",
        "error",
        "expected",
        "finished_at",
        "has_answer_begun",
        "head",
        "idle_timeout_s",
        "is_as_expected",
        "is_chunked",
        "is_complete",
        "is_paused",
        "is_request_sent",
        "is_reused",
        "is_upgraded",
        "lines",
        "may_upgrade",
        "method",
        "notify",
        "on_interim",
        "phase",
        "raw",
        "reason",
        "side",
        "started_at",
        "status",
        "target",
        "trailers",
        "waiter",
        "write_timeout_s",
    )

    carrier: Carrier | None
    chunks: list[bytes]
    error: UpstreamError | None
    head: AnswerHead
    idle_timeout_s: float | None
    notify: Callable[[], None]
    on_interim: Callable[[bytes], None] | None
    phase: Phase
    waiter: asyncio.Future[None] | None

    def __init__(
        self,
        side: Side,
        method: bytes,
        target: bytes,
        lines: bytes,
        *,
        deadlines: Deadlines,
        now: float,
        body: bytes = b"",
        is_chunked: bool = False,
        is_request_whole: bool = True,
    ) -> None:
        """`body` is sent with the head; where more follows (`is_request_whole` is False), by `send_body`."""
        self.side = side
        self.method = method
        self.target = target
        self.lines = lines
        self.body = body
        self.is_chunked = is_chunked
        self.is_request_sent = is_request_whole
        self.deadlines = deadlines
        self.started_at = self.finished_at = now
        self.deadline = now + 3600.0
        self.chunks = []
        self.phase = "connect"
        self.buffered = self.status = 0
        self.expected = self.raw = self.reason = self.trailers = b""
        self.carrier = self.error = self.idle_timeout_s = self.on_interim = self.waiter = None
        self.has_answer_begun = self.is_as_expected = self.is_complete = self.is_paused = False
        self.is_reused = self.is_upgraded = self.may_upgrade = False
        self.write_timeout_s = 0.0
        self.notify = self.wake

    # --- fed by the client ---
    def carried_by(self, carrier: Carrier, read_timeout_s: float, now: float, *, is_reused: bool) -> None:
        """The request is on its way; from now on the answer's phase runs."""
        self.carrier = carrier
        self.is_reused = is_reused
        self.phase = "read"
        if self.idle_timeout_s is not None:
            self.idle_timeout_s = read_timeout_s
            self.deadline = now + read_timeout_s
        self.deadlines.add(self)

    def answer_begun(self, status: int, reason: bytes, head: AnswerHead) -> None:
        """The answer's head is there. `reason` is its phrase with the space before it."""
        self.reason = reason
        self.head = head
        self.status = status

    def upgraded(self) -> None:
        """The answer is a 101: from now on both sides may be silent for as long as they like (rule 6)."""
        self.is_upgraded = True
        self.deadlines.discard(self)

    @property
    def headers(self) -> RawHeaders:
        """The answer's fields that the user gets; names in lower case. Read anew at each call."""
        return fields_of(self.head.lines)

    def body_received(self, chunk: bytes) -> None:
        self.chunks.append(chunk)
        self.buffered += len(chunk)
        if self.buffered >= HIGH_WATER and self.carrier is not None:
            self.is_paused = True
            self.carrier.pause()

    def touched_at(self) -> float:
        """When it ended, or now."""
        return self.finished_at if self.is_complete else monotonic()

    def completed(self, now: float) -> None:
        self.is_complete = True
        self.finished_at = now
        self.deadlines.discard(self)

    def completed_as_expected(self, now: float) -> None:
        """The bytes in `expected` have come, to the last one: there is nothing in them that isn't known."""
        self.is_as_expected = self.is_complete = True
        self.finished_at = now
        self.deadlines.discard(self)

    def failed(self, error: UpstreamError, now: float) -> None:
        """Ends the exchange. Later feeds are ignored by its clients, because it has no carrier any more."""
        if self.is_complete or self.error is not None:
            return
        error.after_s = now - self.started_at
        self.error = error
        self.finished_at = now
        self.deadlines.discard(self)
        carrier, self.carrier = self.carrier, None
        if carrier is not None:
            carrier.drop()
        self.notify()

    # --- deadlines ---
    def touched(self, now: float) -> None:
        """Bytes have moved: the idle timeout starts again."""
        if self.idle_timeout_s is not None:
            self.deadline = now + self.idle_timeout_s

    def expire(self, now: float) -> None:
        if self._waits_for_user:
            self.deadline = now + (self.idle_timeout_s or 0.0)
            return
        message = f"no progress in phase {self.phase} within its timeout"
        self.failed(UpstreamTimeout(self.side, self.phase, message), now)

    @property
    def _waits_for_user(self) -> bool:
        """Whether the backend can't move because of the user: a body that isn't sent yet, an answer not taken yet."""
        if self.idle_timeout_s is None:
            return False
        return self.is_paused or (not self.is_request_sent and self.phase != "write")

    def _restart_clock(self, seconds: float | None) -> None:
        if self.idle_timeout_s is not None:
            self.deadline = monotonic() + (seconds or 0.0)

    # --- used by who asked ---
    @property
    def has_nothing_new(self) -> bool:
        return not self.is_complete and not self.chunks

    def take(self) -> list[bytes]:
        """The chunks that came in since the last call; the backend may go on sending."""
        chunks = self.chunks
        self.chunks = []
        if self.is_paused and self.carrier is not None and not self.is_complete:
            self.is_paused = False
            self.carrier.resume()
            self._restart_clock(self.idle_timeout_s)
        self.buffered = 0
        return chunks

    def rest(self, seconds: float) -> None:
        """Takes nothing more from the backend for so long: others have their turn."""
        if self.carrier is not None and not self.is_complete:
            self.is_paused = True
            self.carrier.pause()
            asyncio.get_running_loop().call_later(seconds, self._go_on)

    def _go_on(self) -> None:
        if self.is_paused and self.carrier is not None and not self.is_complete:
            self.is_paused = False
            self.carrier.resume()

    async def wait_head(self) -> None:
        """Until the answer's head is there. Raises UpstreamError."""
        while not self.status:
            await self.wait()
        if self.error is not None and not self.is_complete:
            raise self.error

    async def wait(self) -> None:
        """Until something was fed since the last look. Raises UpstreamError once it has failed."""
        if self.error is not None:
            raise self.error
        self.waiter = asyncio.get_running_loop().create_future()
        try:
            await self.waiter
        finally:
            self.waiter = None
        if self.error is not None:
            raise self.error

    def wake(self) -> None:
        """Lets `wait` return; the usual `notify`."""
        waiter = self.waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def send_body(self, piece: bytes) -> None:
        """Sends a piece of the request's body; waits while the backend doesn't read."""
        if self.carrier is not None:
            self.phase = "write"
            self._restart_clock(self.write_timeout_s)
            await self.carrier.send_piece(piece)
            self.phase = "read"
            self._restart_clock(self.idle_timeout_s)

    def end_body(self) -> None:
        """The request's body is whole."""
        if self.carrier is not None:
            self.carrier.end_request()
            self.is_request_sent = True
            self._restart_clock(self.idle_timeout_s)

    def user_left(self) -> None:
        """Nobody waits for the answer any more, or the request's body turned out not to be one: it ends here."""
        if not self.is_complete:
            error = UpstreamError(self.side, "read", "the user left", is_client_gone=True)
            self.failed(error, monotonic())

    def cut(self) -> None:
        """What has come is the whole answer, though the backend would go on: its connection is closed."""
        carrier, self.carrier = self.carrier, None
        self.error = None
        if not self.is_complete:
            self.completed(monotonic())
        if carrier is not None:
            carrier.drop()

    def abandon(self) -> None:
        """Nobody wants the answer any more: the connection is closed, so that the backend may stop too."""
        self.deadlines.discard(self)
        self.error = self.error or UpstreamError(self.side, self.phase, "the answer is not wanted any more")
        carrier, self.carrier = self.carrier, None
        if carrier is not None and not self.is_complete:
            carrier.drop()
