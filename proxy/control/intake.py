"""What comes up the links: counters go to the recorder, pairs through the comparers to the recorder.

1. Every pair ends in exactly one counter (law 5), here or, when its link was hung up, in its worker.
2. A pair is acknowledged when that counter has been taken over.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from proxy.control.judge import counter_of, sightings_of
from proxy.control.outcome import Outcome
from proxy.control.showings import Showings
from proxy.core.evidence import Verdict, decode_pair

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.control.comparers import Comparers
    from proxy.control.delta import Delta
    from proxy.control.link import Arrived
    from proxy.control.noise import Silenced
    from proxy.control.recorder import Recorder
    from proxy.control.rule_use import RuleUse

BUSY = "comparer_busy"


class Intake:
    """See the module. It is the `Taker` of the link server."""

    def __init__(
        self,
        comparers: Comparers,
        recorder: Recorder,
        silenced: Silenced,
        rule_use: RuleUse,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._comparers = comparers
        self._recorder = recorder
        self._silenced = silenced
        self._rule_use = rule_use
        self._showings = Showings()
        self._now = now

    def take_delta(self, delta: Delta) -> None:
        self._recorder.take_delta(delta)

    def take_pair(self, arrived: Arrived) -> None:
        """Hands a pair to the comparers; one that finds no room is counted at once."""
        if self._comparers.submit(arrived.encoded, lambda outcome: self._found(arrived, outcome)):
            return
        try:
            pair = decode_pair(arrived.encoded)
        except ValueError as error:
            arrived.link.hang_up(str(error))
            return
        self._found(arrived, Outcome(pair.route, pair.kind, Verdict.SKIPPED, BUSY))

    def _found(self, arrived: Arrived, outcome: Outcome) -> None:
        if arrived.is_void:
            return
        if not outcome.route:
            arrived.link.hang_up("a pair that can't be decoded")  # the worker counts it as `link_lost`
            return
        self._recorder.count(outcome.route, counter_of(outcome, self._silenced))
        self._recorder.take_sightings(sightings_of(outcome, self._now()))
        self._rule_use.note(outcome)
        self._recorder.take_shown(self._showings.of(outcome))
        arrived.settle()
