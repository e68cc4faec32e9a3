"""A pooled HTTP/1.1 client: the fast way to a backend.

1. The number of connections is bounded; who finds none waits in line, up to `pool_s`. The line is bounded, too: its end
   is told at once that there is no place (`UpstreamBusy`).
2. Idle connections are dropped after IDLE_S, well before backends do (uvicorn 5 s, node 5 s).
3. A request that may not be repeated only goes on a connection that was used within FRESH_S or on a new one.
4. A backend's TLS files are read once, for the pool. Where they can't be used, its connections fail, and each new one
   tries them again: a worker serves all that doesn't need them.
5. A pool with a `rest_s` (shadows') tries no connection for that long after one failed, and then one at a time until
   one is made: its other exchanges fail at once, with the same error. Attempts at a backend that is down cost as much
   as requests do, and users would pay for them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from time import monotonic
from typing import TYPE_CHECKING

import structlog

from proxy.certificates import UnusableFile
from proxy.errors import UpstreamBusy, UpstreamError, UpstreamTimeout
from proxy.traffic.outbox import Outbox
from proxy.traffic.upstream.connection import Connection, KnownHead
from proxy.traffic.upstream.tls import TlsConnection, backend_server_name, backend_socket_path, backend_ssl_context

if TYPE_CHECKING:
    import ssl

    from proxy.core.model import Backend
    from proxy.errors import Phase
    from proxy.traffic.deadlines import Deadlines
    from proxy.traffic.upstream.exchange import Exchange

log = structlog.get_logger(__name__)

IDLE_S = 3.0
FRESH_S = 1.0
REST_S = 0.25
FAILURES = 5
MOST_IN_LINE = 1024  # Envoy's default for pending requests (max_pending_requests); each waits `pool_s` at most
_REPEATABLE = frozenset({b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE", b"TRACE"})  # RFC 9110 §9.2.2


class Http1Upstream:
    """The pool of connections to one backend; `limit` bounds them, `rest_s` is rule 5's (0: try always)."""

    def __init__(
        self, backend: Backend, deadlines: Deadlines, *, limit: int | None = None, rest_s: float = 0.0
    ) -> None:
        self.backend = backend
        self.known: KnownHead | None = None
        self.outbox = Outbox()
        self._deadlines = deadlines
        self._limit = limit or backend.connections
        self._rest_s = rest_s
        self._rests_until = 0.0
        self._failure: UpstreamError | None = None
        self._failures = 0  # connections that broke since one was whole
        self._idle: deque[Connection] = deque()
        self._open: set[Connection] = set()
        self._connecting = 0
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._loop = asyncio.get_running_loop()
        self._ssl: ssl.SSLContext | None = None
        try:
            self._tls()
        except UnusableFile as error:  # rule 4
            log.error("backend.unusable", backend=backend.side, cause=str(error))  # noqa: TRY400  # it says all
        deadlines.on_sweep(self._drop_idle)

    @property
    def connections(self) -> tuple[int, int]:
        """How many there are, or are being made, and how many of them are idle."""
        return len(self._open) + self._connecting, len(self._idle)

    def begin(self, exchange: Exchange) -> bool:
        """Sends on an idle connection, the most recently used first; False if there is none fit for it.

        True while the pool rests, too: the exchange has failed then.
        """
        idle, now = self._idle, monotonic()
        while idle:
            connection = idle[-1]
            if connection.is_lost or connection.transport.is_closing():
                idle.pop()
                continue
            if exchange.method not in _REPEATABLE and now - connection.idle_since > FRESH_S:
                return False
            idle.pop()
            connection.carry(exchange, self.backend.timeouts, now, is_reused=True)
            return True
        return self._failure is not None and self._fail_at_rest(exchange, self._failure, now)

    def _fail_at_rest(self, exchange: Exchange, failure: UpstreamError, now: float) -> bool:
        if now >= self._rests_until and not self._connecting:
            self._rests_until = now + self._rest_s  # this one tries, and no other before it has begun to
            return False
        exchange.failed(type(failure)(exchange.side, failure.phase, failure.reason), now)
        return True

    async def open(self, exchange: Exchange) -> None:
        """Sends on a new connection, or, at the limit, on the next one that comes free. Raises UpstreamError."""
        if len(self._open) + self._connecting >= self._limit and await self._wait_for_place(exchange):
            return
        try:
            connection = await self._connect(exchange)
        except UpstreamError as error:
            self._rest_after(error)
            raise
        if exchange.error is not None:  # abandoned meanwhile
            self.release(connection)
            return
        connection.carry(exchange, self.backend.timeouts, monotonic(), is_reused=False)

    def _rest_after(self, failure: UpstreamError) -> None:
        if self._rest_s:
            self._failure = type(failure)(failure.backend, failure.phase, failure.reason)  # without its traceback
            self._rests_until = monotonic() + self._rest_s

    async def _wait_for_place(self, exchange: Exchange) -> bool:
        """Until there is room for a new connection; True where none is needed: the exchange is carried, or over."""
        seconds = self.backend.timeouts.pool_s
        try:
            async with asyncio.timeout(seconds):
                while len(self._open) + self._connecting >= self._limit:
                    await self._wait_in_line(exchange)
                    if exchange.error is not None:  # abandoned meanwhile: the turn is the next one's
                        self._wake_next()
                        return True
                    if self.begin(exchange):
                        return True
        except TimeoutError as timeout:
            message = f"none of the {self._limit} connections to {self.backend.url} came free within {seconds:g} s"
            raise UpstreamBusy(exchange.side, "pool", message) from timeout
        return False

    async def _wait_in_line(self, exchange: Exchange) -> None:
        if self._idle:  # unfit for this request (rule 3): make room
            self._idle.popleft().drop()
            await asyncio.sleep(0)
            return
        if len(self._waiters) >= MOST_IN_LINE:
            message = f"{MOST_IN_LINE} requests wait for one of the {self._limit} connections to {self.backend.url}"
            raise UpstreamBusy(exchange.side, "pool", message)
        waiter = self._loop.create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():  # it was this one's turn: the next one's now
                self._wake_next()
            raise
        finally:
            if waiter in self._waiters:
                self._waiters.remove(waiter)

    async def _connect(self, exchange: Exchange) -> Connection:
        backend = self.backend
        self._connecting += 1
        connection: Connection | None = None
        try:
            async with self._mapped_timeouts(exchange, "connect", backend.timeouts.connect_s):
                connection = await self._dial()
        except (OSError, UnusableFile) as error:
            raise UpstreamError(exchange.side, "connect", f"can't connect to {backend.url}: {error}") from error
        finally:
            self._connecting -= 1
            if connection is None:  # its place in the pool is free again
                self._wake_next()
        self._open.add(connection)
        self._failure = None
        return connection

    async def _dial(self) -> Connection:
        """A connection as the backend wants it. Raises OSError (also for a refused certificate) and UnusableFile."""
        backend, loop = self.backend, self._loop
        path = backend_socket_path(backend)
        if path is not None:
            return (await loop.create_unix_connection(lambda: Connection(self), path))[1]
        context = self._tls()
        kind = Connection if context is None else TlsConnection
        _, connection = await loop.create_connection(
            lambda: kind(self),
            backend.host,
            backend.port,
            ssl=context,
            server_hostname=backend_server_name(backend),
        )
        return connection

    def _tls(self) -> ssl.SSLContext | None:
        if self._ssl is None:
            self._ssl = backend_ssl_context(self.backend)
        return self._ssl

    def _mapped_timeouts(self, exchange: Exchange, phase: Phase, seconds: float) -> _MappedTimeout:
        return _MappedTimeout(exchange.side, phase, seconds, self.backend.url)

    def failed(self, failure: UpstreamError) -> None:
        """A connection broke before or amid an answer."""
        self._failures += 1
        if self._failures >= FAILURES and not failure.is_stale:
            self._rest_after(failure)

    def release(self, connection: Connection) -> None:
        self._failures = 0
        self._idle.append(connection)
        if self._waiters:
            self._wake_next()

    def lost(self, connection: Connection) -> None:
        self._open.discard(connection)
        self._wake_next()

    def _wake_next(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def _drop_idle(self, now: float) -> None:
        idle = self._idle
        while idle and now - idle[0].idle_since > IDLE_S:
            idle.popleft().drop()

    async def close(self) -> None:
        """Drops every connection, idle or not; exchanges under way end as truncated."""
        self._deadlines.remove_on_sweep(self._drop_idle)
        self._idle.clear()
        for connection in list(self._open):
            connection.drop()


class _MappedTimeout:
    """`asyncio.timeout` whose TimeoutError leaves as UpstreamTimeout with its phase."""

    def __init__(self, side: str, phase: Phase, seconds: float, url: str) -> None:
        self._side = side
        self._phase: Phase = phase
        self._seconds = seconds
        self._url = url
        self._timeout = asyncio.timeout(seconds)

    async def __aenter__(self) -> None:
        await self._timeout.__aenter__()

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        try:
            await self._timeout.__aexit__(kind, error, trace)  # type: ignore[arg-type]  # passed through as given
        except TimeoutError as timeout:
            message = f"phase {self._phase} of {self._url} took over {self._seconds:g} s"
            raise UpstreamTimeout(self._side, self._phase, message) from timeout
