"""When a backend's answers are bad enough to ask it no more, and when to try it again: a circuit breaker.

1. Closed, it counts outcomes. It opens at a failure that makes `failure_percentage` of the last `window_s` seconds'
   requests failures, if there were `min_requests` of them. The defaults (50 % of at least 20 in 10 s) are Hystrix's;
   resilience4j has 50 % of 100, Envoy's outlier detection 85 % of 50 in 10 s, Polly 10 % of 100 in 30 s.
2. Open, it lets nothing through for a cool-down: 5 s (Hystrix, Polly, Helidon), twice as long each time it opens anew
   without a whole window of calm before, up to MAX_COOL_DOWN_S (Envoy: 30 s, 60 s, 90 s, … up to 300 s).
3. Half-open, it lets trials through, at most TRIALS_AT_ONCE at a time. TRIALS_TO_CLOSE answers close it, one failure
   opens it again (Hystrix and Polly close after one trial, resilience4j looks at 10).
4. Harmless requests are tried first; others once the half-open state has lasted as long as the last cool-down, so that
   a backend of which nothing harmless is asked is tried as well.
5. An outcome counts only where its request began in the present state: what was sent before it opened says nothing of
   the backend as it is after the cool-down, and must not open it again after it has closed.
6. A trial ends with its outcome, or with `left`. One that never ends is given up `trial_timeout_s` after the last trial
   was let through: no lost request keeps the breaker half-open.

Pure: times are arguments, in seconds of one clock that never goes back. `began` is when a request was sent.
"""

from __future__ import annotations

import math
from enum import IntEnum
from typing import TYPE_CHECKING

from proxy.core.window import Window

if TYPE_CHECKING:
    from proxy.core.model import BreakerRule

MAX_COOL_DOWN_S = 60.0  # or the configured cool-down, if that is longer; users wait for new at most a minute too long
TRIALS_AT_ONCE = 3
TRIALS_TO_CLOSE = 5


class State(IntEnum):
    """The numbers are those of the gauge `new_breaker`."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


class Breaker:
    """The breaker of one backend, closed from `now` on. `answered` and `failed` return whether the state has changed.

    `cool_down_s` is that of the present or last opening; `failed_of` (failures, requests) was counted at the last
    failure while it was closed.
    """

    __slots__ = (
        "_answers",
        "_failures",
        "_next_cool_down_s",
        "_requests",
        "_rule",
        "_since",
        "_trial_timeout_s",
        "_trials",
        "_tried_at",
        "cool_down_s",
        "failed_of",
        "is_closed",
    )

    def __init__(self, rule: BreakerRule, trial_timeout_s: float, now: float) -> None:
        self._rule = rule
        self._trial_timeout_s = trial_timeout_s
        self._requests = Window(rule.window_s)
        self._failures = Window(rule.window_s)
        self._since = now  # requests that began earlier don't count; of an open breaker: the cool-down's end
        self._trials = 0
        self._tried_at = -math.inf
        self._answers = 0
        self._next_cool_down_s = rule.cool_down_s
        self.cool_down_s = rule.cool_down_s
        self.failed_of = (0, 0)
        self.is_closed = True

    def state(self, now: float) -> State:
        if self.is_closed:
            return State.CLOSED
        return State.OPEN if now < self._since else State.HALF_OPEN

    # --- outcomes ---
    def answered(self, began: float, now: float) -> bool:
        """Takes in a usable answer. Closes the breaker at the last trial that it takes."""
        if began < self._since:
            return False
        if self.is_closed:
            requests = self._requests
            if now >= requests.ends_at:
                requests.roll(now)
            requests.count += 1
            return False
        self._end_trial()
        self._answers += 1
        return self._answers >= TRIALS_TO_CLOSE and self._close(now)

    def failed(self, began: float, now: float, *, was_answered: bool = False) -> bool:
        """Takes in a failure. `was_answered`: the answer broke off after `answered` was told of its head."""
        if began < self._since:
            return False
        if not self.is_closed:
            return self._open(now)
        if not was_answered:
            self._requests.add(now)
        self._failures.add(now)
        return self._is_too_much(now) and self._open(now)

    def left(self, began: float) -> None:
        """A request ended without saying anything of the backend: its user left, or it was never sent."""
        if began >= self._since and not self.is_closed:
            self._end_trial()

    def _is_too_much(self, now: float) -> bool:
        failures, requests = self._failures.total(now), self._requests.total(now)
        self.failed_of = (failures, requests)
        return requests >= self._rule.min_requests and failures * 100 >= requests * self._rule.failure_percentage

    # --- turning ---
    def _open(self, now: float) -> bool:
        first = self._rule.cool_down_s
        was_calm = self.is_closed and now - self._since >= self._rule.window_s
        self.cool_down_s = first if was_calm else self._next_cool_down_s
        self._next_cool_down_s = min(self.cool_down_s * 2, max(MAX_COOL_DOWN_S, first))
        self.is_closed = False
        self._since = now + self.cool_down_s
        self._trials = self._answers = 0
        return True

    def _close(self, now: float) -> bool:
        self.is_closed = True
        self._since = now
        self._requests.clear()
        self._failures.clear()
        return True

    # --- trials ---
    def may_try(self, now: float, *, is_harmless: bool) -> bool:
        """Whether a request is let through although the breaker isn't closed; it is under way as a trial then."""
        if self.is_closed or now < self._since:
            return False
        if not is_harmless and now - self._since < self.cool_down_s:
            return False
        if now - self._tried_at >= self._trial_timeout_s:
            self._trials = 0
        if self._trials >= TRIALS_AT_ONCE:
            return False
        self._trials += 1
        self._tried_at = now
        return True

    def _end_trial(self) -> None:
        self._trials = max(self._trials - 1, 0)
