"""A long run at half load, with faults: does any process of Changeover grow, and is all given back in the end?

First it is measured how much Changeover can do; half of that is the load (an open loop). Every request is shadowed to a
backend that is well but for each hundredth answer, which is garbage, cut, dripped, a reset, a 500 or late in turn, and
another hundredth, which is large; each hundredth user hangs up before the answer. Looked at from outside, in /proc, and
from the admin API; bench/growth.py judges.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.broken import MOODY
from bench.children import ContenderFailed
from bench.contenders.changeover import render_config, running_changeover
from bench.cores import assign_cores, available_cores, describe_background, measure_background
from bench.faults import new_backend
from bench.fetch import fetch
from bench.growth import COURSE_HEADER, Course, Verdict, judge, judge_number
from bench.latency import choose_rate
from bench.measure import require_tools
from bench.openloop import Paced, Sender, make_get, measure_ceiling
from bench.origin import EQUAL_BODY, running_origins
from bench.processes import find_processes, look
from bench.report import render_table
from bench.scenarios import CORE
from bench.wrk import PATH, make_load, run_wrk

if TYPE_CHECKING:
    from bench.cores import Cores

SAMPLE_S = 5.0
SATURATION_S = 4
LEAVE_EVERY = 100
REST_S = 12.0  # after a load: idle connections to backends end after 3 s, the sweeps and the last counters take less
NOTHING_HELD = ("connections", "in_flight", "shadows", "shadow_bytes", "masking")
AS_BEFORE = ("tasks", "deadlines")
LASTING = ("supervisor", "control", "worker")
"""Roles whose processes must be the same ones from begin to end; a comparer may be replaced, which the status tells."""


@click.command(help="Run long at half load with faults, and judge growth: 1 where something grew. See bench/README.md.")
@click.option("--minutes", default=10.0, show_default=True, type=click.FloatRange(0.2, 600), help="Of load.")
@click.option(
    "--rate", type=click.IntRange(1, 50_000), help="Requests per second; half of the measured most by default."
)
def main(*, minutes: float, rate: int | None) -> None:
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    require_tools()
    cores = assign_cores(available_cores())
    click.echo(f"before the run: {describe_background(measure_background(cores))}", err=True)
    os.sched_setaffinity(0, set(cores.load))
    with tempfile.TemporaryDirectory(prefix="changeover-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        try:
            origins = stack.enter_context(running_origins(cores.origin, folder))
            new_port = stack.enter_context(new_backend(MOODY, origins.equal_port, cores, folder))
            config = render_config(origins.serving_port, new_port, shadow_percentage=100)
            (folder / "changeover").mkdir()
            running = running_changeover(cores.proxy, folder / "changeover", config)
            child, port, admin_port = stack.enter_context(running)
            chosen = rate or find_half(port, origins.serving_port, cores)
        except ContenderFailed as failure:
            raise click.ClickException(str(failure)) from failure
        time.sleep(REST_S)
        faults = Soak(child.pid, port, admin_port, chosen).run(minutes * 60)
    if faults:
        raise click.ClickException("\n  ".join(faults))


def find_half(port: int, direct_port: int, cores: Cores) -> float:
    """Half of the requests per second at saturation, as far as the sender can pace it."""
    most = run_wrk(port, make_load(CORE, SATURATION_S), SATURATION_S, cores.load)
    rate = choose_rate([most.requests_per_s], measure_ceiling(direct_port, PATH))
    click.echo(f"most: {most.requests_per_s:,.0f} requests/s, {most.errors} errors; asked: {rate:,.0f}", err=True)
    return rate


@dataclass(slots=True)
class Soak:
    """A run: whom it looks at, and what it has seen so far. `courses` by process id."""

    leader: int
    port: int
    admin_port: int
    rate: float
    courses: dict[int, Course] = field(default_factory=dict)
    sums: Paced = field(default_factory=Paced)
    answered: int = 0

    def run(self, seconds: float) -> list[str]:
        """Loads, rests, prints what was seen and its verdicts; what is wrong with it."""
        gauges_before = self._read_gauges()
        self._load(seconds)
        time.sleep(REST_S)
        for pid, course in self.courses.items():
            course.rest = look(pid)
        verdicts = [verdict for course in self.courses.values() for verdict in judge(course)]
        verdicts += judge_gauges(gauges_before, self._read_gauges())
        sums = self.sums
        click.echo(
            f"answered {self.answered:,}, failed {sums.failed:,}, differing {sums.differing:,}, left midway"
            f" {sums.left:,}, at {self.rate:,.0f} requests/s"
        )
        click.echo(render_table(COURSE_HEADER, [course.cells() for course in self.courses.values()]))
        click.echo(f"evidence: {json.dumps(self._read_coverage())}")
        click.echo(f"comparers: {json.dumps(self._read('/api/v1/status')['comparers'])}")
        click.echo("\n".join(verdict.describe() for verdict in verdicts))
        return self._find_faults(verdicts)

    def _load(self, seconds: float) -> None:
        request, start = make_get(PATH), time.monotonic()
        self._look(0.0)
        with Sender(self.port, lambda _: request, LEAVE_EVERY, expected=EQUAL_BODY.encode()) as sender:
            while (elapsed_s := time.monotonic() - start) < seconds:
                sender.send(self.rate, min(SAMPLE_S, seconds - elapsed_s))
                self._add(sender.take())
                self._look(time.monotonic() - start)
            sender.finish()
            self._add(sender.take())

    def _add(self, paced: Paced) -> None:
        self.answered += len(paced.elapsed_s)
        self.sums.failed += paced.failed
        self.sums.differing += paced.differing
        self.sums.left += paced.left

    def _look(self, at_s: float) -> None:
        for pid, role in find_processes(self.leader).items():
            held = look(pid)
            if held is not None:
                self.courses.setdefault(pid, Course(role)).looks.append((at_s, held))

    def _find_faults(self, verdicts: list[Verdict]) -> list[str]:
        faults = [verdict.describe() for verdict in verdicts if verdict.grows]
        faults += [f"{self.sums.failed:,} requests failed"] if self.sums.failed else []
        faults += [f"{self.sums.differing:,} answers were not legacy's"] if self.sums.differing else []
        gone = [course.role for course in self.courses.values() if course.rest is None]
        return faults + [f"{role} has ended meanwhile" for role in gone if role.startswith(LASTING)]

    def _read_gauges(self) -> dict[str, float]:
        """The worker's own account of what it holds."""
        gauges: dict[str, float] = self._read("/api/v1/status")["workers"]["links"][0]["gauges"]
        return gauges

    def _read_coverage(self) -> dict[str, Any]:
        (route,) = self._read("/api/v1/routes")
        return {name: route[name] for name in ("pairs", "matches", "mismatches", "coverage")}

    def _read(self, path: str) -> Any:
        try:
            return json.loads(fetch(self.admin_port, path)[1])
        except (OSError, HTTPException, ValueError) as error:
            raise click.ClickException(f"the admin API does not answer: {error}") from error


def judge_gauges(before: dict[str, float], rest: dict[str, float]) -> list[Verdict]:
    """At rest the worker holds nothing of any request, no connection to a backend, and as many tasks as before."""
    nothing = [name for name in rest if name in NOTHING_HELD or name.endswith(".connections")]
    return [
        *(Verdict(f"{name} of the worker", rest[name] > 0, f"{rest[name]:g} at rest") for name in nothing),
        *(judge_number(f"{name} of the worker", before.get(name, 0), rest[name]) for name in AS_BEFORE),
    ]


if __name__ == "__main__":
    main()
