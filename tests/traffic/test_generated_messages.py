"""Messages made by chance: what arrives is what arrives directly, but for what docs/headers.md names.

Each example is played twice against the same backend, which records every byte: through the worker, and without it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.traffic.vectors.conversation import INNOCENT, Standing, apart, standing
from tests.traffic.vectors.direct import Told, arrived, directly, heads_heard, sent, through
from tests.traffic.vectors.recording import Connection, Recorder
from tests.traffic.wire import chunked, ok

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.traffic.vectors.conversation import User
    from tests.traffic.vectors.reading import Heard, Read

CHECKED = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
TOKEN = "!#$%&'*+-.^`|~0123456789ABCXYZabcxyz"  # RFC 9110's word; no "_": such names are dropped
VISIBLE = bytes(range(0x21, 0x7F)) + bytes(range(0x80, 0x100))
names = st.text(TOKEN, min_size=1, max_size=8).map(lambda name: f"X-{name}")
values = st.binary(max_size=12).map(lambda raw: bytes(VISIBLE[byte % len(VISIBLE)] for byte in raw).decode("latin-1"))
blanks = st.sampled_from(["", " ", "\t", "  \t "])
hops = st.sampled_from(["Connection: keep-alive", "Connection: X-Hop, keep-alive", "connection: x-hop", "X-Hop: 1"])
own = st.sampled_from(["Keep-Alive: timeout=5", "Proxy-Connection: keep-alive", "Upgrade: h2c"])
free = st.builds("{}:{}{}{}".format, names, blanks, values, blanks)
fields = st.lists(st.one_of(free, free, free, hops, own), max_size=6)
methods = st.one_of(
    st.sampled_from(["GET", "HEAD", "POST", "PUT", "OPTIONS"]),
    st.text(TOKEN, min_size=1, max_size=12).filter(lambda name: name.upper() not in {"CONNECT", "TRACE", "PRI"}),
)
targets = st.text([chr(code) for code in range(0x21, 0x7F) if chr(code) != "#"], max_size=20).map(
    lambda rest: "/" + rest
)
pieces = st.lists(st.binary(min_size=1, max_size=30), max_size=4)
cuts = st.lists(st.integers(0, 400), max_size=3)


def cut(data: bytes, at: list[int]) -> list[bytes]:
    places = sorted({0, *(min(place, len(data)) for place in at), len(data)})
    return [data[begin:end] for begin, end in pairwise(places)]


def written(*lines: str) -> bytes:
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def framed(framing: str, body: list[bytes], trailer: str) -> tuple[list[str], bytes]:
    """The field that says where a body ends, and the body as it is sent."""
    content = b"".join(body)
    if framing == "length":
        return [f"Content-Length: {len(content)}"], content
    if framing == "chunked":
        return ["Transfer-Encoding: chunked"], chunked(*body) + b"0;last\r\n" + trailer.encode() + b"\r\n"
    return [], content


# --- requests ---
@st.composite
def made_requests(draw: Any) -> tuple[str, bytes]:
    """Method, and what is sent."""
    method, framing = draw(methods), draw(st.sampled_from(["none", "length", "chunked"]))
    said, body = framed(framing, [] if framing == "none" else draw(pieces), "X-Trailer: 1\r\n")
    head = written(f"{method} {draw(targets)} HTTP/1.1", "Host: shop.example", "X-User: u1", *draw(fields), *said)
    return method, head + body


# --- answers ---
@dataclass(frozen=True)
class Answer:
    """What a backend sends; `ends`: only the end of the connection ends it. `head_bytes`: interim answers included."""

    raw: bytes
    ends: bool
    head_bytes: int


interim_answers = st.builds(
    lambda start, lines: written(f"HTTP/1.1 {start}", *lines),
    st.sampled_from(["100 Continue", "102 Processing", "103 Early Hints", "103"]),
    st.lists(st.one_of(free, hops), max_size=2),
)


@st.composite
def made_answers(draw: Any, method: str) -> Answer:
    """One that is sound for the method."""
    status = draw(st.one_of(st.sampled_from([200, 204, 205, 304]), st.integers(200, 599)))
    version = draw(st.sampled_from(["1.1", "1.1", "1.0"]))
    framing = draw(st.sampled_from(["length", "chunked", "close"] if version == "1.1" else ["length", "close"]))
    if status == 205:  # has no content, whatever is sent: a difference of its own (docs/headers.md)
        framing = "length"
    is_bodyless = method == "HEAD" or status in {204, 205, 304}
    said, body = framed(framing, [] if status == 205 else draw(pieces), "X-Trailer: 1\r\n")
    start = f"HTTP/{version} {status}" + draw(st.sampled_from(["", " ", " OK", " Gr\xfc\xdfe"]))
    head = b"".join(draw(st.lists(interim_answers, max_size=2))) + written(start, *draw(fields), *said)
    ends = framing == "close" and not is_bodyless
    return Answer(head if is_bodyless else head + body, ends, len(head))


exchanges = made_requests().flatmap(lambda made: st.tuples(st.just(made[0]), st.just(made[1]), made_answers(made[0])))


class Backend:
    """Answers what it is told, in pieces, and goes then as it is told; to the innocent, innocently."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.end = "stay"

    async def __call__(self, connection: Connection, request: Read) -> None:
        if request.target == "/innocent":
            connection.write(ok(b"innocent"))
            return
        for piece in self.pieces:
            connection.write(piece)
            await connection.taken()
        if self.end == "reset":
            await apart()  # else what was sent could be lost with it
            connection.reset()
        elif self.end == "half":
            connection.write_end()
        elif self.end == "close":
            connection.close()


@pytest.fixture(scope="module")
def stand() -> Iterator[tuple[Standing, Backend]]:
    """A stage that stays up, and how its backend behaves."""
    backend = Backend()
    with standing(Recorder(backend)) as stage:
        yield stage, backend


async def say(user: User, data: bytes, at: list[int]) -> None:
    """Each piece is read before the next is sent."""
    for piece in cut(data, at):
        user.send(piece)
        await user.taken()


async def both(stage: Standing, method: str, raw: bytes, at: list[int]) -> tuple[Told, Told]:
    """The request through the worker, and directly."""

    async def play(user: User) -> Heard:
        await say(user, raw, at)
        return await user.hear([method], to_the_end=False)

    return await through(stage, play, stage.stage.settle_shadows), await directly(stage, play)


def check_arrived(proxied: Told, direct: Told) -> None:
    """The backend got the same request, once, and nothing else."""
    assert ([], []) == (proxied.rests, direct.rests)
    (got,), (meant,) = proxied.requests, direct.requests
    assert sent(meant.head) == arrived(got.head)
    assert (meant.body, b"") == (got.body, got.trailer)


def check_heard(proxied: Told, direct: Told, method: str) -> None:
    """The user got the same answer, whole."""
    assert (True, True) == (proxied.is_clean, direct.is_clean)
    assert heads_heard(direct.heard, method) == heads_heard(proxied.heard, method)
    (meant,), (got,) = direct.heard.replies, proxied.heard.replies
    assert (meant.body, meant.trailer, b"") == (got.body, got.trailer, proxied.heard.rest)


@CHECKED
@given(exchanges, cuts, cuts)
def test_generated_exchange_is_as_without_a_proxy(
    stand: Any, made: tuple[str, bytes, Answer], at: list[int], answered_at: list[int]
) -> None:
    """The request at the backend, and the answer with its interim ones, however both were cut."""
    stage, backend = stand
    method, raw, answer = made

    async def scenario() -> None:
        backend.pieces, backend.end = cut(answer.raw, answered_at), "close" if answer.ends else "stay"
        proxied, direct = await both(stage, method, raw, at)
        check_arrived(proxied, direct)
        check_heard(proxied, direct, method)

    stage.run(scenario())


@CHECKED
@given(exchanges, st.floats(0, 1), st.sampled_from(["close", "reset", "half"]), cuts)
def test_generated_answer_that_breaks_off_is_as_broken_as_without_a_proxy(
    stand: Any, made: tuple[str, bytes, Answer], share: float, end: str, at: list[int]
) -> None:
    """At any byte, in any way: never a clean end where there is none directly, and the same answer where there is."""
    stage, backend = stand
    method, raw, answer = made
    told = answer.raw[: round(share * len(answer.raw))]

    async def scenario() -> None:
        backend.pieces, backend.end = cut(told, at), end
        proxied, direct = await both(stage, method, raw, [])
        if direct.is_clean:
            check_arrived(proxied, direct)
            check_heard(proxied, direct, method)
            return
        if proxied.reply is None or proxied.reply.status == 502:
            return
        assert not proxied.is_clean
        assert heads_heard(direct.heard, method) == heads_heard(proxied.heard, method)
        assert direct.reply is not None
        assert direct.reply.body.startswith(proxied.reply.body)

    stage.run(scenario())


SEED = (
    b"POST /a?b=c HTTP/1.1\r\nHost: shop.example\r\nX-User: u1\r\nTransfer-Encoding: chunked\r\nX-A: b\r\n\r\n"
    b"5;x=y\r\nhello\r\n0\r\nT: 1\r\n\r\n"
)
mutations = st.lists(
    st.tuples(st.integers(0, len(SEED) - 1), st.sampled_from(["insert", "replace", "delete"]), st.binary(max_size=3)),
    min_size=1,
    max_size=3,
)


@CHECKED
@given(mutations, cuts)
def test_mutated_request_harms_nobody(stand: Any, changes: Any, at: list[int]) -> None:
    """Whatever comes: one request at most, no fault, no hang; who asks next is answered as always."""
    stage, backend = stand
    raw = SEED
    for place, how, what in changes:
        raw = raw[:place] + what + raw[place + (how != "insert") :]

    async def scenario() -> None:
        backend.pieces, backend.end = [ok(b"served")], "stay"
        async with stage.user() as user:
            await say(user, raw, at)
            user.send_end()
            await user.hear(["POST"], to_the_end=True)
        assert len(stage.recorder.whole) <= raw.count(b"HTTP/1.1\r\n")
        async with stage.user() as user:
            user.send(INNOCENT)
            heard = await user.hear(["GET"], to_the_end=True)
        assert [(200, b"innocent")] == [(reply.status, reply.body) for reply in heard.replies]

    stage.run(scenario())
