"""TLS to users: who comes by it, and how certificates are renewed under them."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from proxy.core.model import Users
from proxy.listeners import LOOK_S
from tests.certificates import EC, RSA, Authority, der_of, only_old
from tests.traffic.stage import NO_SHADOW, SHADOWED, Stage, staged
from tests.traffic.tls import ask, tls_client, tls_of
from tests.traffic.wire import Client, ok, request, run, until

if TYPE_CHECKING:
    from tests.traffic.wire import Asked


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
    monkeypatch.setattr("proxy.traffic.serving.HANDSHAKE_S", 0.2)

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


# --- users: how many may come ---
async def silent(stack: AsyncExitStack, stage: Stage, number: int) -> list[Client]:
    """Users who connect and say nothing, once the worker has accepted them."""
    before = stage.worker.handler.handshakes
    made = [await stack.enter_async_context(stage.client()) for _ in range(number)]
    await until(lambda: stage.worker.handler.handshakes == before + number)
    return made


def test_tls_handshakes_take_places_as_connections_do(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """Above the limit nobody is let in; who is in is served, and the places are free when the handshakes have ended."""
    monkeypatch.setattr("proxy.traffic.serving.HANDSHAKE_S", 0.5)

    async def scenario() -> None:
        settings = {**authority.issue().settings, "max_connections": 8}
        async with staged(settings=settings, shadow=NO_SHADOW) as stage, AsyncExitStack() as stack:
            user = await stack.enter_async_context(tls_client(stage, authority.trusting()))
            assert 200 == await ask(user)
            await until(lambda: not stage.worker.handler.handshakes)
            users = await silent(stack, stage, 9)
            gauges = stage.worker.gauges()
            assert (1, 9) == (gauges["connections"], gauges["handshakes"])
            async with stage.client() as above:
                with suppress(ConnectionError):
                    assert b"" == await above.rest()
            assert (9, 1) == (stage.worker.handler.handshakes, stage.worker.gauges()["refused.503"])
            assert 200 == await ask(user)
            for each in users:
                with suppress(ConnectionError):
                    assert b"" == await each.rest()
            await until(lambda: not stage.worker.handler.handshakes)
            async with tls_client(stage, authority.trusting()) as after:
                assert 200 == await ask(after)

    run(scenario())


def test_tls_user_above_the_limit_is_told_to_come_again(authority: Authority) -> None:
    """As without TLS: the answer comes over a whole connection, for which there is a place beyond the limit."""

    async def scenario() -> None:
        settings = {**authority.issue().settings, "max_connections": 2}
        async with staged(settings=settings, shadow=NO_SHADOW) as stage, AsyncExitStack() as stack:
            users = [await stack.enter_async_context(tls_client(stage, authority.trusting())) for _ in range(2)]
            assert [200, 200] == [await ask(user) for user in users]
            async with tls_client(stage, authority.trusting()) as above:
                reply = await above.answer()
                assert (503, "1") == (reply.status, reply.head.get("retry-after"))
            assert [200, 200] == [await ask(user) for user in users]

    run(scenario())


def test_tls_handshakes_press_shadows(authority: Authority) -> None:
    """Four fifths of the places are taken: users go on, shadows yield."""

    async def scenario() -> None:
        settings = {**authority.issue().settings, "max_connections": 10}
        async with staged(settings=settings, shadow=SHADOWED) as stage, AsyncExitStack() as stack:
            user = await stack.enter_async_context(tls_client(stage, authority.trusting()))
            assert 200 == await ask(user)
            await until(lambda: not stage.worker.handler.handshakes)
            await silent(stack, stage, 7)
            assert 200 == await ask(user)
            counts = await stage.check_nothing_lost()
            assert (1, 1) == (counts["skipped.shed"], len(stage.new.asked))

    run(scenario())


def descriptors() -> int:
    """That this process, worker and users alike, has open (proc(5), fd)."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_tls_handshakes_that_come_to_nothing_leave_nothing_behind(authority: Authority) -> None:
    """Whoever ends them, and at whatever point: no descriptor stays, and no place is taken."""

    async def scenario() -> None:
        hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
        async with staged(settings=authority.issue().settings, shadow=NO_SHADOW) as stage:
            before = descriptors()
            for sent in (b"", hello, hello + b"x" * 600, request(), b"\x15\x03\x01\x00\x02\x02\x28"):
                for end in (Client.close, Client.abort):
                    async with AsyncExitStack() as stack:
                        for user in await silent(stack, stage, 5):
                            await user.send(sent)
                            end(user)
                    await until(lambda: not stage.worker.handler.handshakes)
            await until(lambda: descriptors() == before)
            async with tls_client(stage, authority.trusting()) as user:
                assert 200 == await ask(user)

    run(scenario())


def test_tls_worker_that_stops_ends_handshakes(authority: Authority) -> None:
    """None of them outlives the worker, and none holds it up."""

    async def scenario() -> None:
        settings = authority.issue().settings
        async with staged(settings=settings, shadow=NO_SHADOW):
            pass
        before = descriptors()
        async with AsyncExitStack() as stack:
            async with staged(settings=settings, shadow=NO_SHADOW) as stage:
                users = await silent(stack, stage, 3)
            for user in users:
                with suppress(ConnectionError):
                    assert b"" == await user.rest()
        await until(lambda: descriptors() == before)

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
