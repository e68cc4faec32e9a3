"""Each raw request against a real socket: what the user gets, and what the backend got, however it was cut."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import pytest

from proxy.core import head
from proxy.traffic import server
from tests.traffic.vectors.conversation import (
    INNOCENT,
    INNOCENT_BODY,
    Standing,
    apart,
    boundaries,
    in_cohorts,
    is_cut_everywhere,
    standing,
)
from tests.traffic.vectors.recording import Connection, Recorder
from tests.traffic.vectors.request_vectors import CLOSED, REQUESTS, Arrival, Limits, RequestVector
from tests.traffic.wire import ok

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.traffic.vectors.reading import Heard, Read

_BODY = b"served"
_FOLLOWED = [vector for vector in REQUESTS if not vector.is_cut]  # nothing can follow a closed side
_CONTINUED = [vector for vector in REQUESTS if vector.may_continue]
_INNOCENT = Arrival(b"GET /innocent HTTP/1.1", (b"X-User: u1",))
_MADE_UP = re.compile(rb"(?<=\r\nx-request-id: )[0-9a-f]{12}-[0-9a-f]+(?=\r\n)")
_TRACE = re.compile(rb"(?<=\r\ntraceparent: )00-[0-9a-f]{32}-[0-9a-f]{16}-01(?=\r\n)")


def _behave(connection: Connection, request: Read) -> None:
    connection.write(ok(INNOCENT_BODY if request.target == "/innocent" else _BODY))


@pytest.fixture(scope="module")
def scene() -> Iterator[Standing]:
    """Where the vectors are played: a worker, and a backend that answers every whole request and keeps all."""
    with standing(Recorder(_behave)) as stood:
        yield stood


@pytest.fixture(autouse=True)
def forget(scene: Standing) -> None:
    """What a failed test before has left under way is no other's."""
    scene.tidy(scene.stage.settle_shadows())


@contextmanager
def _under(limits: Limits | None) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        if limits is not None:
            patch.setattr(head, "MAX_LINE_BYTES", limits.line_bytes)
            patch.setattr(head, "MAX_HEAD_BYTES", limits.head_bytes)
            patch.setattr(head, "MAX_FIELDS", limits.fields)
            patch.setattr(server, "_PIECEMEAL_BYTES", limits.piecemeal_bytes)
        yield


# --- the tests ---
@pytest.mark.parametrize("vector", REQUESTS, ids=lambda vector: vector.name)
def test_request_vector_alone(scene: Standing, vector: RequestVector) -> None:
    """Sent in one write, it is answered by its rule without a further byte, and the backend gets what it should."""

    async def scenario() -> None:
        await _play(scene, vector, vector.data, is_followed=False)
        await _check_arrivals(scene, vector, 1, innocents=0)

    with _under(vector.limits):
        scene.run(scenario())


@pytest.mark.parametrize("vector", _FOLLOWED, ids=lambda vector: vector.name)
def test_request_vector_followed_by_an_innocent_one(scene: Standing, vector: RequestVector) -> None:
    """A request right behind it is answered as itself; behind a refused one nothing is answered, nor forwarded."""

    async def scenario() -> None:
        await _play(scene, vector, vector.data + INNOCENT, is_followed=True)
        await _play(scene, vector, vector.data, INNOCENT, is_followed=True)
        await _check_arrivals(scene, vector, 2, innocents=0 if vector.closes else 2)

    with _under(vector.limits):
        scene.run(scenario())


@pytest.mark.parametrize("vector", REQUESTS, ids=lambda vector: vector.name)
def test_request_vector_cut_at_every_byte(scene: Standing, vector: RequestVector) -> None:
    """In two pieces, wherever cut, it comes to the same, alone and with an innocent request right behind."""
    cuts = boundaries(vector.data)
    alone = cuts if vector.is_cut else cuts[-4:]  # the last bytes must do without those that could follow
    followed = [] if vector.is_cut else cuts

    async def scenario() -> None:
        plays = [partial(_play, scene, vector, *_cut(vector.data, at), is_followed=False) for at in alone]
        plays += [
            partial(_play, scene, vector, vector.data[:at], vector.data[at:] + INNOCENT, is_followed=True)
            for at in followed
        ]
        await in_cohorts(plays)
        await _check_arrivals(scene, vector, len(plays), innocents=0 if vector.closes else len(followed))

    with _under(vector.limits):
        scene.run(scenario())


@pytest.mark.parametrize("vector", _CONTINUED, ids=lambda vector: vector.name)
def test_request_vector_that_waits_is_told_to_continue(scene: Standing, vector: RequestVector) -> None:
    """A user that sends its head alone gets 100 (RFC 9110 §10.1.1), then its answer; and none where it didn't wait."""
    end = vector.data.index(b"\r\n\r\n") + 4

    async def scenario() -> None:
        async with scene.user() as user:
            user.send(vector.data[:end])
            interim = await user.hear_interim()
            assert b"HTTP/1.1 100 Continue\r\n\r\n" == interim.raw
            user.send(vector.data[end:] + INNOCENT)
            heard = await user.hear([vector.method, "GET"], to_the_end=True)
        assert [] == heard.interims
        assert [200, 200] == heard.statuses
        await _check_arrivals(scene, vector, 1, innocents=1)

    scene.run(scenario())


def test_request_vectors_are_told_apart_by_their_names() -> None:
    """Names are unique, each rule names its source, and the table is as long as was promised."""
    names = [vector.name for vector in REQUESTS]
    assert sorted(set(names)) == sorted(names)
    assert all(vector.rule.startswith(("RFC ", "law ")) for vector in REQUESTS)
    assert len(REQUESTS) >= 190


def test_request_vectors_that_are_too_long_have_twins_that_are_cut_everywhere() -> None:
    """Of the same rule and outcome, under low limits."""
    everywhere = {(vector.name, vector.rule, vector.status) for vector in REQUESTS if is_cut_everywhere(vector.data)}
    long = [vector for vector in REQUESTS if not is_cut_everywhere(vector.data)]
    assert [] == [
        vector.name
        for vector in long
        if (f"under low limits, {vector.name}", vector.rule, vector.status) not in everywhere
    ]


# --- playing one ---
def _cut(data: bytes, at: int) -> tuple[bytes, bytes]:
    return data[:at], data[at:]


async def _play(scene: Standing, vector: RequestVector, *pieces: bytes, is_followed: bool) -> None:
    """One connection: the pieces, each read before the next is sent; what comes back must be as the vector says."""
    async with scene.user() as user:
        for number, piece in enumerate(pieces):
            if number:
                await user.taken()
            user.send(piece)
        if vector.is_cut:
            await user.taken()
            user.send_end()
        heard = await user.hear([vector.method, "GET"][: 1 + is_followed], to_the_end=is_followed or vector.closes)
    where = "in pieces of " + ", ".join(str(len(piece)) for piece in pieces)
    _check_heard(vector, heard, where, is_followed=is_followed)


def _check_heard(vector: RequestVector, heard: Heard, where: str, *, is_followed: bool) -> None:
    if vector.status is CLOSED:
        assert heard.statuses in ([], [400]), where
        return
    is_innocent_answered = is_followed and not vector.closes
    assert [vector.status, *[200] * is_innocent_answered] == heard.statuses, where
    assert b"" == heard.rest, where
    assert {int(head.start.split()[1]) for head in heard.interims} <= ({100} if vector.may_continue else set()), where
    _check_reply(vector, heard, where)
    if is_innocent_answered:
        assert INNOCENT_BODY == heard.replies[1].body, where


def _check_reply(vector: RequestVector, heard: Heard, where: str) -> None:
    reply = heard.replies[0]
    assert reply.is_whole, where
    if vector.arrives is not None and vector.method != "HEAD":
        assert _BODY == reply.body, where
    if vector.status is not None and vector.status >= 400 and not vector.is_bare:
        assert "application/problem+json" == reply.head.get("content-type"), where
        assert vector.status == json.loads(reply.body)["status"], where
        assert "close" == reply.head.get("connection"), where


# --- what the backend got ---
async def _settle(scene: Standing) -> None:
    """Until no request is under way, and no byte to the backend."""
    await scene.stage.settle_shadows()
    await apart()


async def _check_arrivals(scene: Standing, vector: RequestVector, times: int, *, innocents: int) -> None:
    """Exactly what should arrive has arrived, to the last byte: the vector so many times, and the innocent requests."""
    await _settle(scene)
    requests = [recorded.request for recorded in scene.recorder.whole]
    followers = [request for request in requests if request.target == "/innocent"]
    own = [request for request in requests if request.target != "/innocent"]
    assert innocents == len(followers)
    assert {_shape(_INNOCENT)} >= {_shape(follower) for follower in followers}
    assert times * (vector.arrives is not None) == len(own)
    if vector.arrives is not None:
        assert {_shape(vector.arrives)} == {_shape(request) for request in own}
    begun = [connection for connection in scene.recorder.connections if connection.rest]
    assert len(begun) <= times * vector.may_begin, "a request has begun that never became whole"
    assert all(connection.rest.startswith(_BEGUN) for connection in begun)
    assert all(connection.is_over for connection in begun), "a connection with half a request may be used again"
    assert [] == scene.stage.new.asked


_BEGUN = b"POST / HTTP/1.1\r\nhost: a\r\n"


def _shape(request: Read | Arrival) -> tuple[bytes, bytes, bytes]:
    """Head, body and trailers, without what is made up for each request."""
    if isinstance(request, Arrival):
        return request.head, request.body, b""
    return _TRACE.sub(b"*", _MADE_UP.sub(b"*", request.head)), request.body, request.trailer
