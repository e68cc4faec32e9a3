"""Comparing measured: how many times faster than DeepDiff on the whole documents, and how many pairs a second.

Both sides of a ratio begin with the same bytes: parsing is in both. Rounds alternate between the two, the medians
are compared. The last table asks a real comparer process, fed through its pipe one pair at a time, as control does.
"""

from __future__ import annotations

import asyncio
import json
import random
import statistics
import time
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import click
from deepdiff import DeepDiff

from bench.machine import read_machine
from bench.report import render_table
from proxy import config
from proxy.control.comparer_process import ComparerProcess
from proxy.core.compare import compare
from proxy.core.evidence import Answer, Pair, Verdict, encode_pair

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from proxy.core.model import CompareRules

SEED = 20_261
MEMORY_BYTES = 512 * 1_048_576
MAX_BODY_BYTES = 1_048_576
PATIENCE_S = 30.0
ROUTE = "feeds"


@dataclass(frozen=True, slots=True)
class Case:
    """Two bodies, the rules for them, and what DeepDiff is asked in their place; `wanted` is the ratio to reach."""

    name: str
    control: bytes
    candidate: bytes
    rules: dict[str, Any]
    verdict: Verdict
    deepdiff: dict[str, Any]
    wanted: float


@click.command(help="Measure comparing beside DeepDiff, in one run on one core. See bench/README.md.")
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1, 100), help="Of each case.")
@click.option("--seconds", default=3.0, show_default=True, type=click.FloatRange(0.2, 60), help="Of each pair size.")
def main(*, rounds: int, seconds: float) -> None:
    click.echo(f"{read_machine().describe()}\n")
    rows = [_ratio_row(case, rounds) for case in cases()]
    click.echo(render_table(("case", "Changeover ms", "DeepDiff ms", "× DeepDiff", "wanted"), rows) + "\n")
    rates = asyncio.run(_rates(seconds))
    click.echo(render_table(("pairs through one comparer process", "size", "pairs/s"), rates))


def cases() -> list[Case]:
    """The documents are the same in each run."""
    chance = random.Random(SEED)
    page = {"items": records(chance, 530), "page": 1}
    changed = json.loads(json.dumps(page))
    changed["items"][265]["score"] += 1
    few = records(chance, 200)
    half_changed = [item | {"title": item["title"] + "!"} if index % 2 else item for index, item in enumerate(few)]
    chance.shuffle(half_changed)
    whole, reordered = encoded(page), encoded(with_reversed_members(page))
    return [
        Case("125 kB, one field changed", whole, encoded(changed), {}, Verdict.MISMATCH, {}, 50),
        Case(
            "200 records shuffled, half of them changed, by key",
            encoded(few),
            encoded(half_changed),
            {"keys": {"$": "id"}, "unordered": ["$"]},
            Verdict.MISMATCH,
            {"ignore_order": True},
            100,
        ),
        Case("125 kB, equal bytes", whole, whole, {}, Verdict.MATCH, {}, 500),
        Case("125 kB, equal but for the order of members", whole, reordered, {}, Verdict.MATCH, {}, 50),
    ]


def records(chance: random.Random, number: int) -> list[dict[str, Any]]:
    """Items of some 235 bytes each."""
    words = ["feed", "reader", "photo", "archive", "river", "mountain", "letter", "window", "summer", "garden"]
    return [
        {
            "id": index,
            "title": " ".join(chance.choices(words, k=5)),
            "summary": " ".join(chance.choices(words, k=9)),
            "score": round(chance.random() * 100, 3),
            "tags": chance.sample(words, 3),
            "is_read": chance.random() < 0.5,
            "author": {"name": chance.choice(words), "id": chance.randrange(1000)},
        }
        for index in range(number)
    ]


def with_reversed_members(value: Any) -> Any:
    """The same document with the members of each object in the opposite order."""
    if isinstance(value, dict):
        return {name: with_reversed_members(value[name]) for name in reversed(value)}
    return [with_reversed_members(item) for item in value] if isinstance(value, list) else value


def encoded(document: Any) -> bytes:
    return json.dumps(document).encode()


def _ratio_row(case: Case, rounds: int) -> tuple[str, ...]:
    rules = compare_rules(case.rules)
    control, candidate = as_answer(case.control), as_answer(case.candidate)
    found = compare(control, candidate, rules)
    if found.verdict is not case.verdict:
        raise click.ClickException(f"{case.name}: {found.verdict} where {case.verdict} is expected")
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(_seconds(lambda: compare(control, candidate, rules)))
        theirs.append(
            _seconds(
                lambda: DeepDiff(json.loads(case.control), json.loads(case.candidate), **case.deepdiff), at_least_s=0.0
            )
        )
    own, other = statistics.median(ours), statistics.median(theirs)
    return case.name, f"{own * 1000:,.3f}", f"{other * 1000:,.1f}", f"{other / own:,.0f}", f"≥ {case.wanted:g}"


def compare_rules(rules: dict[str, Any]) -> CompareRules:
    """The rules as the config would have them."""
    return config.build(config_document(rules)).routes[0].compare


def config_document(rules: dict[str, Any]) -> dict[str, Any]:
    return {
        "version": 1,
        "backends": {"legacy": {"url": "http://127.0.0.1:8001"}, "new": {"url": "http://127.0.0.1:8002"}},
        "users": {"salt": "bench"},
        "routes": {ROUTE: {"match": {"prefix": "/"}, "compare": rules}},
    }


def as_answer(body: bytes) -> Answer:
    headers = (("content-type", "application/json"),)
    return Answer(200, headers, body, len(body), sha256(body).hexdigest())


def _seconds(call: Callable[[], object], at_least_s: float = 0.1) -> float:
    """Of one call, over as many as take `at_least_s`."""
    calls, began_at = 0, time.perf_counter()
    while True:
        call()
        calls += 1
        elapsed = time.perf_counter() - began_at
        if elapsed >= at_least_s:
            return elapsed / calls


async def _rates(seconds: float) -> list[tuple[str, ...]]:
    process = await ComparerProcess.start_comparer(MEMORY_BYTES, MAX_BODY_BYTES)
    try:
        return [await _rate_row(process, *each, seconds) for each in paired_bodies()]
    finally:
        await process.kill()


def paired_bodies() -> Iterable[tuple[str, bytes, bytes]]:
    """Unequal and equal pairs of 1, 10 and 100 kB."""
    chance = random.Random(SEED)
    for name, number in (("1 kB", 4), ("10 kB", 42), ("100 kB", 425)):
        page = {"items": records(chance, number), "page": 1}
        changed = json.loads(json.dumps(page))
        changed["items"][number // 2]["score"] += 1
        yield f"one field changed, {name}", encoded(page), encoded(changed)
        yield f"equal but for the order of members, {name}", encoded(page), encoded(with_reversed_members(page))


async def _rate_row(
    process: ComparerProcess, name: str, control: bytes, candidate: bytes, seconds: float
) -> tuple[str, ...]:
    rules = config_document({})
    pair = Pair(
        request_id="bench",
        route=ROUTE,
        kind="candidate",
        served="legacy",
        at=0.0,
        method="GET",
        target="/",
        request_headers=(),
        control=as_answer(control),
        candidate=as_answer(candidate),
    )
    message = encode_pair(pair)
    await process.compare(message, rules, PATIENCE_S)
    done, began_at = 0, time.perf_counter()
    while time.perf_counter() - began_at < seconds:
        await process.compare(message, rules, PATIENCE_S)
        done += 1
    return name, f"{len(control):,} B", f"{done / (time.perf_counter() - began_at):,.0f}"


if __name__ == "__main__":
    main()
