"""A backend that is broken on purpose, as a program: `python -m bench.broken PORT BEHAVIOUR`, until it is ended."""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
import struct
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from bench.hostile import hostile_answers

if TYPE_CHECKING:
    from collections.abc import Iterator

GARBAGE = b"\x16\x03\x01\x00\xa5 this is no HTTP at all\r\n\r\n\x00\xff"
SLOW_S = 5.0
DRIP_S = 1.0  # between two bytes
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nlate"
HUGE_HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
PIECE = b"%x\r\n%b\r\n" % (1 << 16, bytes(1 << 16))
PIECES = (1 << 30) // (1 << 16)  # a gigabyte
LAST_CHUNK = b"0\r\n\r\n"
NICE = 10  # it may share its core with the load, whose times are measured
WELL = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 4\r\n\r\nwell"
CUT = WELL[:-2]
MOOD_EVERY = 100  # answers of the moody one, of which the last is bad
BEHAVIOURS = ("hanging", "garbage", "slow", "resetting", "dripping", "huge", "hostile")
_AT_ONCE = struct.pack("ii", 1, 0)  # linger on, for 0 s: what close() turns into a reset (socket(7))


class Broken(asyncio.Protocol):
    """One connection; each piece that comes in is taken for a request, which is what a proxy sends."""

    def __init__(self, behaviour: str) -> None:
        self._behaviour = behaviour
        self._loop = asyncio.get_running_loop()
        self._pieces_left = 0
        self._can_write = True

    moods = 0  # of all connections together
    harms: Iterator[bytes] = iter(())

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if self._behaviour == "resetting":
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
            transport.abort()

    def data_received(self, data: bytes) -> None:
        del data
        if self._behaviour == "garbage":
            self._transport.write(GARBAGE)
        elif self._behaviour == "slow":
            self._loop.call_later(SLOW_S, self._transport.write, ANSWER)
        elif self._behaviour == "dripping":
            self._drip(ANSWER)
        elif self._behaviour == "hostile":
            self._transport.write(next(Broken.harms))
        elif self._behaviour == "moody":
            self._answer_by_mood()
        elif self._behaviour == "huge":
            self._transport.write(HUGE_HEAD)
            self._pieces_left = PIECES
            self._pour()

    def _answer_by_mood(self) -> None:
        """Well, but for each hundredth answer, which is bad in one of four ways in turn."""
        Broken.moods += 1
        turn, is_well = divmod(Broken.moods, MOOD_EVERY)
        if is_well:
            self._transport.write(WELL)
        elif turn % 4 == 0:
            self._transport.write(GARBAGE)
        elif turn % 4 == 1:
            self._transport.write(CUT)
            self._transport.close()
        elif turn % 4 == 2:
            self._drip(WELL)
        else:
            self._transport.abort()

    def _drip(self, answer: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(answer[:1])
            if answer[1:]:
                self._loop.call_later(DRIP_S, self._drip, answer[1:])

    def _pour(self) -> None:
        """A piece after the other, at the pace at which they are taken."""
        if not self._can_write or not self._pieces_left or self._transport.is_closing():
            return
        self._pieces_left -= 1
        self._transport.write(PIECE if self._pieces_left else PIECE + LAST_CHUNK)
        if self._can_write:
            self._loop.call_soon(self._pour)

    def pause_writing(self) -> None:
        self._can_write = False

    def resume_writing(self) -> None:
        self._can_write = True
        self._loop.call_soon(self._pour)  # not at once: asyncio forgets that a write from in here may fail


async def serve(port: int, behaviour: str) -> None:
    """Serves until it is cancelled."""
    loop = asyncio.get_running_loop()
    if behaviour == "hostile":
        Broken.harms = itertools.cycle(hostile_answers())
    server = await loop.create_server(lambda: Broken(behaviour), "127.0.0.1", port, backlog=1024)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    os.nice(NICE)
    with suppress(KeyboardInterrupt):
        asyncio.run(serve(int(sys.argv[1]), sys.argv[2]))
