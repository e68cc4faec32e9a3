"""What was measured, as values: one sample per run, one row per contender, one result per scenario."""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.contenders.contender import Contender, Evidence, Work
from bench.cores import MAX_BACKGROUND

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.cores import Cores
    from bench.machine import Machine
    from bench.scenarios import Scenario
    from bench.wrk import Load, Outcome

FULL_CORE = 0.9
"""Busy share of the proxy's cores above which the proxy, and not the load side, was the limit."""

MIRROR_LOSS = 0.001
"""Share of unmirrored requests that is still put down to the moment in which wrk hangs up."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One run of one contender. `served` and `mirrored` are what the origins got during it.

    `busy` and `foreign` are shares of the proxy's cores, 0 to 1: in use, and in use by other programs, where the proxy
    is to be alone there (else 0).
    """

    contender: str
    outcome: Outcome
    served: int
    mirrored: int
    busy: float
    foreign: float
    evidence: Evidence | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """All runs of one contender: medians, and the spread of the rate. Without samples, `absence` says why."""

    name: str
    family: str
    title: str
    work: Work
    samples: tuple[Sample, ...] = ()
    absence: str = ""

    @property
    def requests_per_s(self) -> float:
        return statistics.median(sample.outcome.requests_per_s for sample in self.samples)

    @property
    def slowest_per_s(self) -> float:
        return min(sample.outcome.requests_per_s for sample in self.samples)

    @property
    def fastest_per_s(self) -> float:
        return max(sample.outcome.requests_per_s for sample in self.samples)

    @property
    def p50_ms(self) -> float:
        return statistics.median(sample.outcome.p50_ms for sample in self.samples)

    @property
    def p99_ms(self) -> float:
        return statistics.median(sample.outcome.p99_ms for sample in self.samples)

    @property
    def busy(self) -> float:
        return statistics.median(sample.busy for sample in self.samples)

    @property
    def foreign(self) -> float:
        return statistics.median(sample.foreign for sample in self.samples)

    @property
    def errors(self) -> int:
        return sum(sample.outcome.errors for sample in self.samples)

    @property
    def mirrored_ratio(self) -> float | None:
        """Requests at the mirror origin per request at the serving origin; None when none was served."""
        served = sum(sample.served for sample in self.samples)
        return sum(sample.mirrored for sample in self.samples) / served if served else None

    @property
    def evidence(self) -> Evidence | None:
        """The sum over the runs; None for a contender that doesn't compare."""
        return add_evidence([sample.evidence for sample in self.samples if sample.evidence])

    def find_flaws(self) -> list[str]:
        """What the reader has to know before using this row's rate."""
        flaws = []
        if self.absence and self.samples:
            flaws.append(f"failed after {len(self.samples)} run(s)")
        if self.errors:
            flaws.append(f"{self.errors} errors")
        if self.work == "mirror" and (self.mirrored_ratio or 0) < 1 - MIRROR_LOSS:
            flaws.append("drops mirrors")
        if self.work != "direct" and self.busy < FULL_CORE:
            flaws.append("load side was the limit")
        if self.work != "direct" and self.foreign > MAX_BACKGROUND:
            flaws.append(f"other programs took {self.foreign * 100:.0f} % of its core")
        return flaws


@dataclass(frozen=True, slots=True)
class Result:
    """One scenario, measured. `date` is ISO 8601; `versions` is in the table's order, each once.

    `background` holds (core, busy share 0 to 1) before the first run: what others took from the measurement.
    """

    scenario: Scenario
    rows: tuple[Row, ...]
    load: Load
    rounds: int
    cores: Cores
    background: tuple[tuple[int, float], ...]
    machine: Machine
    date: str
    command: str
    took_s: float
    versions: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        """Whether nothing could be measured."""
        return not any(row.samples for row in self.rows)


def make_row(contender: Contender, samples: Sequence[Sample], absence: str) -> Row:
    """The row of `contender`, of those samples that are its own."""
    own = tuple(sample for sample in samples if sample.contender == contender.name)
    return Row(contender.name, contender.family, contender.title, contender.work, own, absence)


def find_ratio(row: Row, rows: Sequence[Row], family: str) -> float | None:
    """The row's median rate by that of the family's row which does the same work; None when one is missing."""
    for other in rows:
        is_peer = other.family == family and other.work == row.work
        if is_peer and other.samples and row.samples:
            return row.requests_per_s / other.requests_per_s
    return None


def add_evidence(parts: Sequence[Evidence]) -> Evidence | None:
    """The sum, by reason too; None of nothing."""
    if not parts:
        return None
    skipped: Counter[str] = Counter()
    for part in parts:
        skipped.update(dict(part.skipped))
    return Evidence(
        pairs=sum(part.pairs for part in parts),
        matches=sum(part.matches for part in parts),
        mismatches=sum(part.mismatches for part in parts),
        compared=sum(part.compared for part in parts),
        skipped=tuple(sorted(skipped.items())),
    )
