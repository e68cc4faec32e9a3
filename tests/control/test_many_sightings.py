"""A million mismatches, of fifty kinds or of a million, as control hands them on: bounded rows, exact counts."""

from __future__ import annotations

import asyncio
import json
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select

from proxy.control.buffer import MAX_SIGHTINGS
from proxy.control.delta import Delta
from proxy.control.recorder import Recorder
from proxy.core.signature import Signature
from proxy.store import Limits, Sighting, Store
from proxy.store.tables import SIGNATURE_MINUTES
from tests.control.nodes import until

if TYPE_CHECKING:
    from pathlib import Path

MISMATCHES, KINDS, EXAMPLE_EVERY = 1_000_000, 50, 25_000
MAX_STORE_BYTES = 2 * 1024 * 1024
REAL = Signature("f" * 12, "feeds", "body", "$.total", "value")
BODY = "".join(f"line {number} of a page\n" for number in range(200))


@pytest.mark.slow
def test_million_mismatches_of_fifty_signatures_are_fifty_rows(tmp_path: Path):
    """Every one is counted, each signature keeps eight examples, and the file stays under 2 MiB."""
    url = f"sqlite:///{tmp_path}/state.sqlite"

    async def scenario() -> None:
        with closing(Store(url)) as store:
            await record(Recorder(store, "node-a"))
            rows = store.signatures()
            assert [MISMATCHES // KINDS] * KINDS == [row.count for row in rows]
            assert {"feeds": {"mismatch": MISMATCHES}} == store.totals()
            assert 0 < minutes_kept(store) <= KINDS * (MISMATCHES // 100 // 60 + 2)
            assert {8} == {len(store.signature(row.id).examples) for row in rows}

    asyncio.run(scenario())
    assert sum(file.stat().st_size for file in tmp_path.glob("state.sqlite*")) < MAX_STORE_BYTES


def minutes_kept(store: Store) -> int:
    """Rows of how often each signature was seen in each minute; a hundred mismatches come in a second."""
    with store._database.reading() as connection:
        number: int = connection.execute(select(func.count()).select_from(SIGNATURE_MINUTES)).scalar_one()
    return number


async def record(recorder: Recorder) -> None:
    """In rounds of one of each kind; examples come now and then, as the comparers make them."""
    running = asyncio.create_task(recorder.run())
    signatures = [Signature(f"{kind:012x}", "feeds", "body", f"$.items[*].f{kind}", "value") for kind in range(KINDS)]
    example = json.dumps({"body": BODY}).encode()
    for number in range(0, MISMATCHES, KINDS):
        is_due = number % EXAMPLE_EVERY == 0
        recorder.take_delta(mismatches(KINDS))
        at = 1.8e9 + number / 100
        recorder.take_sightings(Sighting(each, at, example=example if is_due else None) for each in signatures)
        if is_due:
            await until(lambda: recorder.written == recorder.accepted)  # many batches, not one
    await recorder.stop(running)


@pytest.mark.slow
def test_million_signatures_leave_bounded_rows_and_are_all_counted(tmp_path: Path):
    """As from a backend that puts data into member names: fifty new ones in each pair, as many as a comparer names.

    What is seen in every pair is neither driven out nor miscounted; the others are kept, or counted as unlisted.
    """
    url = f"sqlite:///{tmp_path}/state.sqlite"

    async def scenario() -> None:
        with closing(Store(url)) as store:
            waited = await flood(Recorder(store, "node-a"))
            rows = {row.id: row.count for row in store.signatures()}
            assert MISMATCHES // KINDS == rows.pop(REAL.id)
            assert 0 < len(rows) < Limits().signatures_per_route
            lost = store.totals()["feeds"]
            assert MISMATCHES == sum(rows.values()) + lost["dropped.signatures"] + lost["dropped.sightings"]
            assert waited <= MAX_SIGHTINGS + 2  # and the counters of two minutes

    asyncio.run(scenario())
    assert sum(file.stat().st_size for file in tmp_path.glob("state.sqlite*")) < MAX_STORE_BYTES


async def flood(recorder: Recorder) -> int:
    """Hands on the real signature with new ones, pair by pair; returns how many rows ever waited for the store."""
    running, waited = asyncio.create_task(recorder.run()), 0
    for number in range(0, MISMATCHES, KINDS):
        at = 1.8e9 + number / 100
        kinds = [
            Signature(f"{each:012x}", "feeds", "body", f"$.f{each}", "extra") for each in range(number, number + KINDS)
        ]
        recorder.take_sightings([Sighting(REAL, at), *(Sighting(each, at) for each in kinds)])
        waited = max(waited, len(recorder._buffer))
        if number % EXAMPLE_EVERY == 0:
            await until(lambda: not recorder._buffer and not recorder.lock.locked())
    await recorder.stop(running)
    return waited


def mismatches(number: int) -> Delta:
    return Delta(1, 0.0, {"feeds": {"mismatch": number}}, {}, {})
