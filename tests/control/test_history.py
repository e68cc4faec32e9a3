"""The last hour of every route, by the minute."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from proxy.control.history import KEPT_S, LATE_MINUTES, SPAN_MINUTES, History
from proxy.control.store_threads import StoreThreads

NOW = 1_790_000_010.0
MINUTE = int(NOW // 60)


@dataclass
class Minutes:
    """The store's side: what it has, and what it was asked."""

    asked: list[int] = field(default_factory=list)

    def recent_nodes(self, _since_minute: int) -> dict[str, int]:
        return {"node-a": MINUTE, "node-b": MINUTE - 30}

    def recent_minutes(self, since_minute: int) -> dict[str, dict[int, dict[str, int]]]:
        self.asked.append(since_minute)
        return {
            "feeds": {MINUTE: {"served.legacy": 3, "served.new": 1, "match": 2, "mismatch": 1, "skipped.timeout": 1}}
        }


def history(store: Minutes, clock: list[float]) -> History:
    return History(store, StoreThreads(), lambda: clock[0])  # type: ignore[arg-type]  # all that it asks of a store


def test_history_has_each_minute_of_each_route():
    """Sixty of them, oldest first; those without traffic are zeros, and so are routes without any."""
    answer = asyncio.run(history(Minutes(), [NOW]).read(["feeds", "quiet"]))
    feeds = answer["routes"]["feeds"]
    assert (SPAN_MINUTES, SPAN_MINUTES) == (len(feeds), len(answer["routes"]["quiet"]))
    assert (MINUTE * 60 - 59 * 60, 0) == (feeds[0]["at"], feeds[0]["expected"])
    expected = {"requests": {"legacy": 3, "new": 1}, "mismatches": 1, "compared": 3, "expected": 4}
    assert {"at": MINUTE * 60, **expected} == feeds[-1]


def test_history_names_the_nodes_that_counted():
    """With the last minute of each."""
    answer = asyncio.run(history(Minutes(), [NOW]).read([]))
    seen = {"node-a": MINUTE * 60, "node-b": (MINUTE - 30) * 60}
    assert [{"name": name, "last_at": at} for name, at in seen.items()] == answer["nodes"]


def test_history_is_read_once_for_all_who_look():
    """Until it is a few seconds old."""
    store, clock = Minutes(), [NOW]
    asked = history(store, clock)

    async def look() -> None:
        await asyncio.gather(*(asked.read(["feeds"]) for _ in range(5)))
        clock[0] += KEPT_S
        await asked.read(["feeds"])

    asyncio.run(look())
    assert [MINUTE - 59, MINUTE - LATE_MINUTES] == store.asked


def test_history_forgets_minutes_that_are_over_for_an_hour_and_reads_all_now_and_then():
    """What is kept slides with the time; now and then the whole hour is read, as counts may have come late."""
    store, clock = Minutes(), [NOW]
    asked = history(store, clock)

    async def look(later_s: float) -> int:
        clock[0] = NOW + later_s
        rows = (await asked.read(["feeds"]))["routes"]["feeds"]
        return next((number for number, row in enumerate(rows) if row["compared"]), -1)

    async def looks() -> list[int]:
        return [await look(later_s) for later_s in (0, 60, 240, 300, 3_540)]

    assert [59, 58, 55, 54, 0] == asyncio.run(looks())
    expected = [MINUTE - 59, MINUTE - 2, MINUTE + 1 - 2, MINUTE + 5 - 59, MINUTE + 59 - 59]
    assert expected == store.asked
