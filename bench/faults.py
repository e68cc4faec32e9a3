"""What a broken new backend costs the users of legacy: p99 with every request shadowed to it, to p99 without a shadow.

One Changeover has two routes, one without shadows and one that shadows everything. They are asked in turn at the same
pace, so that whatever else the machine does hits both alike, and so do a process's accidents, such as the place of its
memory. No health check is configured: it would end the shadows.

Two rows are controls: `not-asked`, where neither route shadows, shows what the method takes for a difference where
there is none, and `well` what a shadow costs whose backend is in order.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.broken import BEHAVIOURS, DEAD
from bench.children import ContenderFailed, find_free_port, started
from bench.contenders.changeover import read_settled_evidence, render_config, running_changeover
from bench.cores import assign_cores, available_cores, describe_background, measure_background
from bench.fetch import is_listening
from bench.off_on import OFF_ON_HEADER, OffOn
from bench.openloop import send_paced
from bench.origin import EQUAL_BODY, running_origins
from bench.report import render_table
from bench.session import wait_calm
from bench.standstill import watching
from bench.urgency import describe_urgency, going_first
from bench.wrk import PATH

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.cores import Cores
    from bench.off_on import Arm
    from bench.openloop import Paced

NOT_ASKED = "not-asked"
CONTROLS = (NOT_ASKED, "well")
FAULTS = ("stopped", DEAD, *BEHAVIOURS)
UNSHADOWED_PREFIX = "/unshadowed/"
PATHS: dict[Arm, str] = {"on": PATH, "off": UNSHADOWED_PREFIX + PATH.removeprefix("/api/")}
HEADER = ("new is", *OFF_ON_HEADER)
CALM_S = 3.0
"""Longest wait before a phase for what the phase before has left to do: comparisons, shadows that are given up. What is
longer is part of what a fault costs.
"""


@click.command(help="Measure what a broken new backend costs the users of legacy. See bench/README.md.")
@click.option("--rounds", default=25, show_default=True, type=click.IntRange(1, 1000), help="Of each, off and on.")
@click.option("--seconds", default=1.0, show_default=True, type=click.FloatRange(0.1, 600), help="Length of a phase.")
@click.option("--rate", default=1500, show_default=True, type=click.IntRange(1, 5000), help="Requests per second.")
@click.option("--only", multiple=True, type=click.Choice((*CONTROLS, *FAULTS)), help="Beside the controls.")
def main(*, rounds: int, seconds: float, rate: int, only: tuple[str, ...]) -> None:
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    cores = assign_cores(available_cores())
    click.echo(f"before the first run: {describe_background(measure_background(cores))}", err=True)
    click.echo(describe_urgency(), err=True)
    os.sched_setaffinity(0, set(cores.load))
    try:
        rows = [
            measure_fault(fault, cores, rounds, seconds, rate)
            for fault in dict.fromkeys((*CONTROLS, *(only or FAULTS)))
        ]
    except ContenderFailed as failure:
        raise click.ClickException(str(failure)) from failure
    click.echo(render_table(HEADER, [row.cells() for row in rows]))
    if any(row.failed or row.differing for row in rows):
        raise click.ClickException("users were not answered, or not as legacy had answered")


def measure_fault(fault: str, cores: Cores, rounds: int, seconds: float, rate: int) -> OffOn:
    """All phases of one fault."""
    measured = OffOn(fault)
    with tempfile.TemporaryDirectory(prefix="changeover-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        origins = stack.enter_context(running_origins(cores.origin, folder, is_first=True))
        new_port = stack.enter_context(new_backend(fault, origins.equal_port, cores, folder))
        percentage = 0 if fault == NOT_ASKED else 100
        config = render_config(
            origins.serving_port, new_port, shadow_percentage=percentage, unshadowed_prefix=UNSHADOWED_PREFIX
        )
        child, port, admin_port = stack.enter_context(running_changeover(cores.proxy, folder, config))
        for path in PATHS.values():
            send_paced(port, path, rate, 1)

        def phase(arm: Arm) -> Paced:
            wait_calm([child.pid], CALM_S)
            with going_first():
                return send_paced(port, PATHS[arm], rate, seconds, expected=EQUAL_BODY.encode())

        with watching((*cores.proxy, *cores.load), folder) as watch:
            measured.play(rounds, phase)
            measured.leave_out(watch.seen())
        evidence = read_settled_evidence(admin_port)
    click.echo(f"{' '.join(measured.cells())} {evidence}", err=True)
    return measured


@contextmanager
def new_backend(fault: str, well_port: int, cores: Cores, folder: Path) -> Iterator[int]:
    """The port of a new backend that has this fault, as long as the context lasts."""
    if fault in CONTROLS:
        yield well_port
        return
    port = find_free_port()
    if fault == "stopped":
        yield port
        return
    command = [sys.executable, "-m", "bench.broken", str(port), fault]
    paths = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    with started("broken", command, cores=cores.origin, folder=folder, environment=paths) as child:
        child.wait_until(lambda: DEAD.encode() in child.log.read_bytes() if fault == DEAD else is_listening(port))
        yield port


if __name__ == "__main__":
    main()
