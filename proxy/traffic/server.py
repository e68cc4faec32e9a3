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
import re
import socket
import struct
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping

    import uvicorn
    from uvicorn._types import HTTPScope

    from proxy.traffic.handler import Handler

_BODYLESS = frozenset({204, 304})  # RFC 9112 §6.3


_ORIGIN = re.compile(rb"[/?]")
_IDLE_SWEEP_S = 1.0
_AT_ONCE = struct.pack("ii", 1, 0)  # linger on, for 0 s: what close() turns into a reset (socket(7))
_ASGI = {"version": "3.0", "spec_version": "2.3"}


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
    _has_body = True
    _is_chunked = False
    _remaining: int | None = None

    def __init__(self, protocol: ServerProtocol, scope: HTTPScope, *, keep_alive: bool) -> None:
        """Sets what uvicorn's own sets, without the detour: one is made for each request."""
        self.protocol = protocol
        self.scope = scope
        self.transport = protocol.transport
        self.flow = protocol.flow
        self.logger = protocol.logger
        self.message_event = asyncio.Event()
        self.on_response = protocol.on_response_complete
        self.keep_alive = keep_alive
        self.waiting_for_100_continue = protocol.expect_100_continue
        self.disconnected = False
        self.body = bytearray()
        self.more_body = True
        self.response_started = False
        self.response_complete = False

    def start_task(self, app: Any) -> None:
        """Runs `app` as this request's task, which the server waits for when it stops."""
        self.protocol.run_task(self, app)

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
            self._has_body = False
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
        if not self._has_body:  # our own problem documents have one, whatever they answer
            return b""
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

    async def run_asgi(self, app: Any) -> None:
        """As uvicorn's; but an answer that only its connection's end would end is broken off by a reset."""
        await super().run_asgi(app)
        is_framed = self._is_chunked or self._remaining is not None or not self._has_body
        if not (self.response_complete or self.disconnected or is_framed):
            _reset(self.transport)


def _reset(transport: asyncio.Transport) -> None:
    """Ends a connection so that the peer can't take it for an orderly end (RFC 9112 §8)."""
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    transport.abort()


class ServerProtocol(HttpToolsProtocol):
    """One connection of a user."""

    _running: Cycle | None = None
    idle_since = 0.0  # the loop's time; 0 before the first answer

    def run_task(self, cycle: Cycle, app: Any) -> None:
        self._start_asgi_task(cycle, app)

    def on_message_begin(self) -> None:
        self.url = b""
        self.expect_100_continue = False
        self.headers = []

    def on_headers_complete(self) -> None:
        parser = self.parser
        version = parser.get_http_version()
        target = origin_form(self.url)
        path, _, query = target.partition(b"?")
        text = path.decode("latin-1")
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": _ASGI,
            "http_version": version,
            "method": parser.get_method().decode("ascii"),
            "scheme": self.scheme,
            "server": self.server,
            "client": self.client,
            "root_path": "",
            "target": target,
            "raw_path": path,
            "query_string": query,
            "path": unquote(text) if "%" in text else text,
            "headers": self.headers,
        }
        before = cast("Cycle | None", self.cycle)
        keep_alive = version == "1.1" and parser.should_keep_alive()
        self.cycle = cycle = Cycle(self, cast("HTTPScope", scope), keep_alive=keep_alive)
        self.headers = []  # whatever comes now is a trailer
        if before is None or before.response_complete:
            self._begin(cycle)
        else:  # pipelined: answered in order
            self.flow.pause_reading()
            self.pipeline.appendleft((cycle, self.app))

    def connection_lost(self, exc: Exception | None) -> None:
        """As uvicorn's, which tells the last request on the connection only: the one under way may be an earlier."""
        running = self._running
        if running is not None and not running.response_complete:
            running.disconnected = True
            running.message_event.set()
        super().connection_lost(exc)

    def _begin(self, cycle: Cycle) -> None:
        self._running = cycle
        app = cast("Handler", self.app).begin(cycle)
        if app is not None:
            cycle.start_task(app)

    def on_response_complete(self) -> None:
        """As uvicorn's, without a timer for each answer: `close_if_idle` sees to connections that stay idle."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._running = cast("Cycle", cycle)
            self._start_asgi_task(cycle, app)
        else:
            self.idle_since = self.loop.time()

    def close_if_idle(self, now: float) -> None:
        """Closes the connection when it has waited longer than `timeout_keep_alive` for its next request."""
        cycle = cast("Cycle | None", self.cycle)
        if (
            (cycle is None or cycle.response_complete)
            and self.idle_since
            and now - self.idle_since > self.timeout_keep_alive
        ):
            self.transport.close()


def origin_form(target: bytes) -> bytes:
    """The target as backends are asked for it: an absolute form without its scheme and authority (RFC 9112 §3.2.2)."""
    if target[:1] == b"/" or target == b"*":
        return target
    httptools.parse_url(target)  # raises what the server answers with 400
    after_authority = _ORIGIN.search(target, target.find(b"://") + 3)
    form = target[after_authority.start() :] if after_authority else b"/"
    return form if form[:1] == b"/" else b"/" + form


def idle_closer(server: uvicorn.Server) -> Callable[[float], None]:
    """A sweep (loop's time) over a server's connections, once a second, that closes those that were idle too long."""
    next_at = 0.0

    def close_idle(now: float) -> None:
        nonlocal next_at
        if now < next_at:
            return
        next_at = now + _IDLE_SWEEP_S
        for connection in list(server.server_state.connections):
            if isinstance(connection, ServerProtocol):
                connection.close_if_idle(now)

    return close_idle
