"""The load: one run of wrk, and what it printed as a value.

wrk keeps every connection busy with one request at a time (a closed loop): its latencies are those at
saturation, and a slow answer delays the requests behind it instead of being counted against them.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass

from bench.children import ContenderFailed, find_program, pinning

MARGIN_S = 15
"""What wrk may need beyond its duration, to connect and to print."""

MS_PER_UNIT = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0, "h": 3_600_000.0}
LATENCY = re.compile(r"^\s+(50|99)%\s+([\d.]+)(us|ms|s|m|h)\s*$", re.MULTILINE)
TOTAL = re.compile(r"^\s+(\d+) requests in ([\d.]+)(us|ms|s|m|h)", re.MULTILINE)
RATE = re.compile(r"^Requests/sec:\s+([\d.]+)", re.MULTILINE)
NOT_2XX = re.compile(r"^\s+Non-2xx or 3xx responses: (\d+)", re.MULTILINE)
SOCKET_ERRORS = re.compile(r"^\s+Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Load:
    """What wrk sends: a parameter added here reaches every contender alike."""

    connections: int
    seconds: int
    warm_up_seconds: int = 1
    threads: int = 1
    path: str = "/api/items/4711"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one run of wrk saw."""

    requests: int
    duration_s: float
    requests_per_s: float
    p50_ms: float
    p99_ms: float
    not_2xx: int
    socket_errors: int

    @property
    def errors(self) -> int:
        return self.not_2xx + self.socket_errors


def run_wrk(port: int, load: Load, seconds: int, core: int) -> Outcome:
    """`seconds` of `load` on the port, from `core`; `ContenderFailed` when wrk gives no figures."""
    try:
        done = subprocess.run(
            wrk_command(port, load, seconds, core),
            capture_output=True,
            text=True,
            timeout=seconds + MARGIN_S,
            check=False,
        )
    except subprocess.TimeoutExpired as overdue:
        raise ContenderFailed(f"wrk was not done {MARGIN_S} s after its time") from overdue
    if done.returncode != 0:
        raise ContenderFailed(f"wrk ended with code {done.returncode}: {(done.stdout + done.stderr).strip()}")
    return parse_wrk(done.stdout)


def wrk_command(port: int, load: Load, seconds: int, core: int) -> list[str]:
    options = [f"-t{load.threads}", f"-c{load.connections}", f"-d{seconds}s", "--latency"]
    return [*pinning([core]), str(find_program("wrk")), *options, f"http://127.0.0.1:{port}{load.path}"]


def parse_wrk(printed: str) -> Outcome:
    """The figures in wrk's output; `ContenderFailed` when one is missing. The error lines are optional in it."""
    total, rate = TOTAL.search(printed), RATE.search(printed)
    latency_ms = {percent: float(value) * MS_PER_UNIT[unit] for percent, value, unit in LATENCY.findall(printed)}
    if not total or not rate or latency_ms.keys() != {"50", "99"}:
        raise ContenderFailed(f"wrk printed no figures:\n{printed.strip()}")
    not_2xx, socket_errors = NOT_2XX.search(printed), SOCKET_ERRORS.search(printed)
    return Outcome(
        requests=int(total[1]),
        duration_s=float(total[2]) * MS_PER_UNIT[total[3]] / 1000,
        requests_per_s=float(rate[1]),
        p50_ms=latency_ms["50"],
        p99_ms=latency_ms["99"],
        not_2xx=int(not_2xx[1]) if not_2xx else 0,
        socket_errors=sum(map(int, socket_errors.groups())) if socket_errors else 0,
    )


def wrk_version() -> str:
    # wrk -v prints its version and exits with 1, like its usage.
    said = subprocess.run([str(find_program("wrk")), "-v"], capture_output=True, text=True, timeout=10, check=False)
    found = re.search(r"wrk (\S+)", said.stdout + said.stderr)
    return f"wrk {found[1]}" if found else "wrk (unknown version)"
