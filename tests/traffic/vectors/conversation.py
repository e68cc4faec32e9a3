"""What the runners of the vector tables share: a stage that stays up, connections in pieces, where to cut a message.

A user here keeps all that came before a reset, as the user's system would; that the end was a reset is noted.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, cast

import uvloop

from tests.traffic.stage import NO_SHADOW, staged
from tests.traffic.vectors.reading import Heard, read_answers, read_interim
from tests.traffic.vectors.watching import PATIENCE_S, READINGS, ports, watched

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
    from contextlib import AbstractAsyncContextManager

    from proxy.core.model import ShadowRule
    from tests.traffic.stage import Stage
    from tests.traffic.vectors.recording import Recorder
    from tests.traffic.wire import Head

_COHORT = 64  # conversations at a time: well below a backend's connections, so that none waits for one
_SCENARIO_S = 60.0  # bounds each test, also where its machine is slow
_TURNS = 10
_APART_S = 0.002
_SHORT = 1_000  # bytes: up to here a message is cut everywhere
_SAMPLES = 8

INNOCENT_BODY = b"innocent"
INNOCENT = b"GET /innocent HTTP/1.1\r\nHost: a\r\nX-User: u1\r\nConnection: close\r\n\r\n"


# --- a stage for a whole module ---
class Standing:
    """A stage that outlives a test: `run` plays a scenario on it, on the loop it lives on."""

    def __init__(self, runner: asyncio.Runner, stage: Stage, recorder: Recorder) -> None:
        self.stage = stage
        self.recorder = recorder
        self._runner = runner

    def run(self, scenario: Coroutine[Any, Any, None]) -> None:
        """Plays it; then nothing may have failed unseen."""
        self._runner.run(self._play(scenario))

    def tidy(self, scenario: Coroutine[Any, Any, None]) -> None:
        """Plays what sets the stage for the next test; nothing is forgotten, nor checked."""
        self._runner.run(scenario)

    def user(self) -> AbstractAsyncContextManager[User]:
        return connected(self.stage.port, is_watched=True)

    async def _play(self, scenario: Coroutine[Any, Any, None]) -> None:
        self.stage.logs.clear()
        self.recorder.forget()
        async with asyncio.timeout(_SCENARIO_S):
            await scenario
        assert [] == self.recorder.faults
        assert [] == [entry for entry in self.stage.logs if entry["event"].endswith((".faulted", "task.failed"))]


@contextmanager
def standing(recorder: Recorder, shadow: ShadowRule = NO_SHADOW) -> Iterator[Standing]:
    """A stage whose users are all on the recorder, until the context ends; shadows are asked of one that is well."""
    with watched(), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        ready: asyncio.Queue[Stage] = asyncio.Queue()
        is_over = asyncio.Event()

        async def hold() -> None:
            await recorder.start()
            async with staged(shadow=shadow, legacy_port=recorder.port) as stage:
                ready.put_nowait(stage)
                await is_over.wait()
            await recorder.stop()

        async def begin() -> tuple[asyncio.Task[None], Stage]:
            held, came = asyncio.create_task(hold()), asyncio.create_task(ready.get())
            await asyncio.wait({held, came}, return_when=asyncio.FIRST_COMPLETED)
            if held.done():
                await held  # raises why there is no stage
            return held, await came

        async def end(held: asyncio.Task[None]) -> None:
            is_over.set()
            await held

        held, stage = runner.run(begin())
        try:
            yield Standing(runner, stage, recorder)
        finally:
            runner.run(end(held))


# --- a user's connection ---
class User(asyncio.Protocol):
    """One connection, to the worker or, where a test compares, to a backend."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport
        self._news: asyncio.Future[None] | None = None
        self._came = bytearray()
        self._sent = 0
        self._heard = 0  # bytes of an interim answer that was taken already
        self.is_over = False
        self.was_reset = False

    # --- asyncio.Protocol ---
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.key = ports(transport, has_opened=True)

    def data_received(self, data: bytes) -> None:
        self._came += data
        self._wake()

    def eof_received(self) -> bool:
        self.is_over = True
        self._wake()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_over = True
        self.was_reset = exc is not None
        self._wake()

    def _wake(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    # --- sending ---
    def send(self, data: bytes) -> None:
        """Writes without waiting; to a worker that has gone it writes nothing, as that is no fault."""
        if data and not self._transport.is_closing():
            self._sent += len(data)
            self._transport.write(data)

    async def taken(self) -> None:
        """Until the worker has read all that was sent, or has closed the connection."""
        await READINGS.wait_read(self.key, self._sent)

    def send_end(self) -> None:
        """Closes this side only."""
        if not self._transport.is_closing():
            self._transport.write_eof()

    def close(self) -> None:
        """Closes both sides, in order."""
        self._transport.close()

    def abort(self) -> None:
        self._transport.abort()

    def reset(self) -> None:
        """Closes with a TCP reset in place of an orderly end."""
        if not self._transport.is_closing():
            raw = self._transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._transport.abort()

    # --- hearing ---
    async def hear(self, methods: Sequence[str], *, to_the_end: bool) -> Heard:
        """One final answer for each of the methods while any come, and the rest `to_the_end` of the connection."""
        while True:
            is_over = self.is_over
            heard = None
            if is_over or not to_the_end:
                heard = read_answers(bytes(self._came[self._heard :]), methods, is_over=is_over)
            if heard is not None:
                heard.was_reset = self.was_reset
                self._heard = len(self._came)
                return heard
            await self.hear_more()

    def heard_so_far(self, methods: Sequence[str]) -> Heard:
        """What has come until now, without waiting, as if it were all."""
        heard = read_answers(bytes(self._came[self._heard :]), methods, is_over=True)
        assert heard is not None
        return heard

    async def hear_interim(self) -> Head:
        """The next head, read as that of an interim answer."""
        while (head := read_interim(bytes(self._came[self._heard :]))) is None:
            await self.hear_more()
        self._heard += len(head.raw)
        return head

    async def hear_bytes(self, number: int) -> bytes:
        """So many bytes from the beginning on, or fewer where the connection ends before."""
        while len(self._came) < number and not self.is_over:
            await self.hear_more()
        return bytes(self._came[:number])

    async def hear_more(self) -> None:
        """Until something comes, or the end does."""
        self._news = asyncio.get_running_loop().create_future()
        try:
            await self._news
        finally:
            self._news = None

    def __repr__(self) -> str:
        return f"a user who has sent {self._sent} bytes and got {bytes(self._came)[:200]!r}"


@asynccontextmanager
async def connected(port: int, *, is_watched: bool = False) -> AsyncIterator[User]:
    """A connection that the other side has, too, for PATIENCE_S at most, and that is torn down at the end."""
    _, user = await asyncio.get_running_loop().create_connection(User, "127.0.0.1", port)
    try:
        async with asyncio.timeout(PATIENCE_S):
            if is_watched:
                await READINGS.wait_made(user.key)
            else:
                await apart()
            yield user
    except TimeoutError:
        msg = f"nothing more came, and no end either, for {user}"
        raise AssertionError(msg) from None
    finally:
        user.abort()


async def apart() -> None:
    """Lets what was written be read before anything else is: accepting, reading, handing on are turns of the loop."""
    await asyncio.sleep(_APART_S)
    for _ in range(_TURNS):  # on a busy machine a sleep may be over within one turn
        await asyncio.sleep(0)
    await asyncio.sleep(_APART_S)


async def in_cohorts(scenarios: Sequence[Callable[[], Coroutine[Any, Any, None]]]) -> None:
    """Plays all of them, a limited number at a time; the first failure is raised."""
    left = iter(scenarios)

    async def play_some() -> None:
        for scenario in left:
            await scenario()

    async with asyncio.TaskGroup() as together:
        for _ in range(min(_COHORT, len(scenarios))):
            together.create_task(play_some())


# --- where to cut ---
def is_cut_everywhere(data: bytes) -> bool:
    return len(data) <= _SHORT


def boundaries(data: bytes) -> list[int]:
    """Where to cut a message in two: everywhere; a long one, of which there is a short twin, at some places.

    Those are around its first and last line ends, and samples.
    """
    size = len(data)
    if is_cut_everywhere(data):
        return list(range(1, size))
    line_ends = [at for at in range(size - 1) if data[at : at + 2] == b"\r\n"]
    chosen = {at + around for at in line_ends[:6] + line_ends[-3:] for around in (0, 1, 2)}
    chosen |= {size * sample // _SAMPLES for sample in range(1, _SAMPLES)} | {1, size - 1}
    return sorted(at for at in chosen if 0 < at < size)


# --- what a head says ---
def field_lines(head: Head) -> list[bytes]:
    """Its fields as "Name: value", as spelled, but for the optional space around each value, which may change."""
    pairs = [line.partition(b":") for line in head.raw.split(b"\r\n")[1:] if line]
    return [b"%b: %b" % (name, value.strip(b" \t")) for name, _, value in pairs]


def field_name(line: bytes) -> bytes:
    """In lower case."""
    return line.partition(b":")[0].lower()
