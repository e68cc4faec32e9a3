"""Bodies stream both ways in bounded memory, and whoever is slow slows the other end down."""

from __future__ import annotations

import asyncio
import tracemalloc
from typing import Any

import pytest

from proxy.core.model import ShadowRule
from tests.traffic.stage import NO_SHADOW, SHADOWED, staged
from tests.traffic.wire import Reply, chunked, ok, read_head, request, run

MB = 1_000_000
SIZE = 100 * MB
PIECE = b"x" * 250_000
# Worker, test client and test backend together, each with buffers of up to a megabyte or two.
MAX_HELD = 16 * MB


async def send_all(asked: Any) -> None:
    await asked.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % SIZE)
    for _ in range(SIZE // len(PIECE)):
        await asked.write(PIECE)


async def send_chunked(asked: Any) -> None:
    await asked.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    for _ in range(SIZE // len(PIECE)):
        await asked.write(chunked(PIECE))
    await asked.write(b"0\r\n\r\n")


async def swallow(asked: Any) -> None:
    """Reads a body of SIZE bytes and keeps none of it."""
    await read_away(asked.reader, SIZE)
    await asked.write(ok(b"swallowed"))


async def read_away(reader: asyncio.StreamReader, size: int) -> None:
    while size > 0:
        piece = await reader.read(min(size, MB))
        assert piece
        size -= len(piece)


@pytest.fixture
def held() -> Any:
    """The most bytes that Python objects held since the start of the test."""
    tracemalloc.start(1)
    yield lambda: tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()


@pytest.mark.parametrize("shadow", [NO_SHADOW, SHADOWED], ids=["unshadowed", "shadowed"])
def test_streaming_of_a_large_answer_holds_little(shadow: ShadowRule, held: Any) -> None:
    """100 MB down, also where the other side sends them, too: no copy is kept once it is too large to compare."""

    async def scenario() -> None:
        async with staged(send_all, send_all, shadow=shadow) as stage, stage.client() as user:
            await user.send(request())
            await read_head(user.reader)
            await read_away(user.reader, SIZE)
            counts = await stage.check_nothing_lost()
            assert 1 == counts["served.legacy"]
        assert held() < MAX_HELD

    run(scenario())


def test_streaming_of_a_large_upload_holds_little(held: Any) -> None:
    """100 MB up with a shadow wanted: the copy is given up at its limit."""

    async def scenario() -> None:
        async with staged(swallow, shadow=ShadowRule(100_000, writes=True)) as stage, stage.client() as user:
            await user.send(request("POST", "/", f"Content-Length: {SIZE}"))
            for _ in range(SIZE // len(PIECE)):
                await user.send(PIECE)
            assert b"swallowed" == (await user.answer()).body
            counts = await stage.check_nothing_lost()
            assert 1 == counts["skipped.request_too_large"]
        assert held() < MAX_HELD

    run(scenario())


async def stands_still(progress: list[int]) -> int:
    """The last value, once it has not changed for a while."""
    while True:
        before = progress[-1]
        await asyncio.sleep(0.3)
        if before == progress[-1]:
            return before


@pytest.mark.parametrize("framing", [send_all, send_chunked], ids=["length", "chunked"])
def test_streaming_to_a_slow_user_pauses_the_backend(framing: Any) -> None:
    """A user who doesn't read stops the backend after a few buffers; reading on brings the rest."""
    sent = [0]

    class Counted:
        def __init__(self, asked: Any) -> None:
            self._asked = asked

        async def write(self, data: bytes) -> None:
            await self._asked.write(data)
            sent.append(sent[-1] + len(data))

    async def behave(asked: Any) -> None:
        await framing(Counted(asked))

    async def scenario() -> None:
        async with staged(behave, shadow=NO_SHADOW) as stage, stage.client() as user:
            await user.send(request())
            reply = Reply(await read_head(user.reader), b"")
            assert await stands_still(sent) < SIZE // 3
            await user.read_body(reply)
            assert (SIZE, True) == (len(reply.body), reply.is_whole)

    run(scenario())


def test_streaming_to_a_slow_backend_pauses_the_user() -> None:
    """A backend that doesn't read stops the user's upload after a few buffers."""
    sent = [0]
    may_read = asyncio.Event()

    async def behave(asked: Any) -> None:
        await may_read.wait()
        await swallow(asked)

    async def scenario() -> None:
        async with staged(behave, shadow=NO_SHADOW) as stage, stage.client() as user:

            async def upload() -> None:
                await user.send(request("POST", "/", f"Content-Length: {SIZE}"))
                for _ in range(SIZE // len(PIECE)):
                    await user.send(PIECE)
                    sent.append(sent[-1] + len(PIECE))

            uploading = asyncio.create_task(upload())
            await stage.legacy.wait_asked()
            assert await stands_still(sent) < SIZE // 3
            may_read.set()
            await uploading
            assert b"swallowed" == (await user.answer()).body

    run(scenario())


def test_streaming_both_ways_at_once() -> None:
    """A backend may answer while it still reads: an echo of a long upload."""

    async def behave(asked: Any) -> None:
        await asked.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (20 * MB))
        left = 20 * MB
        while left:
            piece = await asked.reader.read(min(left, MB))
            left -= len(piece)
            await asked.write(piece)

    async def scenario() -> None:
        async with staged(behave, shadow=NO_SHADOW) as stage, stage.client() as user:

            async def upload() -> None:
                await user.send(request("POST", "/", f"Content-Length: {20 * MB}"))
                for _ in range(80):
                    await user.send(PIECE)

            uploading = asyncio.create_task(upload())
            await read_head(user.reader)
            await read_away(user.reader, 20 * MB)
            await uploading
            counts = await stage.settle()
            assert 1 == counts["served.legacy"]

    run(scenario())
