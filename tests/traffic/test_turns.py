"""Who may go on moving: one transfer in each round of the loop, and long ones in turn where others are served."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import suppress
from typing import Self

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.traffic.turns import LARGE_BYTES, SHARE_S, Transfer, Turns, in_pieces

MIB = 1 << 20
SHARE_BYTES = int(MIB * SHARE_S)
NEVER = 1  # byte in a second: who had to rest by it would rest for a day


class Rounds:
    """Counts the rounds of the loop while its context is open."""

    def __init__(self) -> None:
        self.number = 0
        self._loop = asyncio.get_running_loop()

    def __enter__(self) -> Self:
        self._next = self._loop.call_soon(self._count)
        return self

    def __exit__(self, *_: object) -> None:
        self._next.cancel()

    def _count(self) -> None:
        self.number += 1
        self._next = self._loop.call_soon(self._count)


def test_one_transfer_goes_on_in_each_round() -> None:
    """Five of them, up and down, that moved a large piece in the same round: each goes on in a round of its own."""

    async def scenario() -> None:
        turns = Turns(MIB, MIB, asyncio.get_running_loop().time)
        went_on: list[int] = []
        with Rounds() as rounds:

            async def move(transfer: Transfer) -> None:
                turns.served += 1
                await transfer.moved(LARGE_BYTES)
                went_on.append(rounds.number)

            lanes = itertools.cycle((turns.uploads, turns.downloads))
            await asyncio.gather(*(move(next(lanes).begin()) for _ in range(5)))
        assert 5 == len(set(went_on)), went_on

    asyncio.run(scenario())


def test_transfer_that_is_cancelled_lets_the_next_one_go_on() -> None:
    """One of three leaves while it waits for its turn: the others have theirs."""

    async def scenario() -> None:
        turns = Turns(MIB, MIB, asyncio.get_running_loop().time)
        turns.served += 1
        tasks = [asyncio.create_task(turns.downloads.begin().moved(LARGE_BYTES)) for _ in range(3)]
        await asyncio.sleep(0)
        tasks[1].cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task
        assert [False, True, False] == [task.cancelled() for task in tasks]

    asyncio.run(scenario())


def test_alone_nobody_rests() -> None:
    """A transfer far beyond its share, beside another: nobody else has been served."""

    async def scenario() -> None:
        turns = Turns(NEVER, NEVER, asyncio.get_running_loop().time)
        transfer, other = turns.downloads.begin(), turns.downloads.begin()
        for _ in range(100):
            await transfer.moved(LARGE_BYTES)
            await other.moved(LARGE_BYTES)
        assert transfer.is_large

    asyncio.run(scenario())


def test_who_has_moved_no_more_than_the_share_does_not_rest() -> None:
    """Ten pieces of a share of ten while others are served all the time."""

    async def scenario() -> None:
        turns = Turns(NEVER, NEVER, asyncio.get_running_loop().time)
        turns.downloads.share_bytes = 10 * LARGE_BYTES
        transfer = turns.downloads.begin()
        for _ in range(10):
            turns.served += 1
            await transfer.moved(LARGE_BYTES)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(transfer.moved(LARGE_BYTES), 0.05)

    asyncio.run(scenario())


def test_long_transfers_rest_one_after_the_other_beside_others() -> None:
    """Two pieces of each of three: together they take the time that their bytes may take in one direction."""

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        turns = Turns(NEVER, MIB, loop.time)
        transfers = [turns.downloads.begin() for _ in range(3)]
        for transfer in transfers:
            await transfer.moved(SHARE_BYTES)
        turns.served += 1
        began = loop.time()
        for _ in range(2):
            await asyncio.gather(*(transfer.moved(LARGE_BYTES) for transfer in transfers))
        assert 6 * LARGE_BYTES / MIB - 0.01 <= loop.time() - began  # the loop's clock has milliseconds

    asyncio.run(scenario())


def test_small_pieces_add_up_to_large_ones() -> None:
    """Of 64 KiB in pieces of 1 KiB, beyond the share and beside others, a rest is made as of one piece."""

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        turns = Turns(NEVER, MIB, loop.time)
        transfer = turns.downloads.begin()
        await transfer.moved(SHARE_BYTES)
        turns.served += 1
        began = loop.time()
        for _ in range(LARGE_BYTES // 1024):
            await transfer.moved(1024)
        assert LARGE_BYTES / MIB - 0.01 <= loop.time() - began

    asyncio.run(scenario())


def test_others_were_served_for_a_quarter_of_a_second() -> None:
    """From the last one that was served on there is somebody to give way to, for so long."""
    times = iter([5.0, 5.0, 5.2, 5.3])
    turns = Turns(MIB, MIB, lambda: next(times))
    before = turns.has_others()
    turns.served += 1
    assert [False, True, True, False] == [before, *(turns.has_others() for _ in range(3))]


@given(sizes=st.lists(st.integers(0, 3 * LARGE_BYTES), max_size=4))
def test_pieces_are_all_of_it_and_none_is_large(sizes: list[int]) -> None:
    """Small chunks are one piece, so that they cost one turn."""
    chunks = [bytes([number]) * size for number, size in enumerate(sizes)]
    pieces = in_pieces(chunks)
    assert b"".join(chunks) == b"".join(pieces)
    assert all(len(piece) <= LARGE_BYTES for piece in pieces)
    assert sum(sizes) > LARGE_BYTES or len(pieces) == 1
