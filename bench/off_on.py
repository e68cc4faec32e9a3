"""What something costs users: phases without (`off`) and with it (`on`) in turn, so that all else hits both alike.

Two ratios of p99 on to p99 off, each with its 95 % interval, as each is blind where the other sees:

1. of typical phases: of each arm the median of its phases' percentiles counts. A machine that stands still for a
   moment, as virtual ones do, spoils that phase and no other; so does what we do to users once in a while.
2. pooled: all times of an arm are one sample. A stall counts as long as it was, whoever's it is, and with many short
   rounds the interval is narrow.

Answers that were under way while the machine stood still are left out of both (`bench.standstill`).
"""

from __future__ import annotations

import random
import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from bench.openloop import Paced
    from bench.standstill import Standstills

    Arm = Literal["off", "on"]

OFF_ON_HEADER = (
    "requests",
    "failed",
    "differing",
    "p50 off",
    "p50 on",
    "p99 off",
    "p99 on",
    "p99 on / off",
    "95 % interval",
    "pooled p99 on / off",
    "95 % interval of it",
    "left out off/on",
)
RESAMPLES = 400


@dataclass(slots=True)
class OffOn:
    """All rounds of what is named."""

    name: str
    off: list[Paced] = field(default_factory=list)
    on: list[Paced] = field(default_factory=list)
    left_out: tuple[float, float] | None = None
    """Shares of the answers, off and on, that don't count as the machine stood still; None where nobody watched."""

    def play(self, rounds: int, phase: Callable[[Arm], Paced]) -> None:
        """Both phases in each round; the one that came first comes second in the next."""
        for number in range(rounds):
            order: tuple[Arm, Arm] = ("off", "on") if number % 2 else ("on", "off")
            for arm in order:
                (self.on if arm == "on" else self.off).append(phase(arm))

    def leave_out(self, standstills: Standstills | None) -> None:
        """Forgets the times of answers that were under way while a core stood still (`bench.standstill`)."""
        if standstills is None:
            return
        before = _count(self.off), _count(self.on)
        self.off = [phase.without(standstills) for phase in self.off]
        self.on = [phase.without(standstills) for phase in self.on]
        self.left_out = 1 - _count(self.off) / before[0], 1 - _count(self.on) / before[1]

    @property
    def failed(self) -> int:
        return sum(each.failed for each in self.off + self.on)

    @property
    def differing(self) -> int:
        """Answers that weren't what legacy had said, byte by byte."""
        return sum(each.differing for each in self.off + self.on)

    @property
    def p99_ratio(self) -> float:
        """p99 on / p99 off, of typical phases."""
        return _ratio(self.off, self.on)

    def p99_ratio_interval(self) -> tuple[float, float]:
        """Where that ratio is with 95 % confidence: a bootstrap over rounds."""
        rounds = list(zip(self.off, self.on, strict=True))
        return _middle(_ratio(*zip(*(rounds[each] for each in drawn), strict=True)) for drawn in _draws(len(rounds)))

    @property
    def pooled_p99_ratio(self) -> float:
        """p99 on / p99 off, of all times of each arm."""
        once = [1] * len(self.off)
        return Pool(self.on).percentile_s(99, once) / Pool(self.off).percentile_s(99, once)

    def pooled_p99_ratio_interval(self) -> tuple[float, float]:
        """Where that ratio is with 95 % confidence: a bootstrap over rounds, each drawn with both of its phases."""
        off, on = Pool(self.off), Pool(self.on)
        draws = ([drawn.count(each) for each in range(len(self.off))] for drawn in _draws(len(self.off)))
        return _middle(on.percentile_s(99, times) / off.percentile_s(99, times) for times in draws)

    def cells(self) -> list[str]:
        everything = self.off + self.on
        return [
            self.name,
            f"{_count(everything):,}",
            f"{self.failed:,}",
            f"{self.differing:,}",
            *(f"{_typical_ms(arm, percent):.2f} ms" for percent in (50, 99) for arm in (self.off, self.on)),
            f"{self.p99_ratio:.2f}",
            "{:.2f}–{:.2f}".format(*self.p99_ratio_interval()),
            f"{self.pooled_p99_ratio:.2f}",
            "{:.2f}–{:.2f}".format(*self.pooled_p99_ratio_interval()),
            "not watched" if self.left_out is None else "{:.1%} / {:.1%}".format(*self.left_out),
        ]


class Pool:
    """The times of several phases as one sample, in which each phase may be counted several times or not at all."""

    def __init__(self, phases: Sequence[Paced]) -> None:
        self._sizes = [len(phase.elapsed_s) for phase in phases]
        self._longest_first = sorted(
            ((time_s, place) for place, phase in enumerate(phases) for time_s in phase.elapsed_s), reverse=True
        )

    def percentile_s(self, percent: float, times: Sequence[int]) -> float:
        """The nearest-rank percentile where the phase at each place counts so many times; NaN of nothing.

        It walks from the longest on, as far as it must: a bootstrap asks for hundreds of high ones.
        """
        count = sum(size * often for size, often in zip(self._sizes, times, strict=True))
        if not count:
            return float("nan")
        beyond = count - max(1, -int(-count * percent // 100))
        for time_s, place in self._longest_first:
            beyond -= times[place]
            if beyond < 0:
                return time_s
        return float("nan")


def _draws(rounds: int) -> Iterable[list[int]]:
    """The rounds of each resample, by their places; the same ones in each run."""
    chance = random.Random(1)
    return (chance.choices(range(rounds), k=rounds) for _ in range(RESAMPLES))


def _middle(ratios: Iterable[float]) -> tuple[float, float]:
    """What 95 % of the resamples lie between."""
    ordered = sorted(ratios)
    return ordered[RESAMPLES // 40], ordered[-1 - RESAMPLES // 40]


def _count(phases: Iterable[Paced]) -> int:
    return sum(len(phase.elapsed_s) for phase in phases)


def _ratio(off: Sequence[Paced], on: Sequence[Paced]) -> float:
    return _typical_ms(on, 99) / _typical_ms(off, 99)


def _typical_ms(phases: Sequence[Paced], percent: float) -> float:
    return statistics.median(phase.percentile_ms(percent) for phase in phases)
