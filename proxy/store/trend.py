"""How often a signature was seen in each minute of the last day; a minute in which it was not has no row.

The caller of `add_minutes` holds the routes; all nodes add to the same rows. Those of signatures that went are swept.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from sqlalchemy import select

from proxy.store.tables import SIGNATURE_MINUTES
from proxy.store.upsert import insert_into

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from sqlalchemy import Connection

    from proxy.store.values import Sighting

TREND_S = 86_400.0  # a day by the minute, as the minutes of routes: a deployment and its effect lie within it


def add_minutes(connection: Connection, sightings: Iterable[Sighting]) -> None:
    """Adds sightings to the minutes in which they were, or the latest of them where several were merged."""
    counts: Counter[tuple[int, str]] = Counter()
    for sighting in sightings:
        counts[int(sighting.at // 60), sighting.signature.id] += sighting.count
    if not counts:
        return
    table = SIGNATURE_MINUTES.c
    insert = insert_into(connection, SIGNATURE_MINUTES)
    connection.execute(
        insert.on_conflict_do_update(
            index_elements=[table.minute, table.signature], set_={"count": table.count + insert.excluded["count"]}
        ),
        [{"minute": minute, "signature": id_, "count": count} for (minute, id_), count in sorted(counts.items())],
    )


def minutes_of(connection: Connection, id_: str, since: float, now: float) -> dict[int, int]:
    """Unix minute -> sightings, oldest first, from the minute of `since` to that of `now`."""
    return dict(sorted(minutes_of_several(connection, [id_], since, now).get(id_, {}).items()))


def minutes_of_several(
    connection: Connection, ids: Collection[str], since: float, now: float
) -> dict[str, dict[int, int]]:
    """Signature -> Unix minute -> sightings, from the minute of `since` to that of `now`; without those not seen."""
    table = SIGNATURE_MINUTES.c
    # Each minute by its name: from one minute to another the rows of all signatures would be read, which are millions.
    minutes = range(int(max(since, now - TREND_S) // 60), int(now // 60) + 1)
    rows = connection.execute(
        select(table.signature, table.minute, table.count).where(table.minute.in_(minutes), table.signature.in_(ids))
    )
    found: dict[str, dict[int, int]] = {}
    for signature, minute, count in rows:
        found.setdefault(signature, {})[minute] = count
    return found
