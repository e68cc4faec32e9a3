"""Users who close their sending side and read on: what they asked whole is answered, and nothing else."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from proxy.core.model import Timeouts
from proxy.traffic import server
from tests.traffic.stage import NO_SHADOW, SHADOWED, staged
from tests.traffic.test_websocket import FIELDS, echo
from tests.traffic.wire import chunked, hang, ok, read_head, request, run, until

PATIENT_S, IMPATIENT_S = 5.0, 0.3


@pytest.fixture(autouse=True)
def patience(impatience: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is outside of tests."""
    monkeypatch.setattr(server, "HALF_CLOSED_S", PATIENT_S)


async def slow(asked: Any) -> None:
    """Answers after the user has closed."""
    await asked.read_body()
    await asyncio.sleep(0.3)
    await asked.write(ok(asked.target.encode() + b" " + bytes(asked.body)))


@pytest.mark.parametrize("waits", [True, False], ids=["later", "at once"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_half_closed_user_is_answered(method: str, waits: bool) -> None:
    """The answer comes whole, its shadow is compared, and then the connection ends."""

    async def scenario() -> None:
        async with staged(slow, slow, shadow=SHADOWED) as stage, stage.client() as user:
            await user.send(request(method, "/a", body=b"x" if method == "POST" else b""))
            if waits:
                await stage.legacy.wait_asked()
            user.writer.write_eof()
            reply = await user.answer()
            assert (200, b"/a x" if method == "POST" else b"/a ") == (reply.status, reply.body)
            assert b"" == await user.rest()
            await until(lambda: not stage.worker.handler.connections)
            counts = await stage.check_nothing_lost()
            assert (0, method == "GET") == (counts["client_left"], counts["match"] == 1)

    run(scenario())


def test_half_closed_pipeline_is_answered_as_far_as_it_is_whole() -> None:
    """In order; what is half a request is none, also where it has begun to go out."""

    async def scenario() -> None:
        async with staged(slow, shadow=NO_SHADOW) as stage:
            for rest in (b"", b"\r\n", b"GET /half HT", request("POST", "/half", "Content-Length: 5") + b"he"):
                async with stage.client() as user:
                    await user.send(request("GET", "/1") + request("POST", "/2", body=b"x") + rest)
                    user.writer.write_eof()
                    assert [b"/1 ", b"/2 x"] == [(await user.answer()).body for _ in range(2)]
                    assert b"" == await user.rest()
            await until(lambda: not stage.worker.handler.connections)
            assert 0 == stage.worker.handler.in_flight

    run(scenario())


def test_half_closed_user_is_answered_by_us_as_well() -> None:
    """Refusals, and what goes no further: also several in a row, and a request behind them."""
    ours = request("OPTIONS", "/", "Max-Forwards: 0")

    async def scenario() -> None:
        async with staged(slow, shadow=NO_SHADOW) as stage:
            for sent, statuses in [
                (ours, [200]),
                (ours * 3, [200, 200, 200]),
                (ours * 2 + request("GET", "/a") + ours, [200, 200, 200, 200]),
                (request("GET", "/a") + ours * 2 + request("GET", "/b"), [200, 200, 200, 200]),
                (request() + b"GET  / HTTP/1.1\r\n\r\n" + request(), [200, 400]),
                (request("PUT", "/", "Transfer-Encoding: chunked") + b"zz\r\n", [400]),
            ]:
                async with stage.client() as user:
                    await user.send(sent)
                    user.writer.write_eof()
                    assert statuses == [(await user.answer()).status for _ in statuses]
                    assert b"" == await user.rest()
            async with asyncio.timeout(1.0):  # sooner than the sweep that ends who still sends
                await until(lambda: not stage.worker.handler.connections)

    run(scenario())


@pytest.mark.parametrize("framing", ["Content-Length: 1000", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize("has_begun", [True, False])
def test_half_closed_amid_a_body_is_a_broken_request(framing: str, has_begun: bool) -> None:
    """Its rest can't come any more: the backend's request is broken off at once, whether it has answered or not."""

    async def behave(asked: Any) -> None:
        if has_begun:
            await asked.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nbegun")
        await asked.wait_left()

    async def scenario() -> None:
        async with staged(behave, shadow=NO_SHADOW) as stage, stage.client() as user:
            await user.send(request("PUT", "/", framing) + (chunked(b"begun") if "chunked" in framing else b"begun"))
            asked = await stage.legacy.wait_asked()
            if has_begun:
                await user.reader.readuntil(b"begun")
            user.writer.write_eof()
            async with asyncio.timeout(PATIENT_S / 2):
                assert b"" == await user.rest()
                await asked.left.wait()
            counts = await stage.check_nothing_lost()
            assert (1, 0) == (counts["client_left"], counts["failed.legacy"])

    run(scenario())


@pytest.mark.parametrize("has_switched", [True, False])
def test_half_closed_websocket_ends(has_switched: bool) -> None:
    """A tunnel of which one side is closed is of no use, nor is one that isn't open yet."""

    async def scenario() -> None:
        async with staged(echo if has_switched else hang, shadow=NO_SHADOW) as stage, stage.client() as user:
            await user.send(request("GET", "/chat", *FIELDS))
            asked = await stage.legacy.wait_asked()
            if has_switched:
                await read_head(user.reader)
                assert b"hello" == await user.reader.readexactly(5)
            user.writer.write_eof()
            async with asyncio.timeout(PATIENT_S / 2):
                assert b"" == await user.rest()
                await asked.left.wait()

    run(scenario())


def test_half_closed_user_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most who close have gone: a backend that is silent for long works for nobody."""
    monkeypatch.setattr(server, "HALF_CLOSED_S", IMPATIENT_S)

    async def scenario() -> None:
        async with staged(hang, shadow=NO_SHADOW) as stage, stage.client() as user:
            await user.send(request())
            asked = await stage.legacy.wait_asked()
            user.writer.write_eof()
            with pytest.raises(ConnectionResetError):
                await user.rest()
            await asked.left.wait()
            counts = await stage.check_nothing_lost()
            assert (1, 0) == (counts["client_left"], counts["failed.legacy"])

    run(scenario())


def test_half_closed_user_gets_an_answer_that_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as something comes, or waits for the user to read it, it is an answer for somebody."""
    patience_s = 1.0  # many times what a busy machine may hold up a piece
    monkeypatch.setattr(server, "HALF_CLOSED_S", patience_s)

    async def behave(asked: Any) -> None:
        await asked.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        for _ in range(30):
            await asked.write(chunked(b"x"))
            await asyncio.sleep(patience_s / 20)
        await asked.write(chunked(b"y" * 40_000_000) + b"0\r\n\r\n")

    async def scenario() -> None:
        async with (
            staged(behave, shadow=NO_SHADOW, timeouts=Timeouts(read_s=patience_s)) as stage,
            stage.client() as user,
        ):
            await user.send(request())
            user.writer.write_eof()
            head = await read_head(user.reader)
            await asyncio.sleep(3 * patience_s)  # meanwhile all that fits is there, and more waits
            assert "chunked" == head.get("transfer-encoding")
            body = await user.rest()
            assert body.endswith(b"\r\n0\r\n\r\n")
            assert 40_000_030 < len(body)

    run(scenario())
