"""What something costs users: phases without (`off`) and with it (`on`) in turn, so that all else hits both alike."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.openloop import Paced

    Arm = Literal["off", "on"]

OFF_ON_HEADER = ("requests", "failed", "p50 off", "p50 on", "p99 off", "p99 on", "p99 on / off", "of the rounds")


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

    def percentile_ms(self, paced: list[Paced], percent: float) -> float:
        return statistics.median(each.percentile_ms(percent) for each in paced)

    @property
    def p99_ratios(self) -> list[float]:
        return [on.percentile_ms(99) / off.percentile_ms(99) for off, on in zip(self.off, self.on, strict=True)]

    def cells(self) -> list[str]:
        everything = self.off + self.on
        return [
            self.name,
            f"{sum(len(each.elapsed_s) for each in everything):,}",
            f"{sum(each.failed for each in everything):,}",
            *(f"{self.percentile_ms(arm, percent):.2f} ms" for percent in (50, 99) for arm in (self.off, self.on)),
            f"{statistics.median(self.p99_ratios):.2f}",
            " ".join(f"{ratio:.2f}" for ratio in self.p99_ratios),
        ]
