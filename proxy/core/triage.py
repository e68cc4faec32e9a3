"""Which state a signature is in: what people decided about it, and what the evidence since says.

People set `new`, `known`, `ignored` and `noise`; a sighting sets `regressed`; `fixed` is never stored, it is
derived each time a signature is read, from how many pairs were compared without meeting it again. Knows nothing
of the store: counts and times come in as arguments.

The rule for `fixed`. Comparable are the pairs that were compared as a whole: one that differs in its status, or whose
body could not be read, would not have shown a difference in the body. Until its last sighting the signature appeared in
a share p = count / compared of its route's comparable pairs. If it were still there, the pairs compared since would
have shown it p * since times on average, and not at all with a chance of about e^-(p * since) (Poisson). At 5 expected
sightings that chance is 0.7 %. Two guards go with it: a minimum of pairs, because a share measured on a handful means
little, and a minimum of quiet time, because counters arrive before sightings that are still in the comparer's queue.

`unproven` is derived as well: legacy differs there from itself, or might, and the counts don't say yet whether new does
so more often (`proxy.core.noise`). What a person decided stands above it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from proxy.core.noise import NoiseVerdict

StoredState = Literal["new", "known", "ignored", "noise", "regressed"]
State = Literal["new", "known", "ignored", "noise", "regressed", "fixed", "unproven"]
SETTABLE_STATES = frozenset({"new", "known", "ignored", "noise"})
ALL_STATES = SETTABLE_STATES | {"regressed", "fixed", "unproven"}

MIN_EXPECTED_SIGHTINGS = 5.0  # e^-5 = 0.7 %: the chance that it is still there and went unseen
MIN_PAIRS_SINCE = 50  # a share near 1 would need 5 pairs only; a burst of one user's requests is no evidence
RULE_GRACE_S = 5.0  # sightings of pairs compared before the rule came are still on their way to the store
MIN_QUIET_S = 60.0  # far beyond the comparer's queue (64 pairs a worker, 2 s each at worst, several in parallel)

_CAN_BE_FIXED = frozenset({"new", "known", "regressed"})
_OPEN = frozenset({"new", "regressed"})


@dataclass(frozen=True, slots=True)
class Track:
    """What is stored of one signature, as far as its state depends on it. Times are Unix seconds.

    `ruled_at` is when a rule of the config was found to ignore all of its examples, None where none does. `is_decided`:
    a person set the state.

    `compared_at_last_seen` is the number of comparable pairs of its route when it was last seen; `until` is the end
    of the decision in `stored`, or None when it has none.
    """

    stored: StoredState
    until: float | None
    count: int
    last_seen: float
    compared_at_last_seen: int
    ruled_at: float | None = None
    is_decided: bool = False


def state_at(track: Track, compared: int, now: float, judged: NoiseVerdict = "mismatch") -> State:
    """The state as people see it at `now`, when `compared` pairs of the route have been compared.

    `judged` is what noise runs say; `mismatch` where there were none.
    """
    if track.ruled_at is not None and track.last_seen <= track.ruled_at + RULE_GRACE_S:
        return "ignored"  # a later sighting says that the rule doesn't cover all of it
    decided = _decided(track, now)
    is_open = decided in _OPEN and not (track.is_decided and decided == track.stored)
    if is_open and judged == "noise":
        return "noise"
    if decided in _CAN_BE_FIXED and _is_gone(track, compared, now):
        return "fixed"
    return "unproven" if is_open and judged == "unproven" else decided


def state_after_sighting(track: Track, compared: int, at: float) -> StoredState:
    """The state to store when the signature is met again at `at`: one that was fixed has regressed."""
    if state_at(track, compared, at) == "fixed":
        return "regressed"
    return track.stored


def expected_sightings(track: Track, compared: int) -> float:
    """How often the signature should have been seen since its last sighting, were it still there."""
    since = max(compared - track.compared_at_last_seen, 0)
    return _share(track) * since


def _decided(track: Track, now: float) -> StoredState:
    """The stored decision, or `new` once its time is over: nobody silences a difference for ever by accident."""
    if track.until is not None and track.until <= now and track.stored in SETTABLE_STATES:
        return "new"
    return track.stored


def _is_gone(track: Track, compared: int, now: float) -> bool:
    return (
        now - track.last_seen >= MIN_QUIET_S
        and compared - track.compared_at_last_seen >= MIN_PAIRS_SINCE
        and expected_sightings(track, compared) >= MIN_EXPECTED_SIGHTINGS
    )


def _share(track: Track) -> float:
    """Sightings per comparable pair, at most 1: one pair may show the same difference several times."""
    return track.count / max(track.compared_at_last_seen, track.count, 1)
