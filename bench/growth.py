"""Whether what a process holds grows: its course over a run, and a verdict on it. Pure: others look and measure."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.processes import Held

MAX_SLOPE_MIB_PER_H = 24.0
"""Above the noise, and below any leak. Python takes memory from the system by the megabyte (the arenas of obmalloc.c):
two more in the second half of ten minutes look like 24 MiB an hour. Of 700 requests a second, each of which left the
smallest object behind, 48 bytes, it would be 115; of faults of 1 %, each of which left a connection's 5 KiB, 123.
"""

SPARE = 8
"""Descriptors, sockets or threads that may have come since the begin: a replaced child's pipes, an executor's thread, a
database connection. A leak by one in a hundred of 1 % faults at 700 requests a second is 42 in ten minutes.
"""

LEAST_S = 240.0
"""The shortest second half of a run by which memory is judged: in the first minutes caches fill, and all grows."""

MOST_POINTS = 400


@dataclass(slots=True)
class Course:
    """A process over a run: (seconds since its begin, what it held) by look; `rest` is None when it is gone then."""

    role: str
    looks: list[tuple[float, Held]] = field(default_factory=list)
    rest: Held | None = None

    @property
    def begin(self) -> Held:
        return self.looks[0][1]

    @property
    def later(self) -> list[tuple[float, Held]]:
        """The second half of the time in which it was looked at."""
        middle_s = (self.looks[0][0] + self.looks[-1][0]) / 2
        return [(at_s, held) for at_s, held in self.looks if at_s >= middle_s]

    @property
    def slope_mib_per_h(self) -> float:
        """How fast its memory grew in the second half."""
        return find_slope([(at_s / 3600, held.rss_kib / 1024) for at_s, held in self.later])

    @property
    def later_s(self) -> float:
        later = self.later
        return later[-1][0] - later[0][0]

    def cells(self) -> list[str]:
        at_begin, middle, end, rest = self.begin, self.later[0][1], self.looks[-1][1], self.rest
        return [
            self.role,
            *(f"{held.rss_kib / 1024:.1f} MiB" for held in (at_begin, middle, end)),
            f"{self.slope_mib_per_h:+.1f} MiB/h",
            str(at_begin.descriptors),
            str(max(held.descriptors for _, held in self.looks)),
            *(map(str, (rest.descriptors, rest.sockets, rest.threads)) if rest else ["gone"] * 3),
        ]


COURSE_HEADER = (
    "process",
    "RSS begin",
    "middle",
    "end",
    "slope, 2nd half",
    "descriptors begin",
    "most",
    "at rest",
    "sockets at rest",
    "threads at rest",
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """`grows` is None where it can't be told."""

    subject: str
    grows: bool | None
    figures: str

    def describe(self) -> str:
        word = "can't be told" if self.grows is None else "grows" if self.grows else "flat"
        return f"{self.subject}: {word} ({self.figures})"


def judge(course: Course) -> list[Verdict]:
    """Of its memory, descriptors, sockets and threads; none of a process that is gone."""
    if course.rest is None:
        return []
    return [
        judge_memory(course),
        *(
            judge_number(f"{course.role}, {name}", getattr(course.begin, name), getattr(course.rest, name))
            for name in ("descriptors", "sockets", "threads")
        ),
    ]


def judge_memory(course: Course) -> Verdict:
    """By the slope over the second half, where that is long enough."""
    subject, slope = f"{course.role}, memory", course.slope_mib_per_h
    if course.later_s < LEAST_S:
        return Verdict(subject, None, f"{slope:+.1f} MiB/h in {course.later_s:.0f} s, which is less than {LEAST_S:.0f}")
    return Verdict(subject, slope > MAX_SLOPE_MIB_PER_H, f"{slope:+.1f} MiB/h, at most {MAX_SLOPE_MIB_PER_H:g}")


def judge_number(subject: str, before: float, after: float) -> Verdict:
    """By what there is at rest beyond what was there at the begin."""
    return Verdict(subject, after > before + SPARE, f"{before:g} → {after:g}, at most {SPARE} more")


def find_slope(points: Sequence[tuple[float, float]]) -> float:
    """The median of the slopes between any two points (Theil–Sen); 0 of fewer than two.

    A step or an outlier moves it far less than it moves a line of least squares. Of very many points some are taken.
    """
    taken = points[:: max(1, len(points) // MOST_POINTS)]
    slopes = [(later[1] - first[1]) / (later[0] - first[0]) for first, later in combinations(taken, 2)]
    return statistics.median(slopes) if slopes else 0.0
