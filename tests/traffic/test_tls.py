"""TLS to users and to backends, with real certificates on real sockets: who isn't known gets and sees nothing."""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest

from proxy.core.model import BackendTls, Timeouts, Users
from proxy.listeners import LOOK_S
from tests.certificates import EC, RSA, Authority, Pair, der_of, only_old, server_context
from tests.factories import make_backend, make_rollout, make_route
from tests.traffic.stage import KEYED, NO_SHADOW, SHADOWED, Stage, staged
from tests.traffic.wire import Backend, Client, backend, free_port, ok, request, run, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from tests.traffic.wire import Asked

_LIMIT = 1 << 20
LARGE = bytes(range(256)) * 32_768  # 8 MiB: more than any buffer on the way


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def stranger(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "stranger")


# --- users ---
@asynccontextmanager
async def tls_client(stage: Stage, context: ssl.SSLContext, name: str = "localhost") -> AsyncIterator[Client]:
    """A user who comes by TLS."""
    streams = await asyncio.open_connection("127.0.0.1", stage.port, limit=_LIMIT, ssl=context, server_hostname=name)
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


def test_tls_user_is_served(authority: Authority) -> None:
    """The backend is told the scheme; HTTP/1.1 is chosen, several requests go over one connection."""
    client = authority.trusting()
    client.set_alpn_protocols(["h2", "http/1.1"])

    async def scenario() -> None:
        async with (
            staged(ok(b"hello"), settings=authority.issue().settings, shadow=NO_SHADOW) as stage,
            tls_client(stage, client) as user,
        ):
            for _ in range(3):
                await user.send(request())
                reply = await user.answer()
                assert (200, b"hello") == (reply.status, reply.body)
            assert "http/1.1" == tls_of(user).selected_alpn_protocol()
            assert ["https"] * 3 == [asked.head.get("x-forwarded-proto") for asked in stage.legacy.asked]

    run(scenario())


def test_tls_users_cookie_is_secure(authority: Authority) -> None:
    """A cookie that we issue to a user who came by TLS doesn't go without."""

    async def scenario() -> None:
        users = Users("inkzee-2026", without_key="cookie")
        async with (
            staged(settings=authority.issue().settings, shadow=NO_SHADOW, users=users) as stage,
            tls_client(stage, authority.trusting()) as user,
        ):
            await user.send(request(user=None))
            assert "; Secure" in ((await user.answer()).head.get("set-cookie") or "")

    run(scenario())


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_tls_user_of_an_old_version_is_refused(version: ssl.TLSVersion, authority: Authority) -> None:
    """No handshake, no request; the next user is served."""

    async def scenario() -> None:
        async with staged(settings=authority.issue(key_type=RSA).settings, shadow=NO_SHADOW) as stage:
            with pytest.raises((ssl.SSLError, ConnectionError)):
                async with tls_client(stage, only_old(authority.trusting(), version)):
                    pass
            async with tls_client(stage, authority.trusting()) as user:
                assert 200 == await ask(user)

    run(scenario())


@pytest.mark.parametrize(
    "sent",
    [
        request(),
        b"\x16\x03\x01\x00\x05hello",
        b"\x16\x03\x01\xff\xff" + b"x" * 70_000,
        b"\0" * 1000,
        b"",
    ],
    ids=["plain HTTP", "no hello", "endless hello", "zeros", "nothing"],
)
def test_tls_listener_survives_what_is_no_tls(sent: bytes, authority: Authority) -> None:
    """It is hung up on without an answer, and nobody else notices; `staged` checks that nothing is complained of."""

    async def scenario() -> None:
        async with staged(settings=authority.issue().settings, shadow=NO_SHADOW) as stage:
            async with stage.client() as odd:
                with suppress(ConnectionError):
                    await odd.send(sent)
                    odd.writer.write_eof()
                    assert b"HTTP" not in await odd.rest()
            async with tls_client(stage, authority.trusting()) as user:
                assert 200 == await ask(user)
            assert 1 == len(stage.legacy.asked)

    run(scenario())


def test_tls_worker_stops_in_spite_of_open_connections(authority: Authority) -> None:
    """One amid its handshake, one unused, one idle: none holds up the end."""

    async def scenario() -> None:
        async with (
            staged(settings=authority.issue().settings, shadow=NO_SHADOW) as stage,
            tls_client(stage, authority.trusting()),
            tls_client(stage, authority.trusting()) as idle,
            stage.client() as amid,
        ):
            assert 200 == await ask(idle)
            await amid.send(b"\x16\x03\x01\x02\x00")

    run(scenario())


def test_tls_worker_stops_in_spite_of_a_user_who_has_vanished(authority: Authority) -> None:
    """Nobody answers the closure alert: the end comes with `drain_s`, which `run` bounds here."""

    async def scenario() -> None:
        settings = {**authority.issue().settings, "drain_s": 0.2}
        async with staged(settings=settings, shadow=NO_SHADOW, has_faults=True) as stage:
            streams = await asyncio.open_connection(
                "127.0.0.1", stage.port, ssl=authority.trusting(), server_hostname="localhost"
            )
            assert 200 == await ask(Client(*streams))
            streams[1].transport.pause_reading()  # type: ignore[attr-defined]  # one of both directions
        streams[1].transport.abort()

    run(scenario())


def test_tls_handshake_that_takes_too_long_is_ended(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who connects and says nothing costs a descriptor for HANDSHAKE_S, and no more."""
    monkeypatch.setattr("proxy.traffic.accept.HANDSHAKE_S", 0.2)

    async def scenario() -> None:
        async with (
            staged(settings=authority.issue().settings, shadow=NO_SHADOW) as stage,
            stage.client() as silent,
            stage.client() as amid,
        ):
            await amid.send(b"\x16\x03\x01\x02\x00")
            for user in (silent, amid):
                with suppress(ConnectionError):
                    assert b"" == await user.rest()

    run(scenario())


def test_tls_user_who_leaves_ends_the_backends_work(authority: Authority) -> None:
    """As without TLS; an abrupt end has no closure alert."""

    async def hang(asked: Asked) -> None:
        await asked.wait_left()

    async def scenario() -> None:
        async with staged(hang, settings=authority.issue().settings, shadow=NO_SHADOW) as stage:
            async with tls_client(stage, authority.trusting()) as user:
                await user.send(request())
                asked = await stage.legacy.wait_asked()
            await asked.left.wait()

    run(scenario())


class Ending(asyncio.Protocol):
    """A user who notes how the connection ends: "alert" where TLS was closed in order, else "cut"."""

    def __init__(self) -> None:
        self.received = bytearray()
        self.end: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        self.received += data

    def eof_received(self) -> None:  # of the closure alert only
        self.end.set_result("alert")

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.end.done():
            self.end.set_result("cut")


@pytest.mark.parametrize(("is_whole", "end"), [(True, "alert"), (False, "cut")])
def test_tls_user_sees_whether_an_answer_is_whole(is_whole: bool, end: str, authority: Authority) -> None:
    """To HTTP/1.0 the end of the connection is the end of the answer: one that broke off ends without an alert."""

    async def behave(asked: Asked) -> None:
        await asked.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n")
        await asyncio.sleep(0.05)  # so that the answer has begun
        if is_whole:
            await asked.write(b"0\r\n\r\n")
        else:
            asked.reset()

    async def scenario() -> None:
        async with staged(behave, settings=authority.issue().settings, shadow=NO_SHADOW) as stage:
            transport, user = await asyncio.get_running_loop().create_connection(
                Ending, "127.0.0.1", stage.port, ssl=authority.trusting(), server_hostname="localhost"
            )
            transport.write(b"GET / HTTP/1.0\r\nHost: shop.example\r\nX-User: u1\r\n\r\n")
            assert (end, True) == (await user.end, user.received.endswith(b"abc"))
            transport.abort()

    run(scenario())


# --- users: the certificate is renewed ---
def look(stage: Stage) -> None:
    """What happens every LOOK_S seconds, now."""
    now = asyncio.get_running_loop().time()
    for sweep in list(stage.worker.deadlines._each_sweep):
        sweep(now + LOOK_S)


async def shown(stage: Stage, context: ssl.SSLContext) -> bytes | None:
    """The certificate that a new connection is shown."""
    async with tls_client(stage, context) as user:
        assert 200 == await ask(user)
        return tls_of(user).getpeercert(binary_form=True)


@pytest.mark.parametrize(("old", "new"), [(EC, EC), (RSA, EC), (EC, RSA)])
def test_tls_certificate_is_renewed_under_an_open_connection(old: object, new: object, authority: Authority) -> None:
    """The next connection is shown the new one; the open one goes on, also amid an answer."""
    may_end = asyncio.Event()

    async def behave(asked: Asked) -> None:
        if asked.target == "/slow":
            await asked.write(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nab")
            await may_end.wait()
            await asked.write(b"cd")
        else:
            await asked.write(ok())

    async def scenario() -> None:
        pair, renewed = authority.issue(key_type=old), authority.issue(key_type=new)
        async with staged(behave, settings=pair.settings, shadow=NO_SHADOW) as stage:
            first = der_of(pair)
            async with tls_client(stage, authority.trusting()) as user:
                await user.send(request("GET", "/slow"))
                await stage.legacy.wait_asked()
                pair.replace(renewed)
                look(stage)
                await until(lambda: stage.events("certificate.replaced"))
                assert der_of(renewed) == await shown(stage, authority.trusting())
                may_end.set()
                assert b"abcd" == (await user.answer()).body
                assert 200 == await ask(user)
                assert first == tls_of(user).getpeercert(binary_form=True)

    run(scenario())


def test_tls_certificate_stays_when_the_new_one_is_broken(authority: Authority) -> None:
    """Users are served with the one before, and the log says why."""

    async def scenario() -> None:
        pair, other = authority.issue(), authority.issue()
        async with staged(settings=pair.settings, shadow=NO_SHADOW) as stage:
            before = await shown(stage, authority.trusting())
            pair.key.write_bytes(other.key.read_bytes())
            look(stage)
            await until(lambda: stage.events("certificate.refused"))
            assert before == await shown(stage, authority.trusting())
            assert str(pair.key) in stage.events("certificate.refused")[0]["cause"]

    run(scenario())


# --- backends ---
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
            self._accepted, "127.0.0.1", port, limit=_LIMIT, ssl=self._context, ssl_shutdown_timeout=1
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


def test_tls_backend_that_is_known_serves(authority: Authority) -> None:
    """HTTP/1.1 is agreed on, the connection is kept, the Host is the user's; an address sends no server name."""

    async def scenario() -> None:
        async with staged() as stage, tls_backend(authority.issue(), ok(b"safe")) as safe:
            point(stage, "legacy", safe.port, tls={"ca": authority.file})
            replies = [await stage.ask() for _ in range(3)]
            assert [(200, b"safe")] * 3 == [(reply.status, reply.body) for reply in replies]
            assert (1, [None]) == (safe.connections, safe.names)
            connection = safe.asked[0].writer.get_extra_info("ssl_object")
            assert ("http/1.1", True) == (connection.selected_alpn_protocol(), connection.version() >= "TLSv1.2")
            assert "shop.example" == safe.asked[0].head.get("host")

    run(scenario())


def test_tls_backend_is_asked_for_by_its_host_or_by_the_name_given(authority: Authority) -> None:
    """`server_name` is what is asked for and what must be certified, wherever the address leads."""

    async def scenario() -> None:
        async with staged() as stage, tls_backend(authority.issue("localhost")) as local:
            point(stage, "legacy", local.port, host="localhost", tls={"ca": authority.file})
            assert 200 == (await stage.ask()).status
            assert ["localhost"] == local.names
        async with staged() as stage, tls_backend(authority.issue("app.internal")) as internal:
            point(stage, "legacy", internal.port, tls={"ca": authority.file, "server_name": "app.internal"})
            assert 200 == (await stage.ask()).status
            assert ["app.internal"] == internal.names

    run(scenario())


@pytest.mark.parametrize("options", [{}, {"server_name": "other.internal"}], ids=["host", "server_name"])
def test_tls_backend_of_another_name_is_refused(options: dict[str, str], authority: Authority) -> None:
    """Its authority is right, the name isn't: it may be another service of ours."""

    async def scenario() -> None:
        async with staged() as stage, tls_backend(authority.issue("app.internal")) as other:
            point(stage, "legacy", other.port, tls={"ca": authority.file, **options})
            await check_unusable(stage, other, "CERTIFICATE_VERIFY_FAILED", "mismatch")

    run(scenario())


def test_tls_backend_of_an_unknown_authority_is_refused(authority: Authority, stranger: Authority) -> None:
    """With an own authority, and with those of the system."""

    async def scenario() -> None:
        async with staged() as stage, tls_backend(stranger.issue()) as unknown:
            known: dict[str, Any] = {"ca": authority.file}
            for options in (known, {}):
                point(stage, "legacy", unknown.port, tls=options)
                await check_unusable(stage, unknown, "CERTIFICATE_VERIFY_FAILED", "unable to get local issuer")

    run(scenario())


def test_tls_backend_whose_certificate_expired_is_refused(authority: Authority) -> None:
    """The log says so."""

    async def scenario() -> None:
        async with staged() as stage, tls_backend(authority.issue_expired("127.0.0.1")) as expired:
            point(stage, "legacy", expired.port, tls={"ca": authority.file})
            await check_unusable(stage, expired, "certificate has expired")

    run(scenario())


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_tls_backend_of_an_old_version_is_refused(authority: Authority) -> None:
    """RFC 8996 holds towards backends, too."""

    async def scenario() -> None:
        context = only_old(server_context(authority.issue(key_type=RSA)), ssl.TLSVersion.TLSv1_1)
        async with staged() as stage, tls_backend(context) as old:
            point(stage, "legacy", old.port, tls={"ca": authority.file})
            await check_unusable(stage, old)

    run(scenario())


def test_tls_backend_may_go_unverified_and_that_is_told(stranger: Authority) -> None:
    """`verify: false` believes anybody, with a warning."""

    async def scenario() -> None:
        async with staged() as stage, tls_backend(stranger.issue("elsewhere")) as unknown:
            point(stage, "legacy", unknown.port, tls={"verify": False})
            assert 200 == (await stage.ask()).status
            assert {("warning", "legacy")} == {
                (entry["log_level"], entry["backend"]) for entry in stage.events("backend.unverified")
            }

    run(scenario())


def test_tls_backend_that_wants_a_certificate_gets_it(authority: Authority) -> None:
    """The one of the config; without one the backend serves nothing."""

    async def scenario() -> None:
        ours = authority.issue("changeover.internal")
        async with staged() as stage, tls_backend(authority.demanding(authority.issue())) as strict:
            point(stage, "legacy", strict.port, tls={"ca": authority.file})
            await check_unusable(stage, strict)
            point(
                stage,
                "legacy",
                strict.port,
                tls={"ca": authority.file, "certificate": ours.certificate, "key": ours.key},
            )
            assert 200 == (await stage.ask()).status
            shown_to_it = strict.asked[0].writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
            assert der_of(ours) == shown_to_it

    run(scenario())


def test_tls_backend_that_knows_another_authority_refuses_us(authority: Authority, stranger: Authority) -> None:
    """A certificate that it doesn't believe is as good as none."""

    async def scenario() -> None:
        ours = stranger.issue("changeover.internal")
        async with staged() as stage, tls_backend(authority.demanding(authority.issue())) as strict:
            point(
                stage,
                "legacy",
                strict.port,
                tls={"ca": authority.file, "certificate": ours.certificate, "key": ours.key},
            )
            await check_unusable(stage, strict)

    run(scenario())


def test_tls_backend_that_speaks_plain_http_is_refused(authority: Authority) -> None:
    """No request goes out before the handshake."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
        writer.close()

    async def scenario() -> None:
        async with staged() as stage, backend(ok()) as plain:
            plain._converse = refuse  # type: ignore[method-assign,assignment]  # it can't make sense of what comes
            point(stage, "legacy", plain.port, tls={"ca": authority.file})
            await check_unusable(stage, plain, "SSL")

    run(scenario())


def test_tls_backend_that_is_silent_costs_the_time_to_connect(authority: Authority) -> None:
    """It accepts and says nothing: 504 by `timeout.connect`, which covers the handshake."""

    async def scenario() -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            async with staged() as stage:
                point(
                    stage,
                    "legacy",
                    silent.getsockname()[1],
                    timeouts=Timeouts(connect_s=0.2),
                    tls={"ca": authority.file},
                )
                assert 504 == (await stage.ask()).status
                assert "connect" == stage.events("request.failed")[0]["phase"]

    run(scenario())


def test_tls_backend_that_is_refused_falls_back_to_legacy(authority: Authority, stranger: Authority) -> None:
    """As any other failure of new before the first byte (law 4)."""

    async def scenario() -> None:
        async with staged(ok(b"legacy")) as stage, tls_backend(stranger.issue()) as unknown:
            point(stage, "new", unknown.port, percent=100, fallback=True, tls={"ca": authority.file})
            assert b"legacy" == (await stage.ask()).body

    run(scenario())


def test_tls_backend_is_shadowed(authority: Authority) -> None:
    """The shadow's pool has its TLS as well: equal answers match."""

    async def scenario() -> None:
        async with staged(ok(b"same")) as stage, tls_backend(authority.issue(), ok(b"same")) as new:
            point(stage, "new", new.port, shadow=SHADOWED, tls={"ca": authority.file})
            assert b"same" == (await stage.ask()).body
            counts = await stage.check_nothing_lost()
            assert (1, True) == (counts["match"], new.asked[0].is_shadow)

    run(scenario())


def test_tls_shadow_that_is_refused_costs_the_user_nothing(authority: Authority, stranger: Authority) -> None:
    """It is counted as a connection that failed (laws 1 and 5)."""

    async def scenario() -> None:
        async with staged(ok(b"served")) as stage, tls_backend(stranger.issue()) as unknown:
            point(stage, "new", unknown.port, shadow=SHADOWED, tls={"ca": authority.file})
            assert b"served" == (await stage.ask()).body
            assert 1 == (await stage.check_nothing_lost())["skipped.shadow_failed.connect"]

    run(scenario())


def test_tls_files_that_are_gone_fail_their_backend_alone_and_only_while_they_are(authority: Authority) -> None:
    """A worker that can't read them serves the other side; once they are back, so is the backend."""

    async def scenario() -> None:
        async with staged(ok(b"legacy")) as stage, tls_backend(authority.issue(), ok(b"new")) as new:
            content = authority.file.read_bytes()
            authority.file.unlink()
            point(stage, "new", new.port, percent=100, tls={"ca": authority.file})
            assert {("error", "new")} == {
                (entry["log_level"], entry["backend"]) for entry in stage.events("backend.unusable")
            }
            await check_unusable(stage, new, str(authority.file), "doesn't exist")
            assert b"legacy" == (await stage.ask(user=None)).body  # nobody's percentage
            authority.file.write_bytes(content)
            assert b"new" == (await stage.ask()).body

    run(scenario())


# --- both, and much ---
def test_tls_carries_large_bodies_both_ways(authority: Authority) -> None:
    """8 MiB up and 8 MiB down at a time, byte for byte, by length and in chunks."""

    async def echo(asked: Asked) -> None:
        body = await asked.read_body()
        if asked.target == "/chunked":
            await asked.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
            for start in range(0, len(body), 100_000):
                piece = body[start : start + 100_000]
                await asked.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            await asked.write(b"0\r\n\r\n")
        else:
            await asked.write(ok(body))

    async def scenario() -> None:
        async with (
            staged(settings=authority.issue().settings) as stage,
            tls_backend(authority.issue(), echo) as safe,
            tls_client(stage, authority.trusting()) as user,
        ):
            point(stage, "legacy", safe.port, tls={"ca": authority.file})
            for target in ("/length", "/chunked"):
                sending = asyncio.create_task(user.send(request("PUT", target, body=LARGE)))
                reply = await user.answer()
                await sending
                assert reply.body == LARGE
                assert bytes(safe.asked[-1].body) == LARGE

    run(scenario())


@pytest.mark.parametrize("has_tls_backend", [False, True], ids=["plain backend", "TLS backend"])
def test_tls_user_who_reads_nothing_pauses_the_backend(has_tls_backend: bool, authority: Authority) -> None:
    """An endless answer comes to a stand, as without TLS; what is on its way is bounded."""
    sent = 0

    async def endless(asked: Asked) -> None:
        nonlocal sent
        await asked.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        while True:
            await asked.write(b"186a0\r\n" + b"x" * 100_000 + b"\r\n")
            sent += 100_000

    async def stand() -> int:
        before = -1
        while before != sent:
            before = sent
            await asyncio.sleep(0.2)
        return sent

    async def scenario() -> None:
        async with (
            staged(endless, settings=authority.issue().settings, shadow=NO_SHADOW) as stage,
            tls_backend(authority.issue(), endless) as safe,
            tls_client(stage, authority.trusting()) as user,
        ):
            if has_tls_backend:
                point(stage, "legacy", safe.port, tls={"ca": authority.file})
            user.writer.transport.pause_reading()  # type: ignore[attr-defined]  # it is a transport of both directions
            await user.send(request())
            await until(lambda: sent)
            assert await stand() < 32_000_000  # sockets' buffers, twice, and those of TLS

    run(scenario())


# --- the end of an answer that its connection ends ---
def without_alert(asked: Asked) -> None:
    """Ends the connection below TLS: what anybody in between can do."""
    sock = asked.writer.get_extra_info("socket")
    with socket.socket(fileno=socket.dup(sock.fileno())) as copy:
        copy.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize("has_alert", [True, False], ids=["alert", "no alert"])
def test_tls_answer_that_its_connection_ends_needs_the_closure_alert(has_alert: bool, authority: Authority) -> None:
    """RFC 9112 §9.8: without it the answer is truncated, and the user must see that."""

    async def behave(asked: Asked) -> None:
        await asked.write(b"HTTP/1.1 200 OK\r\n\r\nall of it")
        await asyncio.sleep(0.05)  # so that the worker has begun to pass it on
        if has_alert:
            asked.writer.close()
        else:
            without_alert(asked)
            await asked.wait_left()

    async def scenario() -> None:
        async with (
            staged(shadow=NO_SHADOW) as stage,
            tls_backend(authority.issue(), behave) as safe,
            stage.client() as user,
        ):
            point(stage, "legacy", safe.port, tls={"ca": authority.file})
            await user.send(request())
            reply = await user.answer()
            assert (200, has_alert) == (reply.status, reply.is_whole)
            assert (0 if has_alert else 1) == len(stage.events("answer.broken_off"))

    run(scenario())


def test_tls_backend_that_hangs_up_before_its_answer_is_a_502(authority: Authority) -> None:
    """With an alert or without."""

    async def behave(asked: Asked) -> None:
        if asked.target == "/alert":
            asked.writer.close()
        else:
            without_alert(asked)
            await asked.wait_left()

    async def scenario() -> None:
        async with staged(shadow=NO_SHADOW) as stage, tls_backend(authority.issue(), behave) as safe:
            point(stage, "legacy", safe.port, tls={"ca": authority.file})
            assert [502, 502] == [(await stage.ask("POST", target)).status for target in ("/alert", "/none")]

    run(scenario())


def test_tls_backend_that_is_down_is_a_502(authority: Authority) -> None:
    """As one without TLS."""

    async def scenario() -> None:
        async with staged(shadow=NO_SHADOW) as stage:
            point(stage, "legacy", free_port(), tls={"ca": authority.file})
            assert 502 == (await stage.ask()).status

    run(scenario())
