"""How sure a share is that was measured on n pairs, and how many more pairs would make it sure.

The interval is Wilson's score interval (E. B. Wilson, Journal of the American Statistical Association 22, 1927),
which Brown, Cai and DasGupta recommend (Statistical Science 16, 2001): it stays within 0 and 1 and keeps its level
for shares near 1 and for few pairs, where the usual p ± z·s is wrong. It takes pairs as independent; those of one
user or one address aren't quite, so it is a little too sure of itself where few users make all the traffic.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

CONFIDENCE = 0.95
Z = 1.959963984540054  # the normal distribution's 97.5 % quantile: CONFIDENCE on two sides


@dataclass(frozen=True, slots=True)
class Interval:
    """Where the true share lies, at the level of CONFIDENCE: 0 <= low <= high <= 1."""

    low: float
    high: float


def wilson_interval(successes: int, trials: int, z: float = Z) -> Interval:
    """The interval of a share; 0 to 1 without trials. Raises ValueError unless 0 <= successes <= trials."""
    if not 0 <= successes <= trials:
        raise ValueError(f"{successes} successes of {trials} trials")
    if trials == 0:
        return Interval(0.0, 1.0)
    share = successes / trials
    weight = z * z / trials
    middle = (share + weight / 2) / (1 + weight)
    half = z / (1 + weight) * math.sqrt(share * (1 - share) / trials + weight / trials / 4)
    low = 0.0 if successes == 0 else max(middle - half, 0.0)
    high = 1.0 if successes == trials else min(middle + half, 1.0)
    return Interval(low, high)


def trials_until_proven(successes: int, trials: int, target: float, z: float = Z) -> int:
    """How many more trials, all of them successes, lift the interval's lower end to `target`; 0 where it is there.

    The lower end reaches t when n·(1 - t) - f >= z·sqrt(n·t·(1 - t)) for f failures of n trials (the score test's
    own inequality), a quadratic in sqrt(n). Raises ValueError unless 0 < target < 1.
    """
    if not 0 < target < 1:
        raise ValueError(f"target {target} is not between 0 and 1")
    if is_proven(successes, trials, target, z):
        return 0
    failures, rest = trials - successes, 1 - target
    spread = z * math.sqrt(target * rest)
    root = (spread + math.sqrt(spread * spread + 4 * rest * failures)) / (2 * rest)
    more = max(math.ceil(root * root) - trials, 1)
    return _settled(successes, trials, more, target, z)


def is_proven(successes: int, trials: int, target: float, z: float = Z) -> bool:
    """Whether the interval's lower end is at `target` or above."""
    return wilson_interval(successes, trials, z).low >= target


def _settled(successes: int, trials: int, more: int, target: float, z: float) -> int:
    """The root is a rounded number: the smallest one near it for which `is_proven` holds."""
    while more > 1 and is_proven(successes + more - 1, trials + more - 1, target, z):
        more -= 1
    while not is_proven(successes + more, trials + more, target, z):
        more += 1
    return more
