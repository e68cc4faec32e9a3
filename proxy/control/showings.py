"""Which places a pair showed, as counts for the store: of a noise run both pairs, and whose answer stood alone. Pure.

Both pairs of a run share legacy's first answer, so that what it did by itself shows in both (`proxy.core.noise`). A
pair whose other one was equal, or lost, comes alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.core.signature import place_id
from proxy.store import Shown

if TYPE_CHECKING:
    from proxy.control.outcome import Outcome


def shown_by(outcome: Outcome) -> dict[str, Shown]:
    """Id of a place or a signature -> what the pair, or both of a noise run, add to its counts."""
    of_self, of_new = (
        {id_ for each in outcome.both if each.kind == kind for id_ in _ids(each)} for kind in ("noise", "candidate")
    )
    alone = outcome.alone
    return {
        id_: Shown(
            outcome.route,
            *(int(id_ in ids) for ids in (of_self, of_new, of_self & of_new, alone.new, alone.first, alone.again)),
        )
        for id_ in of_self | of_new
    }


def _ids(outcome: Outcome) -> set[str]:
    return {id_ for each in outcome.signatures for id_ in (each.id, place_id(each))}
