"""How many requests may be sent a second time to the same side, so that an outage is not doubled by retries.

1. Of the requests of the last WINDOW_S seconds, SHARE_PERCENT may be retried, and RESERVE beside them, so that a quiet
   service can retry as well. Finagle's RetryBudget: 20 % on top of 10 a second, over 10 s; Envoy's: 20 %.
2. One budget for each side: a side in trouble doesn't spend the other one's.
3. Falling back from new to legacy is not a retry and isn't counted here. No backend gets a request twice by it; legacy
   gets at most what it had before the migration; and a user whose fallback were refused would see an error that legacy
   could have spared him. A new backend that fails all the time is the breaker's to see, which sends its users to legacy
   without asking new first.
4. A retry that the budget refuses leaves the first failure as it is: the fallback, or the error, as if there were no
   retries.
"""

from __future__ import annotations

from proxy.core.window import Window

WINDOW_S = 10.0
SHARE_PERCENT = 20
RESERVE = 100


class RetryBudget:
    """The budget of one side. `now` is in seconds and never goes back."""

    __slots__ = ("_requests", "_retries")

    def __init__(self) -> None:
        self._requests = Window(WINDOW_S)
        self._retries = Window(WINDOW_S)

    def asked(self, now: float) -> None:
        """Takes in a user's request; not its retry."""
        self._requests.add(now)

    def take(self, now: float) -> bool:
        """Whether one more retry may be made; it is counted as made then."""
        allowed = RESERVE + self._requests.total(now) * SHARE_PERCENT // 100
        if self._retries.total(now) >= allowed:
            return False
        self._retries.add(now)
        return True
