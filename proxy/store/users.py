"""How many users a route has on each side, from a bounded sample of their hashes.

Adaptive sampling (Wegman; analysed by Flajolet, On Adaptive Sampling, Computing 43, 1990): at level n only hashes
that 2**n divides are kept; when more than the limit are kept, the level rises by one and half of them go. Which
hashes are kept depends on the hashes alone, so nodes and restarts agree, and a kept user is followed from side to
side. The estimate is the number kept times 2**level: exact at level 0, below 1 % standard error beyond.

The level never falls: hashes that were dropped can't be brought back, and counting some users from now on and
others from earlier would be wrong until the retention time is over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, select, update

from proxy.core.model import LEGACY, NEW
from proxy.store.tables import ROUTES, USERS
from proxy.store.upsert import insert_into

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from sqlalchemy import Connection

    from proxy.core.model import Side

_HASH_BITS = 64


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
            _upsert(connection, rows)
            _thin(connection, route, level, limit)


def user_counts(connection: Connection) -> dict[str, dict[Side, int]]:
    """Route -> side -> estimated number of users who were last seen there."""
    kept = connection.execute(
        select(USERS.c.route, USERS.c.side, func.count(), ROUTES.c.user_level)
        .join(ROUTES, ROUTES.c.route == USERS.c.route)
        .group_by(USERS.c.route, USERS.c.side, ROUTES.c.user_level)
        .order_by(USERS.c.route)
    )
    counts: dict[str, dict[Side, int]] = {}
    for route, side, number, level in kept:
        counts.setdefault(route, {LEGACY: 0, NEW: 0})[side] = number << level
    return counts


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


def _thin(connection: Connection, route: str, level: int, limit: int) -> None:
    """Raises the level until the route's sample is within the limit."""
    first = level
    while level < _HASH_BITS - 1 and _kept(connection, route) > limit:
        level += 1
        mask = (1 << level) - 1
        connection.execute(delete(USERS).where(USERS.c.route == route, USERS.c.hash.bitwise_and(mask) != 0))
    if level != first:
        connection.execute(update(ROUTES).where(ROUTES.c.route == route).values(user_level=level))


def _kept(connection: Connection, route: str) -> int:
    return connection.execute(select(func.count()).select_from(USERS).where(USERS.c.route == route)).scalar_one()


def _signed(hash_: int) -> int:
    """The unsigned 64-bit hash as both databases' integers hold it; the low bits stay what they are."""
    return hash_ - (1 << _HASH_BITS) if hash_ >> (_HASH_BITS - 1) else hash_
