"""WebSockets: the handshake is decided like any request, and after it bytes pass both ways as they come."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from tests.traffic.stage import NO_SHADOW, QUICK, SHADOWED, Stage, staged
from tests.traffic.wire import Client, free_port, ok, read_head, request, run, until

FIELDS = (
    "Connection: keep-alive, Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)
SWITCH = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)


async def echo(asked: Any) -> None:
    """Switches, greets at once, and sends everything back in upper case."""
    await asked.write(SWITCH + b"hello")
    while data := await asked.reader.read(65_536):
        await asked.write(data.upper())
    asked.left.set()


async def opened(stage: Stage) -> tuple[Client, Any]:
    """A user behind the handshake, and the head of its answer."""
    user = await stage.connect()
    await user.send(request("GET", "/chat", *FIELDS))
    return user, await read_head(user.reader)


@pytest.mark.parametrize("percent", [0, 100])
def test_websocket_goes_to_the_decided_side_and_is_not_shadowed(percent: int) -> None:
    """One side only sees it; that there is nothing to compare is counted with its reason."""

    async def scenario() -> None:
        async with staged(echo, echo, percent=percent, shadow=SHADOWED) as stage:
            user, head = await opened(stage)
            assert "HTTP/1.1 101 Switching Protocols" == head.start
            assert ("Upgrade", "websocket") == (head.get("connection"), head.get("upgrade"))
            assert "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" == head.get("sec-websocket-accept")
            serving, other = (stage.new, stage.legacy) if percent else (stage.legacy, stage.new)
            asked = serving.asked[0].head
            assert ("Upgrade", "websocket") == (asked.get("connection"), asked.get("upgrade"))
            assert b"hello" == await user.reader.readexactly(5)
            for piece in (b"a", b"b" * 300_000):
                await user.send(piece)
                assert piece.upper() == await user.reader.readexactly(len(piece))
            user.abort()
            await serving.asked[0].left.wait()
            counts = await stage.check_nothing_lost()
            assert (1, []) == (counts["skipped.websocket"], other.asked)

    run(scenario())


def test_websocket_behind_an_ordinary_request_gets_its_tunnel() -> None:
    """Also where a connection to the backend lies idle."""

    async def behave(asked: Any) -> None:
        if asked.target == "/chat":
            await echo(asked)
        else:
            await asked.write(ok())

    async def scenario() -> None:
        async with staged(behave, shadow=NO_SHADOW) as stage, stage.client() as user:
            await user.send(request() + request("GET", "/chat", *FIELDS) + b"a")
            assert 200 == (await user.answer()).status
            assert "HTTP/1.1 101 Switching Protocols" == (await read_head(user.reader)).start
            assert b"helloA" == await user.reader.readexactly(6)

    run(scenario())


def test_websocket_that_the_backend_closes_is_closed() -> None:
    """What it said last arrives first."""

    async def behave(asked: Any) -> None:
        await asked.write(SWITCH)
        await asked.reader.readexactly(3)
        await asked.write(b"bye")
        asked.writer.close()

    async def scenario() -> None:
        async with staged(behave, shadow=NO_SHADOW) as stage:
            user, _ = await opened(stage)
            await user.send(b"end")
            assert b"bye" == await user.rest()
            await until(lambda: not stage.worker.handler.in_flight)
            assert not stage.worker.reader.current.served["legacy"]._open  # type: ignore[attr-defined]
            user.close()

    run(scenario())


def test_websocket_outlives_the_timeouts_of_requests() -> None:
    """Silence is allowed on either side for as long as they like."""
    settings = {"body_timeout_s": 0.1, "keep_alive_s": 0.1, "head_timeout_s": 0.1}

    async def scenario() -> None:
        async with staged(echo, shadow=NO_SHADOW, timeouts=QUICK, settings=settings) as stage:
            user, _ = await opened(stage)
            await user.reader.readexactly(5)
            await asyncio.sleep(1.5)  # longer than all of them, and than the sweep
            await user.send(b"still")
            assert b"STILL" == await user.reader.readexactly(5)
            user.abort()

    run(scenario())


def test_websocket_that_is_refused_gets_the_refusal() -> None:
    """A backend that speaks plain HTTP only answers as to any request."""

    async def scenario() -> None:
        async with staged(ok(b"no", "x: 1", status="403 Forbidden"), shadow=NO_SHADOW) as stage, stage.client() as user:
            await user.send(request("GET", "/chat", *FIELDS))
            reply = await user.answer()
            assert (403, b"no", "1") == (reply.status, reply.body, reply.head.get("x"))

    run(scenario())


@pytest.mark.parametrize(
    "lines",
    [
        (),
        ("Connection: Upgrade",),
        ("Upgrade: websocket",),
        ("Connection: Upgrade", "Upgrade: h2c"),
        ("Connection: Upgrade", "Upgrade: websocket, h2c"),
        ("Connection: Upgrade", "Upgrade: h2c", "Upgrade: websocket"),
        ("Connection: close", "Upgrade: websocket"),
    ],
    ids=str,
)
def test_websocket_that_is_switched_to_something_else_is_a_502(lines: tuple[str, ...]) -> None:
    """RFC 6455 §4.1: a client would fail it, too; nothing of what follows reaches the user."""
    switch = "\r\n".join(["HTTP/1.1 101 Switching Protocols", *lines, "", "RAW"]).encode()

    async def scenario() -> None:
        async with staged(switch, shadow=NO_SHADOW) as stage, stage.client() as user:
            await user.send(request("GET", "/chat", *FIELDS) + b"ahead")
            reply = await user.answer()
            assert (502, "close") == (reply.status, reply.head.get("connection"))
            assert b"" == await user.rest()
            counts = await stage.check_nothing_lost()
            assert 1 == counts["failed.legacy"]

    run(scenario())


def test_websocket_answer_keeps_what_is_the_users_and_loses_what_is_the_connections() -> None:
    """A 101 has no body, whatever it says of one (RFC 9112 §6.3)."""
    switch = (
        b"HTTP/1.1 101 Go ahead\r\nConnection: keep-alive, UPGRADE, x-mine\r\nuPgrade: WebSocket\r\nX-Mine: 1\r\n"
        b"Content-Length: 5\r\nContent-Length: 6\r\nTransfer-Encoding: gzip\r\nKeep-Alive: timeout=5\r\n"
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\nX-A: 1\r\n\r\nRAW"
    )

    async def scenario() -> None:
        async with staged(switch, shadow=NO_SHADOW) as stage:
            user, head = await opened(stage)
            assert (
                b"HTTP/1.1 101 Go ahead\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
                b"Sec-WebSocket-Protocol: chat\r\nX-A: 1\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n"
            ) == head.raw
            assert b"RAW" == await user.reader.readexactly(3)
            user.abort()

    run(scenario())


def test_websocket_gets_what_was_sent_ahead_once_the_backend_has_switched() -> None:
    """Until then nothing behind the handshake leaves the proxy."""

    async def behave(asked: Any) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(0.1):
                asked.body += await asked.reader.read(1)
        await echo(asked)

    async def scenario() -> None:
        async with staged(behave, shadow=NO_SHADOW) as stage:
            user = await stage.connect()
            await user.send(request("GET", "/chat", *FIELDS) + b"ahead")
            await user.send(b" and on")
            await read_head(user.reader)
            assert b"helloAHEAD AND ON" == await user.reader.readexactly(17)
            assert b"" == stage.legacy.asked[0].body
            user.abort()

    run(scenario())


@pytest.mark.parametrize("status", ["403 Forbidden", "426 Upgrade Required", "200 OK"])
def test_websocket_that_is_refused_takes_along_what_was_sent_ahead(status: str) -> None:
    """A request behind the handshake, or in place of its frames, reaches no backend: the connection ends."""
    evil = request("POST", "/admin", "X-Forwarded-For: 127.0.0.1", "X-Changeover-Shadow: 1")

    async def behave(asked: Any) -> None:
        await answered.wait()
        await asked.write(ok(b"no", status=status))

    async def scenario() -> None:
        async with staged(behave, shadow=NO_SHADOW) as stage, stage.client() as user:
            await user.send(request("GET", "/chat", *FIELDS) + evil)
            await stage.legacy.wait_asked()
            await user.send(evil + b"x" * 300_000)
            answered.set()
            reply = await user.answer()
            assert (status[:3], b"no", "close") == (str(reply.status), reply.body, reply.head.get("connection"))
            await user.send(evil)
            assert b"" == await user.rest()
            await stage.settle()
            assert ["GET /chat"] == stage.legacy.requests

    answered = asyncio.Event()
    run(scenario())


def test_websocket_falls_back_to_legacy_by_law_4() -> None:
    """The handshake is a GET without a body: where new can't be reached, legacy is asked, which gets the tunnel."""

    async def scenario() -> None:
        async with staged(echo, new_port=free_port(), percent=100, fallback=True, shadow=NO_SHADOW) as stage:
            user, head = await opened(stage)
            assert "HTTP/1.1 101 Switching Protocols" == head.start
            await user.send(b"a")
            assert b"helloA" == await user.reader.readexactly(6)
            user.abort()

    run(scenario())


def test_websocket_refusal_that_is_read_slowly_is_not_a_backends_failure() -> None:
    """The time in which the user doesn't read counts neither for the handshake nor for its refusal."""

    async def scenario() -> None:
        large = ok(b"x" * 8_000_000, status="403 Forbidden")
        async with staged(large, shadow=NO_SHADOW, timeouts=QUICK) as stage:
            user = await Client.connect(stage.port, limit=1024)
            await user.send(request("GET", "/chat", *FIELDS))
            head = await read_head(user.reader)
            await asyncio.sleep(1.0)  # longer than the backend's timeouts
            assert "HTTP/1.1 403 Forbidden" == head.start
            assert 8_000_000 == len(await user.reader.readexactly(8_000_000))
            user.abort()

    run(scenario())


def test_websocket_handshake_that_is_not_answered_times_out() -> None:
    """The read timeout bounds the handshake as it bounds an answer."""

    async def silent(asked: Any) -> None:
        await asked.wait_left()

    async def scenario() -> None:
        async with staged(silent, shadow=NO_SHADOW, timeouts=QUICK) as stage, stage.client() as user:
            await user.send(request("GET", "/chat", *FIELDS))
            assert 504 == (await user.answer()).status

    run(scenario())


def test_websocket_that_nobody_reads_holds_little() -> None:
    """A backend that sends and sends is not read further than the user reads."""

    async def behave(asked: Any) -> None:
        await asked.write(SWITCH)
        try:
            for _ in range(1000):
                asked.body += b"x" * 65_536
                await asked.write(b"x" * 65_536)
        except ConnectionError:
            asked.left.set()

    async def scenario() -> None:
        async with staged(behave, shadow=NO_SHADOW) as stage:
            user = await Client.connect(stage.port, limit=1024)
            await user.send(request("GET", "/chat", *FIELDS))
            await read_head(user.reader)
            asked = await stage.legacy.wait_asked()
            await asyncio.sleep(0.5)
            assert len(asked.body) < 40_000_000  # what kernels buffer on loopback, and no more
            user.abort()
            await asked.left.wait()

    run(scenario())
