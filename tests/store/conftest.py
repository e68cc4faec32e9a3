"""One contract, two databases: every test that asks for `store` or `url` runs on SQLite and on PostgreSQL."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from proxy.core.signature import Signature
from proxy.store import Sighting, Store
from tests.postgres import postgres_server, postgres_url  # noqa: F401  # fixtures

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@dataclass
class Clock:
    """Unix seconds that pass only when a test says so."""

    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/state.sqlite"


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
