"""Users and backends that speak TLS, with real certificates on real sockets."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from proxy.core.model import BackendTls, Timeouts
from tests.certificates import Pair, server_context
from tests.factories import make_backend, make_rollout, make_route
from tests.traffic.stage import KEYED, NO_SHADOW, Stage
from tests.traffic.wire import Backend, Client, ok, request

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Awaitable, Callable

    from tests.traffic.wire import Asked

LIMIT = 1 << 20


@asynccontextmanager
async def tls_client(stage: Stage, context: ssl.SSLContext, name: str = "localhost") -> AsyncIterator[Client]:
    """A user who comes by TLS."""
    streams = await asyncio.open_connection("127.0.0.1", stage.port, limit=LIMIT, ssl=context, server_hostname=name)
    user = Client(*streams)
    try:
        yield user
    finally:
        user.abort()


def tls_of(user: Client) -> ssl.SSLObject:
    found: ssl.SSLObject = user.writer.get_extra_info("ssl_object")
    return found


async def ask(user: Client, *arguments: Any, **options: Any) -> int:
    await user.send(request(*arguments, **options))
    return (await user.answer()).status


class TlsBackend(Backend):
    """A backend under TLS; `names` are those it was asked for (SNI), `certificates` what it was shown."""

    def __init__(self, context: ssl.SSLContext, behave: bytes | Callable[[Asked], Awaitable[None]]) -> None:
        super().__init__(behave)
        self._context = context
        self._context.set_alpn_protocols(["h2", "http/1.1"])
        self.names: list[str | None] = []
        context.sni_callback = lambda _, name, __: self.names.append(name)

    async def start(self, port: int = 0) -> None:
        self._server = await asyncio.start_server(
            self._accepted, "127.0.0.1", port, limit=LIMIT, ssl=self._context, ssl_shutdown_timeout=1
        )
        self.port = self._server.sockets[0].getsockname()[1]


@asynccontextmanager
async def tls_backend(
    context: Pair | ssl.SSLContext, behave: bytes | Callable[[Asked], Awaitable[None]] | None = None
) -> AsyncIterator[TlsBackend]:
    made = server_context(context) if isinstance(context, Pair) else context
    started = TlsBackend(made, ok() if behave is None else behave)
    await started.start()
    try:
        yield started
    finally:
        await started.stop()


def point(stage: Stage, side: str, port: int, *, tls: dict[str, Any], host: str = "127.0.0.1", **rollout: Any) -> None:
    """Has a side of the stage reached by TLS from now on; `tls` are fields of BackendTls, its files as paths."""
    written: dict[str, Any] = {name: value if name == "verify" else str(value) for name, value in tls.items()}
    timeouts = rollout.pop("timeouts", Timeouts())
    sides = {"legacy": make_backend("legacy", stage.legacy.port), "new": make_backend("new", stage.new.port)}
    sides[side] = make_backend(side, port, host=host, scheme="https", tls=BackendTls(**written), timeouts=timeouts)
    fields: dict[str, Any] = {"shadow": NO_SHADOW, "millipercent": int(rollout.pop("percent", 0) * 1000)}
    stage.worker.apply(make_rollout(make_route(**fields | rollout), users=KEYED, **sides))


async def check_unusable(stage: Stage, asked: Backend, *words: str) -> None:
    """The user gets a 502 that tells nothing; the log has all of these words; the backend got no request."""
    reply = await stage.ask()
    assert (502, 0) == (reply.status, len(asked.asked))
    text = reply.head.raw.decode() + reply.body.decode()
    secrets = ("certif", "CERTIF", "ssl", "SSL", "verify", "127.0.0.1", str(asked.port), ".pem")
    assert [] == [word for word in secrets if word in text]
    cause = stage.events("request.failed")[-1]["cause"]
    assert [] == [word for word in words if word not in cause], cause
