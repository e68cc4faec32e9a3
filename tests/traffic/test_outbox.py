"""What goes out together: in order, nothing is left behind, and what is written at once goes behind what waits."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Any

import pytest

from proxy.traffic.outbox import MOST, Outbox
from proxy.traffic.upstream.exchange import Exchange
from tests.traffic.stage import NO_SHADOW, staged
from tests.traffic.wire import run


class Noting:
    """Notes that it was asked."""

    def __init__(self, name: int, sent: list[int]) -> None:
        self._name = name
        self._sent = sent

    def send_waiting(self) -> None:
        self._sent.append(self._name)


@pytest.mark.parametrize("number", [1, MOST - 1, MOST, MOST + 1, 3 * MOST])
def test_senders_are_asked_once_each_and_in_order(number: int) -> None:
    """After the loop's turn at the latest; not before it, up to MOST."""

    async def scenario() -> None:
        sent: list[int] = []
        outbox = Outbox()
        for name in range(number):
            outbox.add(Noting(name, sent))
        assert list(range(number // MOST * MOST)) == sent
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert list(range(number)) == sent

    run(scenario())


def test_more_users_than_go_out_together_are_all_answered() -> None:
    """All of them ask within one turn of the loop."""

    async def scenario() -> None:
        async with staged(shadow=NO_SHADOW) as stage:
            number = 2 * MOST + 3
            replies = await asyncio.gather(*(stage.ask(user=f"u{each}") for each in range(number)))
            assert [200] * number == [reply.status for reply in replies]

    run(scenario())


def test_refusal_goes_behind_the_answers_before_it() -> None:
    """Of requests that were sent ahead the last one is malformed: the answers come first, then 400 and the end."""

    async def scenario() -> None:
        async with staged(shadow=NO_SHADOW) as stage:
            user = await stage.connect()
            good = b"GET /a HTTP/1.1\r\nHost: shop.example\r\nX-User: u1\r\n\r\n"
            await user.send(good * 3 + b"GET / HTTP/1.1\r\nHost : x\r\n\r\n")
            assert [200, 200, 200, 400] == [(await user.answer()).status for _ in range(4)]
            assert b"" == await user.rest()
            user.abort()

    run(scenario())


def test_bytes_before_the_request_went_out_are_no_answer() -> None:
    """A backend closes an idle connection with a 408 just when a request takes it: that was never sent, and stale."""

    async def scenario() -> None:
        async with staged(shadow=NO_SHADOW) as stage:
            await stage.ask()
            pool: Any = stage.worker.reader.current.served["legacy"]
            connection, deadlines = pool._idle[-1], pool._deadlines
            exchange = Exchange("legacy", b"GET", b"/", b"host: a\r\n", deadlines=deadlines, now=monotonic())
            assert pool.begin(exchange)
            connection.data_received(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
            assert exchange.error is not None
            assert (True, "read", 0) == (exchange.error.is_stale, exchange.error.phase, exchange.status)
            assert 200 == (await stage.ask()).status
            assert [2, 2] == [len(stage.legacy.asked), stage.legacy.connections]

    run(scenario())


def test_request_that_nobody_waits_for_any_more_is_not_sent() -> None:
    """The exchange was given up before the loop's turn ended."""

    async def scenario() -> None:
        async with staged(shadow=NO_SHADOW) as stage:
            await stage.ask()
            pool: Any = stage.worker.reader.current.served["legacy"]
            exchange = Exchange("legacy", b"GET", b"/", b"host: a\r\n", deadlines=pool._deadlines, now=monotonic())
            assert pool.begin(exchange)
            exchange.abandon()
            assert 200 == (await stage.ask()).status
            assert 2 == len(stage.legacy.asked)

    run(scenario())
