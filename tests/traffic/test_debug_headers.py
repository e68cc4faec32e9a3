"""Who answered and why, for those who know the token; no trace of us for all others."""

from __future__ import annotations

import re

import pytest

from tests.traffic.stage import KEYED, NO_SHADOW, SHADOWED, staged
from tests.traffic.wire import ok, run

TOKEN = "a-token-of-some-length"
SETTINGS = {"debug_token": TOKEN}
GARBAGE = b"no answer at all\r\n\r\n"


def test_debug_headers_say_who_answered_and_why() -> None:
    """Side, route, reason, bucket and percentage; and how long the backend took, as browsers draw it."""

    async def scenario() -> None:
        async with staged(ok(b"legacy"), ok(b"new"), percent=100, users=KEYED, settings=SETTINGS) as stage:
            reply = await stage.ask("GET", "/", "X-User: 42", f"X-Changeover-Debug: {TOKEN}")
            (about,) = reply.head.all("x-changeover-backend")
            assert re.fullmatch(r"new; route=feeds; reason=bucket; bucket=[0-9]+; percentage=100", about)
            (timing,) = reply.head.all("server-timing")
            assert re.fullmatch(r'backend;desc="new";dur=[0-9]+\.[0-9]{3}', timing)
            assert b"new" == reply.body

    run(scenario())


def test_debug_headers_tell_of_a_fallback() -> None:
    """Legacy answered, though the decision was new."""

    async def scenario() -> None:
        ill = ok(b"ill", status="503 Service Unavailable")
        async with staged(ok(b"legacy"), ill, percent=100, fallback=True, users=KEYED, settings=SETTINGS) as stage:
            reply = await stage.ask("GET", "/", "X-User: 42", f"X-Changeover-Debug: {TOKEN}")
            (about,) = reply.head.all("x-changeover-backend")
            assert about.startswith("legacy;")
            assert about.endswith("; fell_back")

    run(scenario())


def test_debug_headers_say_whose_failure_it_is() -> None:
    """Our own 502 names the backend that gave no answer, and the time it took, to those who know the token."""

    async def scenario() -> None:
        async with staged(GARBAGE, shadow=NO_SHADOW, users=KEYED, settings=SETTINGS) as stage:
            reply = await stage.ask("GET", "/", f"X-Changeover-Debug: {TOKEN}")
            assert 502 == reply.status
            (about,) = reply.head.all("x-changeover-backend")
            assert about.startswith("legacy; route=feeds; reason=")
            assert 1 == len(reply.head.all("server-timing"))
            assert [] == (await stage.ask()).head.all("x-changeover-backend")

    run(scenario())


@pytest.mark.parametrize(
    ("settings", "fields"),
    [
        (SETTINGS, []),
        (SETTINGS, ["X-Changeover-Debug: wrong"]),
        (SETTINGS, [f"X-Changeover-Debug: {TOKEN}", "X-Changeover-Debug: wrong"]),
        ({}, [f"X-Changeover-Debug: {TOKEN}"]),
        ({}, ["X-Changeover-Debug:"]),
    ],
)
def test_debug_headers_are_for_nobody_else(settings: dict[str, str], fields: list[str]) -> None:
    """Without the token, with a wrong one, with two, and where none is configured."""

    async def scenario() -> None:
        async with staged(ok(b"legacy"), shadow=NO_SHADOW, settings=settings) as stage:
            reply = await stage.ask("GET", "/", *fields)
            assert [] == reply.head.all("x-changeover-backend") + reply.head.all("server-timing")

    run(scenario())


def test_debug_token_reaches_no_backend_and_no_evidence() -> None:
    """It is ours: neither side gets it, and what goes up the link doesn't show it (law 6)."""

    async def scenario() -> None:
        async with staged(ok(b"one"), ok(b"two"), shadow=SHADOWED, settings=SETTINGS, is_linked=True) as stage:
            await stage.ask("GET", "/", f"X-Changeover-Debug: {TOKEN}")
            await stage.settle()
            asked = [*stage.legacy.asked, *stage.new.asked]
            assert 2 == len(asked)
            assert not any(b"changeover-debug" in each.head.raw.lower() for each in asked)
            assert 1 == len(stage.control.pairs)
            assert TOKEN.encode() not in stage.control.received

    run(scenario())
