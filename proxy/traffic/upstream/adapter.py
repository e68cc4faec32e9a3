"""Any httpx transport as an upstream: HTTP/2, proxies, `ASGITransport` for in-process backends in tests.

Slower than `http1`, for where its wire can't carry the request. httpx's client is left out: it would decode bodies,
keep cookies, and read proxy variables; the transport alone passes on what it is given.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from time import monotonic
from typing import TYPE_CHECKING

import httpx
import structlog

from proxy.core.head import fields_of
from proxy.core.headers import read_answer, reset_content_head
from proxy.errors import UpstreamBusy, UpstreamError, UpstreamTimeout

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from proxy.core.model import Backend
    from proxy.errors import Phase
    from proxy.traffic.tasks import Tasks
    from proxy.traffic.upstream.exchange import Exchange

log = structlog.get_logger(__name__)

_PHASES: tuple[tuple[type[Exception], Phase], ...] = (
    (httpx.ConnectError, "connect"),
    (httpx.ConnectTimeout, "connect"),
    (httpx.WriteError, "write"),
    (httpx.WriteTimeout, "write"),
    (httpx.RemoteProtocolError, "protocol"),
    (httpx.LocalProtocolError, "protocol"),
)


class AdapterUpstream:
    """Carries exchanges over an httpx transport; the requests run as tasks of `tasks`."""

    def __init__(self, backend: Backend, transport: httpx.AsyncBaseTransport, tasks: Tasks) -> None:
        self.backend = backend
        self._transport = transport
        self._tasks = tasks

    @property
    def connections(self) -> tuple[int, int]:
        return 0, 0

    def begin(self, exchange: Exchange) -> bool:
        del exchange
        return False

    async def open(self, exchange: Exchange) -> None:
        """Starts the exchange; its failure, also to connect, arrives as the exchange's error."""
        carried = _Carried(exchange)
        exchange.carried_by(carried, self.backend.timeouts.read_s, monotonic(), is_reused=False)
        carried.task = self._tasks.spawn(self._run(exchange, carried))

    async def _run(self, exchange: Exchange, carried: _Carried) -> None:
        try:
            await self._exchange(exchange, carried)
        except httpx.PoolTimeout as error:
            exchange.failed(UpstreamBusy(exchange.side, "pool", str(error)), monotonic())
        except httpx.TimeoutException as error:
            exchange.failed(UpstreamTimeout(exchange.side, _phase(error), str(error)), monotonic())
        except (httpx.TransportError, OSError) as error:
            message = f"{type(error).__name__}: {error}"
            exchange.failed(UpstreamError(exchange.side, _phase(error), message), monotonic())
        except Exception as error:  # a fault of the transport, or of the application behind it
            log.exception("transport.faulted", backend=exchange.side)
            message = f"its transport raised {type(error).__name__}"
            exchange.failed(UpstreamError(exchange.side, "protocol", message), monotonic())
        finally:
            carried.end()

    async def _exchange(self, exchange: Exchange, carried: _Carried) -> None:
        answer = await self._transport.handle_async_request(self._request(exchange, carried))
        try:
            exchange.has_answer_begun = True
            _answer_begun(exchange, answer)
            exchange.notify()
            stream = answer.stream
            if not isinstance(stream, httpx.AsyncByteStream):
                raise httpx.LocalProtocolError("the transport's answer can't be read asynchronously")
            async for chunk in stream:
                await carried.may_read.wait()
                if answer.status_code != HTTPStatus.RESET_CONTENT:
                    exchange.body_received(chunk)
                exchange.touched(monotonic())
                exchange.notify()
        finally:
            await answer.aclose()
        exchange.completed(monotonic())
        exchange.notify()

    def _request(self, exchange: Exchange, carried: _Carried) -> httpx.Request:
        timeouts = self.backend.timeouts
        headers = fields_of(exchange.lines)
        has_body = exchange.is_chunked or bool(exchange.body) or not exchange.is_request_sent
        return httpx.Request(
            exchange.method.decode("latin-1"),
            httpx.URL(self.backend.base_url, raw_path=exchange.target),
            headers=headers,
            stream=carried if has_body else httpx.ByteStream(b""),
            extensions={
                "timeout": {
                    "connect": timeouts.connect_s,
                    "read": timeouts.read_s,
                    "write": timeouts.write_s,
                    "pool": timeouts.pool_s,
                },
                "target": exchange.target,
            },
        )

    async def close(self) -> None:
        await self._transport.aclose()


def _answer_begun(exchange: Exchange, answer: httpx.Response) -> None:
    lines = b"".join([b"%b: %b\r\n" % field for field in answer.headers.raw])
    try:
        head = read_answer(lines, may_have_length=answer.status_code != HTTPStatus.NO_CONTENT)
    except ValueError as error:
        raise httpx.RemoteProtocolError(str(error)) from error
    if answer.status_code == HTTPStatus.RESET_CONTENT:
        head = reset_content_head(head)
    exchange.answer_begun(answer.status_code, b" " + answer.reason_phrase.encode("latin-1"), head)


def _phase(error: Exception) -> Phase:
    return next((phase for kind, phase in _PHASES if isinstance(error, kind)), "read")


class _Carried(httpx.AsyncByteStream):
    """One exchange over a transport: the request's body as httpx reads it, and the brakes for the answer's."""

    def __init__(self, exchange: Exchange) -> None:
        self.task: asyncio.Task[None] | None = None
        self.may_read = asyncio.Event()
        self.may_read.set()
        self._first = exchange.body
        self._is_whole = exchange.is_request_sent
        self._pieces: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._was_taken = asyncio.Event()
        self._has_ended = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._first:
            yield self._first
        while not self._is_whole:
            piece = await self._pieces.get()
            if piece is None:
                return
            yield piece
            self._was_taken.set()

    def end(self) -> None:
        """The transport reads no more: what is still to be sent need not wait for it."""
        self._has_ended = True
        self._was_taken.set()

    # --- Carrier ---
    def pause(self) -> None:
        self.may_read.clear()

    def resume(self) -> None:
        self.may_read.set()

    def drop(self) -> None:
        if self.task is not None:
            self.task.cancel()

    async def send_piece(self, piece: bytes) -> None:
        if not self._has_ended:
            self._was_taken.clear()
            self._pieces.put_nowait(piece)
            await self._was_taken.wait()

    def end_request(self) -> None:
        self._pieces.put_nowait(None)
