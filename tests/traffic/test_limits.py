"""What one user may take of a worker: time, bytes, places; and what all of them may."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from typing import Any

import pytest

from proxy.core.model import NEW
from proxy.traffic import pace
from tests.traffic.stage import NO_SHADOW, SHADOWED, staged
from tests.traffic.wire import Client, Reply, chunked, hang, ok, read_head, request, run, until

MUCH = b"x" * 2_000_000
SOON = {"head_timeout_s": 0.2, "body_timeout_s": 0.2, "keep_alive_s": 0.2, "send_timeout_s": 0.2}


async def ended(user: Client) -> bytes:
    """All that came until the worker closed."""
    async with asyncio.timeout(5):
        return await user.rest()


@pytest.mark.parametrize("begin", [b"", b"\r\n", b"GET", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nX:"])
def test_head_that_does_not_come_ends_the_connection(begin: bytes) -> None:
    """Silence is closed in silence; half a head is told why."""

    async def scenario() -> None:
        async with staged(shadow=NO_SHADOW, settings=SOON) as stage, stage.client() as user:
            await user.send(begin)
            answer = await ended(user)
            assert answer.startswith(b"HTTP/1.1 408 ") if begin.strip() else answer == b""
            assert [] == stage.legacy.asked

    run(scenario())


def test_head_dripped_in_single_bytes_ends_the_connection() -> None:
    """Progress doesn't lengthen the time for a head."""

    async def scenario() -> None:
        async with staged(shadow=NO_SHADOW, settings=SOON) as stage, stage.client() as user:
            answer = asyncio.create_task(ended(user))
            for byte in b"GET / HTTP/1.1\r\nHost: a\r\nX-Long: " + b"a" * 1000:
                if answer.done():
                    break
                user.writer.write(bytes([byte]))
                await asyncio.sleep(0.01)
            assert (await answer).startswith(b"HTTP/1.1 408 ")

    run(scenario())


@pytest.mark.parametrize("framing", ["Content-Length: 100", "Transfer-Encoding: chunked"])
def test_body_that_does_not_come_ends_request_and_connection(framing: str) -> None:
    """The backend sees its request break off, and is not blamed; the user is told why."""

    async def scenario() -> None:
        async with staged(hang, shadow=NO_SHADOW, settings=SOON) as stage, stage.client() as user:
            await user.send(request("PUT", "/", framing) + (b"5\r\nhello\r\n" if "chunked" in framing else b"hello"))
            asked = await stage.legacy.wait_asked()
            answer = await ended(user)
            assert answer.startswith(b"HTTP/1.1 408 ")
            await asked.wait_left()
            counts = await stage.check_nothing_lost()
            assert 0 == counts["failed.legacy"]

    run(scenario())


@pytest.mark.parametrize("framing", ["Content-Length: 1000000", "Transfer-Encoding: chunked"])
def test_body_that_stops_ends_however_much_has_come(framing: str) -> None:
    """What was sent fast gives no credit for silence."""
    begun = b"x" * 30_000

    async def scenario() -> None:
        async with staged(hang, shadow=NO_SHADOW, settings=SOON) as stage, stage.client() as user:
            await user.send(request("PUT", "/", framing) + (chunked(begun) if "chunked" in framing else begun))
            assert (await ended(user)).startswith(b"HTTP/1.1 408 ")

    run(scenario())


def test_body_that_drips_ends_although_something_comes() -> None:
    """Less than 500 bytes a second hold a backend's connection for nothing."""

    async def scenario() -> None:
        async with staged(hang, shadow=NO_SHADOW, settings=SOON | {"body_timeout_s": 1.2}) as stage:
            async with stage.client() as user:
                await user.send(request("PUT", "/", "Content-Length: 1000"))
                answer = asyncio.create_task(ended(user))
                while not answer.done():
                    user.writer.write(b"x")
                    await asyncio.sleep(0.05)
                assert (await answer).startswith(b"HTTP/1.1 408 ")

    run(scenario())


def test_body_that_the_backend_does_not_read_is_not_the_users_fault() -> None:
    """The time in which nobody wants more of the body doesn't count against who sends it."""

    async def late(asked: Any) -> None:
        await asyncio.sleep(1.5)  # longer than the timeout, and than the sweep
        await asked.read_body()
        await asked.write(ok(str(len(asked.body)).encode()))

    async def scenario() -> None:
        settings = {"body_timeout_s": 0.2}
        async with staged(late, shadow=NO_SHADOW, settings=settings) as stage, stage.client() as user:
            await user.send(request("PUT", body=b"x" * 8_000_000))
            reply = await user.answer()
            assert (200, b"8000000") == (reply.status, reply.body)

    run(scenario())


def test_idle_connection_is_kept_for_a_while_only() -> None:
    """After an answer the connection waits for the next request, and is closed in silence."""

    async def scenario() -> None:
        async with staged(shadow=NO_SHADOW, settings=SOON) as stage, stage.client() as user:
            await user.send(request())
            assert 200 == (await user.answer()).status
            assert b"" == await ended(user)

    run(scenario())


def test_user_who_reads_nothing_is_left() -> None:
    """An answer that is not read holds memory and a backend's connection for a while, not for ever."""

    async def endless(asked: Any) -> None:
        try:
            await asked.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
            while True:
                await asked.write(chunked(b"x" * 65_536))
        except ConnectionError:
            asked.left.set()

    async def scenario() -> None:
        async with staged(endless, shadow=NO_SHADOW, settings=SOON) as stage:
            user = await Client.connect(stage.port, limit=1024)
            await user.send(request())
            await read_head(user.reader)
            asked = await stage.legacy.wait_asked()
            await asked.left.wait()
            counts = await stage.check_nothing_lost()
            assert (1, 0) == (counts["client_left"], counts["failed.legacy"])
            user.abort()

    run(scenario())


def test_body_over_the_limit_is_refused_before_it_is_sent() -> None:
    """Content-Length says enough: 413, no backend is asked, and the connection ends."""

    async def scenario() -> None:
        async with staged(shadow=NO_SHADOW, settings={"max_request_body_bytes": 10}) as stage, stage.client() as user:
            await user.send(request("PUT", body=b"x" * 10))
            assert 200 == (await user.answer()).status
            await user.send(request("PUT", body=b"x" * 11))
            assert (await ended(user)).startswith(b"HTTP/1.1 413 ")
            assert 1 == len(stage.legacy.asked)
            await stage.check_nothing_lost()

    run(scenario())


def test_chunked_body_over_the_limit_is_cut_off() -> None:
    """Its length is known only by counting: the backend never sees a whole request."""

    async def scenario() -> None:
        async with staged(hang, shadow=NO_SHADOW, settings={"max_request_body_bytes": 10}) as stage:
            async with stage.client() as user:
                await user.send(request("PUT", "/", "Transfer-Encoding: chunked") + b"5\r\nhello\r\n")
                asked = await stage.legacy.wait_asked()
                await user.send(b"6\r\nhello!\r\n0\r\n\r\n")
                assert (await ended(user)).startswith(b"HTTP/1.1 413 ")
                await asked.wait_left()
            counts = await stage.check_nothing_lost()
            assert 0 == counts["failed.legacy"]

    run(scenario())


def test_malformed_chunk_is_refused_amid_the_body() -> None:
    """400, and the backend's request is broken off instead of being completed."""

    async def scenario() -> None:
        async with staged(hang, shadow=NO_SHADOW) as stage, stage.client() as user:
            await user.send(request("PUT", "/", "Transfer-Encoding: chunked") + b"5\r\nhello\r\n")
            asked = await stage.legacy.wait_asked()
            await user.send(b"zz\r\n")
            assert (await ended(user)).startswith(b"HTTP/1.1 400 ")
            await asked.wait_left()

    run(scenario())


BEGUN = {
    "length": b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nbegun",
    "chunks": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + chunked(b"begun"),
}


@pytest.mark.parametrize("answer", BEGUN)
@pytest.mark.parametrize(
    ("fault", "status"),
    [(b"zz\r\n", 400), (b"5;\x00\r\n", 400), (chunked(b"x" * 20), 413), (b"", 408), (chunked(b"x"), 408)],
    ids=["malformed", "control character", "too long", "stalled", "stalled later"],
)
def test_bad_body_after_its_answer_has_begun_ends_both(fault: bytes, status: int, answer: str) -> None:
    """It is too late to tell the user why, but not to end: the answer is cut off, and so is the backend's request."""

    async def behave(asked: Any) -> None:
        await asked.write(BEGUN[answer])
        await asked.wait_left()

    async def scenario() -> None:
        limits = SOON | {"max_request_body_bytes": 20, "request_log": "all"}
        async with staged(behave, shadow=SHADOWED, settings=limits) as stage, stage.client() as user:
            await user.send(request("PUT", "/", "Transfer-Encoding: chunked") + chunked(b"hello"))
            head = await read_head(user.reader)
            await user.send(fault)
            reply = Reply(head, b"")
            await user.read_body(reply)
            assert (200, b"begun"[: len(reply.body)], False) == (reply.status, reply.body, reply.is_whole)
            assert b"" == await ended(user)
            await stage.legacy.asked[0].left.wait()
            counts = await stage.check_nothing_lost()
            assert (0, 0) == (counts["failed.legacy"], counts["client_left"])
            assert [status] == [entry["http.response.status_code"] for entry in stage.events("request.refused")]

    run(scenario())


def test_bad_body_after_its_answer_has_begun_ends_with_a_reset_in_http_1_0() -> None:
    """An orderly end would call the beginning whole."""

    async def behave(asked: Any) -> None:
        await asked.write(BEGUN["chunks"])
        await asked.wait_left()

    async def scenario() -> None:
        async with staged(behave, shadow=NO_SHADOW, settings=SOON) as stage, stage.client() as user:
            await user.send(b"PUT / HTTP/1.0\r\nHost: a\r\nContent-Length: 100\r\n\r\nhello")
            assert (await user.reader.readuntil(b"begun")).startswith(b"HTTP/1.1 200 ")
            with pytest.raises(ConnectionResetError):
                await ended(user)

    run(scenario())


def test_refusal_reaches_a_user_who_is_still_sending() -> None:
    """The connection isn't reset under the refusal: what still comes is read away first."""

    async def scenario() -> None:
        async with staged(shadow=NO_SHADOW, settings={"max_request_body_bytes": 10}) as stage, stage.client() as user:
            user.writer.write(request("PUT", "/", "Content-Length: 3000000"))
            for _ in range(30):
                user.writer.write(b"x" * 100_000)
                await asyncio.sleep(0)
            reply = await user.answer()
            assert (413, "close") == (reply.status, reply.head.get("connection"))
            assert "over 10 bytes" in json.loads(reply.body)["detail"]

    run(scenario())


def test_connections_above_the_limit_are_told_to_come_again() -> None:
    """503 with Retry-After; the others are served on."""

    async def scenario() -> None:
        async with staged(shadow=NO_SHADOW, settings={"max_connections": 2}) as stage:
            async with stage.client() as one, stage.client() as two, stage.client() as three:
                await one.send(request())
                await one.answer()
                await two.send(request())
                await two.answer()
                reply = await three.answer()
                assert (503, "1") == (reply.status, reply.head.get("retry-after"))
                await one.send(request())
                assert 200 == (await one.answer()).status

    run(scenario())


def test_requests_above_the_limit_are_told_to_come_again() -> None:
    """503 with Retry-After instead of a queue; as soon as one is answered, the next one is."""

    async def scenario() -> None:
        async with staged(hang, shadow=NO_SHADOW, settings={"max_in_flight": 2}) as stage:
            waiting = [asyncio.create_task(stage.ask()) for _ in range(2)]
            await stage.legacy.wait_asked(2)
            reply = await stage.ask()
            assert (503, "1") == (reply.status, reply.head.get("retry-after"))
            for task in waiting:
                task.cancel()
            await until(lambda: not stage.worker.handler.in_flight)
            stage.legacy.behave = ok()
            assert 200 == (await stage.ask()).status

    run(scenario())


@pytest.mark.parametrize("percent", [0, 100])
@pytest.mark.parametrize(
    ("limit", "shadowed"),
    [
        ({"settings": {"max_in_flight": 5}}, 4),
        ({"settings": {"max_connections": 5}}, 3),  # the fourth user's connection is there before the request
        ({"connections": 5}, 4),
        ({"settings": {"max_in_flight": 50, "max_connections": 50}, "connections": 5}, 4),
        ({"settings": {"max_in_flight": 6, "max_connections": 6}, "connections": 256}, 4),
    ],
    ids=["requests", "users' connections", "connections to a backend", "the nearest", "the nearest of all"],
)
def test_shadows_yield_before_users_do(limit: dict[str, Any], shadowed: int, percent: int) -> None:
    """From four fifths of any limit of users' on, nothing is shadowed; it is counted as shed. Users are served on."""

    async def scenario() -> None:
        async with staged(hang, hang, shadow=SHADOWED, percent=percent, **limit) as stage:
            serving, other = (stage.new, stage.legacy) if percent else (stage.legacy, stage.new)
            waiting = []
            for number in range(1, 6):
                waiting.append(asyncio.create_task(stage.ask()))
                await serving.wait_asked(number)
            await other.wait_asked(shadowed)
            for task in waiting:
                task.cancel()
            counts = await stage.check_nothing_lost()
            assert (5 - shadowed, shadowed) == (counts["skipped.shed"], len(other.asked))

    run(scenario())


def test_shadows_yield_to_users_who_only_keep_connections_open() -> None:
    """Idle users take places as others do."""

    async def scenario() -> None:
        async with staged(shadow=SHADOWED, settings={"max_connections": 5}) as stage, AsyncExitStack() as stack:
            for _ in range(4):
                await stack.enter_async_context(stage.client())
            assert 200 == (await stage.ask()).status
            counts = await stage.check_nothing_lost()
            assert (1, 0) == (counts["skipped.shed"], len(stage.new.asked))

    run(scenario())


def test_shadows_yield_no_longer_than_users_press() -> None:
    """Connections to a backend that are idle again don't count."""

    async def scenario() -> None:
        async with staged(hang, shadow=SHADOWED, connections=5) as stage:
            waiting = [asyncio.create_task(stage.ask()) for _ in range(5)]
            await stage.legacy.wait_asked(5)
            assert stage.worker.handler.is_pressed()
            stage.legacy.behave = ok()
            for task in waiting:
                task.cancel()
            await until(lambda: not stage.worker.handler.in_flight)
            assert [200] * 5 == [reply.status for reply in await asyncio.gather(*(stage.ask() for _ in range(5)))]
            assert not stage.worker.handler.is_pressed()

    run(scenario())


def test_connections_far_above_the_limit_are_ended_without_a_word() -> None:
    """Who is told to come again lingers for a moment; how many may do so is bounded as well."""

    async def scenario() -> None:
        async with staged(shadow=NO_SHADOW, settings={"max_connections": 8}) as stage, AsyncExitStack() as stack:
            users = [await stack.enter_async_context(stage.client()) for _ in range(8)]
            for user in users:
                await user.send(request())
                assert 200 == (await user.answer()).status
            told = [await stack.enter_async_context(stage.client()) for _ in range(2)]
            assert [503, 503] == [(await user.answer()).status for user in told]
            ended = await stack.enter_async_context(stage.client())
            with suppress(ConnectionError):
                assert b"" == await ended.rest()
            assert (10, 3) == (stage.worker.gauges()["connections"], stage.worker.gauges()["refused.503"])
            await users[0].send(request())
            assert 200 == (await users[0].answer()).status

    run(scenario())


def test_users_who_send_ahead_are_served_in_order() -> None:
    """A hundred requests in one write: a hundred answers in their order, and no more read than the bound."""

    async def echo(asked: Any) -> None:
        await asked.write(ok(asked.target.encode()))

    async def scenario() -> None:
        async with staged(echo, shadow=NO_SHADOW) as stage, stage.client() as user:
            await user.send(b"".join(request("GET", f"/{number}", f"X: {'x' * 2000}") for number in range(100)))
            assert [f"/{number}".encode() for number in range(100)] == [(await user.answer()).body for _ in range(100)]

    run(scenario())


async def answer_much(asked: Any) -> None:
    """To who asks for it; to all others, little."""
    await asked.read_body()
    await asked.write(ok(MUCH if (asked.method, asked.target) == ("GET", "/much") else b"little"))


@pytest.mark.parametrize("method", ["PUT", "GET"])
def test_whoever_moves_much_gives_way_while_others_are_served(method: str) -> None:
    """Beside others it takes the time that its bytes may take at least; alone it takes a part of that."""

    async def move(stage: Any) -> float:
        began = time.monotonic()
        reply = await stage.ask(method, "/much", body=MUCH if method == "PUT" else b"")
        assert (200, MUCH if method == "GET" else b"little") == (reply.status, reply.body)
        return time.monotonic() - began

    async def scenario() -> None:
        settings = {"upload_bytes_per_s": 1_048_576, "download_bytes_per_s": 1_048_576}
        async with staged(answer_much, shadow=NO_SHADOW, settings=settings) as stage, stage.client() as user:
            await stage.ask()
            moving = asyncio.create_task(move(stage))
            while not moving.done():
                await user.send(request())
                assert b"little" == (await user.answer()).body
            beside = moving.result()
            await asyncio.sleep(0.3)
            alone = await move(stage)
            assert 1.0 < beside
            assert alone < beside

    run(scenario())


@pytest.mark.parametrize("method", ["PUT", "GET"])
def test_who_moves_much_is_nobody_to_give_way_to(method: str) -> None:
    """Of those that have ended, ones with a long body or a long answer don't count; all others do."""

    async def scenario() -> None:
        settings = {"upload_bytes_per_s": 1_048_576, "download_bytes_per_s": 1_048_576}
        async with staged(answer_much, shadow=NO_SHADOW, settings=settings) as stage:
            turns = stage.worker.handler.turns
            assert 200 == (await stage.ask(method, "/much", body=MUCH if method == "PUT" else b"")).status
            await stage.settle()
            assert 0 == turns.served
            for number, (asked, body) in enumerate([("GET", b""), ("PUT", b"a little"), ("GET", b"")], 1):
                assert 200 == (await stage.ask(asked, "/", body=body)).status
                await stage.settle()
                assert number == turns.served

    run(scenario())


def test_shadows_read_no_more_in_a_second_than_they_may() -> None:
    """A backend that answers shadows with a lot soon gets fewer of them; the served answers go on."""

    async def scenario() -> None:
        large = ok(b"x" * 400_000)
        settings = {"shadow_bytes_per_s": 1_048_576}
        async with staged(ok(b"small"), large, shadow=SHADOWED, settings=settings) as stage, stage.client() as user:
            for _ in range(20):
                await user.send(request())
                assert b"small" == (await user.answer()).body
                await until(lambda: not len(stage.worker.shadows))
            counts = await stage.check_nothing_lost()
            assert 1 <= len(stage.new.asked) < 10
            assert 20 - len(stage.new.asked) == counts["skipped.shed"]

    run(scenario())


def test_limit_of_bytes_counts_what_is_read_in_vain_several_times() -> None:
    """An answer too large to be compared closes the way for the next ones for longer than a large one that is."""

    async def scenario() -> None:
        settings = {"shadow_bytes_per_s": 2_097_152, "max_compared_bytes": 262_144}
        async with staged(ok(b"legacy"), ok(b"x" * 400_000), shadow=SHADOWED, settings=settings) as stage:
            assert b"legacy" == (await stage.ask()).body
            await stage.settle_shadows()
            assert stage.worker.shadows.lacks(stage.worker.reader.current.rollout.migration.routes[0], NEW) is None
            stage.new.behave = ok(b"x" * 700_000)
            assert b"legacy" == (await stage.ask()).body
            await stage.settle_shadows()
            assert "shed" == stage.worker.shadows.lacks(stage.worker.reader.current.rollout.migration.routes[0], NEW)
            assert b"legacy" == (await stage.ask()).body
            counts = await stage.check_nothing_lost()
            assert (1, 1) == (counts["skipped.too_large"], counts["skipped.shed"])

    run(scenario())


def test_limit_rests_a_route_whose_answers_are_all_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked ever more seldom until one answer can be compared; other routes are asked all the while."""
    monkeypatch.setattr(pace, "_LARGE_REST_S", 60.0)
    monkeypatch.setattr(pace, "_LONGEST_REST_S", 300.0)

    async def scenario() -> None:
        settings = {"max_compared_bytes": 65_536}
        async with staged(ok(b"legacy"), ok(b"x" * 200_000), shadow=SHADOWED, settings=settings) as stage:
            shadows, (route, *_) = stage.worker.shadows, stage.worker.reader.current.rollout.migration.routes
            for number in range(1, 4):
                assert shadows.lacks(route, NEW) is None, number
                await stage.ask()
                await stage.settle_shadows()
            assert ("shed", None) == (shadows.lacks(route, NEW), shadows.lacks(replace(route, name="other"), NEW))
            now = shadows._now
            monkeypatch.setattr(shadows, "_now", lambda: now() + 239)  # 60 s, 120 s, 240 s
            assert "shed" == shadows.lacks(route, NEW)
            monkeypatch.setattr(shadows, "_now", lambda: now() + 241)
            stage.new.behave = ok(b"legacy")
            await stage.ask()
            await stage.settle_shadows()
            stage.new.behave = ok(b"x" * 200_000)
            await stage.ask()
            await stage.settle_shadows()
            assert shadows.lacks(route, NEW) is None
            counts = await stage.check_nothing_lost()
            assert (4, 1) == (counts["skipped.too_large"], counts["match"])

    run(scenario())
