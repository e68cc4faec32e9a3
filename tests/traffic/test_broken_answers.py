"""Backends that answer badly: 502 before the first byte, a broken connection after it, never a clean lie."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.traffic.stage import NO_SHADOW, SHADOWED, staged
from tests.traffic.wire import Reply, chunked, free_port, ok, read_head, request, reset, run, then_close

BEFORE = {
    "nothing": b"",
    "half a status line": b"HTTP/1.1 20",
    "half a head": b"HTTP/1.1 200 OK\r\ncontent-le",
    "garbage": b"\x00\xfe\xed\r\n\r\n",
    "empty line before it": b"\r\n" + ok(b"hello"),
    "empty lines and garbage before it": b"\r\n\r\nEVIL" + ok(b"hello"),
    "another protocol": b"SSH-2.0-OpenSSH_9.2p1\r\n",
    "HTTP/0.9": b"<html>hello</html>",
    "two lengths": b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!",
    "length and chunks": (
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    ),
    "unknown coding": b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\nhello",
    "two codings": b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "length that is no number": b"HTTP/1.1 200 OK\r\ncontent-length: five\r\n\r\nhello",
    "negative length": b"HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\nhello",
    "field name with a space": b"HTTP/1.1 200 OK\r\nbad name: x\r\ncontent-length: 0\r\n\r\n",
    "NUL in a field": b"HTTP/1.1 200 OK\r\nx: a\x00b\r\ncontent-length: 0\r\n\r\n",
    "unasked upgrade": b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n",
    "interim only": b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n",
}


@pytest.mark.parametrize("name", BEFORE)
def test_broken_answer_before_its_head_is_whole_is_a_502(name: str) -> None:
    """A problem document with the request's id, which tells nothing of our insides."""

    async def scenario() -> None:
        async with staged(then_close(BEFORE[name]), shadow=NO_SHADOW) as stage:
            reply = await stage.ask("GET", "/", "X-Request-Id: r-17")
            assert (502, "application/problem+json") == (reply.status, reply.head.get("content-type"))
            problem = json.loads(reply.body)
            assert (502, "upstream_failed", "r-17") == (problem["status"], problem["code"], problem["request_id"])
            assert "r-17" == reply.head.get("x-request-id")
            assert "127.0.0.1" not in reply.body.decode()
            counts = await stage.check_nothing_lost()
            assert 1 == counts["failed.legacy"]

    run(scenario())


@pytest.mark.parametrize("name", sorted(set(BEFORE) - {"nothing"}))
def test_broken_answer_never_leaves_its_connection_in_use(name: str) -> None:
    """Even where the backend keeps the connection open, the next request goes on another one."""
    broken = BEFORE[name]

    async def behave(asked: Any) -> None:
        if asked.connection == 1:
            await asked.write(broken)
            await asked.wait_left()
        else:
            await asked.write(ok())

    async def scenario() -> None:
        async with staged(behave, shadow=NO_SHADOW) as stage, stage.client() as user:
            if name.startswith(("half", "interim", "another", "HTTP/0.9")):
                return  # the backend might still go on: a matter of timeouts
            await user.send(request())
            assert 502 == (await user.answer()).status
            await stage.legacy.asked[0].left.wait()
            await user.send(request())
            assert 200 == (await user.answer()).status
            assert 2 == stage.legacy.connections

    run(scenario())


def test_broken_answer_by_connection_refused_is_a_502() -> None:
    """Nobody listens: 502 at once, and the user's connection goes on."""

    async def scenario() -> None:
        async with staged(legacy_port=free_port(), shadow=NO_SHADOW) as stage, stage.client() as user:
            for _ in range(2):
                await user.send(request())
                assert 502 == (await user.answer()).status
            counts = await stage.check_nothing_lost()
            assert 2 == counts["failed.legacy"] == counts["skipped.not_sampled"]

    run(scenario())


def test_broken_answer_to_head_has_no_body() -> None:
    """A problem document for HEAD is its head alone: a body would be read as the next answer."""

    async def scenario() -> None:
        async with staged(reset, shadow=NO_SHADOW) as stage, stage.client() as user:
            await user.send(request("HEAD"))
            assert 502 == (await user.answer("HEAD")).status
            stage.legacy.behave = ok(b"fine")
            await user.send(request("GET"))
            assert (200, b"fine") == ((reply := await user.answer()).status, reply.body)

    run(scenario())


@pytest.mark.parametrize("size", [600_000, 10_000_000])
def test_broken_answer_with_an_endless_head_is_a_502(size: int) -> None:
    """A head above the limit is not read on, in one piece or dripped."""

    async def behave(asked: Any) -> None:
        await asked.write(b"HTTP/1.1 200 OK\r\n")
        for _ in range(size // 1000):
            await asked.write(b"x-" + b"y" * 994 + b": \r\n")
        await asked.write(b"content-length: 0\r\n\r\n")

    async def scenario() -> None:
        async with staged(behave, shadow=NO_SHADOW) as stage:
            assert 502 == (await stage.ask()).status

    run(scenario())


def test_broken_answer_of_endless_interim_ones_is_a_502() -> None:
    """103 after 103 counts as one head."""

    async def behave(asked: Any) -> None:
        while True:
            await asked.write(b"HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\n" * 50)

    async def scenario() -> None:
        async with staged(behave, shadow=NO_SHADOW) as stage:
            assert 502 == (await stage.ask()).status

    run(scenario())


AMID = {
    "length": b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nbegun",
    "chunk": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\na\r\nbegun",
    "between chunks": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + chunked(b"begun"),
    "without the last line": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + chunked(b"begun") + b"0\r\n",
    "no body yet": b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n",
    "garbage for a chunk": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + chunked(b"begun") + b"zz\r\n",
}


@pytest.mark.parametrize("how", ["closed", "reset"])
@pytest.mark.parametrize("name", AMID)
def test_broken_answer_amid_its_body_is_broken_off_for_the_user(name: str, how: str) -> None:
    """What came is passed on, then the connection ends without the end of the answer."""

    async def behave(asked: Any) -> None:
        begun, garbage, rest = AMID[name].partition(b"zz\r\n")
        await asked.write(begun)
        await may_end.wait()
        await asked.write(garbage + rest)
        if how == "reset":
            asked.reset()
        else:
            asked.writer.close()

    may_end = asyncio.Event()

    async def scenario() -> None:
        async with staged(behave, shadow=SHADOWED) as stage, stage.client() as user:
            await user.send(request())
            head = await read_head(user.reader)
            may_end.set()
            reply = Reply(head, b"")
            await user.read_body(reply)
            assert (200, False) == (reply.status, reply.is_whole)
            assert b"" == await user.rest()
            counts = await stage.check_nothing_lost()
            assert (1, 1) == (counts["failed.legacy"], counts["skipped.served_failed"])

    run(scenario())


def test_broken_answer_until_close_by_reset_is_broken_off() -> None:
    """An answer that only its connection can end is whole by an orderly end, and broken by a reset."""

    async def behave(asked: Any) -> None:
        await asked.write(b"HTTP/1.1 200 OK\r\n\r\nbegun")
        await may_end.wait()
        asked.reset()

    may_end = asyncio.Event()

    async def scenario() -> None:
        async with staged(behave, shadow=NO_SHADOW) as stage, stage.client() as user:
            await user.send(request())
            reply = Reply(await read_head(user.reader), b"")
            may_end.set()
            await user.read_body(reply)
            assert not reply.is_whole

    run(scenario())


def test_broken_answer_to_an_http_10_user_ends_with_a_reset() -> None:
    """Where only the connection's end marks the answer's end, an orderly one would call half an answer whole."""

    async def behave(asked: Any) -> None:
        await asked.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + chunked(b"begun"))
        await may_end.wait()
        asked.writer.close()

    may_end = asyncio.Event()

    async def scenario() -> None:
        async with staged(behave, shadow=NO_SHADOW) as stage, stage.client() as user:
            await user.send(b"GET / HTTP/1.0\r\nHost: a\r\n\r\n")
            assert b"begun" == (await user.reader.readuntil(b"begun"))[-5:]
            may_end.set()
            with pytest.raises(ConnectionResetError):
                await user.rest()

    run(scenario())


BEYOND = {
    "garbage": ok(b"fine") + b"GARBAGE\r\n",
    "a second answer": ok(b"fine") + ok(b"smuggled"),
    "a body for 204": b"HTTP/1.1 204 No Content\r\n\r\nsmuggled",
    "a body beyond its length": ok(b"fine") + b"more",
    "bytes after the last chunk": (
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nfine\r\n0\r\n\r\nsmuggled"
    ),
}


@pytest.mark.parametrize("name", BEYOND)
def test_broken_answer_by_bytes_beyond_its_end_is_served_and_its_connection_dropped(name: str) -> None:
    """The answer was whole; what follows belongs to nobody, least of all to the next user."""

    async def behave(asked: Any) -> None:
        await asked.write(BEYOND[name] if asked.connection == 1 else ok(b"clean"))

    async def scenario() -> None:
        async with staged(behave, shadow=NO_SHADOW) as stage, stage.client() as user:
            await user.send(request())
            reply = await user.answer()
            assert (b"" if reply.status == 204 else b"fine") == reply.body
            await user.send(request())
            assert b"clean" == (await user.answer()).body
            assert 2 == stage.legacy.connections

    run(scenario())


def test_broken_answer_by_bytes_nobody_asked_for_drops_the_idle_connection() -> None:
    """An idle connection on which a backend speaks is not used again."""

    async def behave(asked: Any) -> None:
        await asked.write(ok(b"fine"))
        if asked.connection == 1:
            await may_speak.wait()
            await asked.write(ok(b"unasked"))
            await asked.wait_left()

    may_speak = asyncio.Event()

    async def scenario() -> None:
        async with staged(behave, shadow=NO_SHADOW) as stage:
            assert b"fine" == (await stage.ask()).body
            may_speak.set()
            await stage.legacy.asked[0].left.wait()
            assert b"fine" == (await stage.ask()).body
            assert 2 == stage.legacy.connections

    run(scenario())


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_broken_answer_with_a_body_where_none_may_be_is_not_passed_on(method: str) -> None:
    """A body after the head of a HEAD answer (or a 304) reaches nobody, and its connection is dropped."""
    status = "200 OK" if method == "HEAD" else "304 Not Modified"

    async def behave(asked: Any) -> None:
        await asked.write(ok(b"body", status=status) if asked.connection == 1 else ok(b"clean"))

    async def scenario() -> None:
        async with staged(behave, shadow=NO_SHADOW) as stage, stage.client() as user:
            await user.send(request(method))
            assert int(status[:3]) == (await user.answer(method)).status
            await user.send(request())
            assert b"clean" == (await user.answer()).body

    run(scenario())


def test_broken_answer_before_the_upload_is_whole_is_served() -> None:
    """A backend that refuses amid an upload is heard, and its connection is not used again."""

    async def behave(asked: Any) -> None:
        await asked.write(ok(b"too large", status="413 Content Too Large") if asked.connection == 1 else ok())

    async def scenario() -> None:
        async with staged(behave, shadow=SHADOWED) as stage:
            async with stage.client() as user:
                await user.send(request("PUT", "/", "Content-Length: 1000") + b"begun")
                assert (413, b"too large") == ((reply := await user.answer()).status, reply.body)
            assert 200 == (await stage.ask()).status
            assert 2 == stage.legacy.connections
            await stage.check_nothing_lost()

    run(scenario())
