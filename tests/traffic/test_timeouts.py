"""Each phase of an exchange has its own timeout, and waiting that we cause ourselves counts for none."""

from __future__ import annotations

import asyncio
import json
import socket
from contextlib import ExitStack
from typing import Any

import pytest

from proxy.core.model import Timeouts
from tests.traffic.stage import NO_SHADOW, QUICK, staged
from tests.traffic.wire import chunked, hang, ok, read_head, request, run

BRIEF = Timeouts(connect_s=0.3, read_s=0.3, write_s=0.3, pool_s=5.0)


def test_timeout_of_connect_is_a_504() -> None:
    """A backend whose accept queue is full: the user is told after `connect_s`, not after the system's minutes."""

    async def scenario() -> None:
        with ExitStack() as held:
            listener = held.enter_context(socket.socket())
            listener.bind(("127.0.0.1", 0))
            listener.listen(0)
            port = listener.getsockname()[1]
            for _ in range(3):
                filler = held.enter_context(socket.socket())
                filler.setblocking(False)
                filler.connect_ex(("127.0.0.1", port))
            async with staged(legacy_port=port, shadow=NO_SHADOW, timeouts=BRIEF) as stage:
                assert 504 == (await stage.ask()).status
                assert ["connect"] == [entry["phase"] for entry in stage.events("request.failed")]
                counts = await stage.check_nothing_lost()
                assert 1 == counts["failed.legacy"]

    run(scenario())


def test_timeout_of_read_is_a_504_and_closes_the_backends_connection() -> None:
    """No answer within `read_s`: 504, and the backend sees that nobody waits any more."""

    async def scenario() -> None:
        async with staged(hang, shadow=NO_SHADOW, timeouts=QUICK) as stage:
            assert 504 == (await stage.ask()).status
            await stage.legacy.asked[0].left.wait()
            assert ["read"] == [entry["phase"] for entry in stage.events("request.failed")]

    run(scenario())


def test_timeout_of_read_amid_an_answer_breaks_it_off() -> None:
    """A backend that stops talking amid its answer: the user's connection ends without the end of the answer."""

    async def behave(asked: Any) -> None:
        await asked.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + chunked(b"begun"))
        await asked.wait_left()

    async def scenario() -> None:
        async with staged(behave, shadow=NO_SHADOW, timeouts=QUICK) as stage:
            reply = await stage.ask()
            assert (200, b"begun", False) == (reply.status, reply.body, reply.is_whole)
            await stage.legacy.asked[0].left.wait()

    run(scenario())


def test_timeout_of_read_begins_anew_with_each_piece() -> None:
    """A slow but steady answer takes longer than `read_s` in all and is served whole."""

    async def behave(asked: Any) -> None:
        await asked.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        for _ in range(8):
            await asyncio.sleep(0.1)
            await asked.write(chunked(b"x"))
        await asked.write(b"0\r\n\r\n")

    async def scenario() -> None:
        async with staged(behave, shadow=NO_SHADOW, timeouts=BRIEF) as stage:
            reply = await stage.ask()
            assert (b"x" * 8, True) == (reply.body, reply.is_whole)

    run(scenario())


def test_timeout_of_pool_is_a_503_that_says_when_to_come_again() -> None:
    """With the only connection taken, the next user waits `pool_s` for one. The backend was not even asked."""

    async def scenario() -> None:
        timeouts = Timeouts(connect_s=1.0, read_s=5.0, write_s=5.0, pool_s=0.2)
        async with staged(hang, shadow=NO_SHADOW, timeouts=timeouts, connections=1) as stage, stage.client() as first:
            await first.send(request())
            await stage.legacy.wait_asked()
            reply = await stage.ask()
            assert (503, "1", "overloaded") == (
                reply.status,
                reply.head.get("retry-after"),
                json.loads(reply.body)["code"],
            )
            assert [("pool", 503)] == [
                (entry["phase"], entry["http.response.status_code"]) for entry in stage.events("request.failed")
            ]
            assert str(stage.legacy.port) not in reply.body.decode()
            counts = stage.counts()
            assert (1, 1) == (counts["failed.legacy"], len(stage.legacy.asked))

    run(scenario())


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_timeout_does_not_run_while_the_user_uploads(framing: str) -> None:
    """An upload may take longer than `read_s`: the backend can't answer what it hasn't got."""

    async def scenario() -> None:
        async with staged(shadow=NO_SHADOW, timeouts=BRIEF) as stage, stage.client() as user:
            field = "Content-Length: 8" if framing == "length" else "Transfer-Encoding: chunked"
            await user.send(request("PUT", "/", field))
            for _ in range(8):
                await user.send(b"x" if framing == "length" else chunked(b"x"))
                await asyncio.sleep(0.1)
            if framing == "chunked":
                await user.send(b"0\r\n\r\n")
            assert 200 == (await user.answer()).status
            assert b"x" * 8 == bytes(stage.legacy.asked[0].body)

    run(scenario())


def test_timeout_runs_once_the_upload_is_whole() -> None:
    """After the last byte of the request the backend has `read_s` to answer."""

    async def scenario() -> None:
        async with staged(hang, shadow=NO_SHADOW, timeouts=BRIEF) as stage, stage.client() as user:
            await user.send(request("PUT", "/", "Content-Length: 2") + b"x")
            await stage.legacy.wait_asked()
            await user.send(b"y")
            assert 504 == (await user.answer()).status

    run(scenario())


def test_timeout_of_write_is_a_504() -> None:
    """A backend that doesn't read the upload: 504 after `write_s`."""

    async def behave(asked: Any) -> None:
        await asyncio.Event().wait()

    async def scenario() -> None:
        async with staged(behave, shadow=NO_SHADOW, timeouts=BRIEF) as stage, stage.client() as user:
            sending = asyncio.create_task(
                user.send(request("PUT", "/", "Content-Length: 30000000") + b"x" * 30_000_000)
            )
            assert 504 == (await user.answer()).status
            sending.cancel()

    run(scenario())


def test_timeout_does_not_run_while_the_user_reads_slowly() -> None:
    """A user who takes longer than `read_s` for what is buffered is no fault of the backend's."""
    size = 12_000_000

    async def behave(asked: Any) -> None:
        await asked.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size)
        for _ in range(size // 100_000):
            await asked.write(b"x" * 100_000)

    async def scenario() -> None:
        async with staged(behave, shadow=NO_SHADOW, timeouts=BRIEF) as stage, stage.client() as user:
            await user.send(request())
            await read_head(user.reader)
            await asyncio.sleep(1.0)
            assert size == len(await user.reader.readexactly(size))

    run(scenario())


def test_timeout_of_a_shadow_is_the_routes() -> None:
    """`shadow.timeout` bounds the shadow as a whole, however steadily it drips."""

    async def drip(asked: Any) -> None:
        await asked.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
        while not asked.reader.at_eof():
            await asked.write(b".")
            await asyncio.sleep(0.02)

    async def scenario() -> None:
        from proxy.core.model import ShadowRule

        async with staged(ok(), drip, shadow=ShadowRule(100_000, timeout_s=0.2)) as stage:
            await stage.ask()
            counts = await stage.check_nothing_lost()
            assert 1 == counts["skipped.shadow_failed.timeout"]

    run(scenario())
