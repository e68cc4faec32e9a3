"""The relational database is filled once, whole or not at all."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from legacy_backend import database
from legacy_backend.database import DatabaseError, connect, prepare_database, transaction


def test_database_is_reused_on_the_next_start(tmp_path):
    """What was written stays; nothing is filled twice."""
    path = prepare_database(tmp_path)
    with closing(connect(path)) as connection, transaction(connection):
        connection.execute("DELETE FROM subscriptions WHERE user_id = 1")
    with closing(connect(prepare_database(tmp_path))) as connection:
        counts = [
            connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in ("items", "subscriptions")
        ]
    assert [10_000, 39 * 8] == counts


def test_failed_filling_leaves_nothing_behind(tmp_path, monkeypatch):
    """The next start begins anew."""

    def fail(*_):
        raise sqlite3.OperationalError("disk full")

    monkeypatch.setattr(database, "_insert_users", fail)
    with pytest.raises(DatabaseError, match="disk full; choose another one with --state-dir"):
        prepare_database(tmp_path)
    assert [] == list(tmp_path.iterdir())


def test_other_schema_is_refused(tmp_path):
    """A file of another version is neither used nor overwritten."""
    with closing(sqlite3.connect(tmp_path / database.FILE)) as connection:
        connection.execute("PRAGMA user_version = 9")
    with pytest.raises(DatabaseError, match="schema 9, expected 1; remove the file to start anew"):
        prepare_database(tmp_path)


def test_failed_transaction_changes_nothing(tmp_path):
    """All of it or none."""

    def fail(connection: sqlite3.Connection) -> None:
        with transaction(connection):
            connection.execute("DELETE FROM read_marks")
            raise ZeroDivisionError

    with closing(connect(prepare_database(tmp_path))) as connection:
        with pytest.raises(ZeroDivisionError):
            fail(connection)
        assert connection.execute("SELECT count(*) FROM read_marks").fetchone()[0] > 0
