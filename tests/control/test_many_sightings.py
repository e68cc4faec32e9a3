"""A million mismatches of fifty kinds, as control hands them on: fifty rows, exact counts, a store that stays small."""

from __future__ import annotations

import asyncio
import json
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select

from proxy.control.recorder import Recorder
from proxy.core.signature import Signature
from proxy.store import Sighting, Store
from proxy.store.tables import SIGNATURE_MINUTES
from tests.control.nodes import until

if TYPE_CHECKING:
    from pathlib import Path

MISMATCHES, KINDS, EXAMPLE_EVERY = 1_000_000, 50, 25_000
MAX_STORE_BYTES = 2 * 1024 * 1024
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
    """Each mismatch is one call, as from the comparers; examples come now and then, as the comparers make them."""
    running = asyncio.create_task(recorder.run())
    signatures = [Signature(f"{kind:012x}", "feeds", "body", f"$.items[*].f{kind}", "value") for kind in range(KINDS)]
    example = json.dumps({"body": BODY}).encode()
    for number in range(MISMATCHES):
        is_due = number % EXAMPLE_EVERY < KINDS
        recorder.count("feeds", "mismatch")
        recorder.take_sightings(
            [Sighting(signatures[number % KINDS], 1.8e9 + number / 100, example=example if is_due else None)]
        )
        if number % EXAMPLE_EVERY == KINDS:
            await until(lambda: recorder.written == recorder.accepted)  # many batches, not one
    await recorder.stop(running)
