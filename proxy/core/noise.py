"""Whether new differs from legacy more often than legacy differs from itself, tested by counts. Pure.

Two tests of a place say how likely so many differences with new would be, if it behaved as legacy does. Both are looked
at, and p is the smaller one, times what that costs (EITHER).

1. By shares (`chance`): legacy asked twice (a noise run) shows how often a place differs by itself, all pairs with new
   how often it differs there. Few counts take Fisher's exact test. From ten on both sides it is the score test of two
   proportions, less the covariance: both pairs of a noise run share legacy's first answer, and what that one did
   differs in both (with every request asked twice it is McNemar's test, 1947). It needs few noise runs where legacy
   never differs, and knows of the pairs without one.
2. By answers that stand alone (`alone_p`): a noise run has three answers. Where two agree and one doesn't, each of the
   three is the odd one equally often if all come of the same behaviour, be that noise rare or frequent: new in a third
   of the cases (exact binomial test). It uses legacy's first answer as evidence as well, where McNemar's test drops
   it: three quarters of the variance from the same noise runs. Of pairs without one it knows nothing. It is for places
   only: shapes have a direction (what became null with new became a number from there), so that legacy's first answer
   never shows the same one alone.

They are looked at again after every batch, and who looks often enough finds any p once. At a constant level the
chance to ever cross it grows with the logarithm of the counts only: by about z·φ(z)/2 for each factor e (D. Siegmund,
Sequential Analysis, 1985, on repeated significance tests), so that a level ten times stricter than the usual 5 % pays
for looking all the time. `python -m bench.noise` measures what is left; docs/comparing.md has its table.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

NoiseVerdict = Literal["mismatch", "noise", "unproven"]

# A place is proven to differ below this p: z = 2.58, so 1.8 % for each factor e by the formula above.
LEVEL = 0.005
# One shape of a place is tested too, so that values that become null don't hide below values that change. A random
# value shows up to about ten shapes: a tenth for each keeps their sum at the level of the place (Bonferroni).
SHAPE_LEVEL = LEVEL / 10
# Below this p a place is in doubt, and not called noise any longer: what is noise counts as a match (law 10).
DOUBT_LEVEL = 0.02
# Noise pairs that must show the place: with ten, new would be in doubt were it to differ about twice as often (the 98 %
# limit of a Poisson mean of 10 is 17). It is also where the score test begins: below, its normal distribution is wrong.
MIN_SELF_SHOWN = 10
# What looking at two tests costs. Twice would do for any two (Bonferroni); these are mostly of the same counts, and
# with this there are as few false alarms as by shares alone (`python -m bench.noise`; docs/comparing.md).
EITHER = 1.5
# Beyond this variance the normal distribution takes over: its tail is off by a tenth at z = 3 then (skewness 0.02), and
# summing hundreds of terms for each of a thousand signatures would take seconds.
_MAX_EXACT_VARIANCE = 2_500.0
_NEGLIGIBLE = 1e-17  # of the sum: below the precision of a float


@dataclass(frozen=True, slots=True)
class Rates:
    """How many pairs of legacy with itself (`self_pairs`) and with new (`new_pairs`) were compared, and how many of
    them differed at one place (`_shown`). `both_shown`: requests of which both pairs did.

    `_alone`: noise runs in which one answer differed there from two that agreed: new's, or legacy's first or second.
    """

    self_shown: int
    self_pairs: int
    new_shown: int
    new_pairs: int
    both_shown: int = 0
    new_alone: int = 0
    first_alone: int = 0
    again_alone: int = 0

    @property
    def all_alone(self) -> int:
        """Noise runs in which one of the three answers stood alone."""
        return self.new_alone + self.first_alone + self.again_alone

    @property
    def self_rate(self) -> float:
        return self.self_shown / self.self_pairs if self.self_pairs else 0.0

    @property
    def new_rate(self) -> float:
        return self.new_shown / self.new_pairs if self.new_pairs else 0.0


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict on a signature, and the test it rests on: of its place, or where `of_shape` of its shape alone."""

    verdict: NoiseVerdict
    rates: Rates
    p: float
    of_shape: bool = False


def judge(place: Rates, shape: Rates | None = None, others: Iterable[Rates] = ()) -> Judgement:
    """The verdict from the counts of a signature's place (all shapes), of its own shape, and of the others there.

    `noise` needs that the place differs between two answers of legacy, often enough, and not noticeably more with new.
    What is neither that nor proven is `unproven`. A shape alone can prove a mismatch; it is noise by itself only where
    another shape explains why its place is none.
    """
    place, own = bounded(place), bounded(shape or Rates(0, 0, 0, 0))
    p, own_p = place_p(place), chance(own)
    if p < LEVEL:
        if _is_noise(own, own_p) and any(chance(bounded(other)) < SHAPE_LEVEL for other in others):
            return Judgement("noise", own, own_p, of_shape=True)
        return Judgement("mismatch", place, p)
    if own_p < SHAPE_LEVEL:
        return Judgement("mismatch", own, own_p, of_shape=True)
    return Judgement("noise" if _is_noise(place, p) else "unproven", place, p)


def _is_noise(place: Rates, p: float) -> bool:
    if place.self_shown and not place.new_shown:
        return True
    return place.self_shown >= MIN_SELF_SHOWN and p >= DOUBT_LEVEL


def bounded(rates: Rates) -> Rates:
    """Never more differences than pairs: both come on ways of their own, and one may be behind."""
    return Rates(
        rates.self_shown,
        max(rates.self_pairs, rates.self_shown),
        rates.new_shown,
        max(rates.new_pairs, rates.new_shown),
        min(rates.both_shown, rates.self_shown, rates.new_shown),
        rates.new_alone,
        rates.first_alone,
        rates.again_alone,
    )


def place_p(rates: Rates) -> float:
    """The p of a place, by both tests. Needs shown <= pairs."""
    return min(EITHER * min(chance(rates), alone_p(rates)), 1.0)


def alone_p(rates: Rates) -> float:
    """The chance that new's answer stands alone so often or more, of all times that one does, were it one in three."""
    number, alone = rates.new_alone, rates.all_alone
    mean, variance = alone / 3, alone * 2 / 9
    if not number:
        return 1.0
    if variance > _MAX_EXACT_VARIANCE:
        return _normal_tail((number - 0.5 - mean) / math.sqrt(variance))
    if number > mean:
        return min(_alone_tail(number, alone, 1), 1.0)
    return min(max(1.0 - _alone_tail(number - 1, alone, -1), 0.0), 1.0)


def _alone_tail(first: int, alone: int, step: int) -> float:
    """The binomial probabilities from `first` on, up (1) or down (-1), away from the mean."""
    log_first = _log_choose(alone, first) - first * math.log(3) + (alone - first) * math.log(2 / 3)

    def ratio(number: int) -> float:
        return (alone - number) / (number + 1) / 2 if step > 0 else 2 * number / (alone - number + 1)

    return _sum_of(log_first, range(first, alone if step > 0 else 0, step), ratio)


def chance(rates: Rates) -> float:
    """The p by shares: by the score test where the counts allow it, else by Fisher's. Needs shown <= pairs."""
    if min(rates.self_shown, rates.new_shown) < MIN_SELF_SHOWN:
        return fisher_p(rates)
    pooled = (rates.self_shown + rates.new_shown) / (rates.self_pairs + rates.new_pairs)
    covariance = rates.both_shown / rates.self_pairs - rates.self_rate * rates.new_rate
    variance = pooled * (1 - pooled) * (1 / rates.self_pairs + 1 / rates.new_pairs) - 2 * covariance / rates.new_pairs
    if variance * rates.self_pairs**2 < MIN_SELF_SHOWN:  # so few requests differ on one side only, or in all pairs
        return fisher_p(rates)
    return _normal_tail((rates.new_rate - rates.self_rate) / math.sqrt(variance))


def fisher_p(rates: Rates) -> float:
    """The chance of `new_shown` differences or more with new, given all counts' sums, if both shares were the same.

    1 where one side has no pairs. Needs shown <= pairs.
    """
    shown, pairs = rates.self_shown + rates.new_shown, rates.self_pairs + rates.new_pairs
    if not rates.self_pairs or not rates.new_pairs or not rates.new_shown:
        return 1.0
    share = rates.new_pairs / pairs
    mean = shown * share
    variance = mean * (1 - share) * (pairs - shown) / max(pairs - 1, 1)
    if variance > _MAX_EXACT_VARIANCE:
        z = (rates.new_shown - 0.5 - mean) / math.sqrt(variance)  # 0.5: counts are whole (Yates)
        return _normal_tail(z)
    if rates.new_shown > mean:
        return min(_tail(rates, rates.new_shown, 1), 1.0)
    return min(max(1.0 - _tail(rates, rates.new_shown - 1, -1), 0.0), 1.0)


def _tail(rates: Rates, first: int, step: int) -> float:
    """The hypergeometric probabilities from `first` on, up (1) or down (-1), away from the mean: each is smaller."""
    shown, pairs = rates.self_shown + rates.new_shown, rates.self_pairs + rates.new_pairs
    lowest, highest = max(0, shown - rates.self_pairs), min(shown, rates.new_pairs)
    if not lowest <= first <= highest:
        return 0.0
    log_first = (
        _log_choose(rates.new_pairs, first) + _log_choose(rates.self_pairs, shown - first) - _log_choose(pairs, shown)
    )
    return _sum_of(
        log_first,
        range(first, highest if step > 0 else lowest, step),
        lambda number: _ratio(rates, shown, number, step),
    )


def _sum_of(log_first: float, numbers: range, ratio: Callable[[int], float]) -> float:
    """The sum of probabilities, each `ratio` times the one before: one more than there are numbers."""
    total, factor = 1.0, 1.0
    for number in numbers:
        factor *= ratio(number)
        total += factor
        if factor < total * _NEGLIGIBLE:
            break
    return math.exp(log_first) * total


def _ratio(rates: Rates, shown: int, number: int, step: int) -> float:
    """The probability of the next number, over that of this one."""
    if step > 0:
        return (rates.new_pairs - number) * (shown - number) / ((number + 1) * (rates.self_pairs - shown + number + 1))
    return number * (rates.self_pairs - shown + number) / ((rates.new_pairs - number + 1) * (shown - number + 1))


def _normal_tail(z: float) -> float:
    return math.erfc(z / math.sqrt(2)) / 2


def _log_choose(whole: int, part: int) -> float:
    return math.lgamma(whole + 1) - math.lgamma(part + 1) - math.lgamma(whole - part + 1)
