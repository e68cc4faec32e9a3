"""Messages made by chance: what arrives is what was sent, but for what docs/headers.md names; nothing breaks it.

Each test has one stage for all of its examples: real sockets, and a raw backend that keeps what it gets.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.traffic.vectors.conversation import INNOCENT, Standing, apart, connected, standing
from tests.traffic.wire import Asked, chunked, ok

if TYPE_CHECKING:
    from collections.abc import Iterator

CHECKED = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
# What a backend gets beside what was sent (docs/headers.md).
ADDED = {
    *("host", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "forwarded", "via"),
    *("x-request-id", "traceparent", "content-length", "transfer-encoding"),
}

TOKEN = "!#$%&'*+-.^`|~0123456789ABCXYZabcxyz"  # RFC 9110's word; no "_": such names are dropped
VISIBLE = bytes(range(0x21, 0x7F)) + bytes(range(0x80, 0x100))
names = st.text(TOKEN, min_size=1, max_size=8).map(lambda name: f"X-{name}")
values = st.binary(max_size=12).map(lambda raw: bytes(VISIBLE[byte % len(VISIBLE)] for byte in raw).decode("latin-1"))
blanks = st.sampled_from(["", " ", "\t", "  \t "])
fields = st.lists(st.tuples(names, blanks, values, blanks), max_size=6)
methods = st.one_of(
    st.sampled_from(["GET", "HEAD", "POST", "PUT", "OPTIONS"]),
    st.text(TOKEN, min_size=1, max_size=12).filter(lambda name: name.upper() not in {"CONNECT", "TRACE", "PRI"}),
)
targets = st.text([chr(code) for code in range(0x21, 0x7F) if chr(code) != "#"], max_size=20).map(
    lambda rest: "/" + rest
)
pieces = st.lists(st.binary(min_size=1, max_size=30), max_size=4)
cuts = st.lists(st.integers(0, 400), max_size=4)


@dataclass
class Backend:
    """Keeps whole requests, answers what it is told, and goes then if it is told so."""

    answer: bytes = ok()
    is_leaving: bool = False
    cuts: list[int] = field(default_factory=list)
    whole: list[Asked] = field(default_factory=list)

    async def __call__(self, asked: Asked) -> None:
        await asked.read_body()
        self.whole.append(asked)
        if asked.target == "/innocent":
            await asked.write(ok(b"innocent"))
            return
        for piece in cut(self.answer, self.cuts):
            await asked.write(piece)
            await asyncio.sleep(0)
        if self.is_leaving:
            asked.writer.close()


def cut(data: bytes, at: list[int]) -> list[bytes]:
    places = sorted({0, *(min(place, len(data)) for place in at), len(data)})
    return [data[begin:end] for begin, end in pairwise(places)]


@pytest.fixture(scope="module")
def stand() -> Iterator[tuple[Standing, Backend]]:
    """A stage that stays up, and its backend."""
    backend = Backend()
    with standing(backend) as stage:
        yield stage, backend


def written(made: Any) -> list[str]:
    return [f"{name}:{before}{value}{after}" for name, before, value, after in made]


def read(made: Any) -> list[tuple[str, str]]:
    return [(name.lower(), value) for name, _, value, _ in made]


async def send(user: Any, data: bytes, at: list[int]) -> None:
    for piece in cut(data, at):
        user.send(piece)
        if at:
            await apart()


@CHECKED
@given(methods, targets, fields, pieces, st.sampled_from(["none", "length", "chunked"]), cuts)
def test_generated_request_arrives_as_sent(
    stand: Any, method: str, target: str, made: Any, body: list[bytes], framing: str, at: list[int]
) -> None:
    """Method, target byte for byte, fields in order with duplicates and case, and the body, however it was cut."""
    stage, backend = stand
    content = b"" if framing == "none" else b"".join(body)
    lines = [f"{method} {target} HTTP/1.1", "Host: shop.example", "X-User: u1", *written(made), "Connection: close"]
    lines += {"none": [], "length": [f"Content-Length: {len(content)}"], "chunked": ["Transfer-Encoding: chunked"]}[
        framing
    ]
    raw = "\r\n".join([*lines, "", ""]).encode("latin-1")
    raw += chunked(*body) + b"0;last\r\nX-Trailer: 1\r\n\r\n" if framing == "chunked" else content

    async def scenario() -> None:
        backend.answer, backend.is_leaving, backend.cuts = ok(b""), False, []
        backend.whole.clear()
        async with connected(stage.stage.port) as user:
            await send(user, raw, at)
            heard = await user.hear([method], to_the_end=True)
        assert [200] == heard.statuses
        (asked,) = backend.whole
        assert f"{method} {target} HTTP/1.1" == asked.head.start
        names_sent = [line.partition(b":")[0] for line in asked.head.raw.split(b"\r\n")[1:] if line]
        assert [name.encode() for name, *_ in made] == [
            name for name in names_sent if name.startswith(b"X-") and name != b"X-User"
        ]
        got = [each for each in asked.head.fields if each[0] not in ADDED]
        assert [("x-user", "u1"), *read(made)] == got
        assert content == bytes(asked.body)

    stage.run(scenario())


@CHECKED
@given(
    st.integers(200, 599).filter(lambda status: status not in {204, 205, 304}),
    st.sampled_from(["", " ", " OK", " Gr\xfc\xdfe"]),
    fields,
    pieces,
    st.sampled_from(["length", "chunked", "close"]),
    cuts,
    st.integers(0, 400) | st.none(),
)
def test_generated_answer_arrives_as_sent_or_broken(
    stand: Any,
    status: int,
    reason: str,
    made: Any,
    body: list[bytes],
    framing: str,
    at: list[int],
    broken_at: int | None,
) -> None:
    """Status, reason, fields, body and trailers; one that breaks off is never passed off as whole."""
    stage, backend = stand
    content = b"".join(body)
    lines = [f"HTTP/1.1 {status}{reason}", *written(made)]
    lines += {"length": [f"Content-Length: {len(content)}"], "chunked": ["Transfer-Encoding: chunked"], "close": []}[
        framing
    ]
    raw = "\r\n".join([*lines, "", ""]).encode("latin-1")
    head_size = len(raw)
    raw += chunked(*body) + b"0\r\nX-Trailer: 1\r\n\r\n" if framing == "chunked" else content
    is_broken = broken_at is not None and broken_at < len(raw) and (framing != "close" or broken_at < head_size)
    sent = raw[:broken_at] if is_broken else raw

    async def scenario() -> None:
        backend.answer, backend.cuts = sent, at
        backend.is_leaving = is_broken or framing == "close"
        backend.whole.clear()
        async with connected(stage.stage.port) as user:
            user.send(b"GET / HTTP/1.1\r\nHost: a\r\nX-User: u1\r\nConnection: close\r\n\r\n")
            heard = await user.hear(["GET"], to_the_end=True)
        if is_broken and heard.statuses in ([502], []):
            return
        (reply,) = heard.replies
        assert not is_broken or not reply.is_whole
        assert f"HTTP/1.1 {status}{reason or ' '}" == reply.head.start
        got = [
            each for each in reply.head.fields if each[0] not in {"content-length", "transfer-encoding", "connection"}
        ]
        assert read(made) == got
        assert content.startswith(reply.body)
        if not is_broken:
            assert (content, True) == (reply.body, reply.is_whole)
            assert (b"X-Trailer: 1\r\n" if framing == "chunked" else b"") == reply.trailer

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
        backend.answer, backend.is_leaving, backend.cuts = ok(b"served"), False, []
        backend.whole.clear()
        async with connected(stage.stage.port) as user:
            await send(user, raw, at)
            user.send_end()
            await user.hear(["POST"], to_the_end=True)
        assert len(backend.whole) <= raw.count(b"HTTP/1.1\r\n")
        async with connected(stage.stage.port) as user:
            user.send(INNOCENT)
            heard = await user.hear(["GET"], to_the_end=True)
        assert [(200, b"innocent")] == [(reply.status, reply.body) for reply in heard.replies]

    stage.run(scenario())
