"""The pool of connections to a backend: bounded, shared, and never a trap for a request."""

from __future__ import annotations

import asyncio
import socket
from contextlib import ExitStack, suppress
from typing import Any

import pytest

from proxy.core.model import Timeouts
from proxy.traffic.upstream import http1 as http1_module
from proxy.traffic.upstream.http1 import FAILURES, FRESH_S, IDLE_S, REST_S
from tests.traffic.stage import NO_SHADOW, SHADOWED, WITH_WRITES, Stage, make_stage_rollout, staged
from tests.traffic.wire import backend, free_port, hang, ok, request, run, then_close, until


def pool(stage: Stage, side: Any = "legacy") -> Any:
    return stage.worker.reader.current.served[side]


def test_pool_keeps_to_its_limit_and_serves_who_waits() -> None:
    """Twenty users, two connections: all are served, the backend never sees a third connection."""

    async def scenario() -> None:
        async with staged(shadow=NO_SHADOW, connections=2) as stage:
            replies = await asyncio.gather(*(stage.ask(user=f"u{number}") for number in range(20)))
            assert {200} == {reply.status for reply in replies}
            assert 2 == stage.legacy.connections

    run(scenario())


@pytest.mark.parametrize("behave", [then_close(ok()), ok(b"", "connection: close")], ids=["closing", "saying so"])
def test_pool_opens_the_next_connection_when_one_ends(behave: Any) -> None:
    """Who waits for a connection gets a new one when the old one can't be used again."""

    async def scenario() -> None:
        async with staged(behave, shadow=NO_SHADOW, connections=1) as stage:
            replies = await asyncio.gather(*(stage.ask("PUT") for _ in range(5)))
            assert [200] * 5 == [reply.status for reply in replies]
            assert 5 == stage.legacy.connections

    run(scenario())


def test_pool_gives_a_place_back_when_connecting_fails() -> None:
    """Who waits behind a failing connect is not left waiting: 502 for all, and no timeout of the pool."""

    async def scenario() -> None:
        timeouts = Timeouts(pool_s=5.0)
        async with staged(legacy_port=free_port(), shadow=NO_SHADOW, connections=1, timeouts=timeouts) as stage:
            replies = await asyncio.gather(*(stage.ask() for _ in range(5)))
            assert [502] * 5 == [reply.status for reply in replies]

    run(scenario())


def test_pool_passes_a_turn_on_when_its_owner_has_gone() -> None:
    """A place that comes free just as its waiter gives up goes to the next one in line."""

    async def scenario() -> None:
        alike = Timeouts(read_s=1.0, pool_s=1.0)  # long enough for all to be in line before the first gives up
        async with staged(hang, shadow=NO_SHADOW, connections=1, timeouts=alike) as stage:
            first = asyncio.create_task(stage.ask())
            await stage.legacy.wait_asked()
            others = [asyncio.create_task(stage.ask()) for _ in range(3)]
            await until(lambda: len(pool(stage)._waiters) == 3)
            stage.legacy.behave = ok()
            statuses = {(await task).status for task in (first, *others)}
            assert statuses <= {200, 503, 504}
            assert 200 == (await stage.ask()).status
            assert not pool(stage)._waiters

    run(scenario())


def test_pool_has_a_line_with_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who comes when the line is full is told at once to come again; those in it are served in turn."""
    monkeypatch.setattr(http1_module, "MOST_IN_LINE", 2)

    async def scenario() -> None:
        timeouts = Timeouts(pool_s=8.0)
        async with staged(hang, shadow=NO_SHADOW, connections=1, timeouts=timeouts) as stage, stage.client() as first:
            await first.send(request())
            await stage.legacy.wait_asked()
            waiting = [asyncio.create_task(stage.ask()) for _ in range(2)]
            await until(lambda: len(pool(stage)._waiters) == 2)
            reply = await stage.ask()
            assert (503, "1") == (reply.status, reply.head.get("retry-after"))
            assert [False, False] == [task.done() for task in waiting]
            stage.legacy.behave = ok()
            first.abort()
            assert [200, 200] == [(await task).status for task in waiting]

    run(scenario())


def test_pool_gives_the_turn_of_a_user_who_left_to_the_next_one() -> None:
    """Nothing is sent for nobody, and no connection is closed for it."""
    may_answer = asyncio.Event()

    async def behave(asked: Any) -> None:
        await may_answer.wait()
        await asked.write(ok())

    async def scenario() -> None:
        timeouts = Timeouts(pool_s=8.0)
        async with staged(behave, shadow=NO_SHADOW, connections=1, timeouts=timeouts) as stage:
            first = asyncio.create_task(stage.ask())
            await stage.legacy.wait_asked()
            async with stage.client() as leaving:
                await leaving.send(request("GET", "/nobody"))
                await until(lambda: len(pool(stage)._waiters) == 1)
                last = asyncio.create_task(stage.ask())
                await until(lambda: len(pool(stage)._waiters) == 2)
            await until(lambda: stage.worker.handler.connections == 2)
            may_answer.set()
            assert [200, 200] == [(await task).status for task in (first, last)]
            assert (["GET /", "GET /"], 1) == (stage.legacy.requests, stage.legacy.connections)

    run(scenario())


def test_pool_that_is_overrun_serves_what_it_can_and_sheds_shadows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixty users at once, twenty connections, a slow backend: answers or 503 with Retry-After, and hardly a shadow."""
    monkeypatch.setattr(http1_module, "MOST_IN_LINE", 20)

    async def slow(asked: Any) -> None:
        await asyncio.sleep(0.5)
        await asked.write(ok())

    async def scenario() -> None:
        timeouts = Timeouts(pool_s=0.2)
        async with staged(slow, shadow=SHADOWED, connections=20, timeouts=timeouts) as stage:
            replies = await asyncio.gather(*(stage.ask(user=f"u{number}") for number in range(60)))
            told = {(reply.status, reply.head.get("retry-after")) for reply in replies}
            assert {(200, None), (503, "1")} == told
            assert 20 == sum(reply.status == 200 for reply in replies)
            counts = await stage.check_nothing_lost()
            assert (40, 44) == (counts["failed.legacy"], counts["skipped.shed"])
            assert 16 == len(stage.new.asked)

    run(scenario())


def test_pool_drops_connections_that_were_idle_too_long() -> None:
    """After IDLE_S the worker closes them, before a backend does."""

    async def scenario() -> None:
        async with staged(shadow=NO_SHADOW) as stage:
            await stage.ask()
            reader = stage.legacy.asked[0].reader
            now = asyncio.get_running_loop().time()
            pool(stage)._drop_idle(now + IDLE_S - 0.5)
            assert 1 == len(pool(stage)._idle)
            pool(stage)._drop_idle(now + IDLE_S + 0.5)
            await until(reader.at_eof)
            await stage.ask()
            assert 2 == stage.legacy.connections

    run(scenario())


@pytest.mark.parametrize(("method", "connections"), [("GET", 1), ("PUT", 1), ("POST", 2), ("PATCH", 2)])
def test_pool_sends_what_may_not_be_repeated_on_fresh_connections_only(method: str, connections: int) -> None:
    """A connection that was idle for a while may be closed already: a POST is not tried on it."""

    async def scenario() -> None:
        async with staged(shadow=NO_SHADOW) as stage:
            await stage.ask()
            pool(stage)._idle[0].idle_since -= FRESH_S + 1
            await stage.ask(method)
            assert connections == stage.legacy.connections

    run(scenario())


def test_pool_makes_room_for_what_needs_a_fresh_connection() -> None:
    """At the limit an old idle connection is closed for a new one."""

    async def scenario() -> None:
        async with staged(shadow=NO_SHADOW, connections=1) as stage:
            await stage.ask()
            pool(stage)._idle[0].idle_since -= FRESH_S + 1
            assert 200 == (await stage.ask("POST")).status
            assert 2 == stage.legacy.connections
            await until(stage.legacy.asked[0].reader.at_eof)

    run(scenario())


def test_pool_forgets_connections_that_the_backend_closed() -> None:
    """A kept-alive connection that ended is not tried: no request fails, none is repeated."""

    async def scenario() -> None:
        async with staged(shadow=NO_SHADOW) as stage:
            await stage.ask()
            stage.legacy.asked[0].writer.close()
            await until(lambda: not pool(stage)._open)
            assert 200 == (await stage.ask("POST")).status
            counts = await stage.settle()
            assert 0 == counts["retried.legacy"]

    run(scenario())


def test_pool_of_a_replaced_backend_serves_its_requests_to_the_end() -> None:
    """A rollout that names another backend takes effect for new requests; those under way are finished."""
    may_answer = asyncio.Event()

    async def behave(asked: Any) -> None:
        await may_answer.wait()
        await asked.write(ok(b"old"))

    async def scenario() -> None:
        async with (
            staged(behave, shadow=NO_SHADOW) as stage,
            backend(ok(b"replacement")) as replacement,
            stage.client() as user,
        ):
            await user.send(request())
            await stage.legacy.wait_asked()
            stage.worker.apply(make_stage_rollout(replacement.port, stage.new.port))
            assert b"replacement" == (await stage.ask()).body
            may_answer.set()
            assert b"old" == (await user.answer()).body

    run(scenario())


@pytest.mark.parametrize(("percent", "shadow_side"), [(0, "new"), (100, "legacy")])
def test_shadow_pool_rests_after_a_refused_connection(percent: int, shadow_side: str) -> None:
    """Shadows fail at once, with the same reason, until the rest is over; then the backend is asked again."""

    async def scenario() -> None:
        port = free_port()
        ports: dict[str, Any] = {f"{shadow_side}_port": port}
        async with staged(percent=percent, shadow=SHADOWED, **ports) as stage:
            await stage.ask()
            await stage.settle_shadows()
            shadowed = stage.new if shadow_side == "new" else stage.legacy
            await shadowed.stop()
            await shadowed.start(port)
            assert [200] * 3 == [(await stage.ask()).status for _ in range(3)]
            counts = await stage.settle()
            assert (4, 0) == (counts["skipped.shadow_failed.connect"], shadowed.connections)
            await asyncio.sleep(REST_S)
            await stage.ask()
            counts = await stage.check_nothing_lost()
            assert (4, 1) == (counts["skipped.shadow_failed.connect"], shadowed.connections)

    run(scenario())


def test_shadow_pool_rests_after_answers_in_a_row_that_were_none() -> None:
    """Garbage costs a connection each time: after FAILURES of it the backend is left alone for a while."""

    async def scenario() -> None:
        async with staged(ok(), b"garbage\r\n\r\n", shadow=SHADOWED) as stage:
            for _ in range(FAILURES + 3):
                await stage.ask()
                await stage.settle_shadows()
            counts = await stage.settle()
            assert (FAILURES + 3, FAILURES) == (counts["skipped.shadow_failed.protocol"], len(stage.new.asked))
            await asyncio.sleep(REST_S)
            stage.new.behave = ok()
            await stage.ask()
            await stage.settle_shadows()
            stage.new.behave = b"garbage\r\n\r\n"
            await stage.ask()
            await stage.settle_shadows()
            await stage.ask()
            await stage.check_nothing_lost()
            assert FAILURES + 3 == len(stage.new.asked)

    run(scenario())


def test_shadow_pool_tries_one_connection_at_a_time_after_its_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as none is made: of ten shadows of a backend that is gone one tries, and the others fail at once."""
    tried = 0
    dial = http1_module.Http1Upstream._dial

    async def counted(upstream: Any) -> Any:
        nonlocal tried
        tried += upstream.backend.side == "new"
        return await dial(upstream)

    monkeypatch.setattr(http1_module.Http1Upstream, "_dial", counted)

    async def scenario() -> None:
        with socket.create_server(("127.0.0.1", 0), backlog=0) as gone, ExitStack() as filling:
            port = gone.getsockname()[1]
            with suppress(TimeoutError):  # a full queue, out of which nobody takes anything, is no answer at all
                while True:
                    filling.enter_context(socket.create_connection(("127.0.0.1", port), timeout=0.3))
            async with staged(new_port=port, shadow=SHADOWED, timeouts=Timeouts(connect_s=1.0)) as stage:
                for tries in (10, 11):
                    await asyncio.gather(*(stage.ask() for _ in range(10)))
                    await stage.settle_shadows()
                    assert tries == tried
                    await asyncio.sleep(REST_S)
                counts = await stage.check_nothing_lost()
                assert 20 == counts["skipped.shadow_failed.timeout"] + counts["skipped.shed"]

    run(scenario())


def test_serving_pool_never_rests() -> None:
    """A user's request tries its backend, however often others failed just before."""

    async def scenario() -> None:
        port = free_port()
        async with staged(legacy_port=port, shadow=NO_SHADOW) as stage:
            assert 502 == (await stage.ask()).status
            await stage.legacy.stop()
            await stage.legacy.start(port)
            assert 200 == (await stage.ask()).status

    run(scenario())


def test_writes_in_line_behind_a_resting_pool_all_end() -> None:
    """A user's queued shadows fail one after the other, at any length of the queue."""

    async def scenario() -> None:
        async with staged(new_port=free_port(), shadow=WITH_WRITES) as stage:
            replies = await asyncio.gather(*(stage.ask("POST", body=b"x") for _ in range(50)))
            assert [200] * 50 == [reply.status for reply in replies]
            counts = await stage.check_nothing_lost()
            assert 50 == counts["skipped.shadow_failed.connect"]
            assert not stage.worker.shadows._lanes

    run(scenario())
