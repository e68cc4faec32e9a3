"""Users who go at any point, and users who send ahead: nothing half is passed off as whole, and nothing stays behind.

Made by chance, over real sockets, with every request shadowed and without; and each against the backend itself as well.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy.traffic import server
from tests.traffic.stage import NO_SHADOW, WITH_WRITES
from tests.traffic.vectors.conversation import INNOCENT, Standing, apart, standing
from tests.traffic.vectors.direct import Told, arrived, directly, sent, through
from tests.traffic.vectors.recording import Connection, Recorder
from tests.traffic.vectors.watching import PATIENCE_S
from tests.traffic.wire import chunked, ok, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.traffic.vectors.conversation import User
    from tests.traffic.vectors.reading import Heard, Read

CHECKED = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
_LEAST_BYTES = 30  # that each answer has
_HALF_CLOSED_S = 5.0  # as outside of tests: who closes half of a connection is answered, however busy the machine is


class Backend:
    """Answers each request with its target and body, padded to `answer_bytes`."""

    def __init__(self) -> None:
        self.answer_bytes = 0

    def __call__(self, connection: Connection, request: Read) -> None:
        connection.write(ok((request.target.encode() + b" " + request.body).ljust(self.answer_bytes, b".")))


@pytest.fixture(scope="module", params=[NO_SHADOW, WITH_WRITES], ids=["alone", "shadowed"])
def stand(request: pytest.FixtureRequest) -> Iterator[tuple[Standing, Backend]]:
    """A stage that stays up, and its backend."""
    backend = Backend()
    with standing(Recorder(backend), request.param) as stage:
        yield stage, backend


@pytest.fixture(autouse=True)
def patience(impatience: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is outside of tests."""
    monkeypatch.setattr(server, "HALF_CLOSED_S", _HALF_CLOSED_S)


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

    @property
    def expects_body(self) -> bool:
        return self.framing == "chunked" or bool(self.content)


pieces = st.lists(st.binary(min_size=1, max_size=40), max_size=3).map(tuple)
without_body = st.builds(Made, st.sampled_from(["GET", "HEAD"]), st.just("/a"), st.just("none"), st.just(()))
with_body = st.builds(
    Made, st.sampled_from(["POST", "PUT"]), st.just("/b"), st.sampled_from(["length", "chunked"]), pieces
)
requests = without_body | with_body


async def check_nothing_left(stage: Any) -> None:
    """No request, shadow, deadline or byte of a budget is left of who went; the next user is served as always."""
    async with stage.user() as user:
        user.send(INNOCENT)
        heard = await user.hear(["GET"], to_the_end=True)
    assert [(200, b"/innocent ")] == [(reply.status, reply.body.rstrip(b".")) for reply in heard.replies]


async def settle(stage: Any) -> None:
    """Until nothing is under way of who went, and the backend has read all that there is."""
    worker = stage.stage.worker
    async with asyncio.timeout(PATIENCE_S):
        await until(lambda: not worker.handler.connections)
        await until(lambda: not worker.handler.in_flight and not len(worker.shadows) and not len(worker.deadlines))
        await until(lambda: all(connection.is_over for connection in stage.recorder.connections if connection.rest))
    assert 0 == worker.shadows.bytes_kept


async def go(user: User, how: str, method: str) -> Heard | None:
    """What the user still hears; None where it listens no more."""
    if how == "half":
        user.send_end()
        return await user.hear([method], to_the_end=True)
    user.close() if how == "close" else user.reset()
    return None


@CHECKED
@given(
    requests,
    st.floats(0, 1),
    st.sampled_from(["close", "reset", "half"]),
    st.none() | st.integers(0, 20_000),
    st.booleans(),
)
def test_generated_user_who_goes_is_as_without_a_proxy(
    stand: Any, made: Made, share: float, how: str, read_first: int | None, is_long: bool
) -> None:
    """After any prefix of a request or of its answer: the backend gets no more than directly, and nothing is left."""
    stage, backend = stand
    told = made.raw[: round(share * len(made.raw))]
    is_whole = told == made.raw

    async def play(user: User) -> Heard:
        user.send(told)
        await (user.taken() if read_first is not None else apart())
        if is_whole and read_first is not None:
            has_much = is_long and made.method != "HEAD"
            await user.hear_bytes(read_first if has_much else min(read_first, _LEAST_BYTES))
        heard = await go(user, how, made.method)
        return heard if heard is not None else user.heard_so_far([made.method])

    async def scenario() -> None:
        backend.answer_bytes = 400_000 if is_long else 0
        proxied, direct = (
            await through(stage, play, partial(settle, stage)),
            await directly(stage, play, to_the_end=True),
        )
        backend.answer_bytes = 0
        check_backend(made, told, proxied, direct)
        if how == "half":
            check_user(proxied, direct, is_whole=is_whole)
        await check_nothing_left(stage)

    stage.run(scenario())


def check_backend(made: Made, told: bytes, proxied: Told, direct: Told) -> None:
    """A whole request is the one that came directly; half of one is at most the half that did."""
    assert [told == made.raw] == [bool(direct.requests)] or not told
    assert len(proxied.requests) <= len(direct.requests) == (told == made.raw)
    for got, meant in zip(proxied.requests, direct.requests, strict=False):
        assert sent(meant.head) == arrived(got.head)
        assert meant.body == got.body
    assert len(proxied.rests) <= 1
    for rest in proxied.rests:
        head, end, body = rest.partition(b"\r\n\r\n")
        assert sent(made.head) == arrived(head + end)
        assert told.startswith(made.head)
        assert made.content.startswith(unframed(body) if made.framing == "chunked" else body)
        assert len(unframed(body) if made.framing == "chunked" else body) <= len(told) - len(made.head)


def unframed(body: bytes) -> bytes:
    """The content of chunks, as far as it has come; the last chunk is not among them."""
    content = b""
    while body:
        size, end, body = body.partition(b"\r\n")
        assert end, "a chunk's size in two pieces"
        assert int(size, 16) > 0, "the last chunk of a request that never was whole"
        content, body = content + body[: int(size, 16)], body[int(size, 16) + 2 :]
    return content


def check_user(proxied: Told, direct: Told, *, is_whole: bool) -> None:
    """Who only stopped to send gets the same answer; a refusal at most where half a request gets none."""
    assert is_whole == direct.is_clean
    if is_whole:
        (meant,), (got,) = direct.heard.replies, proxied.heard.replies
        assert (True, meant.status, meant.body) == (proxied.is_clean, got.status, got.body)
    else:
        assert proxied.heard.statuses in ([], [400])
    assert b"" == proxied.heard.rest


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
        backend.answer_bytes = 0
        async with stage.user() as user:
            for begin, end in pairwise(places):
                user.send(raw[begin:end])
                await user.taken()
            methods = [each.method for each in good] + (["GET"] if bad is not None else [])
            heard = await user.hear(methods, to_the_end=bad is not None)
        expected = [b"" if each.method == "HEAD" else f"/{n} ".encode() + each.content for n, each in enumerate(good)]
        assert [200] * len(good) + [400] * (bad is not None) == heard.statuses
        assert expected == [reply.body for reply in heard.replies[: len(good)]]
        got = [recorded.request for recorded in stage.recorder.whole]
        assert [(sent(each.head), each.content) for each in good] == [(arrived(each.head), each.body) for each in got]
        await settle(stage)
        await check_nothing_left(stage)

    stage.run(scenario())
