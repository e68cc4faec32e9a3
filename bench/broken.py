"""A backend that is broken on purpose, as a program: `python -m bench.broken PORT BEHAVIOUR`, until it is ended."""

from __future__ import annotations

import asyncio
import itertools
import json
import math
import os
import signal
import socket
import struct
import sys
from contextlib import ExitStack, suppress
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
FAILED = b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n"
MOODY = "moody"
MOOD_EVERY = 100  # answers of the moody one, of which the last is bad, and the middle one large
LARGE_ITEMS = 1000
ENDLESS = "endless"
BEHAVIOURS = ("hanging", "garbage", "slow", "resetting", "dripping", "huge", "hostile")
"""What connections meet that are accepted."""

DEAD = "dead"
FULL_S = 0.5  # a connection on loopback that isn't there by then, won't be
_AT_ONCE = struct.pack("ii", 1, 0)  # linger on, for 0 s: what close() turns into a reset (socket(7))


class Broken(asyncio.Protocol):
    """One connection; each piece that comes in is taken for a request, which is what a proxy sends."""

    def __init__(self, behaviour: str) -> None:
        self._behaviour = behaviour
        self._loop = asyncio.get_running_loop()
        self._pieces_left: float = 0
        self._can_write = True

    moods = 0  # of all connections together
    large = b""
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
            self._loop.call_later(SLOW_S, self._write_late, ANSWER)
        elif self._behaviour == "dripping":
            self._drip(ANSWER)
        elif self._behaviour == "hostile":
            self._transport.write(next(Broken.harms))
        elif self._behaviour == MOODY:
            self._answer_by_mood()
        elif self._behaviour in {"huge", ENDLESS}:
            self._transport.write(HUGE_HEAD)
            self._pieces_left = PIECES if self._behaviour == "huge" else math.inf
            self._pour()

    def _answer_by_mood(self) -> None:
        """Well, but for each hundredth answer, which is bad in one of several ways in turn."""
        Broken.moods += 1
        turn, place = divmod(Broken.moods, MOOD_EVERY)
        if place:
            self._transport.write(Broken.large if place == MOOD_EVERY // 2 else WELL)
        elif turn % 6 == 0:
            self._transport.write(GARBAGE)
        elif turn % 6 == 1:
            self._transport.write(CUT)
            self._transport.close()
        elif turn % 6 == 2:
            self._drip(WELL)
        elif turn % 6 == 3:
            self._transport.write(FAILED)
        elif turn % 6 == 4:
            self._loop.call_later(SLOW_S, self._write_late, WELL)
        else:
            self._transport.abort()

    def _write_late(self, answer: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(answer)

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


def large_answer() -> bytes:
    """What is masked by the worker's child and compared at length: a list of items with something secret in each."""
    items = [
        {"id": number, "mail": f"reader-{number}@example.org", "score": number / 7} for number in range(LARGE_ITEMS)
    ]
    body = json.dumps(items).encode()
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)


async def serve(port: int, behaviour: str) -> None:
    """Serves until it is cancelled."""
    loop = asyncio.get_running_loop()
    if behaviour == "hostile":
        Broken.harms = itertools.cycle(hostile_answers())
    Broken.large = large_answer()
    server = await loop.create_server(lambda: Broken(behaviour), "127.0.0.1", port, backlog=1024)
    async with server:
        await server.serve_forever()


def lie_dead(port: int) -> None:
    """As a host that is gone: nobody is told anything, neither accepted nor refused, until this is interrupted.

    A listening socket drops each further request for a connection while its queue is full (listen(2)), and nobody takes
    anything out of this one.
    """
    with socket.create_server(("127.0.0.1", port), backlog=0), ExitStack() as waiting:
        with suppress(TimeoutError):
            while True:
                waiting.enter_context(socket.create_connection(("127.0.0.1", port), timeout=FULL_S))
        print(DEAD, flush=True)
        signal.pause()


def main(port: int, behaviour: str) -> None:
    os.nice(NICE)
    with suppress(KeyboardInterrupt):
        if behaviour == DEAD:
            lie_dead(port)
        else:
            asyncio.run(serve(port, behaviour))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
