"""Users who leave: the backend is told by the end of its connection, and no fault is laid at its door."""

from __future__ import annotations

from typing import Any

import pytest

from tests.traffic.stage import NO_SHADOW, SHADOWED, staged
from tests.traffic.wire import chunked, hang, ok, read_head, request, run, until


@pytest.mark.parametrize("how", ["close", "abort"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_leaving_while_waiting_closes_the_backends_connection(method: str, how: str) -> None:
    """A request that nobody waits for any more is not carried on, and is not the backend's failure."""

    async def scenario() -> None:
        async with staged(hang, shadow=NO_SHADOW, percent=0) as stage:
            user = await stage.connect()
            await user.send(request(method, body=b"x" if method == "POST" else b""))
            asked = await stage.legacy.wait_asked()
            getattr(user, how)()
            await asked.left.wait()
            counts = await stage.check_nothing_lost()
            assert (0, 1) == (counts["failed.legacy"], counts["client_left"])

    run(scenario())


def test_leaving_while_new_is_asked_is_no_reason_to_ask_legacy() -> None:
    """The fallback is for users who still wait."""

    async def scenario() -> None:
        async with staged(ok(), hang, percent=100, fallback=True, shadow=NO_SHADOW) as stage:
            user = await stage.connect()
            await user.send(request())
            asked = await stage.new.wait_asked()
            user.close()
            await asked.left.wait()
            counts = await stage.check_nothing_lost()
            assert [] == stage.legacy.asked
            assert (0, 0) == (counts["fallback"], counts["failed.new"])

    run(scenario())


@pytest.mark.parametrize("is_talking", [True, False], ids=["talking", "silent"])
def test_leaving_amid_an_answer_closes_the_backends_connection(is_talking: bool) -> None:
    """An answer that nobody reads is not fetched to its end, whether the backend is sending or pausing."""

    async def behave(asked: Any) -> None:
        await asked.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + chunked(b"begun"))
        try:
            while is_talking:
                await asked.write(chunked(b"x" * 10_000))
        except ConnectionError:
            asked.left.set()
        await asked.wait_left()

    async def scenario() -> None:
        async with staged(behave, shadow=NO_SHADOW) as stage:
            user = await stage.connect()
            await user.send(request())
            await read_head(user.reader)
            user.abort()
            await stage.legacy.asked[0].left.wait()
            await until(lambda: not stage.worker.handler.in_flight)
            counts = await stage.check_nothing_lost()
            assert 0 == counts["failed.legacy"]

    run(scenario())


@pytest.mark.parametrize("framing", ["Content-Length: 1000", "Transfer-Encoding: chunked"])
def test_leaving_amid_an_upload_closes_the_backends_connection(framing: str) -> None:
    """Half a body is never passed off as a whole one."""

    async def scenario() -> None:
        async with staged(hang, shadow=SHADOWED) as stage:
            user = await stage.connect()
            await user.send(request("PUT", "/", framing) + (chunked(b"begun") if "chunked" in framing else b"begun"))
            asked = await stage.legacy.wait_asked()
            await until(lambda: bytes(asked.body) == b"begun" or not framing.endswith("chunked"))
            user.abort()
            await until(lambda: asked.reader.at_eof() or asked.writer.is_closing())
            counts = await stage.check_nothing_lost()
            assert 0 == counts["failed.legacy"]
            assert [] == stage.new.asked

    run(scenario())


def test_leaving_before_the_body_begins_asks_no_backend() -> None:
    """A request whose body never comes reaches nobody."""

    async def scenario() -> None:
        async with staged(shadow=SHADOWED) as stage:
            user = await stage.connect()
            await user.send(request("PUT", "/", "Content-Length: 1000"))
            await until(lambda: stage.worker.handler.in_flight)
            user.abort()
            counts = await stage.check_nothing_lost()
            assert 1 == counts["skipped.method"]
            assert [] == stage.legacy.asked + stage.new.asked

    run(scenario())


def test_leaving_of_a_shadowed_user_is_counted_and_ends_the_shadow() -> None:
    """There is no served answer to compare with: the shadow is given up, and the request counted."""

    async def scenario() -> None:
        async with staged(hang, hang, shadow=SHADOWED) as stage:
            user = await stage.connect()
            await user.send(request())
            served, shadow = await stage.legacy.wait_asked(), await stage.new.wait_asked()
            user.close()
            await served.left.wait()
            await shadow.left.wait()
            counts = await stage.check_nothing_lost()
            assert 1 == counts["skipped.client_left"]

    run(scenario())


def test_leaving_with_requests_in_the_pipeline_closes_the_backends_connection() -> None:
    """The request under way is given up, too, where others wait behind it."""

    async def scenario() -> None:
        async with staged(hang, shadow=NO_SHADOW) as stage:
            user = await stage.connect()
            await user.send(request("GET", "/1") + request("GET", "/2"))
            asked = await stage.legacy.wait_asked()
            user.abort()
            await asked.left.wait()
            counts = await stage.check_nothing_lost()
            assert 0 == counts["failed.legacy"]

    run(scenario())
