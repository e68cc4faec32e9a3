"""Users without a key: told apart by a cookie that we issue once, or all on legacy."""

from __future__ import annotations

from collections import Counter

from proxy.core.decide import ISSUED_COOKIE
from proxy.core.model import KeySource, Match, Users
from tests.traffic.stage import NO_SHADOW, SHADOWED, staged
from tests.traffic.wire import ok, run

BY_COOKIE = Users("inkzee-2026", (KeySource("header", "x-user"),), "cookie")


def issued(fields: list[str]) -> list[str]:
    return [value for value in fields if value.startswith(f"{ISSUED_COOKIE}=")]


def test_issued_cookie_comes_once_and_the_user_stays() -> None:
    """The first answer brings it, those after don't; the side stays the same as long as the cookie does."""

    async def scenario() -> None:
        async with staged(ok(b"legacy"), ok(b"new"), percent=50, shadow=NO_SHADOW, users=BY_COOKIE) as stage:
            sides: Counter[bytes] = Counter()
            for _ in range(20):
                first = await stage.ask(user=None)
                (cookie,) = issued(first.head.all("set-cookie"))
                value, *attributes = cookie.split("; ")
                assert ["Path=/", "Max-Age=34560000", "HttpOnly", "SameSite=Lax"] == attributes
                for _ in range(3):
                    again = await stage.ask("GET", "/", f"Cookie: theme=dark; {value}", user=None)
                    assert first.body == again.body
                    assert [] == issued(again.head.all("set-cookie"))
                sides[first.body] += 1
            assert {b"legacy", b"new"} == set(sides)

    run(scenario())


def test_issued_cookie_is_beside_those_of_the_backend() -> None:
    """The backend's Set-Cookie lines stay as they are, and the shadow's answer is compared without ours."""

    async def scenario() -> None:
        answer = ok(b"x", "set-cookie: a=1")
        async with staged(answer, answer, shadow=SHADOWED, users=BY_COOKIE) as stage:
            cookies = (await stage.ask(user=None)).head.all("set-cookie")
            assert "a=1" == cookies[0]
            assert 1 == len(issued(cookies))
            counts = await stage.check_nothing_lost()
            assert 1 == counts["match"]

    run(scenario())


def test_issued_cookie_is_not_for_users_with_a_key_nor_for_unrouted_requests() -> None:
    """Who has a key needs none; where nothing is decided nothing is issued."""

    async def scenario() -> None:
        async with staged(shadow=NO_SHADOW, users=BY_COOKIE, match=Match("prefix", "/api")) as stage:
            assert [] == (await stage.ask("GET", "/api/x", user="anna")).head.all("set-cookie")
            assert [] == (await stage.ask("GET", "/other", user=None)).head.all("set-cookie")

    run(scenario())


def test_users_without_a_key_are_on_legacy_where_no_cookie_is_issued() -> None:
    """`without_key: legacy`: no cookie, legacy serves, whatever the percentage."""

    async def scenario() -> None:
        async with staged(ok(b"legacy"), ok(b"new"), percent=100, shadow=NO_SHADOW) as stage:
            reply = await stage.ask(user=None)
            assert (b"legacy", []) == (reply.body, reply.head.all("set-cookie"))
            counts = await stage.settle()
            assert 1 == counts["decided.missing_key"]

    run(scenario())
