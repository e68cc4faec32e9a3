"""What something costs users: phases without (`off`) and with it (`on`) in turn, so that all else hits both alike.

Of each arm the median of its phases' percentiles counts: a machine that stands still for a moment, as virtual ones do,
spoils that phase and no other.
"""

from __future__ import annotations

import random
import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bench.openloop import Paced

    Arm = Literal["off", "on"]

OFF_ON_HEADER = ("requests", "failed", "p50 off", "p50 on", "p99 off", "p99 on", "p99 on / off", "95 % interval")
RESAMPLES = 400


@dataclass(slots=True)
class OffOn:
    """All rounds of what is named."""

    name: str
    off: list[Paced] = field(default_factory=list)
    on: list[Paced] = field(default_factory=list)

    def play(self, rounds: int, phase: Callable[[Arm], Paced]) -> None:
        """Both phases in each round; the one that came first comes second in the next."""
        for number in range(rounds):
            order: tuple[Arm, Arm] = ("off", "on") if number % 2 else ("on", "off")
            for arm in order:
                (self.on if arm == "on" else self.off).append(phase(arm))

    @property
    def p99_ratio(self) -> float:
        """p99 on / p99 off."""
        return _ratio(self.off, self.on)

    def p99_ratio_interval(self) -> tuple[float, float]:
        """Where the ratio is with 95 % confidence: a bootstrap over rounds."""
        rounds = list(zip(self.off, self.on, strict=True))
        chance = random.Random(1)
        resampled = [chance.choices(rounds, k=len(rounds)) for _ in range(RESAMPLES)]
        ratios = sorted(_ratio(*zip(*each, strict=True)) for each in resampled)
        return ratios[RESAMPLES // 40], ratios[-1 - RESAMPLES // 40]

    def cells(self) -> list[str]:
        everything = self.off + self.on
        return [
            self.name,
            f"{sum(len(each.elapsed_s) for each in everything):,}",
            f"{sum(each.failed for each in everything):,}",
            *(f"{_typical_ms(arm, percent):.2f} ms" for percent in (50, 99) for arm in (self.off, self.on)),
            f"{self.p99_ratio:.2f}",
            "{:.2f}–{:.2f}".format(*self.p99_ratio_interval()),
        ]


def _ratio(off: Sequence[Paced], on: Sequence[Paced]) -> float:
    return _typical_ms(on, 99) / _typical_ms(off, 99)


def _typical_ms(phases: Sequence[Paced], percent: float) -> float:
    return statistics.median(phase.percentile_ms(percent) for phase in phases)
