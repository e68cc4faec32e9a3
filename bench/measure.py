"""One scenario from start to end, with what a reader must know of its circumstances."""

from __future__ import annotations

import shlex
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.children import find_program
from bench.contenders import select_contenders
from bench.cores import assign_cores, available_cores, describe_background, measure_background
from bench.machine import read_machine
from bench.nginx import MISSING_NGINX
from bench.page import merge_sections
from bench.report import HOW_TO_READ, render_section
from bench.results import Result
from bench.rounds import Rounds
from bench.scenarios import SCENARIOS
from bench.wrk import make_load, wrk_version

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.contenders.contender import Contender
    from bench.results import Row
    from bench.scenarios import Scenario

RESULTS = Path(__file__).with_name("results.md")
RESULTS_HEAD = f"""\
# Measured

A section for each scenario, kept from the last run that measured it.

{HOW_TO_READ}"""
REQUIRED = {
    "wrk": "wrk is not installed: apt-get install wrk",
    "nginx": f"{MISSING_NGINX} (the origins need it too)",
    "taskset": "taskset is not installed: apt-get install util-linux",
}


def require_tools() -> None:
    """`ClickException` with the advice what to install."""
    missing = [advice for tool, advice in REQUIRED.items() if not find_program(tool)]
    if missing:
        raise click.ClickException("nothing can be measured\n  " + "\n  ".join(missing))


def measure_scenario(
    scenario: Scenario, rounds: int, seconds: int, *, connections: int | None = None, only: tuple[str, ...] = ()
) -> Result:
    """The result of all rounds; progress goes to stderr. `ContenderFailed` when the origins don't start."""
    start = time.monotonic()
    contenders = select_contenders(only, scenario.left_out)
    load = make_load(scenario, seconds, connections)
    cores = assign_cores(available_cores(), scenario.workers)
    tell(f"{scenario.heading}\n{cores.describe()}")
    background = measure_background(cores)
    tell(f"before the first run: {describe_background(background)}")
    rows = Rounds(scenario, load, cores, tell).run(contenders, rounds)
    return Result(
        scenario=scenario,
        rows=rows,
        load=load,
        rounds=rounds,
        cores=cores,
        background=background,
        machine=read_machine(),
        date=datetime.now(UTC).isoformat(timespec="minutes"),
        command=read_command(),
        took_s=time.monotonic() - start,
        versions=_read_versions(rows, contenders),
    )


def keep_results(results: Sequence[Result], file: Path = RESULTS) -> None:
    """Writes the sections of these results into the page; those of other scenarios stay."""
    sections = {each.scenario.name: f"## {each.scenario.heading}\n\n{render_section(each)}" for each in results}
    page = file.read_text() if file.exists() else ""
    file.write_text(merge_sections(page, RESULTS_HEAD, sections, [each.name for each in SCENARIOS]))
    tell(f"written: {file.name}")


def read_command() -> str:
    """The command line as a reader types it."""
    module = Path(sys.argv[0]).stem
    name = "scripts/bench" if module == "__main__" else f"python -m bench.{module}"
    return shlex.join([*name.split(), *sys.argv[1:]])


def tell(line: str) -> None:
    """Progress, on stderr: stdout carries the tables alone."""
    click.echo(line, err=True)


def _read_versions(rows: tuple[Row, ...], contenders: tuple[Contender, ...]) -> tuple[str, ...]:
    measured = {row.name for row in rows if row.samples}
    versions = (each.read_version() for each in contenders if each.name in measured)
    return (*dict.fromkeys(versions), wrk_version())
