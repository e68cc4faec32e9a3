"""TLS on both sides: much at a time, and how an answer that its connection ends is told from one that broke off."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import pytest

from tests.traffic.stage import NO_SHADOW, staged
from tests.traffic.tls import point, tls_backend, tls_client
from tests.traffic.wire import free_port, ok, request, run, until

if TYPE_CHECKING:
    from tests.certificates import Authority
    from tests.traffic.wire import Asked

LARGE = bytes(range(256)) * 32_768  # 8 MiB: more than any buffer on the way


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
