"""uvicorn's HTTP/1.1 protocol on httptools, with what a proxy needs and uvicorn's own leaves out.

1. The scope carries the request target byte for byte (`scope["target"]`): `raw_path` and `query_string` can't tell
   `/a?` from `/a`.
2. Request trailers stay out of the header fields (RFC 9110 §6.5.1: never merged unasked).
3. An answer's head goes out together with its first piece of body: one system call less for each small answer.
4. An HTTP/1.0 client never gets chunks (RFC 9112 §6.1): an answer of unknown length ends with its connection.
"""

from __future__ import annotations

import asyncio
import http
from functools import partial
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping

    from proxy.traffic.handler import Handler

_BODYLESS = frozenset({204, 304})  # RFC 9112 §6.3


def _status_line(status: int) -> bytes:
    try:
        phrase = http.HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    return f"HTTP/1.1 {status} {phrase}\r\n".encode()


_STATUS_LINES = {status: _status_line(status) for status in range(200, 1000)}


class Cycle(RequestResponseCycle):
    """One request and its answer; `send` takes what our handler sends: checked fields, names in lower case."""

    _head: bytes | None = None
    _is_chunked = False
    _remaining: int | None = None
    start_task: Callable[[Any], None]

    @property
    def can_write(self) -> bool:
        """Whether the user takes an answer now: there, and not behind with reading."""
        return not self.disconnected and not self.flow.write_paused

    def answer(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        """The whole answer at once; only where `can_write`."""
        self._start(status, headers)
        self._continue(body, is_last=True)

    async def send(self, message: MutableMapping[str, Any]) -> None:  # type: ignore[override]  # the same, untagged
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        if not self.response_started:
            self._start(message["status"], message["headers"])
        else:
            self._continue(message["body"], is_last=not message["more_body"])

    def _start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self.response_started = True
        self.waiting_for_100_continue = False
        length: int | None = None
        lines = [_STATUS_LINES[status]]
        for name, value in headers:
            if name == b"content-length":
                length = int(value)
            elif name == b"connection" and value == b"close":
                self.keep_alive = False
                continue
            lines.append(b"%b: %b\r\n" % (name, value))
        if self.scope["method"] == "HEAD" or status in _BODYLESS:
            self._remaining = 0
        elif length is not None:
            self._remaining = length
        elif self.scope["http_version"] == "1.1":
            self._is_chunked = True
            lines.append(b"transfer-encoding: chunked\r\n")
        else:
            self.keep_alive = False
        if not self.keep_alive:
            lines.append(b"connection: close\r\n")
        lines.append(b"\r\n")
        self._head = b"".join(lines)

    def _continue(self, body: bytes, *, is_last: bool) -> None:
        head, self._head = self._head, None
        framed = self._framed(body, is_last=is_last)
        data = head + framed if head is not None else framed
        if data:
            self.transport.write(data)
        if is_last:
            self._finish()

    def _framed(self, body: bytes, *, is_last: bool) -> bytes:
        if self._is_chunked:
            chunk = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            return chunk + b"0\r\n\r\n" if is_last else chunk
        if self._remaining is not None:
            self._remaining -= len(body)
        return body

    def _finish(self) -> None:
        self.response_complete = True
        self.message_event.set()
        if not self.keep_alive or self._remaining:  # a length that wasn't kept can only be shown by the end
            self.transport.close()
        self.on_response()


class ServerProtocol(HttpToolsProtocol):
    """One connection of a user."""

    def on_headers_complete(self) -> None:
        parser = self.parser
        scope = cast("dict[str, Any]", self.scope)
        scope["method"] = parser.get_method().decode("ascii")
        version = scope["http_version"] = parser.get_http_version()
        target = origin_form(self.url)
        path, _, query = target.partition(b"?")
        scope["target"] = target
        scope["raw_path"] = path
        scope["query_string"] = query
        text = path.decode("latin-1")
        scope["path"] = unquote(text) if "%" in text else text
        before = self.cycle
        self.cycle = cycle = Cycle(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=[],
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=version == "1.1" and parser.should_keep_alive(),
            on_response=self.on_response_complete,
        )
        cycle.start_task = partial(self._start_asgi_task, cycle)
        self.headers = []  # whatever comes now is a trailer
        if before is None or before.response_complete:
            self._begin(cycle)
        else:  # pipelined: answered in order
            self.flow.pause_reading()
            self.pipeline.appendleft((cycle, self.app))

    def _begin(self, cycle: Cycle) -> None:
        app = cast("Handler", self.app).begin(cycle)
        if app is not None:
            cycle.start_task(app)


def origin_form(target: bytes) -> bytes:
    """The target as backends are asked for it: an absolute form without its scheme and authority (RFC 9112 §3.2.2)."""
    if target[:1] == b"/" or target == b"*":
        return target
    parsed = httptools.parse_url(target)
    path = parsed.path or b"/"
    return path + b"?" + parsed.query if parsed.query is not None else path
