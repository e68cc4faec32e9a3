"""What a backend gets is what the user sent, and what the user gets is what the backend answered."""

from __future__ import annotations

import asyncio
import gzip
from typing import Any

import pytest

from tests.traffic.stage import NO_SHADOW, SHADOWED, staged
from tests.traffic.wire import chunked, ok, read_head, request, run

OURS = {"x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "forwarded", "via", "x-request-id", "traceparent"}


async def echo_target(asked: Any) -> None:
    await asked.read_body()
    await asked.write(ok(asked.head.start.encode("latin-1")))


# --- requests ---
@pytest.mark.parametrize(
    "method",
    ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PURGE", "PROPFIND", "REPORT", "MKCOL", "get", "X-MINE"],
)
def test_transparency_methods_arrive_as_sent(method: str) -> None:
    """Every method that the parser knows, WebDAV's and caches' among them."""

    async def scenario() -> None:
        async with staged(echo_target, shadow=NO_SHADOW) as stage:
            reply = await stage.ask(method, "/a")
            assert f"{method} /a HTTP/1.1".encode() == reply.body

    run(scenario())


@pytest.mark.parametrize(
    ("sent", "arrives"),
    [
        ("/", "/"),
        ("/a?", "/a?"),
        ("/a??b=?", "/a??b=?"),
        ("/a//b/../%2f%00?x=%zz", "/a//b/../%2f%00?x=%zz"),
        ("/./a/%2E%2e/", "/./a/%2E%2e/"),
        ("//double", "//double"),
        ("/a;p=1,2/@:!$&'()*+=~", "/a;p=1,2/@:!$&'()*+=~"),
        ('/q?a=1&a=2&&=&"<>\\^`{|}', '/q?a=1&a=2&&=&"<>\\^`{|}'),
        ("http://shop.example/a?b", "/a?b"),
        ("http://shop.example", "/"),
        ("http://shop.example?b=1", "/?b=1"),
        ("http://shop.example/a?", "/a?"),
    ],
)
def test_transparency_targets_arrive_byte_for_byte(sent: str, arrives: str) -> None:
    """Nothing is decoded, normalised or completed; an absolute form loses scheme and authority only."""

    async def scenario() -> None:
        async with staged(echo_target, shadow=NO_SHADOW) as stage:
            reply = await stage.ask("GET", sent)
            assert f"GET {arrives} HTTP/1.1" == reply.body.decode()

    run(scenario())


def test_transparency_targets_of_options_may_be_an_asterisk() -> None:
    """`OPTIONS *` is forwarded as such."""

    async def scenario() -> None:
        async with staged(echo_target, shadow=NO_SHADOW) as stage:
            assert b"OPTIONS * HTTP/1.1" == (await stage.ask("OPTIONS", "*")).body

    run(scenario())


def test_transparency_request_fields_keep_order_values_and_duplicates() -> None:
    """All fields but a connection's own arrive in order; those of the way are ours, none is added beyond them."""

    async def scenario() -> None:
        async with staged(shadow=NO_SHADOW) as stage:
            await stage.ask(
                "GET",
                "/",
                "Accept: a",
                "X-Two: first",
                "Cookie: a=1",
                "X-Two: second",
                "Cookie: b=2",
                "X-Empty:",
                "X-Latin: caf\xe9",
                "Connection: keep-alive, X-Mine",
                "X-Mine: dropped",
                "TE: trailers",
                "Keep-Alive: timeout=5",
            )
            fields = [field for field in stage.legacy.asked[0].head.fields if field[0] not in OURS]
            assert [
                ("host", "shop.example"),
                ("x-user", "u1"),
                ("accept", "a"),
                ("x-two", "first"),
                ("cookie", "a=1"),
                ("x-two", "second"),
                ("cookie", "b=2"),
                ("x-empty", ""),
                ("x-latin", "caf\xe9"),
            ] == fields

    run(scenario())


def test_transparency_chunked_upload_streams_before_it_is_whole() -> None:
    """The backend has the first piece while the user still thinks about the second; trailers stay out of the head."""
    first = asyncio.Event()

    async def behave(asked: Any) -> None:
        size = await asked.reader.readuntil(b"\r\n")
        assert b"5\r\n" == size
        asked.body += await asked.reader.readexactly(7)
        first.set()
        await asked.read_body()
        await asked.write(ok(bytes(asked.body)))

    async def scenario() -> None:
        async with staged(behave, shadow=NO_SHADOW) as stage, stage.client() as user:
            await user.send(request("POST", "/", "Transfer-Encoding: chunked", "Trailer: X-Sum") + chunked(b"first"))
            await first.wait()
            await user.send(chunked(b"second") + b"0\r\nX-Sum: forged\r\nHost: evil.example\r\n\r\n")
            assert b"first\r\nsecond" == (await user.answer()).body
            asked = stage.legacy.asked[0]
            assert ["chunked"] == asked.head.all("transfer-encoding")
            assert [] == asked.head.all("content-length")
            assert [] == asked.head.all("x-sum")
            assert b"" == asked.trailer

    run(scenario())


def test_transparency_content_length_upload_streams_with_its_length() -> None:
    """A declared length stays declared, and the pieces go on as they come."""
    first = asyncio.Event()

    async def behave(asked: Any) -> None:
        asked.body += await asked.reader.readexactly(5)
        first.set()
        asked.body += await asked.reader.readexactly(6)
        await asked.write(ok(bytes(asked.body)))

    async def scenario() -> None:
        async with staged(behave, shadow=NO_SHADOW) as stage, stage.client() as user:
            await user.send(request("POST", "/", "Content-Length: 11") + b"first")
            await first.wait()
            await user.send(b"second")
            assert b"firstsecond" == (await user.answer()).body
            asked = stage.legacy.asked[0]
            assert ["11"] == asked.head.all("content-length")
            assert [] == asked.head.all("transfer-encoding")

    run(scenario())


def test_transparency_requests_without_a_body_get_no_framing() -> None:
    """A GET grows neither Content-Length nor Transfer-Encoding; a POST's Content-Length: 0 stays."""

    async def scenario() -> None:
        async with staged(shadow=NO_SHADOW) as stage:
            await stage.ask("GET")
            await stage.ask("POST", "/", "Content-Length: 0")
            got, posted = stage.legacy.asked
            assert (None, None) == (got.head.get("content-length"), got.head.get("transfer-encoding"))
            assert ["0"] == posted.head.all("content-length")

    run(scenario())


def test_transparency_expect_100_is_answered_here() -> None:
    """The user is told to go on before it sends a byte; the backend is not asked to say so."""

    async def scenario() -> None:
        async with staged(shadow=NO_SHADOW) as stage, stage.client() as user:
            await user.send(request("POST", "/", "Expect: 100-continue", "Content-Length: 4"))
            assert "HTTP/1.1 100 Continue" == (await read_head(user.reader)).start
            await user.send(b"body")
            assert 200 == (await user.answer()).status
            assert b"body" == bytes(stage.legacy.asked[0].body)
            assert None is stage.legacy.asked[0].head.get("expect")

    run(scenario())


def test_transparency_pipelined_requests_are_answered_in_order() -> None:
    """Three requests in one packet: three answers, in the order of the requests."""
    may_answer = asyncio.Event()

    async def behave(asked: Any) -> None:
        if asked.target == "/1":
            await may_answer.wait()
        await asked.write(ok(asked.target.encode()))

    async def scenario() -> None:
        async with staged(behave, shadow=NO_SHADOW) as stage, stage.client() as user:
            await user.send(request("GET", "/1") + request("GET", "/2") + request("GET", "/3"))
            await stage.legacy.wait_asked()
            may_answer.set()
            assert [b"/1", b"/2", b"/3"] == [(await user.answer()).body for _ in range(3)]

    run(scenario())


def test_transparency_pipelined_uploads_are_kept_apart() -> None:
    """Bodies of pipelined requests reach the request that they belong to."""

    async def scenario() -> None:
        async with staged(shadow=NO_SHADOW) as stage, stage.client() as user:
            await user.send(request("POST", "/1", body=b"one") + request("PUT", "/2", body=b"two") + request())
            assert [200] * 3 == [(await user.answer()).status for _ in range(3)]
            assert [b"one", b"two", b""] == [bytes(asked.body) for asked in stage.legacy.asked]

    run(scenario())


def test_transparency_kept_alive_connection_carries_many_requests() -> None:
    """One connection of a user, a hundred requests, one connection to the backend."""

    async def scenario() -> None:
        async with staged(echo_target, shadow=NO_SHADOW) as stage, stage.client() as user:
            for number in range(100):
                await user.send(request("GET", f"/{number}"))
                assert f"GET /{number} HTTP/1.1" == (await user.answer()).body.decode()
            assert 1 == stage.legacy.connections

    run(scenario())


def test_transparency_upgrade_is_ignored_and_answered_as_plain_http() -> None:
    """An offer of another protocol is not passed on, and the connection goes on serving."""

    async def scenario() -> None:
        async with staged(shadow=NO_SHADOW) as stage, stage.client() as user:
            for _ in range(2):
                await user.send(request("GET", "/", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c"))
                assert 200 == (await user.answer()).status
            await user.send(request("GET", "/plain"))
            assert 200 == (await user.answer()).status
            assert [None] * 3 == [asked.head.get("upgrade") for asked in stage.legacy.asked]

    run(scenario())


# --- answers ---
ANSWERS = {
    "length": (ok(b"hello"), b"hello"),
    "empty": (ok(b""), b""),
    "chunked": (
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + chunked(b"he", b"llo") + b"0\r\n\r\n",
        b"hello",
    ),
    "chunked empty": (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", b""),
    "chunk extension": (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\n\r\n", b"hello"),
    "trailer": (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx-t: 1\r\n\r\n", b"hello"),
    "interim 103": (b"HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\n" + ok(b"hello"), b"hello"),
    "interim 103 with fields of its connection": (
        b"HTTP/1.1 103 Early Hints\r\nconnection: close, x-a\r\nlink: </a.css>\r\nx-a: 1\r\ncontent-length: 7\r\n"
        b"transfer-encoding: chunked\r\nkeep-alive: 1\r\n\r\n" + ok(b"hello"),
        b"hello",
    ),
    "interim 100": (b"HTTP/1.1 100 Continue\r\n\r\n" + ok(b"hello"), b"hello"),
    "no reason phrase": (b"HTTP/1.1 200 \r\ncontent-length: 5\r\n\r\nhello", b"hello"),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\nhello", b"hello"),
}


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("split", [0, 1], ids=["at once", "byte by byte"])
def test_transparency_answers_arrive_whole_however_framed(name: str, split: int) -> None:
    """Each framing, in one packet and in single bytes; 103 passes before the answer, 100 does not."""
    data, body = ANSWERS[name]

    async def behave(asked: Any) -> None:
        for piece in [data[i : i + 1] for i in range(len(data))] if split else [data]:
            await asked.write(piece)
            await asyncio.sleep(0)
        if name == "HTTP/1.0":
            asked.writer.close()

    async def scenario() -> None:
        async with staged(behave, shadow=NO_SHADOW) as stage, stage.client() as user:
            for _ in range(2):
                await user.send(request())
                reply = await user.answer()
                trailer = b"x-t: 1\r\n" if name == "trailer" else b""
                assert (200, body, True, trailer) == (reply.status, reply.body, reply.is_whole, reply.trailer)
                hints = [[("link", "</a.css>")]] if name.startswith("interim 103") else []
                assert (None, hints) == (reply.head.get("link"), [head.fields for head in reply.interim])

    run(scenario())


def test_transparency_answer_until_close_becomes_chunked_and_keeps_the_users_connection() -> None:
    """The end of a backend's connection ends the answer, not the user's connection."""

    async def behave(asked: Any) -> None:
        await asked.write(b"HTTP/1.1 200 OK\r\n\r\nhello")
        asked.writer.close()

    async def scenario() -> None:
        async with staged(behave, shadow=NO_SHADOW) as stage, stage.client() as user:
            for _ in range(2):
                await user.send(request())
                reply = await user.answer()
                assert (b"hello", True, "chunked") == (reply.body, reply.is_whole, reply.head.get("transfer-encoding"))

    run(scenario())


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_transparency_answers_without_a_body_stay_without_framing(status: str) -> None:
    """204 and 304 have no body and no framing field; the connection goes on."""

    async def scenario() -> None:
        async with staged(f"HTTP/1.1 {status}\r\netag: x\r\n\r\n".encode(), shadow=NO_SHADOW) as stage:
            async with stage.client() as user:
                for _ in range(2):
                    await user.send(request())
                    reply = await user.answer()
                    assert status == reply.head.start.removeprefix("HTTP/1.1 ")
                    assert [("etag", "x")] == reply.head.fields
            assert 1 == stage.legacy.connections

    run(scenario())


def test_transparency_head_keeps_its_content_length_and_sends_no_body() -> None:
    """HEAD says the length of what GET would bring, and the connection to the backend is used again."""

    async def scenario() -> None:
        async with staged(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n", shadow=NO_SHADOW) as stage:
            async with stage.client() as user:
                for _ in range(2):
                    await user.send(request("HEAD"))
                    assert "1000" == (await user.answer("HEAD")).head.get("content-length")
            assert 1 == stage.legacy.connections

    run(scenario())


def test_transparency_head_of_a_chunked_answer_has_no_body() -> None:
    """A backend that announces chunks for HEAD sends none, nor does the worker."""

    async def scenario() -> None:
        answer = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
        async with staged(answer, shadow=NO_SHADOW) as stage, stage.client() as user:
            await user.send(request("HEAD", "/", "Connection: close"))
            reply = await user.answer("HEAD")
            assert (200, b"") == (reply.status, await user.rest())

    run(scenario())


def test_transparency_answer_fields_keep_order_and_duplicates() -> None:
    """Two Set-Cookie lines stay two; only a connection's own fields stay on it; none is added."""
    answer = ok(
        b"x",
        "Date: then",
        "Set-Cookie: a=1; Path=/",
        "X-B: 1",
        "Set-Cookie: b=2, c=3",
        "X-A: 2",
        "Connection: X-Hop",
        "X-Hop: 1",
        "Keep-Alive: timeout=5",
        "Server: backend",
    )

    async def scenario() -> None:
        async with staged(answer, shadow=NO_SHADOW) as stage:
            assert [
                ("date", "then"),
                ("set-cookie", "a=1; Path=/"),
                ("x-b", "1"),
                ("set-cookie", "b=2, c=3"),
                ("x-a", "2"),
                ("server", "backend"),
                ("content-length", "1"),
            ] == (await stage.ask()).head.fields

    run(scenario())


def test_transparency_compressed_bytes_are_untouched() -> None:
    """A gzip body arrives as it was compressed, shadowed or not."""
    body = gzip.compress(b"hello " * 100)

    async def scenario() -> None:
        async with staged(ok(body, "content-encoding: gzip"), shadow=SHADOWED) as stage:
            reply = await stage.ask("GET", "/", "Accept-Encoding: gzip")
            assert (body, "gzip") == (reply.body, reply.head.get("content-encoding"))
            await stage.check_nothing_lost()

    run(scenario())


def test_transparency_ranges_pass_both_ways() -> None:
    """Range goes to the backend, 206 and Content-Range to the user."""
    answer = ok(b"ell", "content-range: bytes 1-3/5", status="206 Partial Content")

    async def scenario() -> None:
        async with staged(answer, shadow=NO_SHADOW) as stage:
            reply = await stage.ask("GET", "/", "Range: bytes=1-3")
            assert (206, b"ell", "bytes 1-3/5") == (reply.status, reply.body, reply.head.get("content-range"))
            assert "bytes=1-3" == stage.legacy.asked[0].head.get("range")

    run(scenario())


def test_transparency_unknown_statuses_pass() -> None:
    """A status that nobody has registered is the backend's business."""

    async def scenario() -> None:
        for status in ("299 ", "418 I'm a Teapot", "599 Odd", "999 Beyond"):
            async with staged(ok(b"x", status=status), shadow=NO_SHADOW) as stage:
                assert int(status[:3]) == (await stage.ask()).status

    run(scenario())


@pytest.mark.parametrize(
    ("answer", "expected_fields"),
    [
        (ok(b"hello"), [("content-length", "5"), ("connection", "close")]),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + chunked(b"hello") + b"0\r\n\r\n",
            [("connection", "close")],
        ),
    ],
    ids=["length", "chunked"],
)
def test_transparency_http_10_users_get_no_chunks(answer: bytes, expected_fields: list[tuple[str, str]]) -> None:
    """An HTTP/1.0 user gets the plain body, ended by its connection; no Host is needed."""

    async def scenario() -> None:
        async with staged(answer, shadow=NO_SHADOW) as stage, stage.client() as user:
            await user.send(b"GET / HTTP/1.0\r\n\r\n")
            reply = await user.answer()
            assert expected_fields == reply.head.fields
            assert b"hello" == reply.body + await user.rest()

    run(scenario())


def test_transparency_head_of_a_streamed_answer_goes_out_before_its_body() -> None:
    """An answer whose body takes its time (events, long polls) is known to be there as soon as its head is."""
    may_go_on = asyncio.Event()

    async def behave(asked: Any) -> None:
        await asked.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        await may_go_on.wait()
        await asked.write(chunked(b"data: 1\n\n") + b"0\r\n\r\n")

    async def scenario() -> None:
        async with staged(behave, shadow=NO_SHADOW) as stage, stage.client() as user:
            await user.send(request())
            head = await read_head(user.reader)
            assert "text/event-stream" == head.get("content-type")
            may_go_on.set()
            assert b"9\r\ndata: 1\n\n\r\n0\r\n\r\n" == await user.reader.readexactly(19)

    run(scenario())


def test_transparency_pieces_of_a_streamed_answer_are_not_held_back() -> None:
    """Each piece reaches the user before the backend sends the next."""
    gates = [asyncio.Event() for _ in range(3)]

    async def behave(asked: Any) -> None:
        await asked.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        for number, gate in enumerate(gates):
            await asked.write(chunked(b"%d" % number))
            await gate.wait()
        await asked.write(b"0\r\n\r\n")

    async def scenario() -> None:
        async with staged(behave, shadow=NO_SHADOW) as stage, stage.client() as user:
            await user.send(request())
            await read_head(user.reader)
            for number, gate in enumerate(gates):
                assert b"1\r\n%d\r\n" % number == await user.reader.readexactly(6)
                gate.set()
            assert b"0\r\n\r\n" == await user.reader.readexactly(5)

    run(scenario())


# --- what can't be forwarded ---
@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\nx", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\nx", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nConnection: authorization\r\nAuthorization: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nbad header: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nx: a\r\n folded\r\n\r\n", 400),
        (b"CONNECT shop.example:443 HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        (b"GET @evil.example/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03", 400),
        (b"GET /\r\n\r\n", 400),
    ],
)
def test_transparency_requests_that_two_parties_could_read_differently_are_refused(data: bytes, status: int) -> None:
    """No backend sees them, the user is told so, and the connection ends."""

    async def scenario() -> None:
        async with staged(shadow=SHADOWED) as stage, stage.client() as user:
            await user.send(data)
            reply = await user.answer()
            assert status == reply.status
            assert b"" == await user.rest()
            assert [] == stage.legacy.asked + stage.new.asked

    run(scenario())
