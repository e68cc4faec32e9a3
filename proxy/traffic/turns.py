"""How whoever moves much gives way to the requests of others: large uploads, and large answers.

A user on a fast line can send or take a gigabyte a second, and the worker's one core would carry it: others would wait.
So while others are served, a transfer waits after each large piece until it goes on; little is read for it meanwhile,
and TCP tells the sender.

1. Of all transfers one goes on in each round of the loop: whatever else has come is heard in between.
2. A long one, which has moved its share already, rests: all long ones of a direction together move `bytes_per_s`, in
   turn. What most requests move is less than a share, and goes through without a rest.
3. Whoever moves large pieces is not one of the others: without any, transfers are as fast as backends and users.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LARGE_BYTES = 65_536  # less than this passes in some 50 microseconds; uvloop brings up to 256 kB of a user's at once
SHARE_S = 0.0625  # the share is what may be moved in so long: 4 MiB of the usual 64 MiB a second
_BUSY_S = 0.25  # others are served if one of them has been within this time


def in_pieces(chunks: Sequence[bytes]) -> list[bytes]:
    """The chunks so that each piece may have a turn of its own: all in one where they are small, large ones cut."""
    if sum(map(len, chunks)) <= LARGE_BYTES:
        return [b"".join(chunks)]
    return [chunk[begin : begin + LARGE_BYTES] for chunk in chunks for begin in range(0, len(chunk), LARGE_BYTES)]


class Turns:
    """Whose turn it is in this worker. Count each request that has ended in `served`, but for large ones.

    The bytes in a second are what long `uploads` and `downloads` may move beside others; `now` gives seconds.
    """

    def __init__(self, upload_bytes_per_s: int, download_bytes_per_s: int, now: Callable[[], float]) -> None:
        self.served = 0
        self.uploads = Lane(self, upload_bytes_per_s, now)
        self.downloads = Lane(self, download_bytes_per_s, now)
        self._now = now
        self._known = 0
        self._busy_until = 0.0
        self._is_round_taken = False
        self._waiting: deque[asyncio.Future[None]] = deque()

    def has_others(self) -> bool:
        """Whether there is somebody to give way to."""
        now = self._now()
        if self.served != self._known:
            self._known = self.served
            self._busy_until = now + _BUSY_S
        return now < self._busy_until

    async def next_round(self) -> None:
        """Until a round of the loop in which no other transfer goes on (rule 1)."""
        loop = asyncio.get_running_loop()
        if not self._is_round_taken:
            self._is_round_taken = True
            loop.call_soon(self._begin_round)
            return
        waiter = loop.create_future()
        self._waiting.append(waiter)
        await waiter

    def _begin_round(self) -> None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():  # else who waited was cancelled
                waiter.set_result(None)
                asyncio.get_running_loop().call_soon(self._begin_round)
                return
        self._is_round_taken = False


class Lane:
    """One direction: what its long transfers move beside others, they move one after the other (rule 2)."""

    def __init__(self, turns: Turns, bytes_per_s: int, now: Callable[[], float]) -> None:
        self.turns = turns
        self.share_bytes = int(bytes_per_s * SHARE_S)
        self._bytes_per_s = bytes_per_s
        self._now = now
        self._free_at = 0.0

    def begin(self) -> Transfer:
        """For one request."""
        return Transfer(self)

    async def rest(self, size: int) -> None:
        """As long as `size` bytes may take, behind all who rest already."""
        now = self._now()
        self._free_at = max(self._free_at, now) + size / self._bytes_per_s
        await asyncio.sleep(self._free_at - now)


class Transfer:
    """A request's body, or its answer's, on its way. It `is_large` once it has moved a large piece, or as much."""

    __slots__ = ("_lane", "_left_bytes", "_piece_bytes", "is_large")

    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        self._left_bytes = lane.share_bytes
        self._piece_bytes = 0  # moved since the last turn: large pieces may come in small ones
        self.is_large = False

    async def moved(self, size: int) -> None:
        """Waits, after so many bytes more, until it is its turn to go on."""
        self._piece_bytes += size
        if self._piece_bytes < LARGE_BYTES:
            return
        piece_bytes, self._piece_bytes = self._piece_bytes, 0
        self._left_bytes -= piece_bytes
        self.is_large = True
        turns = self._lane.turns
        if turns.has_others():
            if self._left_bytes < 0:
                await self._lane.rest(piece_bytes)
            await turns.next_round()
