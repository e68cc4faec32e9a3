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

from proxy.errors import StoreError
from proxy.store import Store
from proxy.store.schema import head
from proxy.store.tables import METADATA

if TYPE_CHECKING:
    from collections.abc import Callable

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
