"""From when on a route's evidence counts: since something about it is another, and for a week at the most.

Nothing is read back: the totals as they were then are kept, and what they are now less those is what was counted since.
`route_days` has them for the first look of each day, `route_windows` for the last time that something was another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, select

from proxy.core.versions import SETTLING_S, as_rows, from_rows
from proxy.store.counts import merged
from proxy.store.decisions import add_audit
from proxy.store.tables import ROUTE_DAYS, ROUTE_TOTALS, ROUTE_WINDOWS
from proxy.store.upsert import insert_into
from proxy.store.values import Window, WindowChange

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sqlalchemy import Connection

    from proxy.core.versions import Versions

WEEK = 7
_DAY_S = 86_400
WHO = "changeover"


def keep_day(connection: Connection, now: float) -> bool:
    """Keeps the totals of all routes for the day that has begun, and forgets those of before the week.

    False where that was done already.
    """
    today = int(now // _DAY_S)
    table = ROUTE_DAYS.c
    newest = connection.execute(select(func.max(table.day))).scalar_one()
    if newest is not None and newest >= today:
        return False
    rows = [
        {"route": route, "day": today, "at": now, "counts": counts}
        for route, counts in _totals(connection, None).items()
    ]
    if rows:
        connection.execute(insert_into(connection, ROUTE_DAYS).on_conflict_do_nothing(), rows)
    oldest = connection.execute(select(func.max(table.day)).where(table.day <= today - WEEK)).scalar_one()
    if oldest is not None:
        connection.execute(delete(ROUTE_DAYS).where(table.day < oldest))
    return True


def windows(connection: Connection, now: float) -> dict[str, Window]:
    """Route -> from when on its evidence counts; routes without an entry count from their beginning."""
    days = ROUTE_DAYS.c
    week_ago = int(now // _DAY_S) - WEEK
    found: dict[str, Window] = {}
    for route, at, counts in connection.execute(
        select(days.route, days.at, days.counts).where(days.day <= week_ago).order_by(days.day)
    ):
        found[route] = Window(at, {"week": True}, counts)
    begun = ROUTE_WINDOWS.c
    for route, since, because, counts in connection.execute(
        select(begun.route, begun.since, begun.because, begun.counts).where(begun.since.is_not(None))
    ):
        if route not in found or since > found[route].since:
            found[route] = Window(since, because, counts)
    return found


def known(connection: Connection) -> dict[str, tuple[dict[str, str], Versions]]:
    """Route -> how it was set up, and which versions of new answered it, when that was last another."""
    table = ROUTE_WINDOWS.c
    rows = connection.execute(select(table.route, table.setup, table.versions))
    return {route: (setup, from_rows(versions)) for route, setup, versions in rows}


def begin(connection: Connection, changes: Sequence[WindowChange], now: float) -> None:
    """Begins windows, and notes in the audit which version of new is another; by nodes that may find the same at once.

    What another node has found before moves the window's beginning only: it begins where the last one saw the change.
    """
    table = ROUTE_WINDOWS
    empty: list[dict[str, Any]] = [
        {"route": each.route, "since": None, "because": {}, "setup": {}, "versions": [], "counts": {}}
        for each in sorted(changes, key=lambda each: each.route)
    ]
    connection.execute(insert_into(connection, table).on_conflict_do_nothing(), empty)
    names = [each.route for each in changes]
    rows = {
        row.route: row
        for row in connection.execute(
            select(table).where(table.c.route.in_(names)).order_by(table.c.route).with_for_update()
        )
    }
    totals = _totals(connection, names)
    in_force = {versions.current for _, versions in known(connection).values()} if changes else set()
    values: list[dict[str, Any]] = []
    for each in changes:
        row = rows[each.route]
        before = from_rows(row.versions)
        turned = _turned_from(before, each.versions, now)
        setup_before = dict(row.setup)
        renamed = sorted(name for name, text in each.setup.items() if setup_before.get(name, text) != text)
        because: dict[str, Any] = row.because
        if renamed:
            because = {"setup": renamed}
        elif turned:
            because = {"version": {"before": turned, "after": each.versions.current}}
            if each.versions.current not in in_force:
                in_force.add(each.versions.current)
                _note(connection, turned, each.versions.current, now)
        is_begun = bool(renamed or turned or (each.is_mixed and row.since is not None))
        values.append(
            {
                "route": each.route,
                "since": now if is_begun else row.since,
                "because": because,
                "setup": each.setup or setup_before,
                "versions": as_rows(each.versions) if each.versions.met else row.versions,
                "counts": totals.get(each.route, {}) if is_begun else row.counts,
            }
        )
    upsert = insert_into(connection, table)
    changed = {name: upsert.excluded[name] for name in ("since", "because", "setup", "versions", "counts")}
    connection.execute(upsert.on_conflict_do_update(index_elements=[table.c.route], set_=changed), values)


def _turned_from(before: Versions, found: Versions, now: float) -> str:
    """The version before, where another one is in force than is stored; else "".

    A node that has missed a turn of long ago makes none. One that met both before the store knew of any says both.
    """
    if not found.met or found.current == before.current or now - found.met[-1].turned >= SETTLING_S:
        return ""
    return before.current or (found.met[-2].version if len(found.met) > 1 else "")


def _note(connection: Connection, before: str, after: str, now: float) -> None:
    reason = "new says so in its answers; those of the version before count no longer"
    add_audit(connection, now, WHO, "version.changed", "new", {"version": before}, {"version": after}, reason, "")


def _totals(connection: Connection, routes: Collection[str] | None) -> dict[str, dict[str, int]]:
    table = ROUTE_TOTALS.c
    query = select(table.route, table.counts).order_by(table.route)
    sums: dict[str, dict[str, int]] = {}
    for route, counts in connection.execute(query if routes is None else query.where(table.route.in_(routes))):
        sums[route] = merged(sums[route], counts) if route in sums else counts
    return sums


def since_then(totals: Mapping[str, int], then: Mapping[str, int]) -> dict[str, int]:
    """What has been counted since the totals were `then`."""
    get = then.get
    return {name: more for name, number in totals.items() if (more := number - get(name, 0)) > 0}
