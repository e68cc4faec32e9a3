"""How often somebody may try to sign in: a few times a minute from one address, and then not for a while."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_FAILED = 5
WINDOW_S = 60.0
MAX_ADDRESSES = 10_000


class Attempts:
    """Failures of the last minute, by address; of the oldest address nothing is known when there are too many."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._failed: OrderedDict[str, deque[float]] = OrderedDict()

    def wait_s(self, address: str) -> float:
        """How long the address must wait before it is heard again; 0 when it need not."""
        failed = self._failed.get(address)
        now = self._clock()
        while failed and failed[0] <= now - WINDOW_S:
            failed.popleft()
        return failed[0] + WINDOW_S - now if failed and len(failed) >= MAX_FAILED else 0.0

    def failed(self, address: str) -> None:
        self._failed.setdefault(address, deque(maxlen=MAX_FAILED)).append(self._clock())
        self._failed.move_to_end(address)
        if len(self._failed) > MAX_ADDRESSES:
            self._failed.popitem(last=False)
