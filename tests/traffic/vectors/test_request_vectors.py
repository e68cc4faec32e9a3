"""Each raw request against a real socket: what the user gets, and what the backend got, however it was cut."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.traffic.vectors.conversation import (
    INNOCENT,
    INNOCENT_BODY,
    Heard,
    Standing,
    apart,
    boundaries,
    connected,
    field_lines,
    field_name,
    in_cohorts,
    standing,
)
from tests.traffic.vectors.request_vectors import CLOSED, REQUESTS, Arrival, RequestVector
from tests.traffic.wire import ok, run

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.traffic.wire import Asked

_BODY = b"served"
_FRAMING = {b"content-length", b"transfer-encoding"}
_REWRITTEN = _FRAMING | {b"host", b"max-forwards"}  # the proxy writes these lines: once, and how and where it likes
_FOLLOWED = [vector for vector in REQUESTS if not vector.is_cut]  # nothing can follow a closed side
_CONTINUED = [vector for vector in REQUESTS if vector.may_continue]


@dataclass
class Recorder:
    """A backend that answers every whole request, and keeps it."""

    whole: list[Asked] = field(default_factory=list)

    async def __call__(self, asked: Asked) -> None:
        await asked.read_body()
        self.whole.append(asked)
        await asked.write(ok(INNOCENT_BODY if asked.target == "/innocent" else _BODY))


@dataclass
class Scene:
    """Where the vectors are played."""

    standing: Standing
    recorder: Recorder

    @property
    def port(self) -> int:
        return self.standing.stage.port

    async def settle(self) -> None:
        """Until no request is under way, and no backend still reads one that will not be whole."""
        await self.standing.stage.settle_shadows()
        await apart()


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    recorder = Recorder()
    with standing(recorder) as stood:
        yield Scene(stood, recorder)


@pytest.fixture(autouse=True)
def forget(scene: Scene) -> None:
    """What a failed test before has left under way is no other's."""
    scene.standing.tidy(scene.settle())
    scene.recorder.whole.clear()


# --- the tests ---
@pytest.mark.parametrize("vector", REQUESTS, ids=lambda vector: vector.name)
def test_request_vector_alone(scene: Scene, vector: RequestVector) -> None:
    """Sent in one write, it is answered by its rule without a further byte, and the backend gets what it should."""

    async def scenario() -> None:
        await _play(scene, vector, vector.data, is_followed=False)
        await _check_arrivals(scene, vector, 1, innocents=0)

    scene.standing.run(scenario())


@pytest.mark.parametrize("vector", _FOLLOWED, ids=lambda vector: vector.name)
def test_request_vector_followed_by_an_innocent_one(scene: Scene, vector: RequestVector) -> None:
    """A request right behind it is answered as itself; behind a refused one nothing is answered, nor forwarded."""

    async def scenario() -> None:
        await _play(scene, vector, vector.data + INNOCENT, is_followed=True)
        await _play(scene, vector, vector.data, INNOCENT, is_followed=True)
        await _check_arrivals(scene, vector, 2, innocents=0 if vector.closes else 2)

    scene.standing.run(scenario())


@pytest.mark.parametrize("vector", REQUESTS, ids=lambda vector: vector.name)
def test_request_vector_cut_at_every_byte(scene: Scene, vector: RequestVector) -> None:
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

    scene.standing.run(scenario())


@pytest.mark.parametrize("vector", _CONTINUED, ids=lambda vector: vector.name)
def test_request_vector_that_waits_is_told_to_continue(scene: Scene, vector: RequestVector) -> None:
    """A user that sends its head alone gets 100 (RFC 9110 §10.1.1), then its answer; and none where it didn't wait."""
    end = vector.data.index(b"\r\n\r\n") + 4

    async def scenario() -> None:
        async with connected(scene.port) as user:
            user.send(vector.data[:end])
            interim = await user.hear_interim()
            assert b"HTTP/1.1 100 Continue\r\n\r\n" == interim.raw
            user.send(vector.data[end:] + INNOCENT)
            heard = await user.hear([vector.method, "GET"], to_the_end=True)
        assert [] == heard.interims
        assert [200, 200] == heard.statuses
        await _check_arrivals(scene, vector, 1, innocents=1)

    scene.standing.run(scenario())


def test_request_vectors_are_told_apart_by_their_names() -> None:
    """Names are unique, each rule names its source, and the table is as long as was promised."""
    names = [vector.name for vector in REQUESTS]
    assert sorted(set(names)) == sorted(names)
    assert all(vector.rule.startswith(("RFC ", "law ")) for vector in REQUESTS)
    assert len(REQUESTS) >= 190


def test_request_vector_pieces_arrive_apart() -> None:
    """The harness itself: what is cut in two is read in two, also by many connections at once."""
    reads: list[list[bytes]] = []

    class Reading(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.pieces: list[bytes] = []
            reads.append(self.pieces)

        def data_received(self, data: bytes) -> None:
            self.pieces.append(data)

    async def send_in_two(port: int) -> None:
        async with connected(port) as user:
            user.send(b"one")
            await apart()
            user.send(b"two")
            await apart()

    async def scenario() -> None:
        server = await asyncio.get_running_loop().create_server(Reading, "127.0.0.1", 0)
        await in_cohorts([partial(send_in_two, server.sockets[0].getsockname()[1])] * 200)
        server.close()
        await server.wait_closed()

    run(scenario())
    assert [[b"one", b"two"]] * 200 == reads


# --- playing one ---
def _cut(data: bytes, at: int) -> tuple[bytes, bytes]:
    return data[:at], data[at:]


async def _play(scene: Scene, vector: RequestVector, *pieces: bytes, is_followed: bool) -> None:
    """One connection: the pieces, one write for each; what comes back must be as the vector says."""
    async with connected(scene.port) as user:
        for number, piece in enumerate(pieces):
            if number:
                await apart()
            user.send(piece)
        if vector.is_cut:
            await apart()
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
async def _check_arrivals(scene: Scene, vector: RequestVector, times: int, *, innocents: int) -> None:
    """Exactly what should arrive has arrived: the vector so many times, and so many innocent requests."""
    await scene.settle()
    whole = scene.recorder.whole
    followers = [asked for asked in whole if asked.target == "/innocent"]
    own = [asked for asked in whole if asked.target != "/innocent"]
    assert innocents == len(followers)
    assert all(not asked.body for asked in followers)
    if vector.arrives is None:
        assert [] == [asked.head.raw for asked in own]
    else:
        assert times == len(own)
        for asked in own:
            _check_arrival(vector.arrives, asked)
    begun = len(scene.standing.stage.legacy.asked) - len(whole)
    assert begun <= times * vector.may_begin, "a request has begun that never became whole"


def _check_arrival(expected: Arrival, asked: Asked) -> None:
    lines = field_lines(asked.head)
    named = {field_name(line) for line in expected.fields}
    found = [line for line in lines if field_name(line) in named]
    assert expected.start == asked.head.raw.partition(b"\r\n")[0]
    assert expected.body == bytes(asked.body)
    assert _passed_on(expected.fields) == _passed_on(found)
    assert _rewritten(expected.fields) == _rewritten(found)
    names = [field_name(line) for line in lines]
    assert set() == set(expected.lacks) & set(names)
    assert sum(name in _FRAMING for name in names) <= 1
    assert names.count(b"host") <= 1


def _passed_on(lines: Sequence[bytes]) -> list[bytes]:
    return [line for line in lines if field_name(line) not in _REWRITTEN]


def _rewritten(lines: Sequence[bytes]) -> list[bytes]:
    """Those that the proxy writes itself, in an order and a spelling of names that is nobody's business."""
    return sorted(field_name(line) + line[len(field_name(line)) :] for line in lines if field_name(line) in _REWRITTEN)
