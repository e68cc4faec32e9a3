"""Empty lines before a request: one is skipped (RFC 9112 §2.2), more are no request, and none costs anything."""

from __future__ import annotations

from functools import partial
from itertools import combinations

import pytest

from tests.traffic.stage import NO_SHADOW, staged
from tests.traffic.vectors.conversation import apart, connected, in_cohorts
from tests.traffic.wire import request, run

REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize(("begin", "status"), [(b"\r\n", 200), (b"\r\n\r\n", 400), (b"\r\r\n", 400), (b"\n", 400)])
def test_empty_line_comes_to_the_same_in_three_pieces(begin: bytes, status: int) -> None:
    """Wherever the first cut is around it, and the second one anywhere."""

    async def play(port: int, *places: int) -> None:
        data = begin + REQUEST
        async with connected(port) as user:
            for start, end in zip((0, *places), (*places, len(data)), strict=True):
                user.send(data[start:end])
                await apart()
            heard = await user.hear(["GET"], to_the_end=True)
        assert [status] == heard.statuses, places

    async def scenario() -> None:
        async with staged(shadow=NO_SHADOW) as stage:
            cuts = [pair for pair in combinations(range(1, len(begin + REQUEST)), 2) if pair[0] <= len(begin) + 3]
            await in_cohorts([partial(play, stage.port, *pair) for pair in cuts])

    run(scenario())


def test_empty_line_may_stand_before_each_request_of_a_connection() -> None:
    """Old clients end their uploads with one more line end."""

    async def scenario() -> None:
        async with staged(shadow=NO_SHADOW) as stage, stage.client() as user:
            for _ in range(3):
                await user.send(request("POST", body=b"x") + b"\r\n")
                assert 200 == (await user.answer()).status
            await user.send(b"\r\n" + request())
            assert 400 == (await user.answer()).status
            assert b"" == await user.rest()
            assert 3 == len(stage.legacy.asked)

    run(scenario())


@pytest.mark.parametrize("number", [600, 30_000])
def test_empty_lines_without_end_are_refused_like_two(number: int) -> None:
    """No recursion, no fault in the log: `staged` sees to that."""

    async def scenario() -> None:
        async with staged(shadow=NO_SHADOW) as stage, stage.client() as user:
            await user.send(b"\r\n" * number + b"G")
            assert 400 == (await user.answer()).status
            assert b"" == await user.rest()

    run(scenario())
