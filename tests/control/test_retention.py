"""Retention: a sweep in the recorder's thread, on a real store, that survives a store that is away."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from proxy.control.recorder import Recorder
from proxy.control.retention import sweep
from proxy.store import Batch, Store, Swept
from tests.control.nodes import make_settings, open_store, run

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from proxy.settings import Settings


@asynccontextmanager
async def recording(settings: Settings, store: Store) -> AsyncIterator[Recorder]:
    recorder = Recorder(store, settings.node)
    running = asyncio.create_task(recorder.run())
    try:
        yield recorder
    finally:
        await recorder.stop(running)


def test_sweep_removes_what_is_older_than_the_setting(tmp_path: Path):
    """Minutes beyond `store_max_age_days` go, the totals stay."""

    async def scenario() -> None:
        settings = make_settings(tmp_path, store_max_age_days=1)
        with open_store(settings) as store:
            store.write(Batch("node-a", 60.0, counts={("feeds", 1): {"match": 1}}))
            async with recording(settings, store) as recorder:
                assert await sweep(store, recorder, settings)
            assert ({}, {"feeds": {"match": 1}}) == (store.minutes("feeds", 0), store.totals())

    run(scenario)


def test_sweep_of_a_store_that_is_away_is_done_for_now(tmp_path: Path):
    """An outage, or a fault, ends the sweep and not the sweeping: the next one comes in its usual time."""

    class Faulty(Store):
        def sweep(self, now: float, max_age_s: float, max_bytes: int) -> Swept:
            raise ZeroDivisionError

    async def scenario() -> None:
        settings = make_settings(tmp_path, store_url=f"sqlite:///{tmp_path}/nowhere/state.sqlite")
        for store in (Store(settings.effective_store_url), Faulty(settings.effective_store_url)):
            async with recording(settings, store) as recorder:
                assert await sweep(store, recorder, settings)
            store.close()

    run(scenario)


def test_sweep_says_when_there_is_more_to_do(tmp_path: Path):
    """A store that stopped at its own limit is swept again soon."""

    class Full(Store):
        def sweep(self, now: float, max_age_s: float, max_bytes: int) -> Swept:
            return Swept(examples=2_000, is_complete=False)

    async def scenario() -> None:
        settings = make_settings(tmp_path)
        store = Full(settings.effective_store_url)
        async with recording(settings, store) as recorder:
            assert not await sweep(store, recorder, settings)
        store.close()

    run(scenario)
