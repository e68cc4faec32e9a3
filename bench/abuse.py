"""What users who mean harm cost the others: p99 beside them to p99 alone, of one Changeover with default settings.

The abusers have a process of their own on the load's core, at low priority: what they take from the machine must not
be taken for what they take from the proxy. What they ask is answered by a backend of its own: without end where they
don't take their answer, never where they don't send their body.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.abuser import KINDS
from bench.children import ContenderFailed, started
from bench.contenders.changeover import running_changeover
from bench.cores import assign_cores, available_cores, describe_background, measure_background
from bench.faults import new_backend
from bench.off_on import OFF_ON_HEADER, OffOn
from bench.openloop import send_paced
from bench.origin import running_origins
from bench.report import render_table
from bench.urgency import describe_urgency, going_first
from bench.wrk import PATH

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    "deaf": 20,
    "sipping": 20,
    "upload": 1,
}
TAKES_NO_ANSWER = frozenset({"deaf", "sipping"})
HEADER = ("abuse", *OFF_ON_HEADER)
LONGEST_PHASE_S = 600
SETTLE_S = 0.5  # the connections wait in the kernel, and are to be accepted
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
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1, 100), help="Of each kind, off and on.")
@click.option("--seconds", default=3, show_default=True, type=click.IntRange(1, 60), help="Length of one phase.")
@click.option("--rate", default=400, show_default=True, type=click.IntRange(1, 5000), help="Requests per second.")
@click.option("--only", multiple=True, type=click.Choice(list(KINDS)), help="One kind; repeatable.")
def main(*, rounds: int, seconds: int, rate: int, only: tuple[str, ...]) -> None:
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    cores = assign_cores(available_cores())
    click.echo(f"before the first run: {describe_background(measure_background(cores))}", err=True)
    click.echo(describe_urgency(), err=True)
    os.sched_setaffinity(0, set(cores.load))
    try:
        rows = [measure_kind(kind, cores, rounds, seconds, rate) for kind in only or KINDS]
    except ContenderFailed as failure:
        raise click.ClickException(str(failure)) from failure
    click.echo(render_table(HEADER, [row.cells() for row in rows]))


def measure_kind(kind: str, cores: Cores, rounds: int, seconds: int, rate: int) -> OffOn:
    """All phases of one kind."""
    row = OffOn(f"{CONNECTIONS[kind]:,} {kind}")
    with tempfile.TemporaryDirectory(prefix="changeover-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        origins = stack.enter_context(running_origins(cores.origin, folder, is_first=True))
        behaviour = "huge" if kind in TAKES_NO_ANSWER else "hanging"
        abused_port = stack.enter_context(new_backend(behaviour, origins.equal_port, cores, folder))
        config = CONFIG.format(legacy_port=origins.serving_port, abused_port=abused_port)
        port = stack.enter_context(running_changeover(cores.proxy, folder, config))[1]

        def phase(arm: Arm) -> Paced:
            with abusing(kind, port, cores, folder) if arm == "on" else nullcontext(), going_first():
                return send_paced(port, PATH, rate, seconds)

        send_paced(port, PATH, rate, 1)
        row.play(rounds, phase)
    click.echo(" ".join(row.cells()), err=True)
    return row


@contextmanager
def abusing(kind: str, port: int, cores: Cores, folder: Path) -> Iterator[None]:
    """All connections open and at it, as long as the context lasts."""
    arguments = (str(port), kind, str(CONNECTIONS[kind]), str(LONGEST_PHASE_S), "again")
    command = ["nice", "-n", "19", sys.executable, "-m", "bench.abuser", *arguments]
    paths = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    with started("abuser", command, cores=cores.load, folder=folder, environment=paths) as child:
        child.wait_until(lambda: b"opened" in child.log.read_bytes())
        time.sleep(SETTLE_S)
        yield


if __name__ == "__main__":
    main()
