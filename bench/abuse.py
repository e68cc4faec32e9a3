"""What users who mean harm cost the others: p99 beside them to p99 alone, of one Changeover with default settings.

The abusers have a process of their own on the load's core, at low priority: what they take from the machine must not
be taken for what they take from the proxy. What they ask is answered by a backend of its own: without end where the
answer is the abuse, never where it is the request.

After the rounds the abusers come once more and stay (`bench.footprint`): does the server end them all by itself, and
what does it hold before, meanwhile and after?
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.abuser import KINDS
from bench.broken import ENDLESS
from bench.children import ContenderFailed
from bench.contenders.changeover import running_changeover
from bench.cores import assign_cores, available_cores, describe_background, measure_background
from bench.faults import CALM_S, new_backend
from bench.footprint import FOOTPRINT_HEADER, Abuse, Footprint, abusing
from bench.off_on import OFF_ON_HEADER, OffOn
from bench.openloop import send_paced
from bench.origin import EQUAL_BODY, running_origins
from bench.report import render_table
from bench.session import wait_calm
from bench.standstill import watching
from bench.urgency import describe_urgency, going_first
from bench.wrk import PATH

if TYPE_CHECKING:
    from bench.cores import Cores
    from bench.off_on import Arm
    from bench.openloop import Paced

CONNECTIONS = {
    "idle": 2_000,
    "partial-head": 200,
    "dripped-head": 200,
    "dripped-body": 100,
    "stalled-body": 100,
    "endless-head": 20,
    "endless-fields": 20,
    "endless-answer": 4,
    "deaf": 20,
    "sipping": 20,
    "upload": 1,
}
ASKS_WITHOUT_END = frozenset({"endless-answer", "deaf", "sipping"})
HEADER = ("abuse", *OFF_ON_HEADER)
GIB_S = 30.0
"""The longest that a gigabyte of an upload is given; whoever is slower than that sends less, and the table tells."""
CONFIG = """\
version: 1
backends:
  legacy: {{url: "http://127.0.0.1:{legacy_port}"}}
  new: {{url: "http://127.0.0.1:{abused_port}"}}
users: {{key: ["header:x-user-id"], salt: bench}}
routes:
  abused: {{match: {{regex: "/(abused|endless|big)"}}, rollout: {{percentage: 100}}}}
  others: {{match: {{prefix: /}}, rollout: {{percentage: 0}}}}
"""


@click.command(help="Measure what users who mean harm cost the others. See bench/README.md.")
@click.option("--rounds", default=15, show_default=True, type=click.IntRange(1, 1000), help="Of each, off and on.")
@click.option("--seconds", default=1.0, show_default=True, type=click.FloatRange(0.1, 60), help="Length of a phase.")
@click.option("--rate", default=400, show_default=True, type=click.IntRange(1, 5000), help="Requests per second.")
@click.option("--only", multiple=True, type=click.Choice(list(KINDS)), help="One kind; repeatable.")
@click.option(
    "--gigabytes", default=1, show_default=True, type=click.IntRange(1, 100), help="Of the upload at the end."
)
@click.option("--patience", default=75.0, show_default=True, type=click.FloatRange(1, 600), help="Of those who stay.")
def main(*, rounds: int, seconds: float, rate: int, only: tuple[str, ...], gigabytes: int, patience: float) -> None:
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    cores = assign_cores(available_cores())
    click.echo(f"before the first run: {describe_background(measure_background(cores))}", err=True)
    click.echo(describe_urgency(), err=True)
    os.sched_setaffinity(0, set(cores.load))
    try:
        measured = [
            measure_kind(Abuse(kind, CONNECTIONS[kind], patience), cores, rounds, seconds, rate, gigabytes)
            for kind in only or KINDS
        ]
    except ContenderFailed as failure:
        raise click.ClickException(str(failure)) from failure
    rows, footprints = zip(*measured, strict=True)
    click.echo(render_table(HEADER, [row.cells() for row in rows]) + "\n")
    click.echo(render_table(FOOTPRINT_HEADER, [footprint.cells() for footprint in footprints]))
    faults = [f"{row.name}: users were not answered, or not rightly" for row in rows if row.failed or row.differing]
    faults += [f"{each.name}: {each.left_open} descriptors left open" for each in footprints if each.left_open]
    if faults:
        raise click.ClickException("\n  ".join(faults))


def measure_kind(
    abuse: Abuse, cores: Cores, rounds: int, seconds: float, rate: int, gigabytes: int
) -> tuple[OffOn, Footprint]:
    """All phases of one kind, and what those hold who stay."""
    row, expected = OffOn(abuse.name), EQUAL_BODY.encode()
    with tempfile.TemporaryDirectory(prefix="changeover-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        origins = stack.enter_context(running_origins(cores.origin, folder, is_first=True))
        behaviour = ENDLESS if abuse.kind in ASKS_WITHOUT_END else "hanging"
        abused_port = stack.enter_context(new_backend(behaviour, origins.equal_port, cores, folder))
        config = CONFIG.format(legacy_port=origins.serving_port, abused_port=abused_port)
        child, port, _ = stack.enter_context(running_changeover(cores.proxy, folder, config))

        def phase(arm: Arm) -> Paced:
            wait_calm([child.pid], CALM_S)
            with abusing(abuse, port, cores, folder) if arm == "on" else nullcontext(), going_first():
                return send_paced(port, PATH, rate, seconds, expected=expected)

        send_paced(port, PATH, rate, 1)
        footprint = Footprint.begin(abuse, child.pid)
        with watching((*cores.proxy, *cores.load), folder) as watch:
            row.play(rounds, phase)
            row.leave_out(watch.seen())
        footprint.watch(port, cores, folder, gigabytes << 30, gigabytes * GIB_S)
    click.echo(" ".join(row.cells() + footprint.cells()), err=True)
    return row, footprint


if __name__ == "__main__":
    main()
