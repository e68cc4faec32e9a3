"""What the runners of the vector tables share: a stage that stays up, connections in pieces, where to cut a message.

A client here keeps all that came before a reset, as the user's system would; that the end was a reset is noted.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import uvloop

from tests.traffic.stage import NO_SHADOW, staged
from tests.traffic.wire import Client, Head, Reply, read_head

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Sequence

    from proxy.core.model import ShadowRule
    from tests.traffic.stage import Stage
    from tests.traffic.wire import Asked

PATIENCE_S = 5.0  # bounds each conversation; none comes near it unless one end waits for what will not come
_COHORT = 64  # conversations at a time: well below a backend's connections, so that none waits for one
_TURNS = 10
_APART_S = 0.002
_SHORT = 400  # bytes: up to here a message is cut everywhere
_SAMPLES = 8

INNOCENT_BODY = b"innocent"
INNOCENT = b"GET /innocent HTTP/1.1\r\nHost: a\r\nX-User: u1\r\nConnection: close\r\n\r\n"


# --- a stage for a whole module ---
class Standing:
    """A stage that outlives a test: `run` plays a scenario on it, on the loop it lives on."""

    def __init__(self, runner: asyncio.Runner, stage: Stage) -> None:
        self.stage = stage
        self._runner = runner

    def run(self, scenario: Coroutine[Any, Any, None]) -> None:
        """Plays it; then nothing may be under way, and nothing may have failed unseen."""
        self._runner.run(self._play(scenario))

    def tidy(self, scenario: Coroutine[Any, Any, None]) -> None:
        """Plays what sets the stage for the next test; nothing is forgotten, nor checked."""
        self._runner.run(scenario)

    async def _play(self, scenario: Coroutine[Any, Any, None]) -> None:
        self.stage.logs.clear()
        self.stage.legacy.asked.clear()
        await scenario
        assert [] == [entry for entry in self.stage.logs if entry["event"].endswith((".faulted", "task.failed"))]


@contextmanager
def standing(behave: Callable[[Asked], Awaitable[None]], shadow: ShadowRule = NO_SHADOW) -> Iterator[Standing]:
    """A stage whose users are all on `behave`, until the context ends; shadows are asked of a backend that is well."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        ready: asyncio.Queue[Stage] = asyncio.Queue()
        is_over = asyncio.Event()

        async def hold() -> None:
            async with staged(behave, shadow=shadow) as stage:
                ready.put_nowait(stage)
                await is_over.wait()

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
            yield Standing(runner, stage)
        finally:
            runner.run(end(held))


# --- a user's connection ---
class _Ends(asyncio.StreamReaderProtocol):
    """As asyncio's, but that a reset takes nothing away of what came before it."""

    was_reset = False

    def connection_lost(self, exc: Exception | None) -> None:
        self.was_reset = exc is not None
        super().connection_lost(None)


@dataclass(slots=True)
class Heard:
    """All that a user got on one connection; `rest` is what came after the last whole answer that was waited for."""

    interims: list[Head] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)
    rest: bytes = b""
    was_reset: bool = False

    @property
    def statuses(self) -> list[int]:
        return [reply.status for reply in self.replies]


class User:
    """One connection to the worker."""

    def __init__(self, reader: asyncio.StreamReader, transport: asyncio.Transport, protocol: _Ends) -> None:
        self._transport = transport
        self._protocol = protocol
        loop = asyncio.get_running_loop()
        self._client = Client(reader, asyncio.StreamWriter(transport, protocol, reader, loop))

    def send(self, data: bytes) -> None:
        """Writes without waiting; to a worker that has gone it writes nothing, as that is no fault."""
        if data and not self._transport.is_closing():
            self._transport.write(data)

    def send_end(self) -> None:
        """Closes this side only."""
        if not self._transport.is_closing():
            self._transport.write_eof()

    def close(self) -> None:
        """Closes both sides, in order."""
        self._transport.close()

    async def hear(self, methods: Sequence[str], *, to_the_end: bool) -> Heard:
        """One final answer for each of the methods while any come, and the rest `to_the_end` of the connection."""
        heard = Heard()
        try:
            async with asyncio.timeout(PATIENCE_S):
                for method in methods:
                    if (reply := await self._final(method, heard)) is None:
                        break
                    heard.replies.append(reply)
                if to_the_end:
                    heard.rest += await self._client.rest()
        except TimeoutError:
            msg = f"nothing more came after {heard.statuses or 'no answer at all'}, and no end either"
            raise AssertionError(msg) from None
        heard.was_reset = self._protocol.was_reset
        return heard

    async def hear_interim(self) -> Head:
        """The next head, read as that of an interim answer."""
        async with asyncio.timeout(PATIENCE_S):
            return await read_head(self._client.reader)

    async def _final(self, method: str, heard: Heard) -> Reply | None:
        """The next answer that isn't interim; None where the connection ends before it."""
        while True:
            try:
                reply = Reply(await read_head(self._client.reader), b"")
            except asyncio.IncompleteReadError as error:
                heard.rest += error.partial
                return None
            if reply.status >= 200:
                break
            heard.interims.append(reply.head)
        if method != "HEAD" and reply.status not in {204, 304}:
            await self._client.read_body(reply)
        return reply


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[User]:
    """A connection that is there, and torn down at the end."""
    reader = asyncio.StreamReader(limit=1 << 20)
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_connection(lambda: _Ends(reader), "127.0.0.1", port)
    await apart()
    try:
        yield User(reader, transport, protocol)
    finally:
        transport.abort()


async def apart() -> None:
    """Lets what was written be read before anything else is: accepting, reading, handing on are turns of the loop."""
    await asyncio.sleep(_APART_S)
    for _ in range(_TURNS):  # on a busy machine a sleep may be over within one turn
        await asyncio.sleep(0)
    await asyncio.sleep(_APART_S)


async def in_cohorts(scenarios: Sequence[Callable[[], Coroutine[Any, Any, None]]]) -> None:
    """Plays all of them, a limited number at a time; the first failure is raised."""
    for begin in range(0, len(scenarios), _COHORT):
        async with asyncio.TaskGroup() as together:
            for scenario in scenarios[begin : begin + _COHORT]:
                together.create_task(scenario())


# --- where to cut ---
def boundaries(data: bytes) -> list[int]:
    """Where to cut a message in two: everywhere; a long one around its first and last line ends, and at samples."""
    size = len(data)
    if size <= _SHORT:
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
