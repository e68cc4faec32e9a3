"""A long run at half load, with faults: does the worker or control grow, and is all given back in the end?

Every request is shadowed to a backend that is well but for each hundredth answer, which is garbage, cut, dripped or a
reset in turn; each hundredth user hangs up before the answer. Sampled from outside, in /proc, and from the admin API.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.children import ContenderFailed
from bench.contenders.changeover import render_config, running_changeover
from bench.cores import assign_cores, available_cores, describe_background, measure_background
from bench.faults import new_backend
from bench.fetch import fetch
from bench.openloop import Sender, make_get
from bench.origin import running_origins
from bench.report import render_table
from bench.wrk import PATH

if TYPE_CHECKING:
    from collections.abc import Sequence

SAMPLE_S = 5.0
LEAVE_EVERY = 100
REST_S = 12.0  # after the load: idle connections to backends end after 3 s, the sweeps and the last counters take less
ROLES = ("worker-1", "control")
HEADER = ("process", "RSS begin", "RSS middle", "RSS end", "slope, 2nd half", "descriptors begin", "most", "at rest")


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at a process: seconds since the start, resident KiB, open descriptors."""

    at_s: float
    rss_kib: int
    descriptors: int


@click.command(help="Run long at a steady rate with faults, and report growth. See bench/README.md.")
@click.option("--minutes", default=10.0, show_default=True, type=click.FloatRange(0.2, 600), help="Of load.")
@click.option("--rate", default=700, show_default=True, type=click.IntRange(1, 5000), help="Requests per second.")
def main(*, minutes: float, rate: int) -> None:
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    cores = assign_cores(available_cores())
    click.echo(f"before the run: {describe_background(measure_background(cores))}", err=True)
    os.sched_setaffinity(0, set(cores.load))
    with tempfile.TemporaryDirectory(prefix="changeover-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        try:
            origins = stack.enter_context(running_origins(cores.origin, folder))
            new_port = stack.enter_context(new_backend("moody", origins.equal_port, cores, folder))
            config = render_config(origins.serving_port, new_port, shadow_percentage=100)
            (folder / "changeover").mkdir()
            _, port, admin_port = stack.enter_context(running_changeover(cores.proxy, folder / "changeover", config))
        except ContenderFailed as failure:
            raise click.ClickException(str(failure)) from failure
        _soak(port, admin_port, minutes * 60, rate)


def _soak(port: int, admin_port: int, seconds: float, rate: int) -> None:
    processes = find_processes(admin_port)
    samples: dict[str, list[Sample]] = {role: [look(pid, 0.0)] for role, pid in processes.items()}
    answered = failed = left = 0
    request, start = make_get(PATH), time.monotonic()
    with Sender(port, lambda _: request, LEAVE_EVERY) as sender:
        while (elapsed_s := time.monotonic() - start) < seconds:
            sender.send(rate, min(SAMPLE_S, seconds - elapsed_s))
            paced = sender.take()
            answered, failed, left = answered + len(paced.elapsed_s), failed + paced.failed, left + paced.left
            for role, pid in processes.items():
                samples[role].append(look(pid, time.monotonic() - start))
        sender.finish()
        paced = sender.take()
        answered, failed, left = answered + len(paced.elapsed_s), failed + paced.failed, left + paced.left
    time.sleep(REST_S)
    rest = {role: look(pid, time.monotonic() - start) for role, pid in processes.items()}
    click.echo(f"answered {answered:,}, failed {failed:,}, left midway {left:,}, at {rate} requests/s")
    click.echo(render_table(HEADER, [cells(role, samples[role], rest[role]) for role in processes]))
    click.echo(f"at rest: {json.dumps(read_gauges(admin_port))}")
    click.echo(f"evidence: {json.dumps(read_coverage(admin_port))}")
    if failed or find_processes(admin_port) != processes:
        raise click.ClickException("requests failed, or a process was replaced")


def find_processes(admin_port: int) -> dict[str, int]:
    """The processes that are watched, by role: the worker by its own word, control as its sibling."""
    worker = int(_read(admin_port, "/api/v1/status")["workers"]["links"][0]["pid"])
    siblings = Path(f"/proc/{_parent(worker)}/task/{_parent(worker)}/children").read_text().split()
    control = next(int(pid) for pid in siblings if b"control" in Path(f"/proc/{pid}/cmdline").read_bytes())
    return dict(zip(ROLES, (worker, control), strict=True))


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def look(pid: int, at_s: float) -> Sample:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return Sample(at_s, pages * os.sysconf("SC_PAGE_SIZE") // 1024, len([*Path(f"/proc/{pid}/fd").iterdir()]))


def cells(role: str, samples: Sequence[Sample], rest: Sample) -> list[str]:
    later = samples[len(samples) // 2 :]
    slope = statistics.linear_regression([each.at_s / 60 for each in later], [each.rss_kib for each in later]).slope
    return [
        role,
        *(f"{samples[index].rss_kib / 1024:.1f} MiB" for index in (0, len(samples) // 2, -1)),
        f"{slope:+.0f} KiB/min",
        str(samples[0].descriptors),
        str(max(each.descriptors for each in samples)),
        str(rest.descriptors),
    ]


def read_gauges(admin_port: int) -> dict[str, float]:
    """The worker's own account of what it holds."""
    gauges: dict[str, float] = _read(admin_port, "/api/v1/status")["workers"]["links"][0]["gauges"]
    return {name: value for name, value in gauges.items() if name in _HELD or name.endswith(".connections")}


_HELD = frozenset({"connections", "in_flight", "shadows", "shadow_bytes", "masking", "tasks", "deadlines"})


def read_coverage(admin_port: int) -> Any:
    (route,) = _read(admin_port, "/api/v1/routes")
    return {name: route[name] for name in ("pairs", "matches", "mismatches")} | {"coverage": route["coverage"]}


def _read(admin_port: int, path: str) -> Any:
    try:
        return json.loads(fetch(admin_port, path)[1])
    except (OSError, HTTPException, ValueError) as error:
        raise click.ClickException(f"the admin API does not answer: {error}") from error


if __name__ == "__main__":
    main()
