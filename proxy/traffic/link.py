"""The worker's end of the link to control: evidence up, the rollout down.

1. Lossy up: what doesn't fit is refused, never waited for. Counters are deltas that stay until acknowledged.
2. Last value down: a new rollout replaces the one before; a broken one is logged and changes nothing (law 7).
3. Without control the worker goes on with what it has, and tries again each `RECONNECT_S`.
4. Every pair that was sent is acknowledged or, when the link breaks, counted as `skipped.link_lost` (law 5).
"""

from __future__ import annotations

import asyncio
import os
import time
from typing import TYPE_CHECKING, cast

import structlog

from proxy.errors import ChangeoverError
from proxy.traffic.frames import Decoder, FrameError, Kind, decode_json, encode_json, head_numbered

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from typing import Any

    from proxy.traffic.tally import Delta, Tally

log = structlog.get_logger(__name__)

RECONNECT_S = 0.25
TALLY_S = 1.0
DEFAULT_WINDOW = 64
_NOTHING: Delta = {"routes": {}, "users": {}}


class Link(asyncio.Protocol):
    """See the module. `run` connects, and connects again, until it is cancelled."""

    def __init__(
        self,
        path: Path,
        worker: str,
        tally: Tally,
        buffer_bytes: int,
        apply: Callable[[dict[str, Any]], None],
        gauges: Callable[[], dict[str, float]],
        versions: Callable[[], dict[str, str]] = dict,
    ) -> None:
        self._path = path
        self._worker = worker
        self._tally = tally
        self._buffer_bytes = buffer_bytes
        self._apply = apply
        self._gauges = gauges
        self._versions = versions
        self._transport: asyncio.Transport | None = None
        self._closed: asyncio.Future[None] | None = None
        self._decoder = Decoder()
        self._window = DEFAULT_WINDOW
        self._unacked: dict[int, Callable[[str], None]] = {}
        self._number = 0
        self._seq = 0
        self._sent_delta: tuple[int, Delta] | None = None
        self.tried = asyncio.Event()  # up, or not to be had at the first try

    @property
    def is_up(self) -> bool:
        return self._transport is not None

    # --- life ---
    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                await loop.create_unix_connection(lambda: self, str(self._path))
            except OSError:
                self.tried.set()
                await asyncio.sleep(RECONNECT_S)
                continue
            self.tried.set()
            await self._stay()
            await asyncio.sleep(RECONNECT_S)

    async def _stay(self) -> None:
        while self._closed is not None:
            await asyncio.wait([self._closed], timeout=TALLY_S)
            self.send_tally()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._closed = asyncio.get_running_loop().create_future()
        self._decoder = Decoder()
        self._window = DEFAULT_WINDOW
        self._transport.write(encode_json(Kind.HELLO, {"worker": self._worker, "pid": os.getpid()}))
        log.info("link.connected", path=str(self._path))

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        unacked, self._unacked = self._unacked, {}
        for skip in unacked.values():
            skip("link_lost")
        if self._sent_delta is not None:
            self._tally.put_back(self._sent_delta[1])
            self._sent_delta = None
        if self._closed is not None:
            self._closed.set_result(None)
            self._closed = None
        log.warning("link.lost", cause=str(exc) if exc else "closed by control")

    async def finish(self, timeout_s: float) -> None:
        """Says the last counters, waits at most `timeout_s` for what is not acknowledged yet, and hangs up."""
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout_s
        while self._transport is not None and loop.time() < end:
            self.send_tally()
            if not self._unacked and self._is_tally_settled:
                break
            await asyncio.sleep(0.02)
        if self._transport is not None:
            self._transport.close()

    @property
    def _is_tally_settled(self) -> bool:
        """Whether the last delta that was sent was empty, or all are acknowledged and nothing was counted since."""
        return self._sent_delta is None or self._sent_delta[1] == _NOTHING

    # --- up ---
    def refusal(self, waiting: int = 0) -> str | None:
        """Why a pair can't be sent now, behind those `waiting`, or None. Asked before the work of masking it."""
        if self._transport is None:
            return "link_down"
        if len(self._unacked) + waiting >= self._window:
            return "comparer_busy"
        if self._transport.get_write_buffer_size() >= self._buffer_bytes:
            return "link_full"
        return None

    def send_pair(self, encoded: Sequence[bytes], skip: Callable[[str], None]) -> None:
        """Sends one pair, in pieces; `skip` is called with a reason if it turns out not to have arrived."""
        refusal = self.refusal()
        if refusal is not None or self._transport is None:
            skip(refusal or "link_down")
            return
        self._number = (self._number + 1) & 0xFFFFFFFF
        self._unacked[self._number] = skip
        head = head_numbered(Kind.PAIR, self._number, sum(map(len, encoded)))
        self._transport.write(head + encoded[0]) if len(encoded) == 1 else self._transport.writelines([head, *encoded])

    def send_tally(self) -> None:
        """Sends what was counted since the last acknowledged delta."""
        if self._transport is None or self._sent_delta is not None:
            return
        self._seq += 1
        delta = self._tally.take()
        self._sent_delta = (self._seq, delta)
        now = {"seq": self._seq, "at": time.time(), "gauges": self._gauges(), "versions": self._versions()}
        self._transport.write(encode_json(Kind.TALLY, {**now, **delta}))

    # --- down ---
    def data_received(self, data: bytes) -> None:
        try:
            for kind, payload in self._decoder.feed(data):
                self._received(kind, decode_json(payload))
        except (ValueError, KeyError, TypeError) as error:  # FrameError is a ValueError
            log.error("link.broken", cause=repr(error))  # noqa: TRY400  # the cause says all; the bytes are not ours
            if self._transport is not None:
                self._transport.abort()

    def _received(self, kind: Kind, value: dict[str, Any]) -> None:
        if kind == Kind.PAIR_ACK:
            for number in value["numbers"]:
                self._unacked.pop(number, None)
        elif kind == Kind.TALLY_ACK:
            if self._sent_delta is not None and self._sent_delta[0] == value["seq"]:
                self._sent_delta = None
        elif kind == Kind.CREDIT:
            self._window = max(int(value["window"]), 0)
        elif kind == Kind.ROLLOUT:
            self._apply_rollout(value)
        else:
            raise FrameError(f"control sent a frame of kind {kind.name}")

    def _apply_rollout(self, document: dict[str, Any]) -> None:
        try:
            self._apply(document)
        except ChangeoverError as error:
            log.error("rollout.refused", cause=str(error))  # noqa: TRY400  # rule 2; the message is complete
