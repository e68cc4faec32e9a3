"""What the rounds know of a contender: its names, what it does with a request, and how to start it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from bench.scenarios import CORE

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from bench.certificate import Certificate
    from bench.origin import Origins
    from bench.scenarios import Scenario

Work = Literal["direct", "pass", "mirror"]
"""What is done with a request: no proxy at all, pass it through, or pass it through and mirror it."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What Changeover says it compared, warm-up included. `skipped` holds (reason, count), ascending by reason."""

    pairs: int
    matches: int
    mismatches: int
    compared: int
    skipped: tuple[tuple[str, int], ...] = ()

    @property
    def coverage(self) -> float | None:
        """The compared part of what should have been compared, 0 to 1; None when that was nothing."""
        due = self.compared + sum(count for _, count in self.skipped)
        return self.compared / due if due else None


def no_evidence() -> Evidence | None:
    """The answer of a contender that doesn't compare."""
    return None


@dataclass(frozen=True, slots=True)
class Target:
    """A contender that is ready: where the load is sent to, the session that all its processes belong to (its leader's
    process id), and whom to ask what was compared.
    """

    port: int
    session: int | None
    read_evidence: Callable[[], Evidence | None] = field(default=no_evidence)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a contender runs: its cores, an empty folder of its own, the origins behind it, and for which scenario.

    With a certificate its listener speaks TLS.
    """

    cores: tuple[int, ...]
    folder: Path
    origins: Origins
    scenario: Scenario = CORE
    certificate: Certificate | None = None

    @property
    def authority(self) -> Path | None:
        """Whom to trust when the contender is asked something; None without TLS."""
        return self.certificate.authority if self.certificate else None


@dataclass(frozen=True, slots=True)
class Contender:
    """One row of the table."""

    name: str
    family: str
    title: str
    work: Work
    find_missing: Callable[[], str | None]
    """What has to be installed before it can run, or None."""
    read_version: Callable[[], str]
    start: Callable[[Place], AbstractContextManager[Target]]
