"""The schema's version: reads it, refuses what this program doesn't know, and upgrades (Alembic).

An upgrade is one transaction on both databases. Nodes that start together wait for each other: on PostgreSQL by
an advisory lock, on SQLite by the file's write lock; who comes second finds nothing left to do.
"""

from __future__ import annotations

import io
import threading
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from proxy.errors import SchemaMismatch, StoreError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from proxy.store.database import Database

_MIGRATIONS = Path(__file__).parent / "migrations"
# Alembic keeps its running migration in module globals; a process runs one at a time.
_ALEMBIC = threading.Lock()
# One lock for each schema of a database: installations that share a server don't wait for each other.
_ADVISORY_LOCK = text(
    "SELECT pg_advisory_xact_lock(hashtextextended('changeover/upgrade/' || coalesce(current_schema(), ''), 0))"
)


def check(database: Database) -> None:
    """Raises StoreError when the schema is newer than this program knows, or not upgraded yet."""
    with database.reading() as connection:
        current = _current(connection)
    _refuse_newer(database.name, current)
    if current is None:
        raise SchemaMismatch(f"store {database.name}: has no tables yet; run `changeover db upgrade`")
    if current != head():
        raise SchemaMismatch(
            f"store {database.name}: is at revision {current}, this version needs {head()}; run `changeover db upgrade`"
        )


def upgrade(database: Database) -> None:
    """Brings the schema to the newest revision; nothing happens when it is there. Raises StoreError."""
    with database.reading() as connection:
        current = _current(connection)
    _refuse_newer(database.name, current)
    if current == head():
        return
    with _ALEMBIC, database.writing() as connection:
        if not database.is_sqlite:
            # Another node's upgrade, or ours over a large table, may take its time.
            connection.execute(text("SET LOCAL statement_timeout = '10min'"))
            connection.execute(text("SET LOCAL lock_timeout = '1min'"))
            connection.execute(_ADVISORY_LOCK)
        _refuse_newer(database.name, _current(connection))
        command.upgrade(_config(connection), "head")


@cache
def head() -> str:
    """The newest revision this program knows."""
    revision = _scripts().get_current_head()
    if revision is None:
        raise StoreError(f"store: no migrations in {_MIGRATIONS}; install Changeover again")
    return revision


@cache
def _known() -> frozenset[str]:
    return frozenset(script.revision for script in _scripts().walk_revisions())


@cache
def _scripts() -> ScriptDirectory:
    return ScriptDirectory(str(_MIGRATIONS))


def _current(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _refuse_newer(name: str, current: str | None) -> None:
    if current is not None and current not in _known():
        raise SchemaMismatch(
            f"store {name}: is at revision {current}, which this version doesn't know (it knows up to {head()}): "
            "a newer Changeover has upgraded it; install that version, or restore a backup made before"
        )


def _config(connection: Connection) -> Config:
    """Alembic's settings without a file: it prints nowhere and leaves logging alone."""
    config = Config(stdout=io.StringIO(), attributes={"connection": connection})
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
