"""The adapter: any httpx transport as an upstream, here an application in this process and transports that fail."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from proxy.traffic.tasks import Tasks
from proxy.traffic.upstream.adapter import AdapterUpstream
from tests.traffic.stage import NO_SHADOW, QUICK, SHADOWED, staged
from tests.traffic.wire import Reply, chunked, read_head, request, run, until

if TYPE_CHECKING:
    from starlette.requests import Request


async def hello(asked: Request) -> Response:
    answer = PlainTextResponse(f"{asked.method} {asked.url.path}?{asked.url.query}")
    answer.set_cookie("a", "1")
    answer.set_cookie("b", "2")
    return answer


async def echo(asked: Request) -> Response:
    return PlainTextResponse(await asked.body())


async def stream(asked: Request) -> Response:
    async def pieces() -> Any:
        for number in range(3):
            yield f"{number}".encode()

    return StreamingResponse(pieces())


async def refuse(asked: Request) -> Response:
    return PlainTextResponse("too large", 413)


APP = Starlette(
    routes=[
        Route("/hello", hello),
        Route("/echo", echo, methods=["POST", "PUT"]),
        Route("/stream", stream),
        Route("/refuse", refuse, methods=["POST"]),
    ]
)


class Failing(httpx.AsyncBaseTransport):
    """Raises what a transport raises."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        raise self._error


class Truncating(httpx.AsyncBaseTransport, httpx.AsyncByteStream):
    """Answers a head and some bytes, then, once it may, fails."""

    def __init__(self) -> None:
        self.may_fail = asyncio.Event()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=self)

    async def __aiter__(self) -> Any:
        yield b"begun"
        await self.may_fail.wait()
        raise httpx.RemoteProtocolError("peer closed connection")


class Resetting(httpx.AsyncBaseTransport):
    """Answers 205 with a body that has no place there."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(205, headers={"x-a": "1"}, content=b"hello")


class Hanging(httpx.AsyncBaseTransport):
    """Waits until it is cancelled, which it notes."""

    def __init__(self) -> None:
        self.was_cancelled = asyncio.Event()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.was_cancelled.set()
            raise
        raise AssertionError


def adapted(tasks: Tasks, transport: httpx.AsyncBaseTransport) -> Any:
    return lambda backend, purpose, deadlines: AdapterUpstream(backend, transport, tasks)


def test_adapter_passes_no_body_of_a_205() -> None:
    """RFC 9110 §15.3.6, and the user's connection goes on."""

    async def scenario() -> None:
        async with Tasks() as tasks, staged(make_upstream=adapted(tasks, Resetting())) as stage, stage.client() as user:
            for _ in range(2):
                await user.send(request())
                reply = await user.answer()
                assert ("HTTP/1.1 205 Reset Content", b"", "1") == (reply.head.start, reply.body, reply.head.get("x-a"))
                assert ["0"] == reply.head.all("content-length")

    run(scenario())


def test_adapter_passes_get_and_its_answer() -> None:
    """Line, query and two cookies, as over a socket; and both sides agree."""

    async def scenario() -> None:
        async with Tasks() as tasks:
            transport = httpx.ASGITransport(APP)
            async with staged(shadow=SHADOWED, make_upstream=adapted(tasks, transport)) as stage:
                reply = await stage.ask("GET", "/hello?a=1&b=%20")
                assert (200, b"GET /hello?a=1&b=%20") == (reply.status, reply.body)
                assert ["a=1; Path=/; SameSite=lax", "b=2; Path=/; SameSite=lax"] == reply.head.all("set-cookie")
                counts = await stage.check_nothing_lost()
                assert 1 == counts["match"]

    run(scenario())


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_adapter_streams_uploads(framing: str) -> None:
    """A body that comes in pieces arrives whole."""

    async def scenario() -> None:
        async with Tasks() as tasks:
            upstreams = adapted(tasks, httpx.ASGITransport(APP))
            async with staged(shadow=NO_SHADOW, make_upstream=upstreams) as stage, stage.client() as user:
                if framing == "length":
                    await user.send(request("POST", "/echo", "Content-Length: 6") + b"one")
                    await until(lambda: len(tasks))
                    await user.send(b"two")
                else:
                    await user.send(request("POST", "/echo", "Transfer-Encoding: chunked") + chunked(b"one"))
                    await until(lambda: len(tasks))
                    await user.send(chunked(b"two") + b"0\r\n\r\n")
                assert b"onetwo" == (await user.answer()).body

    run(scenario())


def test_adapter_streams_answers() -> None:
    """An answer of unknown length becomes chunks."""

    async def scenario() -> None:
        async with (
            Tasks() as tasks,
            staged(shadow=NO_SHADOW, make_upstream=adapted(tasks, httpx.ASGITransport(APP))) as stage,
        ):
            reply = await stage.ask("GET", "/stream")
            assert (b"012", True) == (reply.body, reply.is_whole)

    run(scenario())


def test_adapter_ends_an_upload_that_nobody_reads() -> None:
    """An answer before the upload is whole: nothing waits on for a reader."""

    async def scenario() -> None:
        async with Tasks() as tasks:
            upstreams = adapted(tasks, httpx.ASGITransport(APP))
            async with staged(shadow=NO_SHADOW, make_upstream=upstreams) as stage:
                async with stage.client() as user:
                    await user.send(request("POST", "/refuse", "Content-Length: 100000") + b"x" * 50_000)
                    assert 413 == (await user.answer()).status
                await until(lambda: not len(tasks))
                await until(lambda: len(stage.worker._tasks) == 1)  # the link's

    run(scenario())


@pytest.mark.parametrize(
    ("error", "status", "phase"),
    [
        (httpx.ConnectError("refused"), 502, "connect"),
        (httpx.ConnectTimeout("slow"), 504, "connect"),
        (httpx.PoolTimeout("full"), 503, "pool"),
        (httpx.ReadTimeout("slow"), 504, "read"),
        (httpx.WriteTimeout("slow"), 504, "write"),
        (httpx.ReadError("reset"), 502, "read"),
        (httpx.WriteError("reset"), 502, "write"),
        (httpx.RemoteProtocolError("garbage"), 502, "protocol"),
        (httpx.LocalProtocolError("ours"), 502, "protocol"),
        (httpx.ProxyError("proxy"), 502, "read"),
        (OSError("odd"), 502, "read"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_adapter_maps_errors(error: Exception, status: int, phase: str) -> None:
    """What a transport raises is ours at the border: 502, 503 or 504, with its phase in the log."""

    async def scenario() -> None:
        async with (
            Tasks() as tasks,
            staged(shadow=NO_SHADOW, make_upstream=adapted(tasks, Failing(error))) as stage,
        ):
            assert status == (await stage.ask()).status
            assert [phase] == [entry["phase"] for entry in stage.events("request.failed")]

    run(scenario())


def test_adapter_maps_what_no_transport_should_raise() -> None:
    """A fault of a transport is a failed answer, not a request without one."""

    async def scenario() -> None:
        async with Tasks() as tasks:
            upstreams = adapted(tasks, Failing(ValueError("a bug")))
            async with staged(shadow=NO_SHADOW, make_upstream=upstreams, has_faults=True) as stage:
                assert 502 == (await stage.ask()).status

    run(scenario())


def test_adapter_breaks_off_truncated_answers() -> None:
    """Half an answer never ends in order."""

    async def scenario() -> None:
        transport = Truncating()
        async with (
            Tasks() as tasks,
            staged(shadow=NO_SHADOW, make_upstream=adapted(tasks, transport)) as stage,
            stage.client() as user,
        ):
            await user.send(request())
            reply = Reply(await read_head(user.reader), b"")
            transport.may_fail.set()
            await user.read_body(reply)
            assert (b"begun", False) == (reply.body, reply.is_whole)

    run(scenario())


def test_adapter_times_out_and_cancels() -> None:
    """`read_s` holds here, too, and the transport's call is cancelled."""

    async def scenario() -> None:
        transport = Hanging()
        async with Tasks() as tasks:
            upstreams = adapted(tasks, transport)
            async with staged(shadow=NO_SHADOW, make_upstream=upstreams, timeouts=QUICK) as stage:
                assert 504 == (await stage.ask()).status
                await transport.was_cancelled.wait()

    run(scenario())
