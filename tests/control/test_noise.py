"""Noise: generated pairs of a noisy legacy, through the real comparer, recorder and store."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from proxy.control.comparer import Comparer
from proxy.control.intake import Intake
from proxy.control.noise import Silenced, read_silenced
from proxy.control.recorder import Recorder
from proxy.control.rule_use import RuleUse
from proxy.core.evidence import encode_pair
from proxy.core.signature import Signature
from proxy.store import Batch, Sighting
from tests.control.nodes import make_settings, open_store, until
from tests.control.pairs import make_document, make_pair

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from proxy.control.outcome import Outcome
    from proxy.store import SignatureRow, Store

NOISE = 0.03  # of the pairs of legacy with itself: half of it in each of its answers
ODD = 1 - (1 - NOISE) ** 0.5
SEED = 1  # one run of many: `python -m bench.noise` measures how often a fault is found, and noise is not
LOOK_EVERY = 500


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(make_settings(tmp_path)) as store:
        yield store


def page(number: int, chance: random.Random) -> dict[str, Any]:
    """An answer of a backend that is noisy in four ways, to the request with this number."""
    tags = ["art", "books", "cities", "dogs"]
    chance.shuffle(tags)
    return {
        "title": f"page {number}",
        "made_at": f"2026-11-23T10:00:{chance.random() * 60:09.6f}Z",
        "trace": chance.randbytes(16).hex(),
        "tags": tags,
        "score": chance.randrange(10**6) if chance.random() < ODD else number,
        "views": 7,
    }


class Feed:
    """Pairs of one route into the real comparer, recorder and store, with the counters that the worker would send."""

    def __init__(self, store: Store, recorder: Recorder) -> None:
        self.store = store
        self.recorder = recorder
        self.silenced = Silenced()
        self._comparer = Comparer(1_048_576)
        self._comparer.set_rules(make_document())
        self._intake = Intake(self, recorder, self.silenced, RuleUse())  # type: ignore[arg-type]  # see `submit`
        self._chance = random.Random(SEED)
        self._number = 0

    def submit(self, encoded: bytes, done: Callable[[Outcome], None]) -> bool:
        """As the pool of comparers does, in this process."""
        done(self._comparer.judge(encoded))
        return True

    def send(self, requests: int, noise_share: float, change: Callable[[dict[str, Any], random.Random], None]) -> None:
        """Requests to legacy and new, a share of them to legacy again; `change` makes new's answer another one."""
        for _ in range(requests):
            self._number += 1
            served, again, new = (page(self._number, self._chance) for _ in range(3))
            change(new, self._chance)
            pair = make_pair(served, new, request_id=f"r-{self._number}")
            if self._chance.random() < noise_share:
                pair = replace(pair, again=make_pair(served, again, kind="noise", request_id=pair.request_id))
            self._intake.take_pair(_Arrived(encode_pair(pair)))  # type: ignore[arg-type]  # what `Intake` reads of it

    async def rows(self) -> dict[str, SignatureRow]:
        """Place and shape -> signature, once everything is in the store."""
        await until(lambda: self.recorder.written == self.recorder.accepted)
        self.silenced.replace(read_silenced(self.store))
        return {f"{row.path} {row.shape}": row for row in self.store.signatures()}


class _Arrived:
    is_void = False

    def __init__(self, encoded: bytes) -> None:
        self.encoded = encoded

    def settle(self) -> None:
        """Nobody waits for it."""


def nothing(page: dict[str, Any], chance: random.Random) -> None:
    """New is as good as legacy."""


def feeding(store: Store, scenario: Callable[[Feed], Any]) -> None:
    async def run() -> None:
        recorder = Recorder(store, "node-a")
        running = asyncio.create_task(recorder.run())
        await scenario(Feed(store, recorder))
        await recorder.stop(running)

    asyncio.run(run())


def test_noise_of_legacy_is_no_mismatch_after_two_thousand_pairs(store: Store):
    """Timestamps, tokens, random order and a field that is random in 3 % of the pairs: all of it is called noise."""

    async def scenario(feed: Feed) -> None:
        feed.send(2_000, 0.5, nothing)
        rows = await feed.rows()
        assert {"$.made_at", "$.trace", "$.tags", "$.score"} == {row.path for row in rows.values()}
        assert {"noise"} == {row.state for row in rows.values()}
        before = feed.recorder.accepted["feeds"]["mismatch"]
        feed.send(200, 0.5, nothing)
        counted = feed.recorder.accepted["feeds"]
        assert (before, 200) == (counted["mismatch"], counted["noise"])

    feeding(store, scenario)


def break_score(page: dict[str, Any], chance: random.Random) -> None:
    """Another value in 1 % of new's answers, just as the noise has it."""
    if chance.random() < 0.01:
        page["score"] = chance.randrange(10**6)


def drop_score(page: dict[str, Any], chance: random.Random) -> None:
    """No value in 1 % of new's answers: a shape that the noise doesn't have."""
    if chance.random() < 0.01:
        page["score"] = None


def break_views(page: dict[str, Any], chance: random.Random) -> None:
    """A change in 1 % of new's answers where legacy never differs."""
    if chance.random() < 0.01:
        page["views"] = 8


@pytest.mark.parametrize(
    ("change", "noise_share", "place"),
    [
        (break_score, 1.0, "$.score value"),
        (drop_score, 0.5, "$.score number→null"),
        (break_views, 0.5, "$.views value"),
    ],
)
def test_one_percent_is_found_within_five_thousand_pairs(
    store: Store, change: Callable[[dict[str, Any], random.Random], None], noise_share: float, place: str
):
    """A fault in 1 % of new's answers is proven, alone or beside 3 % noise; until then the noise elsewhere is not."""

    async def scenario(feed: Feed) -> None:
        seen = []
        for _ in range(5_000 // LOOK_EVERY):
            feed.send(LOOK_EVERY, noise_share, change)
            rows = await feed.rows()
            seen.append(rows[place].state if place in rows else None)
            others = {row.state for row in rows.values() if row.path in {"$.made_at", "$.trace", "$.tags"}}
            assert "new" not in others
            if seen[-1] == "new":
                break
        assert seen[-1] == "new"

    feeding(store, scenario)


def test_first_noise_runs_leave_differences_unproven(store: Store):
    """Before the tenth noise pair shows a place its differences count as mismatches, and are said to be unproven."""

    async def scenario(feed: Feed) -> None:
        feed.send(9, 1.0, nothing)
        rows = await feed.rows()
        assert {"unproven"} == {row.state for row in rows.values()}
        assert 9 == feed.recorder.accepted["feeds"]["mismatch"]
        feed.send(1, 1.0, nothing)
        assert {"noise"} == {row.state for row in (await feed.rows()).values()}

    feeding(store, scenario)


def test_route_without_noise_runs_has_mismatches_at_once(store: Store):
    """Nobody asked legacy twice: a difference is new from its first sighting on."""

    async def scenario(feed: Feed) -> None:
        feed.send(3, 0.0, nothing)
        assert {"new"} == {row.state for row in (await feed.rows()).values()}

    feeding(store, scenario)


def test_ignored_signatures_are_silenced_too(store: Store):
    """`ignored` no longer counts against the match, `known` does."""
    ids = ("aaaaaaaaaaaa", "bbbbbbbbbbbb")
    sightings = [Sighting(Signature(id_, "feeds", "body", f"$.{id_}", "value"), 1.0) for id_ in ids]
    store.write(Batch("node-a", 1.0, sightings=sightings))
    store.set_state(ids[0], "ignored", "ada", "on purpose")
    store.set_state(ids[1], "known", "ada", "being mended")
    assert frozenset(ids[:1]) == read_silenced(store)


def test_silence_ends_when_the_store_says_so():
    """A decision that was taken back is taken back here, at the next reading."""
    silenced = Silenced()
    silenced.replace(frozenset({"a", "b"}))
    silenced.replace(frozenset({"b"}))
    assert (False, True) == ("a" in silenced, "b" in silenced)
