"""The relational database: its tables, its first filling, and connections to it.

One connection for each request; WAL, so that readers don't wait for the writer. The file is filled beside its
place and renamed when complete: a start that is killed half-way leaves nothing half-filled.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from legacy_backend.dataset import build_dataset, find_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from legacy_backend.dataset import Dataset

FILE = "reader.sqlite3"
SCHEMA_VERSION = 1
BUSY_TIMEOUT_S = 5.0

_SCHEMA = """
CREATE TABLE users (
    id INTEGER PRIMARY KEY, login TEXT NOT NULL UNIQUE, name TEXT NOT NULL, password_hash TEXT NOT NULL);
CREATE TABLE feeds (
    id INTEGER PRIMARY KEY, title TEXT NOT NULL, site_url TEXT NOT NULL, description TEXT NOT NULL,
    language TEXT NOT NULL);
CREATE TABLE feed_tags (
    feed_id INTEGER NOT NULL REFERENCES feeds, position INTEGER NOT NULL, tag TEXT NOT NULL,
    PRIMARY KEY (feed_id, position)) WITHOUT ROWID;
CREATE TABLE items (
    id INTEGER PRIMARY KEY, feed_id INTEGER NOT NULL REFERENCES feeds, title TEXT NOT NULL, author TEXT NOT NULL,
    url TEXT NOT NULL, summary TEXT NOT NULL, published INTEGER NOT NULL, score REAL NOT NULL,
    version INTEGER NOT NULL DEFAULT 1);
CREATE INDEX items_of_feed ON items (feed_id, published DESC, id DESC);
CREATE TABLE item_tags (
    item_id INTEGER NOT NULL REFERENCES items, position INTEGER NOT NULL, tag TEXT NOT NULL,
    PRIMARY KEY (item_id, position)) WITHOUT ROWID;
CREATE TABLE item_words (
    word TEXT NOT NULL, item_id INTEGER NOT NULL REFERENCES items, PRIMARY KEY (word, item_id)) WITHOUT ROWID;
CREATE TABLE subscriptions (
    user_id INTEGER NOT NULL REFERENCES users, feed_id INTEGER NOT NULL REFERENCES feeds,
    PRIMARY KEY (user_id, feed_id)) WITHOUT ROWID;
CREATE TABLE read_marks (
    user_id INTEGER NOT NULL REFERENCES users, item_id INTEGER NOT NULL REFERENCES items,
    PRIMARY KEY (user_id, item_id)) WITHOUT ROWID;
CREATE TABLE photos (
    owner_id INTEGER NOT NULL REFERENCES users, id TEXT NOT NULL, content_type TEXT NOT NULL,
    width INTEGER NOT NULL, height INTEGER NOT NULL, original BLOB NOT NULL, thumbnail BLOB NOT NULL,
    PRIMARY KEY (owner_id, id));
"""


class DatabaseError(Exception):
    """The state folder can't be used; the message says what to do."""


def prepare_database(state_dir: Path) -> Path:
    """The database's file, filled with the data set on the first start and reused on every later one."""
    path = state_dir / FILE
    try:
        state_dir.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _fill_database(path)
        with closing(connect(path)) as database:
            version = database.execute("PRAGMA user_version").fetchone()[0]
            database.execute("PRAGMA journal_mode = WAL")
    except (OSError, sqlite3.Error) as error:
        raise DatabaseError(f"state folder {state_dir}: {error}; choose another one with --state-dir") from error
    if version != SCHEMA_VERSION:
        raise DatabaseError(f"{path}: schema {version}, expected {SCHEMA_VERSION}; remove the file to start anew")
    return path


def connect(path: Path) -> sqlite3.Connection:
    """A connection in autocommit mode; the caller closes it."""
    database = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
    database.row_factory = sqlite3.Row
    database.execute("PRAGMA synchronous = NORMAL")
    database.execute("PRAGMA foreign_keys = ON")
    return database


@contextmanager
def transaction(database: sqlite3.Connection) -> Iterator[None]:
    """A write transaction: the lock is taken at once, since upgrading a read lock can't wait its turn."""
    database.execute("BEGIN IMMEDIATE")
    with database:
        yield


def _fill_database(path: Path) -> None:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix="filling-")
    os.close(descriptor)
    unfinished = Path(name)
    try:
        with closing(sqlite3.connect(unfinished, isolation_level=None)) as database:
            database.execute("PRAGMA journal_mode = MEMORY")
            database.executescript(_SCHEMA)
            with transaction(database):
                _insert_dataset(database, build_dataset())
            database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _insert_dataset(database: sqlite3.Connection, dataset: Dataset) -> None:
    _insert_feeds(database, dataset)
    _insert_items(database, dataset)
    _insert_users(database, dataset)


def _insert_feeds(database: sqlite3.Connection, dataset: Dataset) -> None:
    rows = ((feed.id, feed.title, feed.site_url, feed.description, feed.language) for feed in dataset.feeds)
    database.executemany("INSERT INTO feeds VALUES (?, ?, ?, ?, ?)", rows)
    tags = ((feed.id, position, tag) for feed in dataset.feeds for position, tag in enumerate(feed.tags))
    database.executemany("INSERT INTO feed_tags VALUES (?, ?, ?)", tags)


def _insert_items(database: sqlite3.Connection, dataset: Dataset) -> None:
    # The column was made for three decimals, long ago; the source has six.
    rows = (
        (item.id, item.feed_id, item.title, item.author, item.url, item.summary, item.published, round(item.score, 3))
        for item in dataset.items
    )
    columns = "id, feed_id, title, author, url, summary, published, score"
    database.executemany(f"INSERT INTO items ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)  # noqa: S608
    tags = ((item.id, position, tag) for item in dataset.items for position, tag in enumerate(item.tags))
    database.executemany("INSERT INTO item_tags VALUES (?, ?, ?)", tags)
    words = sorted((word, item.id) for item in dataset.items for word in find_words(item.title))
    database.executemany("INSERT INTO item_words VALUES (?, ?)", words)


def _insert_users(database: sqlite3.Connection, dataset: Dataset) -> None:
    users = ((user.id, user.login, user.name, user.password_hash) for user in dataset.users)
    database.executemany("INSERT INTO users VALUES (?, ?, ?, ?)", users)
    subscriptions = ((user.id, feed_id) for user in dataset.users for feed_id in user.feed_ids)
    database.executemany("INSERT INTO subscriptions VALUES (?, ?)", subscriptions)
    marks = ((user.id, item_id) for user in dataset.users for item_id in user.read_item_ids)
    database.executemany("INSERT INTO read_marks VALUES (?, ?)", marks)
