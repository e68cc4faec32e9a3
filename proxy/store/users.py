"""How many users a route has on each side, from a bounded sample of their hashes.

Adaptive sampling (Wegman; analysed by Flajolet, On Adaptive Sampling, Computing 43, 1990): at level n only hashes
that 2**n divides are kept; when more than the limit are kept, the level rises by one and half of them go. Which
hashes are kept depends on the hashes alone, so nodes and restarts agree, and a kept user is followed from side to
side. The estimate is the number kept times 2**level: exact at level 0, below 1 % standard error beyond.

How many are kept stands with the route, so that nobody counts 20,000 rows to show a number: whoever adds or removes
users holds the route, and counts what has changed. The sweep counts each route anew at times, as a node of a version
that knows nothing of these numbers may write beside us.

The level never falls: hashes that were dropped can't be brought back, and counting some users from now on and
others from earlier would be wrong until the retention time is over.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, delete, func, select, update

from proxy.core.model import LEGACY, NEW
from proxy.store.tables import ROUTES, USERS
from proxy.store.upsert import insert_into

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from sqlalchemy import Connection

    from proxy.core.model import Side

_HASH_BITS = 64
_SIDES: tuple[Side, ...] = (LEGACY, NEW)
_ASKED = 500  # hashes in one question
RECOUNTED_S = 3_600.0
RECOUNTED = 20  # routes in one transaction: some 3 ms each where all 20,000 users are there


def lock_routes(connection: Connection, routes: Collection[str]) -> dict[str, int]:
    """Holds these routes' shared rows until the transaction ends; route -> level of its users' sample.

    Always all of a transaction's routes at once and in order: so no two writers can wait for each other.
    """
    if not routes:
        return {}
    rows = [{"route": route, "user_level": 0} for route in sorted(routes)]
    connection.execute(insert_into(connection, ROUTES).on_conflict_do_nothing(), rows)
    found = connection.execute(
        select(ROUTES.c.route, ROUTES.c.user_level)
        .where(ROUTES.c.route.in_(routes))
        .order_by(ROUTES.c.route)
        .with_for_update()
    )
    return {route: level for route, level in found}  # noqa: C416  # dict() doesn't take rows, for mypy


def add_users(
    connection: Connection,
    users: Mapping[tuple[str, Side], Collection[int]],
    levels: Mapping[str, int],
    at: float,
    limit: int,
) -> None:
    """Notes each hash's side and time; `levels` comes from `lock_routes`, `limit` is hashes kept per route."""
    for route in sorted({route for route, _ in users}):
        sides: dict[int, Side] = dict.fromkeys(users.get((route, LEGACY), ()), LEGACY)
        sides |= dict.fromkeys(users.get((route, NEW), ()), NEW)
        level = levels[route]
        rows = [
            {"route": route, "hash": _signed(hash_), "side": side, "last_seen": at}
            for hash_, side in sides.items()
            if hash_ % (1 << level) == 0
        ]
        if rows:
            grown = _growth(connection, route, rows, at)
            _upsert(connection, rows)
            _add_counts(connection, {route: grown})
            if _kept(connection, route) > limit:
                _thin(connection, route, level, limit)


def user_counts(connection: Connection) -> dict[str, dict[Side, int]]:
    """Route -> side -> estimated number of users who were last seen there; without routes that have none."""
    table = ROUTES.c
    kept = connection.execute(
        select(table.route, table.legacy_users, table.new_users, table.user_level).order_by(table.route)
    )
    return {
        route: {LEGACY: max(legacy, 0) << level, NEW: max(new, 0) << level}
        for route, legacy, new, level in kept
        if legacy > 0 or new > 0
    }


def drop_users(connection: Connection, oldest: float, limit: int) -> int:
    """Removes up to so many users who were last seen before `oldest`; their number."""
    old = select(USERS.c.route, USERS.c.hash, USERS.c.side).where(USERS.c.last_seen < oldest)
    first = old.order_by(USERS.c.last_seen).limit(limit)
    routes = {route for route, *_ in connection.execute(first)}
    lock_routes(connection, routes)
    # Once more: who was seen until the routes were ours is no longer old.
    gone = connection.execute(first.where(USERS.c.route.in_(routes))).all()
    if not gone:
        return 0
    is_user = (USERS.c.route == bindparam("of_route")) & (USERS.c.hash == bindparam("of_hash"))
    connection.execute(
        delete(USERS).where(is_user), [{"of_route": route, "of_hash": hash_} for route, hash_, _ in gone]
    )
    shrunk: dict[str, Counter[Side]] = {}
    for route, _, side in gone:
        shrunk.setdefault(route, Counter())[side] -= 1
    _add_counts(connection, shrunk)
    return len(gone)


def recount(connection: Connection, now: float) -> None:
    """Counts the users of a few routes anew: of those that were not for the longest time, an hour at least."""
    table = ROUTES.c
    due = select(table.route).where(table.recounted_at < now - RECOUNTED_S).order_by(table.recounted_at, table.route)
    for route in lock_routes(connection, set(connection.scalars(due.limit(RECOUNTED)))):
        _set(connection, route, **_counted(connection, route), recounted_at=now)


def user_hashes(connection: Connection, routes: Collection[str], since: float) -> tuple[set[int], int]:
    """The hashes of users seen on any of these routes since then, and how many users each one stands for.

    Routes of one group give a user one hash (law 2), so that who is on several of them counts once.
    """
    found = connection.execute(
        select(USERS.c.hash, ROUTES.c.user_level)
        .join(ROUTES, ROUTES.c.route == USERS.c.route)
        .where(USERS.c.route.in_(routes), USERS.c.last_seen >= since)
    ).all()
    weight = 1 << max((level for _, level in found), default=0)  # of the thinnest sample: what all of them have
    return {unsigned for hash_, _ in found if (unsigned := hash_ % (1 << _HASH_BITS)) % weight == 0}, weight


def _upsert(connection: Connection, rows: list[dict[str, Any]]) -> None:
    insert = insert_into(connection, USERS)
    newest = insert.excluded.last_seen >= USERS.c.last_seen  # another node may have seen the user later
    connection.execute(
        insert.on_conflict_do_update(
            index_elements=[USERS.c.route, USERS.c.hash],
            set_={"side": insert.excluded.side, "last_seen": insert.excluded.last_seen},
            where=newest,
        ),
        rows,
    )


def _growth(connection: Connection, route: str, rows: list[dict[str, Any]], at: float) -> Counter[Side]:
    """By how many each side grows when the rows are written. The caller holds the route."""
    table = USERS.c
    written: dict[int, Side] = {row["hash"]: row["side"] for row in rows}
    grown = Counter(written.values())
    hashes = list(written)
    for start in range(0, len(hashes), _ASKED):
        some = hashes[start : start + _ASKED]
        known = connection.execute(
            select(table.hash, table.side, table.last_seen).where(table.route == route, table.hash.in_(some))
        )
        for hash_, side, last_seen in known:
            grown[written[hash_]] -= 1
            if side != written[hash_] and last_seen <= at:  # as `_upsert` does
                grown[written[hash_]] += 1
                grown[side] -= 1
    return grown


def _add_counts(connection: Connection, grown: Mapping[str, Mapping[Side, int]]) -> None:
    table = ROUTES.c
    rows = [
        {"of_route": route, **{side: number.get(side, 0) for side in _SIDES}}
        for route, number in sorted(grown.items())
        if any(number.values())
    ]
    if rows:
        connection.execute(
            update(ROUTES)
            .where(table.route == bindparam("of_route"))
            .values(legacy_users=table.legacy_users + bindparam(LEGACY), new_users=table.new_users + bindparam(NEW)),
            rows,
        )


def _kept(connection: Connection, route: str) -> int:
    table = ROUTES.c
    found = connection.execute(select(table.legacy_users + table.new_users).where(table.route == route))
    return int(found.scalar_one())


def _counted(connection: Connection, route: str) -> dict[str, int]:
    """What `legacy_users` and `new_users` of a route should be."""
    found = connection.execute(select(USERS.c.side, func.count()).where(USERS.c.route == route).group_by(USERS.c.side))
    counts: dict[str, int] = {side: number for side, number in found}  # noqa: C416  # as above
    return {f"{side}_users": counts.get(side, 0) for side in _SIDES}


def _thin(connection: Connection, route: str, level: int, limit: int) -> None:
    """Raises the level until the route's sample is within the limit."""
    while sum((counts := _counted(connection, route)).values()) > limit and level < _HASH_BITS - 1:
        level += 1
        mask = (1 << level) - 1
        connection.execute(delete(USERS).where(USERS.c.route == route, USERS.c.hash.bitwise_and(mask) != 0))
    _set(connection, route, **counts, user_level=level)


def _set(connection: Connection, route: str, **values: float) -> None:
    connection.execute(update(ROUTES).where(ROUTES.c.route == route).values(**values))


def _signed(hash_: int) -> int:
    """The unsigned 64-bit hash as both databases' integers hold it; the low bits stay what they are."""
    return hash_ - (1 << _HASH_BITS) if hash_ >> (_HASH_BITS - 1) else hash_
