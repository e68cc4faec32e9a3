"""The command: checks the tools, runs the rounds, prints the tables, and keeps bench/results.md."""

from __future__ import annotations

import shlex
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.children import ContenderFailed, find_program
from bench.contenders import select_contenders, selectable_names
from bench.cores import assign_cores, available_cores, describe_background, measure_background
from bench.machine import read_machine
from bench.nginx import MISSING_NGINX
from bench.report import render_json, render_page, render_tables
from bench.results import Result
from bench.rounds import Rounds
from bench.wrk import Load, wrk_version

if TYPE_CHECKING:
    from bench.contenders.contender import Contender
    from bench.results import Row

RESULTS = Path(__file__).with_name("results.md")
REQUIRED = {
    "wrk": "wrk is not installed: apt-get install wrk",
    "nginx": f"{MISSING_NGINX} (the origins need it too)",
    "taskset": "taskset is not installed: apt-get install util-linux",
}


@click.command(help="Measure Changeover beside nginx and Envoy, on one core each. See bench/README.md.")
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1, 100), help="Runs of each contender.")
@click.option("--seconds", default=3, show_default=True, type=click.IntRange(1, 600), help="Length of a run.")
@click.option("--connections", default=32, show_default=True, type=click.IntRange(1, 10_000), help="Held by wrk.")
@click.option("--only", multiple=True, type=click.Choice(selectable_names()), help="One row, or a family; repeatable.")
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Write all figures here.")
@click.option("--no-write", is_flag=True, help="Leave bench/results.md as it is; so does --only.")
def main(
    *, rounds: int, seconds: int, connections: int, only: tuple[str, ...], json_file: Path | None, no_write: bool
) -> None:
    signal.signal(signal.SIGTERM, _stop)
    _require_tools()
    load = Load(connections=connections, seconds=seconds)
    try:
        result = run_bench(load, rounds, select_contenders(only))
    except ContenderFailed as failure:
        raise click.ClickException(f"the origins can't be run: {failure}") from failure
    click.echo(render_tables(result))
    if json_file:
        json_file.write_text(render_json(result))
    if result.is_empty:
        raise click.ClickException("nothing could be measured")
    if not no_write and not only:
        RESULTS.write_text(render_page(result))
        tell(f"written: {RESULTS.relative_to(RESULTS.parent.parent)}")


def run_bench(load: Load, rounds: int, contenders: tuple[Contender, ...]) -> Result:
    """The result of all rounds; progress goes to stderr. `ContenderFailed` when the origins don't start."""
    start = time.monotonic()
    cores = assign_cores(available_cores())
    tell(cores.describe())
    background = measure_background(cores)
    tell(f"before the first run: {describe_background(background)}")
    rows = Rounds(load, cores, tell).run(contenders, rounds)
    return Result(
        rows=rows,
        load=load,
        rounds=rounds,
        cores=cores,
        background=background,
        machine=read_machine(),
        date=datetime.now(UTC).isoformat(timespec="minutes"),
        command=shlex.join(["scripts/bench", *sys.argv[1:]]),
        took_s=time.monotonic() - start,
        versions=_read_versions(rows, contenders),
    )


def _read_versions(rows: tuple[Row, ...], contenders: tuple[Contender, ...]) -> tuple[str, ...]:
    measured = {row.name for row in rows if row.samples}
    versions = (each.read_version() for each in contenders if each.name in measured)
    return (*dict.fromkeys(versions), wrk_version())


def _require_tools() -> None:
    missing = [advice for tool, advice in REQUIRED.items() if not find_program(tool)]
    if missing:
        raise click.ClickException("nothing can be measured\n  " + "\n  ".join(missing))


def _stop(signal_number: int, _frame: object) -> None:
    # As an exception, SIGTERM ends the children on its way out, like Ctrl-C.
    sys.exit(128 + signal_number)


def tell(line: str) -> None:
    """Progress, on stderr: stdout carries the tables alone."""
    click.echo(line, err=True)


if __name__ == "__main__":
    main()
