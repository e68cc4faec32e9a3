"""Latency below saturation: what each proxy adds to a direct request, at half the rate at which it would be full.

All contenders that do the same work are asked at one rate, half of what the slowest of them can do, so that none is
above its own half; or at a rate that is given. The sender is bench/openloop.py; it shares a core with the origins where
there are only two, and what that costs is in the direct row as well, which is why only what is added to it counts. Both
go before all other programs there (bench/urgency.py), so that what is late is late because of the proxy.
"""

from __future__ import annotations

import gc
import os
import signal
import statistics
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.children import ContenderFailed
from bench.contenders import select_contenders
from bench.contenders.contender import Place
from bench.contenders.direct import DIRECT
from bench.cores import assign_cores, available_cores, describe_background, measure_background
from bench.measure import require_tools, tell
from bench.openloop import Paced, measure_ceiling, percentile_ms, send_paced
from bench.origin import running_origins
from bench.report import NOTHING, WORK_WORDS, render_table
from bench.rounds import order_runs
from bench.scenarios import CORE
from bench.urgency import describe_urgency, going_first
from bench.wrk import PATH, make_load, run_wrk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.contenders.contender import Contender, Work
    from bench.cores import Cores
    from bench.origin import Origins

HEADER = (
    "contender",
    "work",
    "requests/s",
    "of its own most",
    "p50 ms",
    "p99 ms",
    "p50 added",
    "p99 added",
    "failed",
    "sent late, p99 ms",
)
FAMILIES = ("changeover-pass", "changeover-shadow", "nginx", "envoy")
SENDERS_SHARE = 0.6
"""The part of its own ceiling up to which the sender keeps its times: above, its own queue is what is measured."""

WORKS: tuple[Work, ...] = ("pass", "mirror")


@dataclass(slots=True)
class Latency:
    """One contender at one rate; `most_per_s` is what it does when saturated, None for the origin itself."""

    title: str
    work: Work
    rate_per_s: float
    most_per_s: float | None
    phases: list[Paced] = field(default_factory=list)

    def median_ms(self, percent: float) -> float:
        return statistics.median(phase.percentile_ms(percent) for phase in self.phases)

    @property
    def late_ms(self) -> float:
        return statistics.median(percentile_ms(phase.late_s, 99) for phase in self.phases)

    def cells(self, direct: Latency) -> list[str]:
        added = [self.median_ms(percent) - direct.median_ms(percent) for percent in (50, 99)]
        return [
            self.title,
            WORK_WORDS[self.work],
            f"{self.rate_per_s:,.0f}",
            f"{self.rate_per_s / self.most_per_s * 100:.0f} %" if self.most_per_s else NOTHING,
            *(f"{self.median_ms(percent):.2f}" for percent in (50, 99)),
            *(NOTHING if self is direct else f"{each:.2f}" for each in added),
            f"{sum(phase.failed for phase in self.phases):,}",
            f"{self.late_ms:.2f}",
        ]


@dataclass(slots=True)
class Bench:
    """The measurement under way: where everything runs, and how long a phase is."""

    cores: Cores
    folder: Path
    origins: Origins
    seconds: float
    ceiling_per_s: float
    rate_per_s: float | None = None
    starts: int = 0

    def choose_rate(self, most_per_s: Sequence[float]) -> float:
        """The one that was asked for, or the one that the slowest contender allows."""
        return self.rate_per_s or choose_rate(most_per_s, self.ceiling_per_s)

    def find_most(self, contender: Contender) -> float:
        """The requests per second at saturation, with the core scenario's connections."""
        load = make_load(CORE, 2)
        with contender.start(self._make_place(contender)) as target:
            run_wrk(target.port, load, load.warm_up_seconds, self.cores.load)
            return run_wrk(target.port, load, load.seconds, self.cores.load).requests_per_s

    def pace(self, contender: Contender, rate_per_s: float) -> Paced:
        with contender.start(self._make_place(contender)) as target:
            send_paced(target.port, PATH, rate_per_s, 1)
            with going_first():
                return send_paced(target.port, PATH, rate_per_s, self.seconds)

    def _make_place(self, contender: Contender) -> Place:
        self.starts += 1
        folder = self.folder / f"{contender.name}-{self.starts}"
        folder.mkdir()
        return Place(self.cores.proxy, folder, self.origins)


@click.command(help="Measure added latency at half of the saturation rate, or at another. See bench/README.md.")
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1, 100), help="Phases of each contender.")
@click.option("--seconds", default=5, show_default=True, type=click.IntRange(1, 600), help="Length of a phase.")
@click.option("--rate", type=click.IntRange(1, 100_000), help="Requests per second; half of the slowest's by default.")
def main(*, rounds: int, seconds: int, rate: int | None) -> None:
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    require_tools()
    try:
        click.echo(measure_latency(rounds, seconds, rate))
    except ContenderFailed as failure:
        raise click.ClickException(str(failure)) from failure


def measure_latency(rounds: int, seconds: float, rate_per_s: float | None = None) -> str:
    """The table, and a line about the sender. `ContenderFailed` when something can't be run."""
    cores = assign_cores(available_cores())
    tell(f"before the first run: {describe_background(measure_background(cores))}; {describe_urgency()}")
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, set(cores.load))
    gc.disable()  # a pause of the sender would look like one of the proxy
    try:
        with tempfile.TemporaryDirectory(prefix="changeover-bench-") as name:
            folder = Path(name)
            with running_origins(cores.origin, folder, is_first=True) as origins:
                ceiling = measure_ceiling(origins.serving_port, PATH)
                bench = Bench(cores, folder, origins, seconds, ceiling, rate_per_s)
                cells = [row for work in WORKS for row in _measure_work(bench, work, rounds)]
    finally:
        gc.enable()
        os.sched_setaffinity(0, before)
    return (
        f"{render_table(HEADER, cells)}\n\nThe sender's own ceiling is {ceiling:,.0f} requests/s; above"
        f" {SENDERS_SHARE * 100:.0f} % of it, its own queue is what is measured."
    )


def _measure_work(bench: Bench, work: Work, rounds: int) -> list[list[str]]:
    contenders = [each for each in select_contenders(FAMILIES) if each.work == work and not each.find_missing()]
    most = {contender.name: bench.find_most(contender) for contender in contenders}
    rate = bench.choose_rate(list(most.values()))
    rows = {each.name: Latency(each.title, each.work, rate, most.get(each.name)) for each in (DIRECT, *contenders)}
    for number, contender in order_runs((DIRECT, *contenders), rounds):
        paced = bench.pace(contender, rate)
        rows[contender.name].phases.append(paced)
        tell(f"round {number}  {contender.name:<20} {rate:>7,.0f}/s  p50 {paced.percentile_ms(50):.2f} ms")
    return [row.cells(rows[DIRECT.name]) for row in rows.values()]


def choose_rate(most_per_s: Sequence[float], ceiling_per_s: float) -> float:
    """Half of the slowest one's most, as far as the sender can pace it."""
    return min(min(most_per_s) / 2, ceiling_per_s * SENDERS_SHARE)


if __name__ == "__main__":
    main()
