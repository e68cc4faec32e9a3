"""Law 5: every decided request is a match, a pair that went up, or a skip with its reason; in any mixture of faults."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from proxy.core.model import CompareRules, ShadowRule
from tests.traffic.stage import ALL, QUICK, staged
from tests.traffic.wire import chunked, client, hang, ok, request, reset, run, then_close

METHODS = ("GET", "GET", "GET", "HEAD", "POST", "PUT", "DELETE")


async def drip(asked: Any) -> None:
    """Steady enough for users, too slow for a shadow."""
    await asked.write(b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n")
    for _ in range(8):
        await asked.write(b".")
        await asyncio.sleep(0.06)


def moody(seed: int) -> Any:
    """A backend that behaves well or badly by chance."""
    chance = random.Random(seed)
    manners: list[Any] = [
        ok(b'{"a": 1}', "content-type: application/json"),
        ok(b'{"a": 2}', "content-type: application/json"),
        ok(b"x" * 40_000),
        ok(b"x" * 5_000),
        ok(b"busy", status="503 Service Unavailable"),
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + chunked(b"abc") + b"0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        ok(b"early") + b"GARBAGE",
        then_close(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"),
        then_close(b"nonsense\r\n\r\n"),
        then_close(b""),
        reset,
        hang,
        drip,
    ]

    async def behave(asked: Any) -> None:
        manner = chance.choice(manners)
        if isinstance(manner, bytes):
            await asked.read_body()
            await asked.write(manner)
        else:
            await manner(asked)

    return behave


async def one_user(port: int, chance: random.Random, number: int) -> None:
    """A request or two, some abandoned midway, some with bodies in pieces."""
    async with client(port) as user:
        for _ in range(chance.randint(1, 3)):
            method = chance.choice(METHODS)
            body = b"b" * chance.choice([0, 10, 5000]) if method in {"POST", "PUT"} else b""
            data = request(method, f"/{number}", body=body, user=f"u{number % 5}")
            cut = chance.choice([len(data), len(data), len(data), len(data) // 2])
            try:
                await user.send(data[:cut])
                if cut < len(data) or chance.random() < 0.1:
                    return
                await user.answer(method)
            except (ConnectionError, asyncio.IncompleteReadError):
                return


@pytest.mark.parametrize("is_linked", [True, False], ids=["linked", "unlinked"])
@pytest.mark.parametrize("percent", [0, 50, 100])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_evidence_accounts_for_every_request(seed: int, percent: int, is_linked: bool) -> None:
    """Sixty users, moody backends, tight bounds: nothing is lost without a reason, and nothing is counted twice."""

    async def scenario() -> None:
        async with staged(
            moody(seed),
            moody(seed + 100),
            is_linked=is_linked,
            percent=percent,
            fallback=seed % 2 == 0,
            timeouts=QUICK,
            shadow=ShadowRule(90_000, writes=seed == 3, timeout_s=0.3),
            compare=CompareRules(noise_millipercent=ALL // 2),
            settings={
                "shadow_concurrency": 12,
                "max_shadow_body_bytes": 1000,
                "max_compared_bytes": 10_000,
                "shadow_total_bytes": 200_000,
            },
        ) as stage:
            chance = random.Random(seed)
            await asyncio.gather(*(one_user(stage.port, chance, number) for number in range(60)))
            counts = await stage.check_nothing_lost()
            assert counts["match"] + len(stage.control.pairs) > 0 or not is_linked
            served = sum(counts[f"served.{side}"] for side in ("legacy", "new"))
            failed = sum(counts[f"failed.{side}"] for side in ("legacy", "new"))
            assert served + failed > 0
            assert 0 == len(stage.worker.shadows)
            assert {} == stage.worker.shadows._lanes
            assert {0} == {*stage.worker.shadows._open_by_route.values(), 0}

    run(scenario())


def test_evidence_counts_each_served_answer_once() -> None:
    """Fifty requests: fifty decisions, answers, statuses and matches."""

    async def scenario() -> None:
        async with staged(ok(), ok(), percent=50, shadow=ShadowRule(ALL)) as stage:
            await asyncio.gather(*(stage.ask(user=f"u{number}") for number in range(50)))
            counts = await stage.check_nothing_lost()
            assert 50 == counts["decided.bucket"] == counts["served.legacy"] + counts["served.new"]
            assert 50 == counts["match"] == counts["pairs"]
            assert 50 == counts["status.legacy.2xx"] + counts["status.new.2xx"]

    run(scenario())


def test_evidence_of_unrouted_requests_says_so() -> None:
    """A request that no route matches is served by legacy and counted under `(no route)`."""
    from proxy.core.model import Match

    async def scenario() -> None:
        async with staged(percent=100, shadow=ShadowRule(ALL), match=Match("prefix", "/api")) as stage:
            await stage.ask("GET", "/other")
            assert {"decided.no_route": 1, "skipped.no_route": 1, "served.legacy": 1, "status.legacy.2xx": 1} == {
                name: number
                for name, number in stage.worker.tally.route("(no route)").counts.items()
                if not name.startswith("latency")
            }
            assert [] == stage.new.asked

    run(scenario())
