"""What a node finds out about its routes begins their windows; and what it says of itself reaches the others."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from proxy.control.nodes import SHOWN_S, SILENT_S, Nodes
from proxy.control.store_threads import StoreThreads
from proxy.control.windows import REREAD_S, Windows, setups_of
from proxy.core.model import CompareRules, Match
from proxy.errors import StoreError
from proxy.store import Batch, Store
from tests.factories import make_backend, make_migration, make_route

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

NOON = 20_000 * 86_400.0 + 43_200
ONE = make_migration(make_route("feeds"), make_route("items"))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(f"sqlite:///{tmp_path}/state.sqlite")
    yield store
    store.close()


def play(scenario: Callable[[StoreThreads], Awaitable[None]]) -> None:
    async def played() -> None:
        threads = StoreThreads()
        try:
            await scenario(threads)
        finally:
            threads.close()

    asyncio.run(played())


def test_what_evidence_depends_on_has_a_name_each():
    """Of each route: another percentage, share of noise runs or timeout is none of it."""
    before = setups_of(ONE)["feeds"]
    route = ONE.routes[0]
    changes = {
        "rules": replace(ONE, routes=(replace(route, compare=CompareRules(ignore_headers=frozenset({"etag"}))),)),
        "match": replace(ONE, routes=(replace(route, match=Match("prefix", "/other")),)),
        "new": replace(ONE, new=make_backend("new", 9)),
        "legacy": replace(ONE, legacy=make_backend("legacy", 9)),
        "": replace(ONE, routes=(replace(route, millipercent=7, compare=CompareRules(noise_millipercent=5)),)),
    }
    for name, migration in changes.items():
        after = setups_of(migration)["feeds"]
        assert [name] * bool(name) == [each for each, text in after.items() if text != before[each]], name


def test_windows_follow_the_config_and_the_versions(store: Store):
    """Of one node, over a restart of it; what another node began is found within half a minute."""

    async def scenario(threads: StoreThreads) -> None:
        now = NOON
        one, two = (Windows(store, threads, lambda: now) for _ in range(2))
        one.met("feeds", "v5")  # before the store was read: it can't be told whether that is another
        for windows in (one, two):
            windows.set_setups(ONE)
            await windows.tick()
        for windows in (one, two):
            windows.met("feeds", "v6")
            windows.met("gone", "v6")
            await windows.tick()
        assert {} == one.windows
        store.write(Batch("one", now, {("feeds", 1): {"match": 3}}))
        now += 10
        one.met("feeds", "v7")
        await one.tick()
        assert [("feeds", now, {"version": {"before": "v6", "after": "v7"}}, {"match": 3})] == [
            (route, each.since, each.because, each.counts) for route, each in one.windows.items()
        ]
        await two.tick()
        assert {} == two.windows
        now += REREAD_S
        await two.tick()
        assert one.windows == two.windows
        restarted = Windows(store, threads, lambda: now)
        restarted.set_setups(replace(ONE, new=make_backend("new", 9)))
        await restarted.tick()
        restarted.met("feeds", "v7")
        await restarted.tick()
        assert {"feeds", "items"} == set(restarted.windows)
        assert [{"setup": ["new"]}] * 2 == [each.because for each in restarted.windows.values()]
        assert 1 == len(store.audit())

    play(scenario)


def test_windows_are_begun_when_the_store_is_back(store: Store, monkeypatch: pytest.MonkeyPatch):
    """What was found out meanwhile is not lost."""

    async def scenario(threads: StoreThreads) -> None:
        windows = Windows(store, threads, lambda: NOON)
        windows.set_setups(ONE)
        await windows.tick()
        windows.met("feeds", "v6")
        await windows.tick()
        windows.met("feeds", "v7")
        with monkeypatch.context() as away:
            away.setattr(store, "begin_windows", refuse)
            with pytest.raises(StoreError):
                await windows.tick()
        await windows.tick()
        assert ["feeds"] == list(windows.windows)

    play(scenario)


def refuse(*_: Any) -> None:
    raise StoreError("store: away")


def test_nodes_of_a_store_see_each_other(store: Store):
    """Each as it was when it said so last; who is silent is said to be, and later left out."""

    async def scenario(threads: StoreThreads) -> None:
        now = NOON
        one, two = (
            Nodes(store, threads, name, lambda name=name: {"digest": name}, lambda: now)  # type: ignore[misc]
            for name in ("one", "two")
        )
        assert [("one", False)] == [(each["name"], each["is_silent"]) for each in one.rows()]
        await two.beat()
        await one.beat()
        assert [("one", "one"), ("two", "two")] == [(each["name"], each["digest"]) for each in one.rows()]
        now += SILENT_S + 1
        assert [("one", False), ("two", True)] == [(each["name"], each["is_silent"]) for each in one.rows()]
        now += SHOWN_S
        assert ["one"] == [each["name"] for each in one.rows()]

    play(scenario)
