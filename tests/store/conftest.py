"""One contract, two databases: every test that asks for `store` or `url` runs on SQLite and on PostgreSQL."""

from __future__ import annotations

import hashlib
import os
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError

from proxy.core.signature import Signature
from proxy.store import Sighting, Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

DEFAULT_POSTGRES = "postgresql+psycopg://postgres@127.0.0.1:5432/test"


@dataclass
class Clock:
    """Unix seconds that pass only when a test says so."""

    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def postgres_server() -> str:
    """The URL of a PostgreSQL server that answers. Without one: a skip, but a failure in CI."""
    url = os.environ.get("CHANGEOVER_TEST_POSTGRES", DEFAULT_POSTGRES)
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"), connect_args={"connect_timeout": 3})
    try:
        with engine.connect():
            return engine.url.render_as_string(hide_password=False)
    except SQLAlchemyError as error:
        reason = f"no PostgreSQL at {make_url(url)!r}: {error}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    finally:
        engine.dispose()


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/state.sqlite"


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """A URL that lands in an empty schema of its own, dropped afterwards."""
    schema = f"changeover_{uuid.uuid4().hex}"
    engine = create_engine(postgres_server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE SCHEMA {schema}"))
    own = make_url(postgres_server).update_query_dict({"options": f"-csearch_path={schema}"})
    yield own.render_as_string(hide_password=False)
    with engine.connect() as connection:
        connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))
    engine.dispose()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest) -> str:
    """An empty database of each kind."""
    found: str = request.getfixturevalue(f"{request.param}_url")
    return found


@pytest.fixture
def open_store(clock: Clock) -> Iterator[Callable[..., Store]]:
    """Opens upgraded stores, on any URL and with any limits, and closes them after the test."""
    opened: list[Store] = []

    def open_one(at: str, **options: Any) -> Store:
        store = Store(at, clock=clock, **options)
        opened.append(store)
        store.upgrade()
        return store

    yield open_one
    for store in opened:
        store.close()


@pytest.fixture
def store(url: str, open_store: Callable[..., Store]) -> Store:
    return open_store(url)


def signature(name: str = "a", route: str = "feeds") -> Signature:
    id_ = hashlib.sha256(f"{route}/{name}".encode()).hexdigest()[:12]
    return Signature(id=id_, route=route, kind="body", path=f"$.{name}", shape="int -> str")


@pytest.fixture
def sighting(clock: Clock) -> Callable[..., Sighting]:
    """Builds a sighting of the signature `name` on `route`, now; every other field can be given."""

    def build(name: str = "a", route: str = "feeds", **fields: Any) -> Sighting:
        defaults: dict[str, Any] = {"signature": signature(name, route), "at": clock.now}
        return Sighting(**(defaults | fields))

    return build
