"""How one user's large upload gives way to the requests of others.

A user on a fast line can send a gigabyte a second, and the worker's one core would carry it: others would wait. So who
has sent a large piece rests before the next one is read, but only while somebody else is being served: alone, an upload
is as fast as its backend. Reading stops meanwhile, and TCP tells the sender.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

LARGE_BYTES = 65_536  # a piece below this passes in some 50 microseconds; uvloop brings up to 256 kB at once
_BUSY_S = 0.25  # others are served if one of them began within this time


class Turns:
    """Whose turn it is in this worker. Count each request in `begun`.

    `bytes_per_s` is what one upload may bring beside others; `now` gives seconds.
    """

    def __init__(self, bytes_per_s: int, now: Callable[[], float]) -> None:
        self.begun = 0
        self._bytes_per_s = bytes_per_s
        self._now = now
        self._known = 0
        self._busy_until = 0.0

    async def give_way(self, size: int) -> None:
        """Waits as long as `size` bytes may take, if there are others to give way to."""
        now = self._now()
        if self.begun != self._known:
            self._known = self.begun
            self._busy_until = now + _BUSY_S
        if now < self._busy_until:
            await asyncio.sleep(size / self._bytes_per_s)
