"""What a broken new backend costs the users of legacy: p99 with every request shadowed to it, to p99 without a shadow.

Two Changeovers on one core, one without shadows and one that shadows everything, are asked in turn at the same pace,
so that whatever else the machine does hits both alike. No health check is configured: it would end the shadows.
"""

from __future__ import annotations

import os
import signal
import statistics
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.broken import BEHAVIOURS
from bench.children import ContenderFailed, find_free_port, started
from bench.contenders.changeover import render_config, running_changeover
from bench.cores import assign_cores, available_cores, describe_background, measure_background
from bench.fetch import is_listening
from bench.openloop import send_paced
from bench.origin import running_origins
from bench.report import render_table
from bench.wrk import PATH

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.cores import Cores
    from bench.openloop import Paced

FAULTS = ("well", "stopped", *BEHAVIOURS)
HEADER = ("new is", "requests", "failed", "p50 off", "p50 on", "p99 off", "p99 on", "p99 on / off", "of the rounds")


@dataclass(slots=True)
class Measured:
    """All rounds of one fault, without (`off`) and with (`on`) shadows."""

    fault: str
    off: list[Paced] = field(default_factory=list)
    on: list[Paced] = field(default_factory=list)

    def percentile_ms(self, paced: list[Paced], percent: float) -> float:
        return statistics.median(each.percentile_ms(percent) for each in paced)

    @property
    def p99_ratios(self) -> list[float]:
        return [on.percentile_ms(99) / off.percentile_ms(99) for off, on in zip(self.off, self.on, strict=True)]

    def cells(self) -> list[str]:
        everything = self.off + self.on
        return [
            self.fault,
            f"{sum(len(each.elapsed_s) for each in everything):,}",
            f"{sum(each.failed for each in everything):,}",
            *(f"{self.percentile_ms(arm, percent):.2f} ms" for percent in (50, 99) for arm in (self.off, self.on)),
            f"{statistics.median(self.p99_ratios):.2f}",
            " ".join(f"{ratio:.2f}" for ratio in self.p99_ratios),
        ]


@click.command(help="Measure what a broken new backend costs the users of legacy. See bench/README.md.")
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1, 100), help="Of each fault, off and on.")
@click.option("--seconds", default=3, show_default=True, type=click.IntRange(1, 600), help="Length of one phase.")
@click.option("--rate", default=400, show_default=True, type=click.IntRange(1, 5000), help="Requests per second.")
@click.option("--only", multiple=True, type=click.Choice(FAULTS), help="One fault; repeatable.")
def main(*, rounds: int, seconds: int, rate: int, only: tuple[str, ...]) -> None:
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    cores = assign_cores(available_cores())
    click.echo(f"before the first run: {describe_background(measure_background(cores))}", err=True)
    os.sched_setaffinity(0, set(cores.load))
    try:
        rows = [measure_fault(fault, cores, rounds, seconds, rate) for fault in only or FAULTS]
    except ContenderFailed as failure:
        raise click.ClickException(str(failure)) from failure
    click.echo(render_table(HEADER, [row.cells() for row in rows]))


def measure_fault(fault: str, cores: Cores, rounds: int, seconds: int, rate: int) -> Measured:
    """All phases of one fault, off and on in turn, the first of a round being the second of the next."""
    measured = Measured(fault)
    with tempfile.TemporaryDirectory(prefix="changeover-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        origins = stack.enter_context(running_origins(cores.origin, folder))
        new_port = stack.enter_context(new_backend(fault, origins.equal_port, cores, folder))
        ports = {}
        for arm, percentage in (("off", 0), ("on", 100)):
            (folder / arm).mkdir()
            config = render_config(origins.serving_port, new_port, shadow_percentage=percentage)
            ports[arm] = stack.enter_context(running_changeover(cores.proxy, folder / arm, config))[1]
            send_paced(ports[arm], PATH, rate, 1)
        for number in range(rounds):
            for arm in ("off", "on") if number % 2 else ("on", "off"):
                getattr(measured, arm).append(send_paced(ports[arm], PATH, rate, seconds))
    click.echo(" ".join(measured.cells()), err=True)
    return measured


@contextmanager
def new_backend(fault: str, well_port: int, cores: Cores, folder: Path) -> Iterator[int]:
    """The port of a new backend that has this fault, as long as the context lasts."""
    if fault == "well":
        yield well_port
        return
    port = find_free_port()
    if fault == "stopped":
        yield port
        return
    command = [sys.executable, "-m", "bench.broken", str(port), fault]
    paths = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    with started("broken", command, cores=cores.origin, folder=folder, environment=paths) as child:
        child.wait_until(lambda: is_listening(port))
        yield port


if __name__ == "__main__":
    main()
