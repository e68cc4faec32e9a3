"""What a worker says of itself: its connections, requests, refusals and pools, as they are."""

from __future__ import annotations

from tests.traffic.stage import SHADOWED, staged
from tests.traffic.wire import client, hang, ok, request, run, until


def test_gauges_follow_users_and_pools() -> None:
    """A request under way keeps a connection to each backend busy; afterwards they are idle, and the user's stays."""

    async def scenario() -> None:
        async with staged(ok(b"one"), ok(b"one"), shadow=SHADOWED) as stage:
            worker = stage.worker
            assert (0, 0) == (worker.gauges()["connections"], worker.gauges()["served.legacy.connections"])
            async with client(stage.port) as user:
                await user.send(request("GET", "/"))
                assert b"one" == (await user.answer("GET")).body
                await stage.settle_shadows()
                gauges = worker.gauges()
                expected = {
                    "connections": 1,
                    "in_flight": 0,
                    "shadows": 0,
                    "served.legacy.connections": 1,
                    "served.legacy.idle": 1,
                    "served.new.connections": 0,
                    "shadow.new.connections": 1,
                    "shadow.new.idle": 1,
                }
                assert expected == {name: gauges[name] for name in expected}
                stage.legacy.behave = hang
                await user.send(request("GET", "/"))
                await until(lambda: worker.gauges()["in_flight"] == 1)
                assert (1, 0) == (worker.gauges()["served.legacy.connections"], worker.gauges()["served.legacy.idle"])
            await until(lambda: worker.gauges()["connections"] == 0 and worker.gauges()["in_flight"] == 0)

    run(scenario())


def test_gauges_count_refusals_by_status() -> None:
    """What was no request, and what is not served here."""

    async def scenario() -> None:
        async with staged() as stage:
            await stage.send(b"GET / HTTP/1.1\r\n\r\n")
            await stage.send(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
            await stage.send(b"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n")
            gauges = stage.worker.gauges()
            assert (2, 1) == (gauges["refused.400"], gauges["refused.405"])

    run(scenario())
