"""TLS to backends: who isn't known gets and sees nothing."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING, Any

import pytest

from proxy.core.model import Timeouts
from tests.certificates import RSA, Authority, der_of, only_old, server_context
from tests.traffic.stage import SHADOWED, staged
from tests.traffic.tls import check_unusable, point, tls_backend
from tests.traffic.wire import backend, ok, run

if TYPE_CHECKING:
    import asyncio


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
