"""What the control room costs: how long its pages take with a month of evidence, and what watching it costs users.

Pages are asked one after the other of a real node whose store is full (`bench.evidence`), each several times. Then ten
browsers watch the overview, each on its stream, while users' requests are timed in an open loop, with and without
them in turn.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.children import ContenderFailed, started
from bench.contenders.changeover import running_changeover
from bench.cores import assign_cores, available_cores, describe_background, measure_background
from bench.evidence import fill
from bench.off_on import OFF_ON_HEADER, OffOn
from bench.openloop import percentile_ms, send_paced
from bench.origin import EQUAL_BODY, running_origins
from bench.report import render_table
from bench.session import wait_calm
from bench.urgency import describe_urgency, going_first

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.cores import Cores
    from bench.off_on import Arm
    from bench.openloop import Paced

PAGES = (
    "/",
    "/diffs",
    "/diffs?route=r007&text=member",
    "/diffs/{id}",
    "/routes/r007?percentage=50",
    "/progress",
    "/explain?path=/r007/1&user=9",
    "/audit",
    "/kill-switch",
    "/api/v1/routes",
    "/api/v1/diffs?limit=100",
    "/api/v1/history",
    "/api/v1/progress",
    "/metrics",
)
SIGNATURE = f"{7:012x}"
GOAL_MS = 300.0
WATCHERS = 10
PATIENCE_S = 30.0
CALM_S = 300.0
PATH = "/r007/1"
CONFIG = """\
version: 1
backends:
  legacy: {{url: "http://127.0.0.1:{port}"}}
  new: {{url: "http://127.0.0.1:{port}"}}
users: {{key: ["header:x-user-id"], salt: bench}}
routes:
{routes}
  others: {{match: {{prefix: /}}, rollout: {{percentage: 0}}}}
"""


@dataclass(slots=True)
class Times:
    """Of one page, in seconds."""

    page: str
    took_s: list[float] = field(default_factory=list)
    size: int = 0

    def cells(self) -> list[str]:
        p50, p95, most = (percentile_ms(self.took_s, percent) for percent in (50, 95, 100))
        verdict = "yes" if p95 <= GOAL_MS else "no"
        return [self.page, f"{self.size:,}", f"{p50:.0f}", f"{p95:.0f}", f"{most:.0f}", verdict]


@click.command(help="Measure the control room with a month of evidence. See bench/README.md.")
@click.option("--store-url", help="An empty store; SQLite in a folder of its own unless given.")
@click.option("--routes", default=500, show_default=True, type=click.IntRange(10, 2_000))
@click.option("--signatures", default=5_000, show_default=True, type=click.IntRange(10, 100_000))
@click.option("--days", default=30, show_default=True, type=click.IntRange(2, 90))
@click.option("--times", default=20, show_default=True, type=click.IntRange(2, 500), help="Each page is asked.")
@click.option("--pause", default=0.3, show_default=True, type=click.FloatRange(0, 10), help="Seconds between two.")
@click.option("--rounds", default=9, show_default=True, type=click.IntRange(0, 100), help="With and without watchers.")
@click.option("--seconds", default=3, show_default=True, type=click.IntRange(1, 60), help="Length of one phase.")
@click.option("--rate", default=400, show_default=True, type=click.IntRange(1, 5_000), help="Requests per second.")
def main(
    *,
    store_url: str | None,
    routes: int,
    signatures: int,
    days: int,
    times: int,
    pause: float,
    rounds: int,
    seconds: int,
    rate: int,
) -> None:
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    cores = assign_cores(available_cores())
    click.echo(f"before the run: {describe_background(measure_background(cores))}; {describe_urgency()}", err=True)
    os.sched_setaffinity(0, set(cores.load))
    with tempfile.TemporaryDirectory(prefix="changeover-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        url = store_url or f"sqlite:///{folder / 'filled.sqlite'}"
        began = time.monotonic()
        filled = fill(url, routes, signatures, days)
        click.echo(f"filled in {time.monotonic() - began:.0f} s: {filled}", err=True)
        try:
            origins = stack.enter_context(running_origins(cores.origin, folder, is_first=True))
            config = render_config(origins.serving_port, routes)
            running = running_changeover(cores.proxy, folder, config, CHANGEOVER_STORE_URL=url)
            child, port, admin_port = stack.enter_context(running)
        except ContenderFailed as failure:
            raise click.ClickException(str(failure)) from failure
        # All examples are judged again first: the rules are other ones than those that they were filled in under.
        if not wait_calm([child.pid], CALM_S):
            raise click.ClickException(f"the node still works by itself after {CALM_S:.0f} s")
        asked = [ask(admin_port, page.format(id=SIGNATURE), times, pause) for page in PAGES]
        header = ("page", "bytes", "p50 ms", "p95 ms", "most ms", f"p95 within {GOAL_MS:.0f} ms")
        click.echo(render_table(header, [each.cells() for each in asked]))
        if rounds:
            row = measure_watching(cores, folder, (port, admin_port), rounds, seconds, rate)
            click.echo(render_table(("watching", *OFF_ON_HEADER), [row.cells()]))


def render_config(port: int, routes: int) -> str:
    """One group for each ten routes, as large migrations have them."""
    lines = [
        f"  r{number:03}: {{match: {{prefix: /r{number:03}/}}, rollout: {{percentage: 10, group: g{number // 10:02}}}}}"
        for number in range(routes)
    ]
    return CONFIG.format(port=port, routes="\n".join(lines))


def ask(port: int, page: str, times: int, pause: float) -> Times:
    """The page so many times on one connection, the first time included: nobody else has warmed it up."""
    found = Times(page)
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    for _ in range(times):
        began = time.perf_counter()
        connection.request("GET", page, headers={"accept": "text/html, application/json"})
        answer = connection.getresponse()
        found.size = len(answer.read())
        found.took_s.append(time.perf_counter() - began)
        if answer.status != 200:
            raise click.ClickException(f"GET {page} is answered {answer.status}")
        time.sleep(pause)
    connection.close()
    click.echo(" ".join(found.cells()), err=True)
    return found


def measure_watching(cores: Cores, folder: Path, ports: tuple[int, int], rounds: int, seconds: int, rate: int) -> OffOn:
    """`ports`: the users' and the admin listener's."""
    port, admin_port = ports
    row = OffOn(f"{WATCHERS} browsers")

    def phase(arm: Arm) -> Paced:
        with watching(admin_port, cores, folder) if arm == "on" else nullcontext(), going_first():
            return send_paced(port, PATH, rate, seconds, expected=EQUAL_BODY.encode())

    send_paced(port, PATH, rate, 1)
    row.play(rounds, phase)
    return row


@contextmanager
def watching(port: int, cores: Cores, folder: Path) -> Iterator[None]:
    """All streams begun and read, as long as the context lasts. At low priority: they share the load's core."""
    command = ["nice", "-n", "19", sys.executable, "-m", "bench.watcher", str(port), str(WATCHERS)]
    paths = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    with started("watcher", command, cores=cores.load, folder=folder, environment=paths) as child:
        child.wait_until(lambda: b"watching" in child.log.read_bytes())
        yield


if __name__ == "__main__":
    main()
