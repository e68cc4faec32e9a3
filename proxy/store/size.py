"""How large the store is, in bytes, as far as retention can change it.

SQLite: the pages of the file. PostgreSQL: the tables with their indexes and TOAST, as on disk. Deleting frees space
inside the file and the tables, not on the disk: when the size on disk is over the limit, what is live in it is
measured in its place, or eviction would go on until nothing is left. SQLite's free pages are given back to the
disk afterwards; PostgreSQL uses its free space again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select, text

from proxy.store.tables import EXAMPLES, METADATA, ROUTE_MINUTES

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from proxy.store.database import Database

_EVICTABLE = (EXAMPLES, ROUTE_MINUTES)
_PAGES = 20_000  # of 4 KiB, given back in one call
_ROW_BYTES = 100  # header, keys and index entries of a row of the evictable tables, beside its payload


def used_bytes(connection: Connection, limit: int | None = None) -> int:
    """The store's bytes on disk; only the live ones of them once they exceed `limit`."""
    is_sqlite = connection.dialect.name == "sqlite"
    on_disk = _pages_bytes(connection) if is_sqlite else _relation_bytes(connection, list(METADATA.tables))
    if limit is None or on_disk <= limit:
        return on_disk
    if is_sqlite:
        return on_disk - _free_bytes(connection)
    evictable = [table.name for table in _EVICTABLE]
    return on_disk - _relation_bytes(connection, evictable) + _live_bytes(connection)


def give_back(database: Database, limit: int) -> bool:
    """Gives SQLite's free pages back to the disk while the file is over the limit; False: there are more."""
    if not database.is_sqlite:
        return True
    with database.reading() as connection:
        is_large = used_bytes(connection) > limit
    if not is_large:
        return True
    database.run_script(f"PRAGMA incremental_vacuum({_PAGES})")
    with database.reading() as connection:
        return _free_bytes(connection) == 0


def _pages_bytes(connection: Connection) -> int:
    return _pragma(connection, "page_count") * _pragma(connection, "page_size")


def _free_bytes(connection: Connection) -> int:
    return _pragma(connection, "freelist_count") * _pragma(connection, "page_size")


def _pragma(connection: Connection, name: str) -> int:
    return int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())


def _relation_bytes(connection: Connection, names: list[str]) -> int:
    query = text(
        "SELECT coalesce(sum(pg_total_relation_size(to_regclass(name))), 0) FROM unnest(CAST(:names AS text[])) AS name"
    )
    return int(connection.execute(query, {"names": names}).scalar_one())


def _live_bytes(connection: Connection) -> int:
    payloads = select(func.coalesce(func.sum(func.octet_length(EXAMPLES.c.payload) + _ROW_BYTES), 0))
    minutes = select(func.coalesce(func.sum(func.pg_column_size(ROUTE_MINUTES.c.counts) + _ROW_BYTES), 0))
    return int(connection.execute(payloads).scalar_one()) + int(connection.execute(minutes).scalar_one())
