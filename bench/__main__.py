"""The command: checks the tools, measures the scenarios asked for, prints their tables, and keeps bench/results.md."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import click

from bench.children import ContenderFailed
from bench.contenders import selectable_names
from bench.measure import keep_results, measure_scenario, require_tools
from bench.report import render_json, render_tables
from bench.scenarios import SCENARIOS, select_scenarios


@click.command(help="Measure Changeover beside nginx and Envoy, on one core each. See bench/README.md.")
@click.option("--scenario", multiple=True, type=click.Choice([each.name for each in SCENARIOS]), help="Repeatable.")
@click.option("--all", "everything", is_flag=True, help="Every scenario, in about half an hour.")
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1, 100), help="Runs of each contender.")
@click.option("--seconds", default=3, show_default=True, type=click.IntRange(1, 600), help="Length of a run.")
@click.option("--connections", type=click.IntRange(1, 10_000), help="In place of the scenario's; writes nothing.")
@click.option("--only", multiple=True, type=click.Choice(selectable_names()), help="One row, or a family; repeatable.")
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Write all figures here.")
@click.option("--no-write", is_flag=True, help="Leave bench/results.md as it is; so does --only.")
def main(
    *,
    scenario: tuple[str, ...],
    everything: bool,
    rounds: int,
    seconds: int,
    connections: int | None,
    only: tuple[str, ...],
    json_file: Path | None,
    no_write: bool,
) -> None:
    signal.signal(signal.SIGTERM, _stop)
    require_tools()
    results = []
    for each in select_scenarios(scenario, everything=everything):
        try:
            result = measure_scenario(each, rounds, seconds, connections=connections, only=only)
        except ContenderFailed as failure:
            raise click.ClickException(f"the origins can't be run: {failure}") from failure
        click.echo(render_tables(result) + "\n")
        results.append(result)
        if not (no_write or only or connections or result.is_empty):
            keep_results([result])
    if json_file:
        json_file.write_text(render_json(results))
    if all(result.is_empty for result in results):
        raise click.ClickException("nothing could be measured")


def _stop(signal_number: int, _frame: object) -> None:
    # As an exception, SIGTERM ends the children on its way out, like Ctrl-C.
    sys.exit(128 + signal_number)


if __name__ == "__main__":
    main()
