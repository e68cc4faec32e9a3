"""Users who go at any point, and users who send ahead: nothing half is passed off as whole, and nothing stays behind.

Made by chance, over real sockets, with every request shadowed and without.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.traffic.stage import NO_SHADOW, WITH_WRITES
from tests.traffic.vectors.conversation import INNOCENT, Standing, apart, connected, standing
from tests.traffic.wire import Asked, chunked, ok, until

if TYPE_CHECKING:
    from collections.abc import Iterator

CHECKED = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)


@dataclass
class Backend:
    """Answers each request with its target and body, padded to `answer_bytes`; keeps those that came whole."""

    answer_bytes: int = 0
    whole: list[Asked] = field(default_factory=list)

    async def __call__(self, asked: Asked) -> None:
        body = await asked.read_body()
        self.whole.append(asked)
        await asked.write(ok((asked.target.encode() + b" " + body).ljust(self.answer_bytes, b".")))


@pytest.fixture(scope="module", params=[NO_SHADOW, WITH_WRITES], ids=["alone", "shadowed"])
def stand(request: pytest.FixtureRequest) -> Iterator[tuple[Standing, Backend]]:
    """A stage that stays up, and its backend."""
    backend = Backend()
    with standing(backend, request.param) as stage:
        yield stage, backend


@dataclass(frozen=True)
class Made:
    """A request as it was made: `raw` is what is sent of it."""

    method: str
    target: str
    framing: str
    pieces: tuple[bytes, ...]

    @property
    def content(self) -> bytes:
        return b"" if self.framing == "none" else b"".join(self.pieces)

    @property
    def head(self) -> bytes:
        lines = [f"{self.method} {self.target} HTTP/1.1", "Host: shop.example", "X-User: u1"]
        lines += [f"Content-Length: {len(self.content)}"] if self.framing == "length" else []
        lines += ["Transfer-Encoding: chunked"] if self.framing == "chunked" else []
        return "\r\n".join([*lines, "", ""]).encode()

    @property
    def raw(self) -> bytes:
        return self.head + (chunked(*self.pieces) + b"0\r\n\r\n" if self.framing == "chunked" else self.content)


pieces = st.lists(st.binary(min_size=1, max_size=40), max_size=3).map(tuple)
without_body = st.builds(Made, st.sampled_from(["GET", "HEAD"]), st.just("/a"), st.just("none"), st.just(()))
with_body = st.builds(
    Made, st.sampled_from(["POST", "PUT"]), st.just("/b"), st.sampled_from(["length", "chunked"]), pieces
)
requests = without_body | with_body


async def check_nothing_left(stage: Any) -> None:
    """No request, shadow, deadline or byte of a budget is left of who went; the next user is served as always."""
    worker = stage.worker
    await until(lambda: not worker.handler.in_flight and not len(worker.shadows) and not len(worker.deadlines))
    assert 0 == worker.shadows.bytes_kept
    async with connected(stage.port) as user:
        user.send(INNOCENT)
        heard = await user.hear(["GET"], to_the_end=True)
    assert [(200, b"/innocent ")] == [(reply.status, reply.body.rstrip(b".")) for reply in heard.replies]


@CHECKED
@given(requests, st.floats(0, 1), st.sampled_from(["close", "reset", "half"]), st.integers(0, 2), st.booleans())
def test_generated_user_who_goes_leaves_nothing_behind(
    stand: Any, made: Made, share: float, how: str, waits: int, is_long: bool
) -> None:
    """After any prefix of a request or of its answer: the backend gets it whole, once, or nothing that looks whole."""
    stage, backend = stand
    sent = made.raw[: round(share * len(made.raw))]

    async def scenario() -> None:
        backend.answer_bytes = 400_000 if is_long else 0
        backend.whole.clear()
        async with connected(stage.stage.port) as user:
            user.send(sent)
            for _ in range(waits):
                await apart()
            if how == "half":
                user.send_end()
                await user.hear([made.method], to_the_end=True)
            elif how == "close":
                user.close()
        backend.answer_bytes = 0
        await check_nothing_left(stage.stage)
        seen = [asked for asked in backend.whole if asked.target == made.target]
        assert len(seen) <= (sent == made.raw)
        assert [made.content] * len(seen) == [bytes(asked.body) for asked in seen]

    stage.run(scenario())


BAD = [b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"GET  / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\r\n\r\n"]


@CHECKED
@given(
    st.lists(requests, min_size=2, max_size=6),
    st.none() | st.tuples(st.integers(0, 5), st.sampled_from(BAD)),
    st.lists(st.integers(0, 900), max_size=4),
)
def test_generated_pipeline_is_answered_in_order(
    stand: Any, made: list[Made], bad: tuple[int, bytes] | None, at: list[int]
) -> None:
    """Each answer is its own request's, whatever came together; after a bad request comes its refusal, and the end."""
    stage, backend = stand
    numbered = [Made(each.method, f"/{number}", each.framing, each.pieces) for number, each in enumerate(made)]
    good = numbered if bad is None else numbered[: bad[0]]
    raw = b"".join(each.raw for each in good)
    if bad is not None:
        raw += bad[1] + b"".join(each.raw for each in numbered[bad[0] :])
    places = sorted({0, *(min(place, len(raw)) for place in at), len(raw)})

    async def scenario() -> None:
        backend.whole.clear()
        async with connected(stage.stage.port) as user:
            for begin, end in pairwise(places):
                user.send(raw[begin:end])
                await apart()
            methods = [each.method for each in good] + (["GET"] if bad is not None else [])
            heard = await user.hear(methods, to_the_end=bad is not None)
        expected = [b"" if each.method == "HEAD" else f"/{n} ".encode() + each.content for n, each in enumerate(good)]
        assert expected == [reply.body for reply in heard.replies[: len(good)]]
        assert [200] * len(good) + ([400] if bad is not None else []) == heard.statuses
        assert b"" == heard.rest
        await check_nothing_left(stage.stage)
        assert [each.target for each in good] == [
            asked.target for asked in backend.whole if asked.target != "/innocent"
        ]

    stage.run(asyncio.wait_for(scenario(), 20))
