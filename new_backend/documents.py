"""Documents: schemaless JSON in one SQLite table, with the recently used ones in memory.

1. A document is changed only by `update`, one at a time; what a caller got is shared and never changed in place.
2. The cache holds what is committed: a read that a write overtook is not kept.
The file is filled beside its place and renamed when complete, so that a killed start leaves nothing half-filled.
"""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import tempfile
from collections import OrderedDict
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

Document = dict[str, Any]
Key = tuple[str, str]  # collection, id

FILE = "documents.sqlite3"
SCHEMA_VERSION = 1
BUSY_TIMEOUT_S = 5.0
CACHED_DOCUMENTS = 20_000  # all items, feeds and users, about 20 MB; photos may push the oldest out

_SCHEMA = """
CREATE TABLE documents (
    collection TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (collection, id)) WITHOUT ROWID;
"""


class StoreError(Exception):
    """The state folder can't be used; the message says what to do."""


class DocumentStore:
    """All collections. Used from one event loop; SQLite is asked in threads, by a connection for each time."""

    def __init__(self, path: Path, cached_documents: int = CACHED_DOCUMENTS) -> None:
        self.path = path
        self._cached: OrderedDict[Key, Document] = OrderedDict()
        self._limit = cached_documents
        self._writing = asyncio.Lock()
        self._writes = 0

    async def get(self, collection: str, document_id: object) -> Document | None:
        """The document, or None. Shared: don't change it."""
        found = await self.get_many(collection, [document_id])
        return found[0] if found else None

    async def get_many(self, collection: str, ids: Sequence[object]) -> list[Document]:
        """The documents that exist, in the order of `ids`. Shared: don't change them."""
        keys = [(collection, str(document_id)) for document_id in ids]
        missing = [key for key in keys if key not in self._cached]
        loaded = await self._load(missing) if missing else {}
        found = (self._recall(key) or loaded.get(key) for key in keys)
        return [document for document in found if document is not None]

    async def update(self, collection: str, document_id: object, change: Callable[[Document], None]) -> Document:
        """The document after `change` altered its copy in place; one that doesn't exist starts empty."""
        key = (collection, str(document_id))
        async with self._writing:
            document = await run_in_threadpool(_update, self.path, key, change)
            self._writes += 1
            self._remember(key, document)
        return document

    async def ping(self) -> None:
        """Raises sqlite3.Error when the file can't be read."""
        await run_in_threadpool(read_rows, self.path, "SELECT 1 FROM documents LIMIT 1", [])

    async def _load(self, keys: list[Key]) -> dict[Key, Document]:
        writes = self._writes
        loaded = await run_in_threadpool(_read, self.path, keys)
        if writes == self._writes:
            for key, document in loaded.items():
                self._remember(key, document)
        return loaded

    def _recall(self, key: Key) -> Document | None:
        document = self._cached.get(key)
        if document is not None:
            self._cached.move_to_end(key)
        return document

    def _remember(self, key: Key, document: Document) -> None:
        self._cached[key] = document
        self._cached.move_to_end(key)
        while len(self._cached) > self._limit:
            self._cached.popitem(last=False)


def open_store(state_dir: Path, initial: Callable[[], Iterable[tuple[str, Document]]]) -> DocumentStore:
    """The store of a state folder, filled with `initial` (collection, document) on its first start."""
    path = state_dir / FILE
    try:
        state_dir.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _fill(path, initial())
        with closing(_connect(path)) as database:
            version = database.execute("PRAGMA user_version").fetchone()[0]
            database.execute("PRAGMA journal_mode = WAL")
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"state folder {state_dir}: {error}; choose another one with --state-dir") from error
    if version != SCHEMA_VERSION:
        raise StoreError(f"{path}: schema {version}, expected {SCHEMA_VERSION}; remove the file to start anew")
    return DocumentStore(path)


def read_rows(path: Path, query: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
    """All rows of a query that needs more than a key. Blocks: for threads."""
    with closing(_connect(path)) as database:
        return database.execute(query, values).fetchall()


def _connect(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
    database.execute("PRAGMA synchronous = NORMAL")
    return database


def _read(path: Path, keys: list[Key]) -> dict[Key, Document]:
    with closing(_connect(path)) as database:
        bodies = {key: _body(database, key) for key in keys}
    return {key: json.loads(body) for key, body in bodies.items() if body is not None}


def _update(path: Path, key: Key, change: Callable[[Document], None]) -> Document:
    with closing(_connect(path)) as database:
        database.execute("BEGIN IMMEDIATE")
        with database:
            document: Document = json.loads(_body(database, key) or "{}")
            change(document)
            database.execute("INSERT OR REPLACE INTO documents VALUES (?, ?, ?)", [*key, json.dumps(document)])
    return document


def _body(database: sqlite3.Connection, key: Key) -> str | None:
    row = database.execute("SELECT body FROM documents WHERE collection = ? AND id = ?", key).fetchone()
    return None if row is None else row[0]


def _fill(path: Path, documents: Iterable[tuple[str, Document]]) -> None:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix="filling-")
    os.close(descriptor)
    unfinished = Path(name)
    try:
        with closing(sqlite3.connect(unfinished)) as database:
            database.executescript(_SCHEMA)
            rows = ((collection, str(body["id"]), json.dumps(body)) for collection, body in documents)
            database.executemany("INSERT INTO documents VALUES (?, ?, ?)", rows)
            database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            database.commit()
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
