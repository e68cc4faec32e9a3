"""The counters of routes: running totals that stay for ever, and minutes that retention folds and drops.

Each node has rows of its own, so the deltas of a batch are merged by reading, adding and writing back; the rows
are locked meanwhile, in case two processes run under one node's name. Sums over nodes are made when reading; totals
of nodes that are gone are folded into those of nobody, `DEPARTED`.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import bindparam, delete, func, select, tuple_, update

from proxy.core.evidence import wholly_compared
from proxy.core.model import LEGACY, NEW
from proxy.store.tables import NODES, ROUTE_MINUTES, ROUTE_TOTALS, SERVED_MINUTES
from proxy.store.upsert import insert_into

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from sqlalchemy import Connection, RowMapping

DEPARTED = ""  # no node's name
_Key = TypeVar("_Key", str, int, tuple[str, int])


def add_counts(connection: Connection, node: str, counts: Mapping[tuple[str, int], Mapping[str, int]]) -> None:
    """Adds deltas, by (route, minute) and counter, to the node's totals and minutes."""
    if not counts:
        return
    totals: dict[str, Counter[str]] = {}
    for (route, _), deltas in counts.items():
        totals.setdefault(route, Counter()).update(deltas)
    _add_totals(connection, node, totals)
    _add_minutes(connection, node, counts)
    _add_served(connection, node, counts)


def totals(connection: Connection) -> dict[str, dict[str, int]]:
    """Route -> counter -> sum over all nodes."""
    rows = connection.execute(select(ROUTE_TOTALS.c.route, ROUTE_TOTALS.c.counts).order_by(ROUTE_TOTALS.c.route))
    return _sums((route, counts) for route, counts in rows)


def minutes(connection: Connection, route: str, since_minute: int) -> dict[int, dict[str, int]]:
    """Minute -> counter -> sum over all nodes, oldest first; minutes without traffic are missing."""
    table = ROUTE_MINUTES.c
    rows = connection.execute(
        select(table.minute, table.counts)
        .where(table.route == route, table.minute >= since_minute)
        .order_by(table.minute)
    )
    return _sums((minute, counts) for minute, counts in rows)


def recent_minutes(connection: Connection, since_minute: int) -> dict[str, dict[int, dict[str, int]]]:
    """Route -> minute -> counter -> sum over all nodes, oldest first, of all routes with traffic since then."""
    table = ROUTE_MINUTES.c
    rows = connection.execute(
        select(table.route, table.minute, table.counts).where(table.minute >= since_minute).order_by(table.minute)
    )
    sums = _sums(((route, minute), counts) for route, minute, counts in rows)
    found: dict[str, dict[int, dict[str, int]]] = {}
    for (route, minute), counts in sums.items():
        found.setdefault(route, {})[minute] = counts
    return found


def recent_nodes(connection: Connection, since_minute: int) -> dict[str, int]:
    """Node -> the last minute since then of which it has counted anything, by name."""
    table = ROUTE_MINUTES.c
    # Not grouped by node: SQLite would read the whole table for it, in the order of its key.
    rows = connection.execute(
        select(table.minute, table.node).distinct().where(table.minute >= since_minute).order_by(table.minute)
    )
    return dict(sorted({node: int(minute) for minute, node in rows}.items()))


def first_minute(connection: Connection, since_minute: int) -> int | None:
    """The oldest minute since then in which anything was served, by any node; None where there is none."""
    table = SERVED_MINUTES.c
    found = connection.execute(select(func.min(table.minute)).where(table.minute >= since_minute)).scalar_one()
    return None if found is None else int(found)


def served(connection: Connection, since_minute: int, bucket: int) -> dict[int, tuple[int, int]]:
    """First minute of each bucket of so many -> requests that legacy and new served, over all routes and nodes."""
    table = SERVED_MINUTES.c
    start = (table.minute - table.minute % bucket).label("start")
    rows = connection.execute(
        select(start, func.sum(table.legacy), func.sum(table.new))
        .where(table.minute >= since_minute)
        .group_by(start)
        .order_by(start)
    )
    return {int(at): (int(legacy), int(new)) for at, legacy, new in rows}


def compared(connection: Connection, routes: Collection[str]) -> dict[str, int]:
    """Route -> comparable pairs so far, over all nodes: those compared as a whole. 0 for a route without any."""
    table = ROUTE_TOTALS.c
    rows = connection.execute(
        select(table.route, func.sum(table.compared)).where(table.route.in_(routes)).group_by(table.route)
    )
    return dict.fromkeys(routes, 0) | {route: int(total) for route, total in rows}


def merged(*several: Mapping[str, int]) -> dict[str, int]:
    """The counters of all arguments, added up; names in order, so that equal counts are equal text."""
    total: Counter[str] = Counter()
    for counts in several:
        total.update(counts)
    return dict(sorted(total.items()))


def _add_totals(connection: Connection, node: str, deltas: Mapping[str, Mapping[str, int]]) -> None:
    table = ROUTE_TOTALS
    empty = [{"node": node, "route": route, "compared": 0, "counts": {}} for route in sorted(deltas)]
    mine = (
        select(table.c.route, table.c.counts)
        .where(table.c.node == node, table.c.route.in_(deltas))
        .order_by(table.c.route)
        .with_for_update()
    )
    rows: Sequence[RowMapping] = ()
    while len(rows) < len(deltas):  # once, unless the rows were there and are being folded: see `fold_departed`
        connection.execute(insert_into(connection, table).on_conflict_do_nothing(), empty)
        rows = connection.execute(mine).mappings().all()
    connection.execute(
        update(table).where(table.c.node == node, table.c.route == bindparam("of_route")),
        [_grown_total(row, deltas[row["route"]]) for row in rows],
    )


def fold_departed(connection: Connection, most: int) -> int:
    """Turns totals of nodes that nobody knows any more into those of `DEPARTED`: up to so many rows; how many it were.

    Where each deployment brings nodes of other names, a route's sum would have ever more addends.
    """
    table = ROUTE_TOTALS.c
    rows = connection.execute(
        select(table.node, table.route, table.counts)
        .where(table.node != DEPARTED, table.node.not_in(select(NODES.c.node)))
        .order_by(table.node, table.route)
        .limit(most)
        .with_for_update(skip_locked=True)
    ).all()
    if rows:
        _add_totals(connection, DEPARTED, _sums((route, counts) for _, route, counts in rows))
        keys = [(node, route) for node, route, _ in rows]
        connection.execute(delete(ROUTE_TOTALS).where(tuple_(table.node, table.route).in_(keys)))
    return len(rows)


def _grown_total(row: RowMapping, deltas: Mapping[str, int]) -> dict[str, Any]:
    counts = merged(row["counts"], deltas)
    return {
        "of_route": row["route"],
        "counts": counts,
        "compared": wholly_compared(counts),
    }


def _add_minutes(connection: Connection, node: str, deltas: Mapping[tuple[str, int], Mapping[str, int]]) -> None:
    table = ROUTE_MINUTES
    empty = [{"node": node, "route": route, "minute": minute, "counts": {}} for route, minute in sorted(deltas)]
    connection.execute(insert_into(connection, table).on_conflict_do_nothing(), empty)
    # Routes times minutes may be a few rows more than the deltas name; they are the node's own all the same.
    rows = connection.execute(
        select(table.c.route, table.c.minute, table.c.counts)
        .where(
            table.c.node == node,
            table.c.route.in_({route for route, _ in deltas}),
            table.c.minute.in_({minute for _, minute in deltas}),
        )
        .order_by(table.c.route, table.c.minute)
        .with_for_update()
    )
    changes = [
        {"of_route": route, "of_minute": minute, "counts": merged(counts, deltas[route, minute])}
        for route, minute, counts in rows.all()
        if (route, minute) in deltas
    ]
    connection.execute(
        update(table).where(
            table.c.node == node,
            table.c.route == bindparam("of_route"),
            table.c.minute == bindparam("of_minute"),
        ),
        changes,
    )


def _add_served(connection: Connection, node: str, deltas: Mapping[tuple[str, int], Mapping[str, int]]) -> None:
    served: dict[int, Counter[str]] = {}
    for (_, minute), counts in deltas.items():
        grown = {side: counts.get(f"served.{side}", 0) for side in (LEGACY, NEW)}
        served.setdefault(minute, Counter()).update(grown)
    rows = [{"minute": minute, "node": node, **sums} for minute, sums in sorted(served.items()) if sums.total()]
    if not rows:
        return
    table = SERVED_MINUTES.c
    insert = insert_into(connection, SERVED_MINUTES)
    connection.execute(
        insert.on_conflict_do_update(
            index_elements=[table.minute, table.node],
            set_={side: table[side] + insert.excluded[side] for side in (LEGACY, NEW)},
        ),
        rows,
    )


def _sums(rows: Iterable[tuple[_Key, Mapping[str, int]]]) -> dict[_Key, dict[str, int]]:
    sums: dict[_Key, Counter[str]] = {}
    for key, counts in rows:
        sums.setdefault(key, Counter()).update(counts)
    return {key: dict(counts) for key, counts in sums.items()}
