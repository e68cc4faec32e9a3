"""The border to SQLAlchemy: opens the right database, runs transactions, turns every foreign error into StoreError.

No message, and no error chained to one, carries the URL's password. After a failure the connection is thrown
away, so that the next transaction starts on a fresh one and heals as soon as the cause is gone.
"""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

from alembic.util import CommandError
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from proxy.errors import StoreError
from proxy.store import postgres, sqlite

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import URL, Connection, Engine

_POSTGRES_NAMES = frozenset({"postgres", "postgresql", "postgresql+psycopg"})
_FORMS = "write sqlite:///folder/file.sqlite or postgresql://user:password@host/database"


class Database:
    """One database with its connections. Threads may share it; a connection belongs to one `with` block."""

    def __init__(self, url: str, busy_timeout_s: float) -> None:
        self._url = _parse(url)
        backend = self._url.get_backend_name()
        self.name = self._url.set(drivername=backend, query={}).render_as_string(hide_password=True)
        self._secrets = _secrets(self._url)
        self.is_sqlite = backend == "sqlite"
        self.engine = _open(self._url, busy_timeout_s)
        self._writing_engine = self.engine.execution_options(**{sqlite.WRITES: True})

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that only reads. Raises StoreError."""
        with self._border(), self.engine.connect() as connection, _discarding(connection):
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that is committed at the end of the block, or undone whole. Raises StoreError."""
        engine = self._writing_engine
        with self._border(), engine.connect() as connection, _discarding(connection), connection.begin():
            yield connection

    def run_script(self, statement: str) -> None:
        """Runs a statement of SQLite's to its end, outside of any transaction. Raises StoreError.

        The driver stops a pragma without columns after its first step, except in a script.
        """
        with self._border(), closing(self.engine.raw_connection()) as connection:
            driver: Any = connection.driver_connection
            driver.executescript(statement)

    def close(self) -> None:
        self.engine.dispose()

    @contextmanager
    def _border(self) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, CommandError, OSError, self.engine.dialect.loaded_dbapi.Error) as error:
            raise StoreError(self._words(error)) from self._harmless(error)

    def _words(self, error: Exception) -> str:
        """The database, what it said in one line, and what to do about it."""
        origin = _origin(error)
        lines = self._redacted(str(origin)).strip().splitlines()
        said = lines[0] if lines else type(origin).__name__
        hint = sqlite.hint(origin) if self.is_sqlite else ""
        advice = f"; {hint}" if hint else ""
        return f"store {self.name}: {said}{advice}"

    def _harmless(self, error: Exception) -> Exception | None:
        """The error itself as the cause, unless somebody could read a secret out of it."""
        return error if self._redacted(str(error)) == str(error) else None

    def _redacted(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text


@contextmanager
def _discarding(connection: Connection) -> Iterator[None]:
    """A connection on which the database reported an error doesn't go back to the pool."""
    try:
        yield
    except DBAPIError:
        connection.invalidate()
        raise


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        # Without the URL itself and without the cause: what can't be parsed may hold a password anywhere.
        raise StoreError(f"the store URL can't be read; {_FORMS}") from None
    if parsed.drivername in _POSTGRES_NAMES:
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() == "sqlite":
        return parsed.set(drivername="sqlite")
    raise StoreError(f"store URL: {parsed.drivername} is not supported; {_FORMS}")


def _open(url: URL, busy_timeout_s: float) -> Engine:
    if url.get_backend_name() == "sqlite":
        return sqlite.open_engine(url, busy_timeout_s)
    try:
        return postgres.open_engine(url)
    except (ImportError, NoSuchModuleError) as error:
        raise StoreError("store URL: PostgreSQL needs a driver; pip install 'changeover[postgres]'") from error


def _secrets(url: URL) -> tuple[str, ...]:
    """The password in every form in which it could come up, longest first."""
    passwords = [str(url.password)] if url.password else []
    query = url.query.get("password", ())
    passwords += [query] if isinstance(query, str) else list(query)
    forms = {form for secret in passwords if secret for form in (secret, quote(secret, safe=""), quote_plus(secret))}
    return tuple(sorted(forms, key=len, reverse=True))


def _origin(error: Exception) -> BaseException:
    """The driver's own error inside SQLAlchemy's: its text has no SQL in it."""
    origin = getattr(error, "orig", None)
    return origin if isinstance(origin, BaseException) else error
