"""What a broken new backend costs the users of legacy: p99 with every request shadowed to it, to p99 without a shadow.

Two Changeovers on one core, one without shadows and one that shadows everything, are asked in turn at the same pace,
so that whatever else the machine does hits both alike. No health check is configured: it would end the shadows.
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

from bench.broken import BEHAVIOURS
from bench.children import ContenderFailed, find_free_port, started
from bench.contenders.changeover import render_config, running_changeover
from bench.cores import assign_cores, available_cores, describe_background, measure_background
from bench.fetch import is_listening
from bench.off_on import OFF_ON_HEADER, OffOn
from bench.openloop import send_paced
from bench.origin import running_origins
from bench.report import render_table
from bench.urgency import describe_urgency, going_first
from bench.wrk import PATH

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.cores import Cores

FAULTS = ("well", "stopped", *BEHAVIOURS)
HEADER = ("new is", *OFF_ON_HEADER)


@click.command(help="Measure what a broken new backend costs the users of legacy. See bench/README.md.")
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1, 100), help="Of each fault, off and on.")
@click.option("--seconds", default=3, show_default=True, type=click.IntRange(1, 600), help="Length of one phase.")
@click.option("--rate", default=400, show_default=True, type=click.IntRange(1, 5000), help="Requests per second.")
@click.option("--only", multiple=True, type=click.Choice(FAULTS), help="One fault; repeatable.")
def main(*, rounds: int, seconds: int, rate: int, only: tuple[str, ...]) -> None:
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    cores = assign_cores(available_cores())
    click.echo(f"before the first run: {describe_background(measure_background(cores))}", err=True)
    click.echo(describe_urgency(), err=True)
    os.sched_setaffinity(0, set(cores.load))
    try:
        rows = [measure_fault(fault, cores, rounds, seconds, rate) for fault in only or FAULTS]
    except ContenderFailed as failure:
        raise click.ClickException(str(failure)) from failure
    click.echo(render_table(HEADER, [row.cells() for row in rows]))


def measure_fault(fault: str, cores: Cores, rounds: int, seconds: int, rate: int) -> OffOn:
    """All phases of one fault."""
    measured = OffOn(fault)
    with tempfile.TemporaryDirectory(prefix="changeover-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        origins = stack.enter_context(running_origins(cores.origin, folder, is_first=True))
        new_port = stack.enter_context(new_backend(fault, origins.equal_port, cores, folder))
        ports = {}
        for arm, percentage in (("off", 0), ("on", 100)):
            (folder / arm).mkdir()
            config = render_config(origins.serving_port, new_port, shadow_percentage=percentage)
            ports[arm] = stack.enter_context(running_changeover(cores.proxy, folder / arm, config))[1]
            send_paced(ports[arm], PATH, rate, 1)
        with going_first():
            measured.play(rounds, lambda arm: send_paced(ports[arm], PATH, rate, seconds))
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
