"""One request whose two answers are being collected: what the user was sent, and what the shadow brings.

However it goes, a pair ends once: handed on with both answers, or counted under the reason why there is nothing to
compare (law 5). The two pairs of a noise run are handed on together: one that is whole waits for the other. A fault in
here ends the pair and nothing else (law 1): who calls it, catches it, and calls `fault`.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Literal

import structlog

from proxy.core.model import LEGACY, NEW, OTHER
from proxy.errors import UpstreamBusy, UpstreamError, UpstreamTimeout
from proxy.traffic.upstream.exchange import unheard

if TYPE_CHECKING:
    from proxy.core.headers import AnswerHead
    from proxy.core.model import Route, Side
    from proxy.traffic.call import Call
    from proxy.traffic.journal import Entry
    from proxy.traffic.pace import Pace
    from proxy.traffic.shadow import Shadows
    from proxy.traffic.upstream.exchange import Exchange

log = structlog.get_logger(__name__)

_SMALL_BYTES = 16_384  # at a time; what is below is bounded well enough by the number of shadows
_LARGE_BYTES = 65_536  # at a time; uvloop would bring as much 32 times in a row, while users wait
_REST_S = 0.002

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})  # RFC 9110 §9.2.1, without TRACE


class OpenPair:
    """One request whose two answers are being collected. `finished` is called once both are there.

    `other` is the other pair of a noise run, as long as both are open.
    """

    __slots__ = (  # as Exchange
        "at",
        "bytes_kept",
        "current",
        "entry",
        "has_answer",
        "has_shadow_ended",
        "head",
        "is_closed",
        "is_whole",
        "is_write",
        "key",
        "kind",
        "method",
        "other",
        "outcome",
        "pace",
        "raw_method",
        "request_bytes",
        "request_id",
        "request_lines",
        "route",
        "served_body",
        "served_elapsed_s",
        "served_head",
        "served_side",
        "served_status",
        "shadow",
        "shadow_body",
        "shadow_lines",
        "shadow_side",
        "shadows",
        "tally",
        "target",
    )

    entry: Entry | None
    kind: Literal["candidate", "noise"]
    other: OpenPair | None
    pace: Pace
    served_body: list[bytes]
    served_head: AnswerHead
    served_side: Side
    shadow: Exchange | None
    shadow_body: list[bytes]
    shadow_side: Side

    def __init__(self, shadows: Shadows, call: Call, route: Route, kind: Literal["candidate", "noise"]) -> None:
        """Takes from `call` what it needs, and not the call itself, which leads back to the pair: no cycle is left."""
        served_side = call.decision.backend
        self.shadows = shadows
        self.current = call.current
        self.route = route
        self.kind = kind
        self.served_side = served_side
        self.shadow_side = LEGACY if kind == "noise" else OTHER[served_side]
        self.method = call.method
        self.raw_method = call.raw_method
        self.target = call.target
        self.head = call.head
        self.request_id = call.request_id
        self.request_lines = call.visit.lines
        self.shadow_lines = call.shadow_lines()
        self.key = call.key
        self.tally = call.tally
        self.is_write = call.method not in SAFE_METHODS
        self.at = time.time()
        self.served_body = []
        self.shadow_body = []
        self.entry = self.other = self.shadow = None
        self.has_answer = self.has_shadow_ended = self.is_closed = self.is_whole = False
        self.bytes_kept = self.request_bytes = self.served_status = 0
        self.served_elapsed_s = 0.0
        self.outcome = ""

    # --- the user's side ---
    def keep(self, chunks: list[bytes]) -> None:
        """Keeps a copy of what the user is sent, within the bounds."""
        if self.is_closed:
            return
        self.served_body += chunks
        if not self._reserve(_size(chunks)):
            self.served_body = []

    def answered(self, exchange: Exchange) -> None:
        """The user got a whole answer."""
        elapsed_s = exchange.finished_at - exchange.started_at
        self.take_first(exchange.status, exchange.head, elapsed_s, exchange.raw)

    def take_first(self, status: int, head: AnswerHead, elapsed_s: float, raw: bytes) -> None:
        """The answer that the shadow's is compared with is whole; `raw` as `Exchange.raw`."""
        self.served_status = status
        self.served_head = head
        self.served_elapsed_s = elapsed_s
        self.has_answer = True
        if self.shadow is not None:
            self.shadow.expected = raw
        self._settle()

    def lost(self, reason: str) -> None:
        """There will be nothing to compare."""
        if self.is_closed:
            return
        self.close()
        self.served_body = self.shadow_body = []
        self.skip(reason)
        if self.shadow is not None and not self.is_write and not self.has_shadow_ended:
            self.shadow.abandon()
            self._shadow_ended()
        self._leave_other(reason)

    def fault(self, error: Exception) -> None:
        """The pair is void because of a bug: counted, and nothing of it stays behind."""
        log.error("shadow.faulted", exc_info=error)
        if not self.is_closed:
            self.close()
            self.skip("fault")
        self.served_body = self.shadow_body = []
        if not self.has_shadow_ended:
            if self.shadow is not None:
                self.shadow.abandon()
            self._shadow_ended()
        self._leave_other("fault")

    def skip(self, reason: str) -> None:
        """Counts why there is nothing to compare; a noise run says nothing of new, and is no gap in its evidence."""
        self.tally.count(f"self_skipped.{reason}" if self.kind == "noise" else f"skipped.{reason}")
        self.has_become(reason)

    def has_become(self, outcome: str) -> None:
        """How the pair ended, for who asked to be told (`report_to`)."""
        self.outcome = outcome
        if self.entry is not None:
            self.entry.settled(outcome)

    def report_to(self, entry: Entry) -> None:
        self.entry = entry
        if self.outcome:
            entry.settled(self.outcome)

    # --- the shadow side ---
    def progress(self) -> None:
        """Called by the shadow's exchange whenever something came in."""
        try:
            shadow = self.shadow
            if shadow is None or self.has_shadow_ended:
                return
            if shadow.error is not None:
                reason = shadow_reason(shadow.error)
                if not (self.is_closed or shadow.error.is_stale or isinstance(shadow.error, UpstreamBusy)):
                    self.shadows.failed(self, shadow.started_at, reason)
                self._shadow_ended()
                self.lost(reason)
                return
            if not shadow.is_as_expected:  # else nothing was kept of it
                self._take(shadow)
            if shadow.is_complete and not self.has_shadow_ended:
                self._shadow_ended()
                taken_s = shadow.finished_at - shadow.started_at
                self.shadows.answered(self, taken_s)
                self.tally.answered(self.shadow_side, taken_s)
                self._pass_on(shadow)
                self._settle()
        except Exception as error:  # law 1
            self.fault(error)

    # --- a noise run: two pairs ---
    @property
    def is_fed_by_other(self) -> bool:
        """Whether the first answer is the other pair's shadow: legacy is asked twice beside new's answer."""
        return self.kind == "noise" and self.served_side == NEW

    def belong_to(self, other: OpenPair) -> None:
        """Both are of one noise run."""
        self.other, other.other = other, self

    def _pass_on(self, shadow: Exchange) -> None:
        """Legacy's first answer is there, for the other pair if it has none yet."""
        again = self.other
        if again is None or not again.is_fed_by_other:
            return
        elapsed_s = shadow.finished_at - shadow.started_at
        try:
            if shadow.is_as_expected:  # nothing was kept of it: it is the served one
                again.keep(self.served_body)
                again.take_first(self.served_status, self.served_head, elapsed_s, shadow.expected)
            else:
                again.keep(self.shadow_body)
                again.take_first(shadow.status, shadow.head, elapsed_s, shadow.raw)
        except Exception as error:  # law 1: this pair is whole
            again.fault(error)

    def _part(self) -> OpenPair | None:
        """Ends what binds both pairs of a run, and tells the other one."""
        other, self.other = self.other, None
        if other is not None:
            other.other = None
        return other

    def _leave_other(self, reason: str) -> None:
        """The other pair of a run goes on alone, unless its first answer was to come from here."""
        other = self._part()
        if other is None:
            return
        if other.is_whole:
            other.finish()
        elif other.is_fed_by_other and not other.has_answer:
            other.lost(reason)

    def _take(self, shadow: Exchange) -> None:
        chunks = shadow.take()
        size = _size(chunks)
        if size > _SMALL_BYTES:
            self.shadows.read(size)
        if not self.is_closed:
            self.shadow_body += chunks
            self._reserve(size)
            if size >= _LARGE_BYTES:
                shadow.rest(_REST_S)

    def _reserve(self, size: int) -> bool:
        self.bytes_kept += size
        self.shadows.bytes_kept += size
        if self.bytes_kept > self.shadows.max_pair_bytes:
            self.shadows.was_too_large(self)
            self.lost("too_large")
        elif self.shadows.bytes_kept > self.shadows.max_bytes:
            self.lost("shed")
        return not self.is_closed

    def _shadow_ended(self) -> None:
        self.has_shadow_ended = True
        if self.shadow is not None:
            self.shadow.notify = unheard
        self.shadows.ended(self)

    def _settle(self) -> None:
        if self.has_answer and self.has_shadow_ended and not self.is_closed:
            self.is_whole = True
            if self.other is None or self.other.is_whole:
                self.finish()

    def finish(self) -> None:
        """Hands on this pair, and the other one of a run with it."""
        other = self._part()
        self.close()
        self.pace.was_comparable()
        if other is None:
            self.shadows.finished(self, None)
            return
        other.close()
        other.pace.was_comparable()
        pair, again = (other, self) if self.kind == "noise" else (self, other)
        self.shadows.finished(pair, again)

    def close(self) -> None:
        """Nothing more is kept."""
        self.is_closed = True
        self.shadows.bytes_kept -= self.bytes_kept


def _size(chunks: list[bytes]) -> int:
    return len(chunks[0]) if len(chunks) == 1 else sum(map(len, chunks))


def shadow_reason(error: UpstreamError) -> str:
    """The reason under which a failed shadow is counted."""
    if isinstance(error, UpstreamBusy):
        return "shed"
    return "shadow_failed.timeout" if isinstance(error, UpstreamTimeout) else f"shadow_failed.{error.phase}"
