"""The schema: one history for both databases, upgraded once however many start, refused when unknown."""

from __future__ import annotations

import logging
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from proxy.core.model import LEGACY, NEW
from proxy.errors import StoreError
from proxy.store import Batch, Store
from proxy.store.schema import head
from proxy.store.tables import METADATA

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import Connection

UPGRADE = "import sys; from proxy.store import Store; s = Store(sys.argv[1]); s.upgrade(); print(s.installation_id())"


@pytest.fixture
def bare(url: str) -> Any:
    """A store that nobody upgraded."""
    store = Store(url)
    yield store
    store.close()


def set_revision(store: Store, revision: str) -> None:
    with store._database.writing() as connection:
        connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{revision}'")


def test_migrations_lead_to_the_tables_that_the_code_knows(store: Store) -> None:
    """Alembic finds no difference between the upgraded database and `tables.py`."""
    with store._database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert [] == compare_metadata(context, METADATA)


def test_upgrade_twice_changes_nothing(store: Store) -> None:
    """The second upgrade finds everything there; the installation keeps its id."""
    before = store.installation_id()
    store.upgrade()
    store.check_schema()
    assert (before, 32) == (store.installation_id(), len(before))


def test_upgrade_prints_nothing_and_leaves_logging_alone(bare: Store, capfd: pytest.CaptureFixture[str]) -> None:
    """Alembic neither writes to the terminal nor touches levels and handlers."""
    root = logging.getLogger()
    before = (root.level, list(root.handlers), logging.getLogger("alembic").level, logging.getLogger("proxy").disabled)
    bare.upgrade()
    after = (root.level, list(root.handlers), logging.getLogger("alembic").level, logging.getLogger("proxy").disabled)
    assert (before, ("", "")) == (after, tuple(capfd.readouterr()))


def test_upgrade_by_many_threads_happens_once(url: str) -> None:
    """Eight stores upgraded at the same moment agree on one installation."""
    stores = [Store(url) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(Store.upgrade, stores))
    assert 1 == len({store.installation_id() for store in stores})
    for store in stores:
        store.close()


def test_upgrade_by_three_processes_happens_once(url: str) -> None:
    """Nodes that start together wait for each other, and none fails."""
    command = [sys.executable, "-c", UPGRADE, url]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(3)]
    answers = [process.communicate(timeout=60) for process in started]
    assert [b""] * 3 == [errors for _, errors in answers]
    assert 1 == len({output for output, _ in answers})


def test_schema_that_is_newer_is_refused(store: Store, url: str, open_store: Callable[..., Store]) -> None:
    """A store that a newer version upgraded is neither used nor changed; the message says what to do."""
    set_revision(store, "9999")
    message = f"is at revision 9999, which this version doesn't know .* {head()}.*install that version, or restore"
    other = Store(url)
    for use in (other.upgrade, other.check_schema, other.totals):
        with pytest.raises(StoreError, match=message):
            use()
    other.close()


def test_schema_check_asks_for_an_upgrade_first(bare: Store) -> None:
    """An empty database is told apart from one that fails."""
    with pytest.raises(StoreError, match="has no tables yet; run `changeover db upgrade`"):
        bare.check_schema()


def test_sqlite_is_upgraded_by_its_first_use(sqlite_url: str) -> None:
    """One node owns the file: it needs no command before it."""
    store = Store(sqlite_url)
    assert (0, {}) == (store.version(), store.totals())
    store.close()


@pytest.mark.postgres
def test_postgres_is_not_upgraded_by_use_and_works_once_it_is(postgres_url: str) -> None:
    """The operator upgrades it; a store that was opened before goes on by itself."""
    early, operator = Store(postgres_url), Store(postgres_url)
    with pytest.raises(StoreError, match="changeover db upgrade"):
        early.totals()
    operator.upgrade()
    assert {} == early.totals()
    for store in (early, operator):
        store.close()


def test_upgrade_adds_up_what_was_served_before(store: Store) -> None:
    """By node and minute, over all routes; what nobody was served with is nothing."""
    for node, route, minute, counts in (
        ("a", "feeds", 60, {"served.legacy": 3_000_000_000, "served.new": 1}),
        ("a", "items", 60, {"served.new": 2}),
        ("b", "items", 120, {"served.legacy": 4}),
    ):
        store.write(Batch(node, 0.0, {(route, minute): counts}))
    before = store.served(0, 1)
    with store._database.writing() as connection:
        connection.exec_driver_sql("DROP TABLE served_minutes")
        undo(connection, {"noise_places": ("new_alone", "first_alone", "again_alone")})
    set_revision(store, "0005")
    store.upgrade()
    assert {60: (3_000_000_000, 3), 120: (4, 0)} == before == store.served(0, 1)


SINCE_0007 = {"routes": ("legacy_users", "new_users", "recounted_at"), "signatures": ("fixed_at",)}


def undo(connection: Connection, columns: Mapping[str, Sequence[str]]) -> None:
    """Takes back what revisions after 0007 have added, and more columns."""
    connection.exec_driver_sql("DROP INDEX ix_audit_subject")
    for table in ("route_days", "route_windows", "nodes"):
        connection.exec_driver_sql(f"DROP TABLE {table}")
    for table, names in {**SINCE_0007, **columns}.items():
        for name in names:
            connection.exec_driver_sql(f"ALTER TABLE {table} DROP COLUMN {name}")


def test_upgrade_counts_the_users_that_were_there_before(store: Store) -> None:
    """On each side of each route."""
    store.write(Batch("a", 1.0, users={("feeds", LEGACY): [1, 2, 3], ("feeds", NEW): [4], ("items", NEW): [1]}))
    before = store.user_counts()
    with store._database.writing() as connection:
        undo(connection, {})
    set_revision(store, "0007")
    store.upgrade()
    expected = {"feeds": {"legacy": 3, "new": 1}, "items": {"legacy": 0, "new": 1}}
    assert expected == before == store.user_counts()
