"""How many events there were lately: a count over a sliding window of time, in a ring of small buckets.

The clock is an argument, in seconds, and never goes back. An event costs a comparison and an addition; looking back
costs the ring's length, whatever number of events there was.
"""

from __future__ import annotations

import math
from collections import deque

BUCKETS = 10  # Hystrix's rolling statistics: 10 buckets of 1 s; what is seen is 0.9 to 1.0 of the span


class Window:
    """Who counts does it in two steps: `if now >= window.ends_at: window.roll(now)`, then `window.count += 1`."""

    __slots__ = ("_past", "_width_s", "count", "ends_at")

    def __init__(self, span_s: float) -> None:
        self._width_s = span_s / BUCKETS
        self._past: deque[int] = deque(maxlen=BUCKETS - 1)
        self.count = 0
        self.ends_at = -math.inf

    def add(self, now: float) -> None:
        if now >= self.ends_at:
            self.roll(now)
        self.count += 1

    def roll(self, now: float) -> None:
        """Puts the bucket that has ended behind, and with it what is older than the span."""
        late_s = now - self.ends_at
        if late_s >= self._width_s * (BUCKETS - 1):
            self.clear()
            self.ends_at = now + self._width_s
            return
        empty = int(late_s / self._width_s)
        self._past.append(self.count)
        self._past.extend([0] * empty)
        self.count = 0
        self.ends_at += (empty + 1) * self._width_s

    def total(self, now: float) -> int:
        """The events of the span that ends now."""
        if now >= self.ends_at:
            self.roll(now)
        return self.count + sum(self._past)

    def clear(self) -> None:
        self._past.clear()
        self.count = 0
