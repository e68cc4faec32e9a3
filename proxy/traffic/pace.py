"""How many shadows of a route one side may have under way, and how fast one follows the other.

A shadow that fails takes some of the users' time and brings nothing. So a side that fails gets fewer of them, as TCP
sends less where packets get lost:

1. A failure halves how many there may be at a time, down to one, and an answer makes it one more, up to what the
   settings say. Who was under way already when it was halved says the same once more, and doesn't halve it again.
2. Once it is one, the side rests after each failure, twice as long each time. Who comes meanwhile would have failed
   like the last one, and is counted as it was; who comes next finds out whether the side answers again.
3. Where answers take long and all places are taken, those that began together end together, at a time-out the latest,
   and their places would be taken together again: users would meet all of them at once. So the next ones begin as
   places come free on the average, as many as there are in the time that the last one took (Little's law). A few may
   begin together all the same, as users do.
4. Where answers are large, fewer of them are under way: reading them takes the loop's time, which is the users', and
   what many bring together comes as fast as the loop can read. One may always begin.
5. Where several in a row were too large to be compared, there is one at a time, and a rest after each, twice as long
   each time: all of it was read in vain, and what is shed meanwhile would have been too large as well.
"""

from __future__ import annotations

_REST_S, _LONGEST_REST_S = 0.05, 2.0  # the latter is how late a side that answers again is noticed
_LONG_S = 0.25  # answers that take longer are spread
_AT_ONCE = 32  # the part of all places that may be taken together then
_BYTES_AT_ONCE = 4_194_304  # of all answers under way: some milliseconds of reading
_TOO_LARGE_IN_A_ROW = 3
_LARGE_REST_S = 0.25  # twice as long each time, up to where one user in a thousand might notice
_REMEMBERED = 0.98  # of the largest answer, with each one: fifty small ones later it is a third


class Pace:
    """The shadows of one route on one side, `most` of them at a time. Times are seconds of one monotonic clock."""

    __slots__ = (
        "_begun_at",
        "_failure",
        "_free",
        "_halved_at",
        "_in_vain",
        "_most",
        "_places",
        "_rests_until",
        "_size",
        "_taken_s",
        "_too_large",
        "open",
    )

    def __init__(self, most: int) -> None:
        self.open = 0
        self._most = self._places = most
        self._halved_at = self._begun_at = self._rests_until = 0.0
        self._taken_s = 0.0  # by the last one
        self._size = 0.0  # bytes that the next one may bring, by those before it
        self._free: float = most  # places that may be taken at once, when the last one began (rule 3)
        self._in_vain = 0  # failures in a row with one place
        self._too_large = 0  # in a row
        self._failure = ""

    def refusal(self, now: float) -> str | None:
        """Why none may begin, as a reason to be counted; None where one may."""
        if now < self._rests_until:
            return self._failure
        if self.open and ((self.open + 1) * self._size > _BYTES_AT_ONCE or self._too_large >= _TOO_LARGE_IN_A_ROW):
            return "shed"
        return "shed" if self.open >= self._places or self._free_at(now) < 1 else None

    def begin(self, now: float) -> None:
        """One more is under way, whether it has a place or not."""
        self.open += 1
        self._free = max(self._free_at(now) - 1, 0.0)
        self._begun_at = now

    def _free_at(self, now: float) -> float:
        if self._taken_s < _LONG_S:
            return self._places
        came_free = (now - self._begun_at) * self._places / self._taken_s
        return min(self._free + came_free, max(self._places / _AT_ONCE, 1.0))

    def leave(self) -> None:
        """One of them has ended, however."""
        self.open -= 1

    def answered(self, taken_s: float, size: int) -> None:
        """One of them brought an answer (rule 1); `size` bytes are kept of its pair (rule 4)."""
        self._size = max(size, self._size * _REMEMBERED)
        self._taken_s = taken_s
        self._in_vain = 0
        if self._places < self._most:
            self._places += 1

    def failed(self, began_at: float, now: float, reason: str) -> None:
        """One of them, which began then, failed (rules 1 and 2)."""
        self._taken_s = now - began_at
        if began_at < self._halved_at:
            return
        self._halved_at = now
        if self._places > 1:
            self._places //= 2
            return
        self._in_vain += 1
        self._failure = reason
        self._rests_until = now + min(_REST_S * 2 ** min(self._in_vain - 1, 10), _LONGEST_REST_S)

    def was_too_large(self, now: float) -> None:
        """A pair of these can't be compared for its size (rule 5)."""
        self._too_large += 1
        if self._too_large >= _TOO_LARGE_IN_A_ROW:
            self._failure = "shed"
            self._rests_until = now + min(_LARGE_REST_S * 2 ** min(self._too_large - 1, 10), _LONGEST_REST_S)

    def was_comparable(self) -> None:
        """Both answers of a pair are whole and kept."""
        self._too_large = 0
