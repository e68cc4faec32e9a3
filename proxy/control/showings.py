"""Which places each pair showed, as counts for the store: the two pairs of a noise run are told to belong together.

Both share legacy's first answer, so that what it did by itself shows in both (`proxy.core.noise`). They come from the
comparers one after the other, in any order; a pair whose partner was equal waits in vain, and is forgotten.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.core.signature import place_id
from proxy.store import Shown

if TYPE_CHECKING:
    from proxy.control.outcome import Outcome

MAX_WAITING = 2_000  # pairs; the comparers' queues hold some hundred, and what waits longer waits in vain


class Showings:
    """See the module. On the loop's thread only."""

    def __init__(self) -> None:
        self._noisy: set[str] = set()  # routes of which legacy was asked twice
        self._waiting: dict[tuple[str, str], tuple[str, frozenset[str]]] = {}

    def of(self, outcome: Outcome) -> dict[str, Shown]:
        """Id of a place or a signature -> what this pair adds to its counts."""
        is_noise = outcome.kind == "noise"
        if is_noise:
            self._noisy.add(outcome.route)
        ids = frozenset(id_ for each in outcome.signatures for id_ in (each.id, place_id(each)))
        if not ids:
            return {}
        both = self._shown_by_partner(outcome, ids) & ids
        return {id_: Shown(outcome.route, int(is_noise), int(not is_noise), int(id_ in both)) for id_ in ids}

    def _shown_by_partner(self, outcome: Outcome, ids: frozenset[str]) -> frozenset[str]:
        """What the other pair of the request showed, when this one comes second."""
        if outcome.route not in self._noisy or not outcome.request_id:
            return frozenset()
        key = (outcome.route, outcome.request_id)
        kind, shown = self._waiting.pop(key, ("", frozenset[str]()))
        if kind and kind != outcome.kind:
            return shown
        if len(self._waiting) >= MAX_WAITING:
            self._waiting.pop(next(iter(self._waiting)))
        self._waiting[key] = (outcome.kind, ids)
        return frozenset()
