"""Each raw answer through a real socket: what the user gets, however it was cut, and what becomes of its connection."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import pytest

from proxy.traffic.upstream import connection as upstream
from tests.traffic.vectors.answer_vectors import ANSWERS, AnswerVector, Failed, Limits, Passed
from tests.traffic.vectors.conversation import (
    INNOCENT,
    INNOCENT_BODY,
    Standing,
    apart,
    boundaries,
    field_lines,
    field_name,
    in_cohorts,
    is_cut_everywhere,
    standing,
)
from tests.traffic.vectors.recording import Recorder
from tests.traffic.vectors.watching import PATIENCE_S
from tests.traffic.wire import ok, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.traffic.vectors.conversation import User
    from tests.traffic.vectors.reading import Heard, Read
    from tests.traffic.vectors.recording import Connection, Recorded
    from tests.traffic.wire import Head, Reply

_FRAMING = {b"connection", b"content-length", b"transfer-encoding"}


@dataclass
class Speaker:
    """A backend that answers `/cut/N` with the vector in two pieces, the first of N bytes, and others innocently."""

    vector: AnswerVector = ANSWERS[0]

    async def __call__(self, connection: Connection, request: Read) -> None:
        if request.target == "/innocent":
            connection.write(ok(INNOCENT_BODY))
            return
        vector, at = self.vector, int(request.target.removeprefix("/cut/"))
        if at:
            connection.write(vector.data[:at])
            await connection.taken()
        connection.write(vector.data[at:] + vector.extra)
        if vector.ends:
            connection.close()


@dataclass
class Scene:
    """Where the vectors are played."""

    standing: Standing
    speaker: Speaker

    @property
    def whole(self) -> list[Recorded]:
        return self.standing.recorder.whole

    async def hang_up(self) -> None:
        """Ends all connections to the backend, so that what follows begins on a new one."""
        await self.standing.stage.settle_shadows()
        for connection in self.standing.recorder.connections:
            connection.close()
        await apart()


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    speaker = Speaker()
    with standing(Recorder(speaker)) as stood:
        yield Scene(stood, speaker)


@contextmanager
def _under(limits: Limits | None) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        if limits is not None:
            patch.setattr(upstream, "MAX_HEAD_BYTES", limits.head_bytes)
            patch.setattr(upstream, "_MAX_FIELDS", limits.fields)
        yield


# --- the tests ---
@pytest.mark.parametrize("vector", ANSWERS, ids=lambda vector: vector.name)
def test_answer_vector_in_one_piece(scene: Scene, vector: AnswerVector) -> None:
    """The user gets what the rule says, and so does its next request, on the same backend connection or on another."""
    scene.speaker.vector = vector

    async def scenario() -> None:
        await _play(scene, vector, 0)
        own, innocent = _last(scene, "/cut/0"), _last(scene, "/innocent")
        if vector.reuses:
            assert own.connection == innocent.connection, "a sound connection was given up"
        await _check_connections(scene, vector)

    try:
        with _under(vector.limits):
            scene.standing.run(scenario())
    finally:
        scene.standing.tidy(scene.hang_up())


@pytest.mark.parametrize("vector", ANSWERS, ids=lambda vector: vector.name)
def test_answer_vector_cut_at_every_byte(scene: Scene, vector: AnswerVector) -> None:
    """In two pieces, wherever cut, it comes to the same, and so does the user's next request."""
    scene.speaker.vector = vector

    async def scenario() -> None:
        await in_cohorts([partial(_play, scene, vector, at) for at in boundaries(vector.data)])
        await _check_connections(scene, vector)

    try:
        with _under(vector.limits):
            scene.standing.run(scenario())
    finally:
        scene.standing.tidy(scene.hang_up())


def test_answer_vectors_are_told_apart_by_their_names() -> None:
    """Names are unique, each rule names its source, and the table is as long as was promised."""
    assert [] == [name for name, number in Counter(vector.name for vector in ANSWERS).items() if number > 1]
    assert all(vector.rule.startswith("RFC ") for vector in ANSWERS)
    assert len(ANSWERS) >= 65


def test_answer_vectors_that_are_too_long_have_twins_that_are_cut_everywhere() -> None:
    """Of the same rule and outcome, under low limits."""
    everywhere = {(vector.name, vector.rule) for vector in ANSWERS if is_cut_everywhere(vector.data)}
    long = [vector for vector in ANSWERS if not is_cut_everywhere(vector.data)]
    assert [] == [each.name for each in long if (f"under low limits, {each.name}", each.rule) not in everywhere]


# --- playing one ---
async def _play(scene: Scene, vector: AnswerVector, at: int) -> None:
    """A user asks for the vector, cut at a byte, and for something innocent afterwards."""
    where = f"cut after {at} of {len(vector.data)} bytes"
    own = f"{vector.method} /cut/{at} HTTP/{vector.version}\r\nHost: a\r\nX-User: u1\r\n\r\n".encode()
    async with scene.standing.user() as user:
        user.send(own)
        heard = await user.hear([vector.method], to_the_end=vector.version == "1.0")
        if _goes_on(heard, vector):
            _check_outcome(vector, heard, where)
            await _check_innocent(user, where)
            return
        if vector.version == "1.1":
            end = await user.hear([], to_the_end=True)
            heard.rest += end.rest
            heard.was_reset = end.was_reset
        _check_outcome(vector, heard, where)
    async with scene.standing.user() as another:
        await _check_innocent(another, where)


def _goes_on(heard: Heard, vector: AnswerVector) -> bool:
    """Whether the user may ask again on the same connection."""
    reply = heard.replies[0] if heard.replies else None
    return bool(reply and reply.is_whole and vector.version == "1.1" and reply.head.get("connection") != "close")


async def _check_innocent(user: User, where: str) -> None:
    user.send(INNOCENT)
    heard = await user.hear(["GET"], to_the_end=True)
    assert [200] == heard.statuses, where
    assert (INNOCENT_BODY, b"") == (heard.replies[0].body, heard.rest), where


# --- what the user got ---
def _check_outcome(vector: AnswerVector, heard: Heard, where: str) -> None:
    assert {_status(head) for head in heard.interims} <= set(vector.interims), where
    if isinstance(vector.outcome, Passed):
        assert 1 == len(heard.replies), where
        _check_passed(vector, vector.outcome, heard, where)
    else:
        _check_failed(vector.outcome, heard, where)


def _check_passed(vector: AnswerVector, expected: Passed, heard: Heard, where: str) -> None:
    reply = heard.replies[0]
    assert expected.start == reply.head.raw.partition(b"\r\n")[0].rstrip(b" "), where
    assert expected.body == reply.body, where
    assert expected.trailer == reply.trailer, where
    assert reply.is_whole, where
    assert b"" == heard.rest, where
    assert not heard.was_reset, where
    lines = field_lines(reply.head)
    assert list(expected.fields) == [line for line in lines if field_name(line) not in _FRAMING], where
    _check_framing(vector, expected, lines, where)


def _check_framing(vector: AnswerVector, expected: Passed, lines: list[bytes], where: str) -> None:
    framing = {(field_name(line), line.partition(b": ")[2]) for line in lines if field_name(line) in _FRAMING}
    closing = {(b"connection", b"close")}
    if expected.framing == "any":
        assert len(framing - closing) <= 1, where
        return
    lengths = {
        "length": {(b"content-length", expected.content_length)},
        "chunked": {(b"transfer-encoding", b"chunked")},
        "close": closing,
        "none": set[tuple[bytes, bytes]](),
    }
    assert lengths[expected.framing] | (closing if vector.version == "1.0" else set()) == framing, where


def _check_failed(expected: Failed, heard: Heard, where: str) -> None:
    """A 502 and nothing else, or a beginning without a clean end."""
    assert len(heard.replies) <= 1, where
    reply = heard.replies[0] if heard.replies else None
    if reply is not None and reply.status == 502:
        assert reply.is_whole, where
        assert "application/problem+json" == reply.head.get("content-type"), where
        return
    assert expected.begun is not None, f"{where}: not a 502, but {heard.statuses}"
    assert reply is not None, f"{where}: neither a 502 nor a beginning"
    assert 200 == reply.status, where
    assert expected.begun.startswith(reply.body), where
    assert not _has_clean_end(reply, heard), f"{where}: a whole answer of {reply.body!r}"


def _has_clean_end(reply: Reply, heard: Heard) -> bool:
    """Whether its user takes it for whole (RFC 9112 §8): without framing, whatever ends in order."""
    is_framed = reply.head.get("content-length") is not None or reply.head.get("transfer-encoding") is not None
    return reply.is_whole if is_framed else not heard.was_reset


def _status(head: Head) -> int:
    return int(head.start.split(" ")[1])


# --- what became of the backend's connections ---
def _last(scene: Scene, target: str) -> Recorded:
    return next(recorded for recorded in reversed(scene.whole) if recorded.request.target == target)


async def _check_connections(scene: Scene, vector: AnswerVector) -> None:
    """One that must not be used again carried nothing after the vector, and was closed by the proxy."""
    assert all(not connection.rest for connection in scene.standing.recorder.connections)
    if vector.reuses:
        return
    last = {id(recorded.connection): recorded for recorded in scene.whole}
    spent = [recorded for recorded in scene.whole if recorded.request.target != "/innocent"]
    assert all(last[id(recorded.connection)] is recorded for recorded in spent), "a connection was used again"
    if not vector.ends:
        async with asyncio.timeout(PATIENCE_S):
            await until(lambda: all(recorded.connection.is_over for recorded in spent))
