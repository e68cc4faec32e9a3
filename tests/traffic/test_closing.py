"""What is open when a worker stops: WebSockets are closed and event streams ended where that may be, and told so."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest

from proxy.core.boundaries import going_away
from proxy.traffic import closing
from tests.traffic.stage import NO_SHADOW, SHADOWED, Stage, staged
from tests.traffic.test_websocket import FIELDS, SWITCH
from tests.traffic.tls import tls_client
from tests.traffic.wire import Client, chunked, ok, read_head, request, run, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.certificates import Authority
    from tests.traffic.wire import Asked

MASK = b"\x01\x02\x03\x04"
LONG = {"drain_s": 60.0}  # never waited for
SHORT = {"drain_s": 0.3}
TEXT, BEGIN, END, PING = 0x81, 0x01, 0x80, 0x89


def frame(payload: bytes, first: int = TEXT) -> bytes:
    """A small frame of a backend."""
    return bytes([first, len(payload)]) + payload


def masked(payload: bytes, first: int = TEXT) -> bytes:
    """A small frame of a user."""
    key = MASK * (len(payload) // 4 + 1)
    return bytes([first, 0x80 | len(payload)]) + MASK + bytes(a ^ b for a, b in zip(payload, key, strict=False))


REPLY = going_away(MASK)


class Talker:
    """A backend that switches protocols, says what it is told to, and keeps what it hears in `heard`."""

    def __init__(self) -> None:
        self.heard = bytearray()
        self.ended = asyncio.Event()
        self._asked: asyncio.Future[Asked] = asyncio.get_running_loop().create_future()

    async def __call__(self, asked: Asked) -> None:
        await asked.write(SWITCH)
        self._asked.set_result(asked)
        with suppress(ConnectionError):
            while data := await asked.reader.read(65_536):
                self.heard += data
                if b"\x88\x82" in data:
                    break
        asked.writer.close()  # a server does it first (RFC 6455 §7.1.1)
        self.ended.set()

    async def say(self, data: bytes) -> None:
        await (await self._asked).write(data)


@asynccontextmanager
async def opened(stage: Stage) -> AsyncIterator[Client]:
    """A user with a WebSocket."""
    async with asked(stage, "/chat", *FIELDS) as user:
        yield user


@asynccontextmanager
async def asked(stage: Stage, target: str = "/events", *fields: str, method: str = "GET") -> AsyncIterator[Client]:
    """A user who has asked, and got the head of the answer."""
    async with stage.client() as user:
        await user.send(request(method, target, *fields))
        await read_head(user.reader)
        yield user


# --- WebSockets ---
def test_websocket_that_is_silent_is_told_at_once_and_both_ends_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """1001 without a word from the backend; the user's reply gets there, and nobody is broken off, or waited for."""
    monkeypatch.setattr(closing, "REPLY_S", 3600.0)
    monkeypatch.setattr(closing, "FAREWELL_S", 3600.0)

    async def scenario() -> None:
        talker = Talker()
        async with staged(talker, shadow=NO_SHADOW, settings=LONG) as stage:
            async with opened(stage) as user:
                await user.send(masked(b"hello"))
                await talker.say(frame(b"HELLO"))
                assert frame(b"HELLO") == await user.reader.readexactly(7)
                stage.begin_drain()
                assert going_away() == await user.reader.readexactly(4)
                await user.send(masked(b"last") + REPLY)
                assert b"" == await user.rest()
                await talker.ended.wait()
                assert masked(b"hello") + masked(b"last") + REPLY == talker.heard
                assert 1 == (await stage.settle())["served.legacy"]
        assert [] == stage.events("worker.broke_off")

    run(scenario())


@pytest.mark.parametrize("cut", [1, 2, 6])
def test_websocket_amid_a_frame_is_told_behind_it(cut: int) -> None:
    """The frame under way arrives whole, then the end; nothing of what the backend says after it."""

    async def scenario() -> None:
        talker = Talker()
        async with staged(talker, shadow=NO_SHADOW, settings=LONG) as stage:
            async with opened(stage) as user:
                said = frame(b"0123456789")
                await talker.say(frame(b"x") + said[:cut])
                assert frame(b"x") + said[:cut] == await user.reader.readexactly(3 + cut)
                stage.begin_drain()
                await drained(stage)
                await talker.say(said[cut:] + frame(b"for nobody"))
                assert said[cut:] + going_away() == await user.reader.readexactly(len(said) - cut + 4)
                await user.send(REPLY)
                assert b"" == await user.rest()
                await talker.ended.wait()
                assert REPLY == talker.heard

    run(scenario())


async def drained(stage: Stage) -> None:
    """Until the worker's connections have been told."""
    await until(lambda: stage.events("worker.draining"))


def test_websocket_amid_a_message_of_several_frames_is_told_between_two_of_them() -> None:
    """A control frame may stand between the fragments of a message (RFC 6455 §5.4)."""

    async def scenario() -> None:
        talker = Talker()
        async with staged(talker, shadow=NO_SHADOW, settings=LONG) as stage:
            async with opened(stage) as user:
                said = frame(b"one", BEGIN) + frame(b"", PING) + frame(b"two", 0)
                await talker.say(said)
                assert said == await user.reader.readexactly(len(said))
                stage.begin_drain()
                assert going_away() == await user.reader.readexactly(4)
                await user.send(masked(b"", 0x8A) + REPLY)
                assert b"" == await user.rest()
                await talker.ended.wait()
                assert masked(b"", 0x8A) + REPLY == talker.heard

    run(scenario())


def test_websocket_whose_frame_does_not_end_is_broken_off_as_before() -> None:
    """Nothing is put into it: a reset when the drain is over."""

    async def scenario() -> None:
        talker = Talker()
        async with staged(talker, shadow=NO_SHADOW, settings=SHORT) as stage:
            async with opened(stage) as user:
                await talker.say(frame(b"0123456789")[:5])
                assert frame(b"0123456789")[:5] == await user.reader.readexactly(5)
                stage.begin_drain()
                with pytest.raises(ConnectionResetError):
                    await user.reader.read()
        assert 1 == len(stage.events("worker.broke_off"))

    run(scenario())


def test_websocket_of_a_user_who_does_not_reply_is_ended_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """The backend is told in his place by a masked frame, and what he sends after that reaches nobody."""
    monkeypatch.setattr(closing, "REPLY_S", 0.05)

    async def scenario() -> None:
        talker = Talker()
        async with staged(talker, shadow=NO_SHADOW, settings=LONG) as stage:
            async with opened(stage) as user:
                await user.send(masked(b"hello"))
                stage.begin_drain()
                assert going_away() == await user.reader.readexactly(4)
                assert b"" == await user.rest()
                await talker.ended.wait()
                said = talker.heard.removeprefix(masked(b"hello"))
                assert (8, bytes(said)) == (len(said), going_away(bytes(said[2:6])))
        assert [] == stage.events("worker.broke_off")

    run(scenario())


@pytest.mark.parametrize("is_between", [True, False])
def test_websocket_of_a_user_who_leaves_without_a_reply_is_closed_at_the_backend(is_between: bool) -> None:
    """By a frame, but not amid one of the user's: there the connection's end has to do."""

    async def scenario() -> None:
        talker = Talker()
        sent = masked(b"hello") if is_between else masked(b"hello")[:7]
        async with staged(talker, shadow=NO_SHADOW, settings=LONG) as stage:
            async with opened(stage) as user:
                await user.send(sent)
                await until(lambda: len(talker.heard) == len(sent))
                stage.begin_drain()
                assert going_away() == await user.reader.readexactly(4)
                user.abort()
                await talker.ended.wait()
                assert (len(sent) + 8 * is_between) == len(talker.heard)

    run(scenario())


def test_websocket_that_the_user_closes_himself_is_left_to_him() -> None:
    """His close frame is under way to the backend, whose reply he gets: there is none of ours."""

    async def scenario() -> None:
        replied = asyncio.Event()

        async def behave(asked: Any) -> None:
            await asked.write(SWITCH)
            await asked.reader.readexactly(8)
            got.set()
            await replied.wait()
            await asked.write(b"\x88\x02\x03\xe8")
            asked.writer.close()

        got = asyncio.Event()
        async with staged(behave, shadow=NO_SHADOW, settings=LONG) as stage:
            async with opened(stage) as user:
                await user.send(masked(b"\x03\xe8", 0x88))
                await got.wait()
                stage.begin_drain()
                await drained(stage)
                replied.set()
                assert b"\x88\x02\x03\xe8" == await user.rest()
                user.close()

    run(scenario())


def test_websocket_that_is_no_websocket_is_left_until_the_end() -> None:
    """What can't be followed can't be ended in order either."""

    async def scenario() -> None:
        talker = Talker()
        async with staged(talker, shadow=NO_SHADOW, settings=SHORT) as stage:
            async with opened(stage) as user:
                await talker.say(b"GET / HTTP/1.1\r\n\r\n")
                await user.reader.readexactly(18)
                stage.begin_drain()
                with pytest.raises(ConnectionResetError):
                    await user.reader.read()

    run(scenario())


def test_websocket_that_opens_while_the_worker_stops_is_closed_at_once() -> None:
    """Its handshake was under way; it is answered, and the user told to come again."""

    async def scenario() -> None:
        may_switch = asyncio.Event()
        talker = Talker()

        async def behave(asked: Any) -> None:
            await may_switch.wait()
            await talker(asked)

        async with staged(behave, shadow=NO_SHADOW, settings=LONG) as stage:
            async with stage.client() as user:
                await user.send(request("GET", "/chat", *FIELDS))
                await stage.legacy.wait_asked()
                stage.begin_drain()
                await drained(stage)
                may_switch.set()
                assert "HTTP/1.1 101 Switching Protocols" == (await read_head(user.reader)).start
                assert going_away() == await user.reader.readexactly(4)
                await user.send(REPLY)
                assert b"" == await user.rest()

    run(scenario())


def test_websocket_of_a_user_who_reads_slowly_is_closed_behind_what_he_has_not_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is on its way to him stays as it is, though nothing more comes; the close frame is the last of it."""
    monkeypatch.setattr(closing, "REPLY_S", 0.05)

    async def scenario() -> None:
        talker = Talker()
        said = frame(b"x" * 100) * 500  # read at once
        async with staged(talker, shadow=NO_SHADOW, settings=LONG) as stage:
            user = await Client.connect(stage.port, limit=1024)
            await user.send(request("GET", "/chat", *FIELDS))
            await read_head(user.reader)
            (connection,) = stage.server.server_state.connections
            sent = b""
            while not connection.is_write_paused:  # type: ignore[union-attr]  # it is one of ours
                sent += said
                await talker.say(said)
                await asyncio.sleep(0.005)  # on its way through
            await talker.say(said)
            await asyncio.sleep(0.05)
            stage.begin_drain()
            await drained(stage)
            assert sent + said + going_away() == await user.reader.read()
            user.abort()

    run(scenario())


# --- event streams ---
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
CHUNKED = b"transfer-encoding: chunked\r\n\r\n"


class Teller:
    """A backend that begins an answer with `head`, and goes on as it is told."""

    def __init__(self, head: bytes = HEAD + CHUNKED) -> None:
        self._head = head
        self.is_chunked = CHUNKED in head
        self.left = asyncio.Event()
        self._asked: asyncio.Future[Asked] = asyncio.get_running_loop().create_future()

    async def __call__(self, asked: Asked) -> None:
        await asked.read_body()
        await asked.write(self._head)
        if asked.is_shadow:
            return
        self._asked.set_result(asked)
        await asked.wait_left()
        self.left.set()

    async def tell(self, data: bytes) -> None:
        await (await self._asked).write(chunked(data) if self.is_chunked else data)


async def told(user: Client, data: bytes) -> None:
    """Reads a piece of a chunked answer."""
    piece = chunked(data)
    assert piece == await user.reader.readexactly(len(piece))


@pytest.mark.parametrize("head", [HEAD + CHUNKED, HEAD + b"\r\n", HEAD.replace(b"stream", b"stream;a=b") + b"\r\n"])
def test_event_stream_that_is_silent_ends_at_once_behind_its_last_event(head: bytes) -> None:
    """A last chunk, without a word from the backend, which is left."""

    async def scenario() -> None:
        teller = Teller(head)
        async with staged(teller, shadow=NO_SHADOW, settings=LONG) as stage:
            async with asked(stage) as user:
                await teller.tell(b"id: 1\ndata: one\n\n")
                await told(user, b"id: 1\ndata: one\n\n")
                stage.begin_drain()
                assert b"0\r\n\r\n" == await user.reader.readexactly(5)
                await teller.left.wait()
                assert 1 == (await stage.settle())["served.legacy"]
        assert [] == stage.events("worker.broke_off")

    run(scenario())


def test_event_stream_that_is_asked_for_again_at_once_says_that_the_connection_ends() -> None:
    """Who is quicker than the end of his old connection is answered: no event, and the way to the next worker."""

    async def scenario() -> None:
        async def behave(asked: Any) -> None:
            await Teller()(asked)

        async with staged(behave, shadow=NO_SHADOW, settings=LONG) as stage, asked(stage) as user:
            stage.begin_drain()
            assert b"0\r\n\r\n" == await user.reader.readexactly(5)
            await user.send(request("GET", "/events"))
            reply = await user.answer()
            assert (200, "close", b"", True) == (
                reply.status,
                reply.head.get("connection"),
                reply.body,
                reply.is_whole,
            )
            assert b"" == await user.rest()

    run(scenario())


def test_event_stream_amid_an_event_ends_behind_it() -> None:
    """The event under way arrives whole, and nothing of the next one."""

    async def scenario() -> None:
        teller = Teller()
        async with staged(teller, shadow=NO_SHADOW, settings=LONG) as stage:
            async with asked(stage) as user:
                await teller.tell(b"data: 1\n\ndata: ha")
                await told(user, b"data: 1\n\ndata: ha")
                stage.begin_drain()
                await drained(stage)
                await teller.tell(b"l")
                await told(user, b"l")
                await teller.tell(b"f\n\ndata: the ne")
                last = chunked(b"f\n\n") + b"0\r\n\r\n"
                assert last == await user.reader.readexactly(len(last))

    run(scenario())


def test_event_stream_to_an_old_client_ends_with_its_connection() -> None:
    """HTTP/1.0 knows no chunks: an end in order, where one that was cut is a reset."""

    async def scenario() -> None:
        teller = Teller()
        async with staged(teller, shadow=NO_SHADOW, settings=LONG) as stage:
            async with stage.client() as user:
                await user.send(request("GET", "/events").replace(b"HTTP/1.1", b"HTTP/1.0"))
                await read_head(user.reader)
                await teller.tell(b"data: 1\n\n")
                assert b"data: 1\n\n" == await user.reader.readexactly(9)
                stage.begin_drain()
                assert b"" == await user.rest()

    run(scenario())


def test_event_stream_that_is_compared_is_not_compared_when_it_was_ended() -> None:
    """What of it came by then is no answer: a skip, with its reason."""

    async def scenario() -> None:
        teller = Teller()
        async with staged(teller, ok(), shadow=SHADOWED, settings=LONG) as stage:
            async with asked(stage) as user:
                await teller.tell(b"data: 1\n\n")
                await told(user, b"data: 1\n\n")
                stage.begin_drain()
                assert b"0\r\n\r\n" == await user.reader.readexactly(5)
                assert 1 == (await stage.check_nothing_lost())["skipped.stopped"]

    run(scenario())


def no_stream(*fields: str, method: str = "GET") -> Any:
    lines = "".join(f"{field}\r\n" for field in ("HTTP/1.1 200 OK", *fields)).encode()
    return pytest.param(method, lines, id=f"{method} {fields}")


@pytest.mark.parametrize(
    ("method", "head"),
    [
        no_stream("content-type: text/event-stream", "content-length: 100"),
        no_stream("content-type: text/event-stream", "content-encoding: gzip"),
        no_stream("content-type: text/event-stream", "content-type: text/plain"),
        no_stream("content-type: text/plain", "x: text/event-stream"),
        no_stream("content-type: text/event-stream", method="POST"),
    ],
)
def test_answer_that_is_no_stream_of_events_has_the_time_of_the_drain(method: str, head: bytes) -> None:
    """Nobody could tell that it is over, or would ask again: it goes on, and is broken off at the end."""

    async def scenario() -> None:
        teller = Teller(head + (b"\r\n" if b"content-length" in head else CHUNKED))
        async with staged(teller, shadow=NO_SHADOW, settings=SHORT) as stage:
            async with asked(stage, method=method) as user:
                await teller.tell(b"data: 1\n\n")
                got = chunked(b"data: 1\n\n") if teller.is_chunked else b"data: 1\n\n"
                assert got == await user.reader.readexactly(len(got))
                stage.begin_drain()
                await drained(stage)
                await teller.tell(b"data: 2\n\n")
                assert got.replace(b"1\n", b"2\n") == await user.reader.readexactly(len(got))
                with pytest.raises(ConnectionResetError):
                    await user.reader.read()

    run(scenario())


def test_answer_that_is_said_to_be_plain_is_a_stream_of_events() -> None:
    """`identity` is no coding (RFC 9110 §12.5.3), whatever its case; names of types know none either."""

    async def scenario() -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: Text/Event-Stream; charset=utf-8\r\nContent-Encoding: Identity\r\n"
        teller = Teller(head + CHUNKED)
        async with staged(teller, shadow=NO_SHADOW, settings=LONG) as stage:
            async with asked(stage) as user:
                stage.begin_drain()
                assert b"0\r\n\r\n" == await user.reader.readexactly(5)

    run(scenario())


# --- TLS ---
def test_streams_of_users_who_come_by_tls_are_told_as_well(authority: Authority) -> None:
    """The last words go out under the connection's own end."""

    async def scenario() -> None:
        talker, teller = Talker(), Teller()

        async def behave(asked: Any) -> None:
            await (talker if asked.target == "/chat" else teller)(asked)

        context = authority.trusting()
        settings = authority.issue().settings | LONG
        async with (
            staged(behave, shadow=NO_SHADOW, settings=settings) as stage,
            tls_client(stage, context) as chatting,
            tls_client(stage, context) as reading,
        ):
            await chatting.send(request("GET", "/chat", *FIELDS))
            await reading.send(request("GET", "/events"))
            for user in (chatting, reading):
                await read_head(user.reader)
            stage.begin_drain()
            assert going_away() == await chatting.reader.readexactly(4)
            await chatting.send(REPLY)
            assert [b"", b"0\r\n\r\n"] == [await user.reader.read() for user in (chatting, reading)]
            await talker.ended.wait()
            assert REPLY == talker.heard

    run(scenario())
