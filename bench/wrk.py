"""The load: one run of wrk, and what it printed as a value.

wrk keeps every connection busy with one request at a time (a closed loop): its latencies are those at
saturation, and a slow answer delays the requests behind it instead of being counted against them.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.children import ContenderFailed, find_program, pinning

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.scenarios import Scenario, Varying

MARGIN_S = 15
"""What wrk may need beyond its duration, to connect and to print."""

MS_PER_UNIT = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0, "h": 3_600_000.0}
LATENCY = re.compile(r"^\s+(50|99)%\s+([\d.]+)(us|ms|s|m|h)\s*$", re.MULTILINE)
TOTAL = re.compile(r"^\s+(\d+) requests in ([\d.]+)(us|ms|s|m|h)", re.MULTILINE)
RATE = re.compile(r"^Requests/sec:\s+([\d.]+)", re.MULTILINE)
NOT_2XX = re.compile(r"^\s+Non-2xx or 3xx responses: (\d+)", re.MULTILINE)
SOCKET_ERRORS = re.compile(r"^\s+Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", re.MULTILINE)


PATH = "/api/items/4711"
LUA = Path(__file__).with_name("lua")


@dataclass(frozen=True, slots=True)
class Load:
    """What wrk sends: a parameter added here reaches every contender alike. `body_bytes` above 0 makes it a POST."""

    connections: int
    seconds: int
    warm_up_seconds: int = 1
    threads: int = 1
    path: str = PATH
    body_bytes: int = 0
    varying: Varying = "nothing"
    tls: bool = False

    def describe(self) -> str:
        parts = [f"{self.threads} thread{'s' if self.threads > 1 else ''}"]
        parts.append(f"{self.connections} connection{'s' if self.connections > 1 else ''}")
        parts += [f"POST of {self.body_bytes:,} B"] if self.body_bytes else []
        parts += [f"{self.varying} varying"] if self.varying != "nothing" else []
        parts += ["TLS"] if self.tls else []
        return ", ".join(parts)


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


def make_load(scenario: Scenario, seconds: int, connections: int | None = None) -> Load:
    """The load of a scenario; `connections` in place of its own."""
    return Load(
        connections=connections or scenario.connections,
        seconds=seconds,
        body_bytes=scenario.body_bytes,
        varying=scenario.varying,
        tls=scenario.tls,
    )


def run_wrk(port: int, load: Load, seconds: int, cores: Sequence[int]) -> Outcome:
    """`seconds` of `load` on the port, from `cores`; `ContenderFailed` when wrk gives no figures."""
    try:
        done = subprocess.run(
            wrk_command(port, load, seconds, cores),
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


def wrk_command(port: int, load: Load, seconds: int, cores: Sequence[int]) -> list[str]:
    options = [f"-t{load.threads}", f"-c{load.connections}", f"-d{seconds}s", "--latency"]
    script, arguments = _choose_script(load)
    url = f"{'https' if load.tls else 'http'}://127.0.0.1:{port}{load.path}"
    return [*pinning(cores), str(find_program("wrk")), *options, *script, url, *arguments]


def _choose_script(load: Load) -> tuple[list[str], list[str]]:
    """The option for a script, and the arguments behind the URL; both empty for the plain GET."""
    if load.body_bytes:
        return ["-s", str(LUA / "post.lua")], ["--", str(load.body_bytes)]
    if load.varying != "nothing":
        return ["-s", str(LUA / "varying.lua")], ["--", load.varying]
    return [], []


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
