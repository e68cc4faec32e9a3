"""Faults: whatever happens to the database is a StoreError, names no secret, and heals without being reopened."""

from __future__ import annotations

import os
import socket
import sqlite3
import stat
import subprocess
import sys
import traceback
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import create_engine, event, make_url, text

from proxy.errors import StoreError
from proxy.store import Batch, Sighting, Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

BATCH = Batch("one", 0.0, counts={("feeds", 1): {"match": 1}})
ONCE = {"feeds": {"match": 1}}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "changeover.sqlite"


@pytest.fixture
def store(file: Path) -> Iterator[Store]:
    """A store on `file`, in a folder that is there; nothing is opened yet."""
    file.parent.mkdir()
    store = Store(f"sqlite:///{file}", busy_timeout_s=0.05)
    yield store
    store.close()


def test_file_is_readable_by_its_owner_only(store: Store, file: Path) -> None:
    """The database and its log hold masked traffic all the same: nobody else reads them, whatever the umask."""
    before = os.umask(0)
    try:
        store.write(BATCH)
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in file.parent.iterdir()}
    assert dict.fromkeys(("changeover.sqlite", "changeover.sqlite-shm", "changeover.sqlite-wal"), 0o600) == modes


def test_connections_are_set_up_for_a_busy_file(store: Store) -> None:
    """Write-ahead log, normal syncing, foreign keys and incremental vacuum are in force."""
    store.upgrade()
    with store._database.reading() as connection:
        names = ("journal_mode", "synchronous", "foreign_keys", "auto_vacuum", "busy_timeout")
        found = [connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in names]
    assert ["wal", 1, 1, 2, 50] == found


def test_connections_that_open_leave_the_locks_of_others_in_place(store: Store, file: Path) -> None:
    """A second connection doesn't drop the lock of the first, which keeps another process from ending the log."""
    store.write(BATCH)
    leave_log = "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=0).execute('PRAGMA journal_mode=DELETE')"
    with store._database.reading() as first, store._database.reading() as second:
        for connection in (first, second):
            connection.exec_driver_sql("SELECT 1 FROM routes").fetchall()
        process = subprocess.run([sys.executable, "-c", leave_log, file], capture_output=True, text=True, check=False)
    assert "sqlite3.OperationalError: database is locked" == process.stderr.strip().splitlines()[-1]


def test_folder_that_is_missing_heals_when_it_appears(store: Store, file: Path) -> None:
    """A store that can't be created now is created with a later batch."""
    file.parent.rmdir()
    with pytest.raises(StoreError, match=r"store sqlite:///.*changeover\.sqlite: .*No such file or directory"):
        store.write(BATCH)
    file.parent.mkdir()
    store.write(BATCH)
    assert ONCE == store.totals()


def test_folder_that_is_a_file_heals_when_it_is_one(store: Store, file: Path) -> None:
    """A state folder that can't hold a file is an error in words, not a traceback of the driver's."""
    file.parent.rmdir()
    file.parent.write_text("in the way")
    with pytest.raises(StoreError, match="Not a directory"):
        store.write(BATCH)
    file.parent.unlink()
    file.parent.mkdir()
    store.write(BATCH)
    assert ONCE == store.totals()


def test_directory_in_place_of_the_file_heals_when_it_goes(store: Store, file: Path) -> None:
    """The same for a directory under the file's name."""
    file.mkdir()
    with pytest.raises(StoreError, match="unable to open database file; check that the folder"):
        store.totals()
    file.rmdir()
    store.write(BATCH)
    assert ONCE == store.totals()


def test_file_that_is_no_database_heals_when_it_is_moved_away(store: Store, file: Path) -> None:
    """Foreign bytes are refused and left as they are."""
    file.write_bytes(b"not a database, but long enough to look at" * 100)
    with pytest.raises(StoreError, match=r"file is not a database; .*move it away"):
        store.write(BATCH)
    file.rename(file.with_suffix(".kept"))
    store.write(BATCH)
    assert ONCE == store.totals()


def test_locked_file_heals_when_the_lock_is_released(store: Store, file: Path) -> None:
    """A writer that can't get in within its timeout says who is in the way; reading goes on meanwhile."""
    store.write(BATCH)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreError, match="database is locked; another process holds it"):
        store.write(BATCH)
    assert ONCE == store.totals()
    other.execute("ROLLBACK")
    other.close()
    store.write(BATCH)
    assert {"feeds": {"match": 2}} == store.totals()


def test_full_disk_heals_when_there_is_room_again(store: Store, sighting: Callable[..., Sighting]) -> None:
    """What doesn't fit is refused whole, with advice; smaller rows and later batches go on."""
    store.upgrade()
    max_pages = 100

    @event.listens_for(store._database.engine, "checkout")
    def limit_pages(connection: sqlite3.Connection, *_: Any) -> None:
        connection.execute(f"PRAGMA max_page_count = {max_pages}").fetchall()

    large = [sighting(f"s{n}", example=os.urandom(100_000)) for n in range(10)]
    with pytest.raises(StoreError, match="disk is full; free some space"):
        store.write(Batch("one", 0.0, counts=BATCH.counts, sightings=large))
    assert ({}, []) == (store.totals(), store.signatures())
    max_pages = 100_000
    store.write(Batch("one", 0.0, counts=BATCH.counts, sightings=large))
    assert (ONCE, 10) == (store.totals(), len(store.signatures()))


@pytest.mark.parametrize("keep", [True, False], ids=["moved", "deleted"])
def test_file_that_goes_away_is_begun_anew(store: Store, file: Path, keep: bool) -> None:
    """Nothing is written into a file that isn't there any more; at most one batch is refused."""
    store.write(BATCH)
    for path in list(file.parent.iterdir()):
        if keep:
            path.rename(path.with_name(f"old-{path.name}"))
        else:
            path.unlink()
    with pytest.raises(StoreError, match="no such table"):
        store.write(BATCH)
    store.write(BATCH)
    assert ONCE == store.totals()
    assert file.exists()


def test_pragma_read_only_is_an_error_and_heals(store: Store) -> None:
    """A database that refuses to write, as on a disk remounted read-only, can still be read."""
    store.write(BATCH)
    read_only = True

    @event.listens_for(store._database.engine, "checkout")
    def set_mode(connection: sqlite3.Connection, *_: Any) -> None:
        connection.execute(f"PRAGMA query_only = {read_only:d}").fetchall()

    with pytest.raises(StoreError, match="readonly database; make the file and its folder writable"):
        store.write(BATCH)
    assert ONCE == store.totals()
    read_only = False
    store.write(BATCH)
    assert {"feeds": {"match": 2}} == store.totals()


def test_connection_that_reported_an_error_is_not_used_again(store: Store) -> None:
    """The next transaction begins on a fresh connection, whatever state the failed one was left in."""
    store.upgrade()
    used: list[object] = []
    event.listen(store._database.engine, "checkout", lambda connection, *_: used.append(connection))
    with pytest.raises(StoreError, match="no such table: nowhere"), store._database.writing() as connection:
        connection.exec_driver_sql("SELECT * FROM nowhere")
    with store._database.reading() as connection:
        assert connection.exec_driver_sql("SELECT 1").scalar_one() == 1
    assert used[0] is not used[1]


# --- URLs ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("hunter2", "the store URL can't be read; write sqlite:///folder/file.sqlite or postgresql://"),
        ("mysql://u:hunter2@host/db", "mysql is not supported; write sqlite:///"),
        ("postgresql+asyncpg://u:hunter2@host/db", "asyncpg is not supported"),
        ("postgresql://u:hunter2@host:port/db", "the store URL can't be read"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
    ],
)
def test_url_that_cannot_be_used_is_refused_without_its_secrets(url: str, message: str) -> None:
    """A wrong URL is explained, never repeated: the password may be anywhere in it."""
    with pytest.raises(StoreError, match=message.replace("+", r"\+")) as raised:
        Store(url)
    assert "hunter2" not in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_url_of_postgres_means_psycopg(scheme: str) -> None:
    """Whatever it is called, the same driver; the name to be shown has neither password nor options."""
    store = Store(f"{scheme}://u:hunter2@host/db?sslmode=require")
    names = (store.name, store._database.engine.driver, store.is_sqlite)
    assert ("postgresql://u:***@host/db", "psycopg", False) == names
    store.close()


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that is taken and not listened on: connections are refused."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.mark.parametrize("password", ["hunter2", "p%40ss%2Fw%3Frd"])
def test_server_that_is_not_reached_is_an_error_without_the_password(closed_port: int, password: str) -> None:
    """Neither the message nor anything chained to it, as a log would print it, has the password."""
    store = Store(f"postgresql://changeover:{password}@127.0.0.1:{closed_port}/db?connect_timeout=2")
    with pytest.raises(StoreError, match=f"postgresql://changeover:\\*\\*\\*@127.0.0.1:{closed_port}/db: ") as raised:
        store.totals()
    printed = "".join(traceback.format_exception(raised.value))
    assert (False, False) == (password in printed, "p@ss/w?rd" in printed)
    store.close()


def test_password_in_a_driver_message_is_masked_and_its_cause_dropped(closed_port: int) -> None:
    """A driver that repeats the password doesn't get it into our message or traceback."""
    store = Store(f"postgresql://127.0.0.1:{closed_port}/db?password=hunter2")
    with pytest.raises(StoreError, match=r"no such \*\*\* here") as raised, store._database._border():
        raise OSError("no such hunter2 here")
    assert "hunter2" not in "".join(traceback.format_exception(raised.value))
    store.close()


# --- PostgreSQL ----------------------------------------------------------------------------------------------
@pytest.mark.postgres
def test_postgres_connection_that_died_is_replaced(postgres_url: str, open_store: Callable[..., Store]) -> None:
    """After a restart of the server the next batch goes through, without an error."""
    store = open_store(postgres_url)
    store.write(BATCH)
    with store._database.reading() as connection:
        process = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
    administrator = create_engine(postgres_url)
    with administrator.connect() as connection:
        gone = text("SELECT pg_terminate_backend(:process, 10000)")  # waits until it has ended
        assert connection.execute(gone, {"process": process}).scalar_one()
    administrator.dispose()
    store.write(BATCH)
    assert {"feeds": {"match": 2}} == store.totals()


@pytest.mark.postgres
def test_postgres_transaction_that_is_cut_leaves_nothing(postgres_url: str, open_store: Callable[..., Store]) -> None:
    """A connection that breaks in the middle is a StoreError, its work is undone, and the next batch is written."""
    store = open_store(postgres_url)
    change = "UPDATE installation SET version = 99; SELECT pg_terminate_backend(pg_backend_pid())"
    with pytest.raises(StoreError, match=r"terminat|closed"), store._database.writing() as connection:
        connection.exec_driver_sql(change)
    store.write(BATCH)
    assert (ONCE, 0) == (store.totals(), store.version())


@pytest.mark.postgres
def test_postgres_sessions_have_deadlines(postgres_url: str, open_store: Callable[..., Store]) -> None:
    """No statement, lock or forgotten transaction can hang for ever."""
    store = open_store(postgres_url)
    names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "application_name")
    with store._database.reading() as connection:
        found = [connection.exec_driver_sql(f"SHOW {name}").scalar_one() for name in names]
    assert ["15s", "5s", "30s", "changeover"] == found


@pytest.mark.postgres
def test_postgres_tables_that_vanish_are_an_error_until_upgraded(
    postgres_url: str, open_store: Callable[..., Store]
) -> None:
    """Another, empty database in the old one's place asks for an upgrade, then works."""
    store = open_store(postgres_url)
    store.write(BATCH)
    schema = make_url(postgres_url).query["options"].removeprefix("-csearch_path=")  # type: ignore[union-attr]
    administrator = create_engine(postgres_url)
    with administrator.begin() as connection:
        connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))
        connection.execute(text(f"CREATE SCHEMA {schema}"))
    administrator.dispose()
    with pytest.raises(StoreError, match="does not exist"):
        store.write(BATCH)
    with pytest.raises(StoreError, match="changeover db upgrade"):
        store.write(BATCH)
    store.upgrade()
    store.write(BATCH)
    assert ONCE == store.totals()
