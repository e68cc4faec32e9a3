"""What the handler tells the shadow side: one object per request, through which no fault gets back.

Law 1 in one place: every call ends here, whatever happens behind it; a fault ends the pair and nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from proxy.core.model import OTHER

if TYPE_CHECKING:
    from proxy.traffic.call import Call
    from proxy.traffic.journal import Entry
    from proxy.traffic.pair import OpenPair
    from proxy.traffic.shadow import Shadows
    from proxy.traffic.tally import RouteTally
    from proxy.traffic.upstream.exchange import Exchange

log = structlog.get_logger(__name__)


class Watch:
    """The pairs of one request: none where it is not shadowed, for `reason`, which is counted when it has ended."""

    __slots__ = ("_call", "_pairs", "_reason", "_shadows", "_tally")

    def __init__(self, call: Call | None, shadows: Shadows, reason: str | None, tally: RouteTally) -> None:
        self._call = call
        self._shadows = shadows
        self._tally = tally
        self._pairs: tuple[OpenPair, ...] = ()
        self._reason = reason
        if reason is not None:
            tally.count(f"skipped.{reason}")

    def request_sent(self, body: bytes | None) -> None:
        """The serving side has the whole request; `body` is its copy, None where it was too large to keep."""
        if self._call is not None:
            try:
                self._launch(body)
            except Exception:  # law 1: whatever it is, the user's answer goes on
                self._tally.count("skipped.fault")
                log.exception("shadow.faulted")

    def _launch(self, body: bytes | None) -> None:
        call, self._call = self._call, None
        if call is None or call.route is None:
            return
        if body is None:
            self._skip("request_too_large")
            return
        lack = self._shadows.lacks(call.route, OTHER[call.decision.backend])
        if lack is not None:
            self._skip(lack)
            return
        self._pairs = opened = self._shadows.open(call, call.route)
        if opened[-1].is_fed_by_other:  # its first answer isn't the user's
            self._pairs = opened[:1]
        for pair in opened:
            try:
                self._shadows.launch(pair, body)
            except Exception as error:
                pair.fault(error)

    def keep(self, chunks: list[bytes]) -> None:
        if self._call is not None:  # answered before the request was whole: the shadow can't be asked the same
            self.lost("request_unfinished")
        for pair in self._pairs:
            try:
                pair.keep(chunks)
            except Exception as error:
                pair.fault(error)

    def answered(self, exchange: Exchange) -> None:
        """The user got the whole answer."""
        for pair in self._pairs:
            try:
                pair.answered(exchange)
            except Exception as error:
                pair.fault(error)

    def report_to(self, entry: Entry) -> None:
        """Has the entry told, now or later, what became of the shadow."""
        if self._reason is not None:
            entry.settled(self._reason)
        for pair in self._pairs[:1]:
            pair.report_to(entry)

    def lost(self, reason: str) -> None:
        """The served answer will never be whole, or was not the decided side's."""
        if self._call is not None:  # not launched yet, and never will be
            self._call = None
            self._skip(reason)
        for pair in self._pairs:
            try:
                pair.lost(reason)
            except Exception as error:
                pair.fault(error)
        if self._pairs:
            self._pairs = ()
            self._reason = reason

    def _skip(self, reason: str) -> None:
        self._tally.count(f"skipped.{reason}")
        self._reason = reason
