"""What comes up the links: counters go to the recorder, pairs through the comparers to the recorder.

1. Every pair ends in exactly one verdict or gap (law 5), here or, when its link was hung up, in its worker.
2. A pair is acknowledged when what it counts as has been taken over.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from proxy.control.judge import counters_of, sightings_of
from proxy.control.outcome import without_finding
from proxy.control.showings import shown_by
from proxy.core.evidence import Verdict, decode_pair

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.control.comparers import Comparers
    from proxy.control.delta import Delta
    from proxy.control.link import Arrived
    from proxy.control.noise import Silenced
    from proxy.control.outcome import Outcome
    from proxy.control.recorder import Recorder
    from proxy.control.rule_use import RuleUse

BUSY = "comparer_busy"


class Intake:
    """See the module. It is the `Taker` of the link server. `met` gets a route and the version of new that answered."""

    def __init__(
        self,
        comparers: Comparers,
        recorder: Recorder,
        silenced: Silenced,
        rule_use: RuleUse,
        met: Callable[[str, str], None] = lambda _route, _version: None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._comparers = comparers
        self._recorder = recorder
        self._silenced = silenced
        self._rule_use = rule_use
        self._met = met
        self._now = now

    def take_delta(self, delta: Delta) -> None:
        self._recorder.take_delta(delta)
        for route, version in delta.versions.items():
            self._met(route, version)

    def take_pair(self, arrived: Arrived) -> None:
        """Hands a pair to the comparers; one that finds no room is counted at once."""
        if self._comparers.submit(arrived.encoded, lambda outcome: self._found(arrived, outcome)):
            return
        try:
            pair = decode_pair(arrived.encoded)
        except ValueError as error:
            arrived.link.hang_up(str(error))
            return
        self._found(arrived, without_finding(pair, Verdict.SKIPPED, BUSY))

    def _found(self, arrived: Arrived, outcome: Outcome) -> None:
        if arrived.is_void:
            return
        if not outcome.route:
            arrived.link.hang_up("a pair that can't be decoded")  # the worker counts it as `link_lost`
            return
        for each in outcome.both:
            for counter in counters_of(each, self._silenced):
                self._recorder.count(each.route, counter)
            self._recorder.take_sightings(sightings_of(each, self._now()))
            self._rule_use.note(each)
            if each.version:
                self._met(each.route, each.version)
        self._recorder.take_shown(shown_by(outcome))
        arrived.settle()
