"""Law 4: how often each backend gets a request, for every method, failure, fallback and kind of body."""

from __future__ import annotations

import asyncio
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest

from tests.traffic.stage import NO_SHADOW, PATIENT, QUICK, SHADOWED, WITH_WRITES, Stage, staged
from tests.traffic.wire import chunked, client, free_port, hang, ok, request, reset, run, stale, then_close

if TYPE_CHECKING:
    from tests.traffic.wire import Reply

IDEMPOTENT = ("GET", "HEAD", "OPTIONS", "PUT", "DELETE")
OTHERS = ("POST", "PATCH", "PURGE")
KEPT_BYTES = 1000
BODIES = {"none": b"", "whole": b"b" * 600, "streaming": b"b" * 5000}

HEAD_AND_HALF = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"
FAILURES: dict[str, Any] = {
    "refused": None,
    "reset": reset,
    "closed": then_close(b""),
    "half a head": then_close(b"HTTP/1.1 200 OK\r\ncontent-le"),
    "garbage": then_close(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"),
    "timeout": hang,
    "503": ok(b"busy", status="503 Service Unavailable"),
    "502": ok(b"gateway", status="502 Bad Gateway"),
    "truncated": then_close(HEAD_AND_HALF),
    "stale": None,
}
BEFORE_THE_ANSWER = set(FAILURES) - {"truncated"}


def times(stage: Stage, target: str) -> tuple[int, int]:
    """How often new and legacy got the request."""
    counts = [sum(asked.target == target for asked in side.asked) for side in (stage.new, stage.legacy)]
    return counts[0], counts[1]


async def ask(stage: Stage, method: str, target: str, body: bytes) -> Reply:
    async with client(stage.port) as user:
        await user.send(request(method, target, body=body))
        return await user.answer(method)


def failing(failure: str) -> dict[str, Any]:
    if failure == "refused":
        return {"new_port": free_port()}
    return {"new": stale(ok(b"new")) if failure == "stale" else FAILURES[failure]}


@pytest.mark.parametrize("has_fallback", [False, True], ids=["no fallback", "fallback"])
@pytest.mark.parametrize("failure", [name for name in FAILURES if name != "stale"])
def test_effects_reach_each_backend_as_law_4_allows(failure: str, has_fallback: bool) -> None:
    """New gets a request at most once; legacy gets it only as an idempotent fallback before the first byte."""

    async def scenario() -> None:
        async with staged(
            ok(b"legacy"),
            **failing(failure),
            percent=100,
            fallback=has_fallback,
            shadow=NO_SHADOW,
            timeouts=QUICK if failure == "timeout" else PATIENT,
            settings={"max_shadow_body_bytes": KEPT_BYTES},
        ) as stage:

            async def check(method: str, body: str) -> None:
                target = f"/{method}/{body}"
                reply = await ask(stage, method, target, BODIES[body])
                may_repeat = method in IDEMPOTENT and body != "streaming" and failure in BEFORE_THE_ANSWER
                falls_back = has_fallback and may_repeat
                on_new, on_legacy = times(stage, target)
                assert (0 if failure == "refused" else 1) == on_new
                assert (1 if falls_back else 0) == on_legacy
                assert (200 if falls_back else expected_status(failure)) == reply.status

            await asyncio.gather(*(check(*case) for case in product(IDEMPOTENT + OTHERS, BODIES)))
            await stage.check_nothing_lost()

    run(scenario())


def expected_status(failure: str) -> int:
    return {"timeout": 504, "503": 503, "truncated": 200}.get(failure, 502)


@pytest.mark.parametrize("has_fallback", [False, True], ids=["no fallback", "fallback"])
def test_effects_of_a_stale_connection_are_repeated_only_for_whole_idempotent_requests(has_fallback: bool) -> None:
    """A kept-alive connection closed under a request: sent once more if that is safe, answered 502 if not."""

    async def scenario() -> None:
        async with staged(
            ok(b"legacy"),
            **failing("stale"),
            percent=100,
            fallback=has_fallback,
            shadow=NO_SHADOW,
            settings={"max_shadow_body_bytes": KEPT_BYTES},
        ) as stage:
            for method, body in product(IDEMPOTENT + OTHERS, BODIES):
                await ask(stage, "GET", "/warm", b"")
                target = f"/{method}/{body}"
                reply = await ask(stage, method, target, BODIES[body])
                is_repeated = method in IDEMPOTENT and body != "streaming"
                assert ((2, 0) if is_repeated else (1, 0)) == times(stage, target)
                assert (200 if is_repeated else 502) == reply.status
            await stage.check_nothing_lost()

    run(scenario())


def test_effects_stale_connections_in_numbers_fail_no_idempotent_request() -> None:
    """After a backend's restart every kept-alive connection is closed: the second try goes on a new one."""
    number = 5
    all_there = asyncio.Event()
    restarted = asyncio.Event()

    async def behave(asked: Any) -> None:
        if restarted.is_set() and asked.connection <= number:
            asked.writer.close()
            return
        if asked.connection == number:
            all_there.set()
        await all_there.wait()
        await asked.write(ok())

    async def scenario() -> None:
        async with staged(behave, shadow=NO_SHADOW) as stage:
            await asyncio.gather(*(ask(stage, "GET", f"/warm/{each}", b"") for each in range(number)))
            restarted.set()
            assert number == stage.legacy.connections
            assert 200 == (await ask(stage, "GET", "/after", b"")).status
            assert (0, 2) == times(stage, "/after")

    run(scenario())


@pytest.mark.parametrize("failure", ["reset", "503", "timeout", "garbage", "truncated"])
def test_effects_never_fall_back_from_legacy_to_new(failure: str) -> None:
    """Legacy's failures are the user's to see: new gets nothing, whatever the route says."""
    timeouts = QUICK if failure == "timeout" else PATIENT

    async def scenario() -> None:
        async with staged(FAILURES[failure], fallback=True, shadow=NO_SHADOW, timeouts=timeouts) as stage:
            for method in ("GET", "PUT", "POST"):
                target = f"/{method}"
                reply = await ask(stage, method, target, b"")
                assert (0, 1) == times(stage, target)
                assert expected_status(failure) == reply.status
            await stage.check_nothing_lost()

    run(scenario())


def test_effects_writes_are_not_shadowed_unless_the_route_says_so() -> None:
    """Only safe methods reach the other side; the rest is counted as chosen gap."""

    async def scenario() -> None:
        async with staged(shadow=SHADOWED) as stage:
            for method in IDEMPOTENT + OTHERS:
                await ask(stage, method, f"/{method}", b"")
            counts = await stage.check_nothing_lost()
            assert {"GET /GET", "HEAD /HEAD", "OPTIONS /OPTIONS"} == set(stage.new.requests)
            assert 5 == counts["skipped.method"]

    run(scenario())


def test_effects_shadowed_writes_reach_each_side_once() -> None:
    """With `writes: true` each side gets the write once, only the shadow's marked."""

    async def scenario() -> None:
        async with staged(shadow=WITH_WRITES, settings={"max_shadow_body_bytes": KEPT_BYTES}) as stage:
            for method in OTHERS:
                await ask(stage, method, f"/{method}", b"whole")
            counts = await stage.check_nothing_lost()
            for method in OTHERS:
                assert (1, 1) == times(stage, f"/{method}")
            assert [True] * 3 == [asked.is_shadow for asked in stage.new.asked]
            assert [False] * 3 == [asked.is_shadow for asked in stage.legacy.asked]
            assert [b"whole"] * 3 == [bytes(asked.body) for asked in stage.new.asked]
            assert 3 == counts["match"]

    run(scenario())


def test_effects_an_answer_begun_is_never_replaced_by_a_fallback() -> None:
    """Once a byte of new's answer has gone out, its failure breaks the connection off: nothing is added to it."""

    async def behave(asked: Any) -> None:
        await asked.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + chunked(b"begun"))
        asked.reset()

    async def scenario() -> None:
        async with staged(ok(b"legacy"), behave, percent=100, fallback=True, shadow=NO_SHADOW) as stage:
            reply = await ask(stage, "GET", "/", b"")
            assert (200, b"begun", False) == (reply.status, reply.body, reply.is_whole)
            assert [] == stage.legacy.asked

    run(scenario())
