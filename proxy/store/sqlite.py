"""What is particular to SQLite: the file and its mode, the pragmas, honest transactions, errors in words.

1. Write-ahead log with synchronous=NORMAL: a crash of the machine may lose the last transactions, never corrupt.
2. A writing transaction begins with BEGIN IMMEDIATE: it waits for the lock at its start, where `busy_timeout`
   applies, and can't fail half-way because another connection wrote between its reading and its writing.
3. auto_vacuum=INCREMENTAL is set before the first table, as it can't be set later; retention needs it.
4. The file itself is never opened except by SQLite: closing any descriptor of it drops the locks that SQLite holds
   on it for the whole process (https://sqlite.org/howtocorrupt.html, 2.2).
5. A connection whose file was moved or replaced is not used again: it would go on writing into a deleted file.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, event
from sqlalchemy.exc import InvalidatePoolError

from proxy.errors import StoreError

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine
    from sqlalchemy.pool import ConnectionPoolEntry

WRITES = "changeover_writes"  # execution option: the transaction is going to write
_RETRY_S = 0.01  # a switch to the log takes about a millisecond
_CREATING = threading.Lock()

_HINTS = {
    "SQLITE_BUSY": "another process holds it; stop that process, or use PostgreSQL for several nodes",
    "SQLITE_LOCKED": "another connection holds it; it is tried again with the next batch",
    "SQLITE_FULL": "the disk is full; free some space, or lower CHANGEOVER_STORE_MAX_BYTES",
    "SQLITE_CANTOPEN": "check that the folder exists and can be written",
    "SQLITE_READONLY": "make the file and its folder writable",
    "SQLITE_IOERR": "check the disk; SQLite must not be on a network file system",
    "SQLITE_CORRUPT": "restore a backup, or move the file away to start empty",
    "SQLITE_NOTADB": "the file is no database; move it away, or name another one",
}


def open_engine(url: URL, busy_timeout_s: float) -> Engine:
    """An engine for the file named by `url`; nothing is opened yet. Raises StoreError for a URL without a file."""
    database = url.database
    if not database or database == ":memory:" or database.startswith("file:"):
        raise StoreError(f"store URL {url}: names no file; write sqlite:///folder/file.sqlite")
    file = Path(database).absolute()
    engine = create_engine(
        url.set(database=str(file)),
        connect_args={"timeout": busy_timeout_s, "check_same_thread": False},
        hide_parameters=True,
        pool_size=4,
        max_overflow=4,
        pool_timeout=busy_timeout_s,
    )
    _listen(engine, file, busy_timeout_s)
    return engine


def hint(error: BaseException) -> str:
    """What to do about an error of SQLite's, or ""."""
    name = getattr(error, "sqlite_errorname", "") or ""
    matching = (words for code, words in _HINTS.items() if name.startswith(code))
    return next(matching, "")


def _listen(engine: Engine, file: Path, busy_timeout_s: float) -> None:
    @event.listens_for(engine, "do_connect")
    def create_file(*_: Any) -> None:
        _create(file)

    @event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, entry: ConnectionPoolEntry) -> None:
        _configure(connection, busy_timeout_s)
        entry.info["file"] = _identity(file)

    @event.listens_for(engine, "checkout")
    def check_file(_connection: sqlite3.Connection, entry: ConnectionPoolEntry, _proxy: Any) -> None:
        if entry.info["file"] != _identity(file):
            raise InvalidatePoolError(f"{file} was moved or replaced")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(WRITES)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _create(file: Path) -> None:
    """Makes the file readable for its owner only; SQLite gives its log files the same mode.

    Every connection comes by here first, and one at a time: so none is open while a new file is closed (rule 4).
    """
    with _CREATING:
        try:
            descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            return
        os.close(descriptor)


def _configure(connection: sqlite3.Connection, busy_timeout_s: float) -> None:
    connection.isolation_level = None  # transactions begin where we say so, not where the driver thinks
    if connection.execute("PRAGMA page_count").fetchone() == (0,):
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL").fetchall()  # the log mode writes the first page
    _switch_to_log(connection, time.monotonic() + busy_timeout_s)
    for pragma in (
        "synchronous=NORMAL",
        "foreign_keys=ON",
        "journal_size_limit=16777216",  # 16 MiB: what stays of the log after a burst
    ):
        connection.execute(f"PRAGMA {pragma}").fetchall()


def _switch_to_log(connection: sqlite3.Connection, deadline: float) -> None:
    """Turns the write-ahead log on, the first time. Two connections that do it at once don't wait for each other:
    one is told at once that the file is busy, whatever its timeout, so the waiting is done here.
    """
    while connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
        try:
            connection.execute("PRAGMA journal_mode=WAL").fetchall()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() >= deadline:
                raise
            time.sleep(_RETRY_S)
        else:
            return  # a file system without shared memory stays with the old journal: slower, as safe


def _identity(file: Path) -> tuple[int, int] | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
