"""The moments at which signatures became fixed and regressed, for their history: a state alone says not since when.

`fixed` is derived (`core.triage`), so somebody has to look: who finds it first notes it, with the numbers it rests on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import select, update

from proxy.core.triage import expected_sightings, state_at
from proxy.store.counts import compared
from proxy.store.decisions import add_audit
from proxy.store.tables import SIGNATURES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from sqlalchemy import Connection

    from proxy.core.triage import Track

WHO = "changeover"
FIXED, REGRESSED = "diff.fixed", "diff.regressed"


class Fixed(NamedTuple):
    """A signature that is fixed and not known to be: its state before, when it was seen last, and why."""

    id: str
    before: str
    last_seen: float
    reason: str


def fixed_since(connection: Connection, now: float, track: Callable[[Mapping[Any, Any]], Track]) -> list[Fixed]:
    """Those that are fixed since the last look."""
    table = SIGNATURES.c
    rows = connection.execute(select(SIGNATURES).where(table.fixed_at.is_(None)).order_by(table.id)).mappings().all()
    totals = compared(connection, {row["route"] for row in rows})
    found = []
    for row in rows:
        total, known = totals[row["route"]], track(row)
        if state_at(known, total, now) == "fixed":
            found.append(Fixed(row["id"], row["state"], row["last_seen"], _why_fixed(known, total)))
    return found


def note_fixed(connection: Connection, now: float, found: Iterable[Fixed]) -> list[str]:
    """Notes them in the audit, but for those that another node has noted, or that were seen again; their ids."""
    table = SIGNATURES.c
    noted = []
    for each in found:
        is_as_found = (table.id == each.id) & table.fixed_at.is_(None) & (table.last_seen == each.last_seen)
        if connection.execute(update(SIGNATURES).where(is_as_found).values(fixed_at=now)).rowcount:
            _add(connection, now, FIXED, each.id, each.before, "fixed", each.reason)
            noted.append(each.id)
    return noted


def note_regressed(connection: Connection, at: float, id_: str, before: Track, total: int) -> None:
    """A signature that was fixed has been seen again."""
    without = max(total - before.compared_at_last_seen, 0)
    reason = f"seen again, after {without:,} pairs of its route were compared as a whole without it"
    _add(connection, at, REGRESSED, id_, "fixed", "regressed", reason)


def _why_fixed(known: Track, total: int) -> str:
    without = total - known.compared_at_last_seen
    expected = expected_sightings(known, total)
    return (
        f"not seen in the {without:,} pairs of its route that were compared as a whole since; "
        f"were it still there, {expected:,.1f} sightings were to be expected"
    )


def _add(connection: Connection, at: float, action: str, id_: str, before: str, after: str, reason: str) -> None:
    add_audit(connection, at, WHO, action, id_, {"state": before}, {"state": after}, reason, "")
