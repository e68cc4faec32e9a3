"""Retention: what is too old goes, then what is too much; each call does a bounded amount of work.

By age: users, examples and minutes; signatures too, unless somebody decided about them (`known`, `ignored`,
`noise`): a decision outlives a quiet time. Totals, holds and the audit stay. Minutes of signatures are kept for a day;
counts of noise are halved. By size: the oldest examples first, then the oldest minutes of signatures, then
those of routes. These are folded into hours after a day: they'd be most of the store otherwise, and push out every
example. Totals of nodes that are gone are folded into one row for each route.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, Select, Table, delete, func, select, text, tuple_

from proxy.store.counts import fold_departed, merged
from proxy.store.noise import halve
from proxy.store.size import give_back, used_bytes
from proxy.store.tables import DECIDED, EXAMPLES, ROUTE_MINUTES, SERVED_MINUTES, SIGNATURE_MINUTES, SIGNATURES
from proxy.store.trend import TREND_S
from proxy.store.upsert import insert_into
from proxy.store.users import drop_users, recount
from proxy.store.values import Swept

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from proxy.store.database import Database

ROWS = 2_000  # rows removed in one transaction: some 20 ms, which the writer of evidence can wait
ROUNDS = 20  # transactions of one kind in one call
MINUTES_KEPT_S = 86_400.0  # a day by the minute; older than that by the hour
_HOUR = 60
_SWEEP_LOCK = text(
    "SELECT pg_try_advisory_xact_lock(hashtextextended('changeover/sweep/' || coalesce(current_schema(), ''), 0))"
)


def sweep(database: Database, now: float, max_age_s: float, max_bytes: int) -> Swept:
    """Removes up to ROUNDS times ROWS rows of each kind."""
    oldest = now - max_age_s
    removed: Counter[str] = Counter()
    steps: tuple[tuple[str, Callable[[Connection], int]], ...] = (
        ("minutes", lambda connection: _drop_minutes(connection, int(oldest // 60))),
        ("served_minutes", lambda connection: _drop(connection, SERVED_MINUTES, SERVED_MINUTES.c.minute, oldest // 60)),
        ("signature_minutes", lambda connection: _drop_trends(connection, int((now - TREND_S) // 60))),
        ("folded", lambda connection: _fold(connection, int((now - MINUTES_KEPT_S) // 3600) * _HOUR)),
        ("departed", lambda connection: fold_departed(connection, ROWS)),
        ("users", lambda connection: drop_users(connection, oldest, ROWS)),
        ("examples", lambda connection: _drop(connection, EXAMPLES, EXAMPLES.c.at, oldest)),
        ("signatures", lambda connection: _drop_signatures(connection, oldest)),
        ("halved", lambda connection: halve(connection, now)),
    )
    unfinished = [name for name, step in steps if not _repeat(database, name, step, removed)]
    with database.writing() as connection:
        if _is_ours(connection):
            recount(connection, now)
    is_small = _shrink(database, max_bytes, removed)
    with database.reading() as connection:
        size = used_bytes(connection)
    return Swept(**removed, size_bytes=size, is_complete=is_small and not unfinished)


def _repeat(database: Database, name: str, step: Callable[[Connection], int], removed: Counter[str]) -> bool:
    """Runs the step, each time in its own transaction, until it finds less than a full load; False: it still did."""
    for _ in range(ROUNDS):
        with database.writing() as connection:
            number = step(connection) if _is_ours(connection) else 0
        removed[name] += number
        if number < ROWS:
            return True
    return False


def _shrink(database: Database, max_bytes: int, removed: Counter[str]) -> bool:
    """Evicts until the store is within its size or nothing evictable is left; False: not done yet."""
    for _ in range(ROUNDS):
        with database.writing() as connection:
            if not _is_ours(connection):
                return True
            excess = used_bytes(connection, max_bytes) - max_bytes
            evicted = _evict(connection, excess) if excess > 0 else Counter[str]()
        removed.update(evicted)
        if not evicted.total():
            return give_back(database, max_bytes)
    return False


def _is_ours(connection: Connection) -> bool:
    """One node sweeps at a time; the others leave it to that one."""
    return connection.dialect.name == "sqlite" or bool(connection.execute(_SWEEP_LOCK).scalar_one())


def _evict(connection: Connection, excess: int) -> Counter[str]:
    if examples := _evict_examples(connection, excess):
        return Counter(examples=examples)
    if trends := _drop_trends(connection, None):
        return Counter(signature_minutes=trends)
    return Counter(minutes=_drop_minutes(connection, None))


def _evict_examples(connection: Connection, excess: int) -> int:
    """Removes the oldest examples until they add up to `excess` bytes."""
    table = EXAMPLES.c
    oldest = connection.execute(
        select(table.id, func.length(table.payload)).order_by(table.at).limit(ROWS).with_for_update(skip_locked=True)
    ).all()
    chosen: list[int] = []
    for id_, size in oldest:
        if excess <= 0:
            break
        chosen.append(id_)
        excess -= size
    if chosen:
        connection.execute(delete(EXAMPLES).where(table.id.in_(chosen)))
    return len(chosen)


def _drop(connection: Connection, table: Table, time: ColumnElement[float], oldest: float) -> int:
    return _delete(connection, table, select(*table.primary_key.columns).where(time < oldest).order_by(time))


def _drop_minutes(connection: Connection, before_minute: int | None) -> int:
    """Removes the oldest minutes: those before a minute, or any."""
    table = ROUTE_MINUTES.c
    keys = select(*ROUTE_MINUTES.primary_key.columns).order_by(table.minute)
    if before_minute is not None:
        keys = keys.where(table.minute < before_minute)
    return _delete(connection, ROUTE_MINUTES, keys)


def _drop_trends(connection: Connection, before_minute: int | None) -> int:
    """Removes the oldest minutes of signatures: those before a minute, or any."""
    table = SIGNATURE_MINUTES.c
    keys = select(*SIGNATURE_MINUTES.primary_key.columns).order_by(table.minute)
    if before_minute is not None:
        keys = keys.where(table.minute < before_minute)
    return _delete(connection, SIGNATURE_MINUTES, keys)


def _drop_signatures(connection: Connection, oldest: float) -> int:
    """Removes undecided signatures that weren't seen since; their examples go with them."""
    table = SIGNATURES.c
    keys = select(table.id).where(table.last_seen < oldest, table.state.not_in(DECIDED)).order_by(table.last_seen)
    return _delete(connection, SIGNATURES, keys)


def _delete(connection: Connection, table: Table, keys: Select[tuple[object, ...]]) -> int:
    """Deletes up to ROWS rows of those that `keys` selects, leaving alone what a writer is working on."""
    chosen = keys.limit(ROWS).with_for_update(skip_locked=True)
    return connection.execute(delete(table).where(tuple_(*table.primary_key.columns).in_(chosen))).rowcount


def _fold(connection: Connection, before_minute: int) -> int:
    """Turns up to ROWS minutes older than `before_minute` into their hours' first minutes; the number folded."""
    table = ROUTE_MINUTES.c
    rows = connection.execute(
        select(table.node, table.route, table.minute, table.counts)
        .where(table.minute < before_minute, table.minute % _HOUR != 0)
        .order_by(table.minute)
        .limit(ROWS)
        .with_for_update(skip_locked=True)
    ).all()
    hours: dict[tuple[str, str, int], dict[str, int]] = {}
    for node, route, minute, counts in rows:
        hour = (node, route, minute - minute % _HOUR)
        hours[hour] = merged(hours.get(hour, {}), counts)
    for (node, route, minute), counts in sorted(hours.items()):
        _add_to_hour(connection, node, route, minute, counts)
    keys = [(node, route, minute) for node, route, minute, _ in rows]
    if keys:
        connection.execute(delete(ROUTE_MINUTES).where(tuple_(table.node, table.route, table.minute).in_(keys)))
    return len(keys)


def _add_to_hour(connection: Connection, node: str, route: str, minute: int, counts: dict[str, int]) -> None:
    table = ROUTE_MINUTES.c
    is_row = (table.node == node) & (table.route == route) & (table.minute == minute)
    before = connection.execute(select(table.counts).where(is_row).with_for_update()).scalar_one_or_none()
    insert = insert_into(connection, ROUTE_MINUTES)
    connection.execute(
        insert.on_conflict_do_update(
            index_elements=[table.node, table.route, table.minute], set_={"counts": insert.excluded.counts}
        ),
        {"node": node, "route": route, "minute": minute, "counts": merged(before or {}, counts)},
    )
