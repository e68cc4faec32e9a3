"""Changeover as its users start it: `changeover serve`, whose whole process tree shares the proxy's cores.

The serving origin is legacy and the mirror origin is new. After a run the admin API is asked what was compared,
so that a row with shadowing can't be fast by not comparing.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from bench.children import ContenderFailed, find_free_port, find_program, started
from bench.contenders.contender import Contender, Evidence, Place, Target
from bench.fetch import fetch, is_answering

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from bench.certificate import Certificate
    from bench.children import Child
    from bench.origin import Origins

MISSING_CHANGEOVER = "`changeover serve` can't be run: scripts/setup bench"

CONFIG = """\
version: 1
backends:
  legacy: {{url: "http://127.0.0.1:{legacy_port}"}}
  new: {{url: "http://127.0.0.1:{new_port}"}}
users:
  key: ["header:x-user-id"]
  without_key: legacy
  salt: bench
routes:{unshadowed}
  api:
    match: {{prefix: /}}
    rollout: {{percentage: 0}}
    shadow: {{percentage: {shadow_percentage}{writes}}}
    compare: {{}}
"""

UNSHADOWED = """
  unshadowed:
    match: {{prefix: {prefix}}}
    rollout: {{percentage: 0}}
    shadow: {{percentage: 0}}"""

SETTLE_S = 5.0
"""Longest wait for the comparers to finish; what isn't compared by then counts as it stands."""

STILL_S = 1.5
"""Longer than the workers wait between two reports of their counters to control, about a second."""

SETTLE_POLL_S = 0.25


def render_config(
    legacy_port: int,
    new_port: int,
    *,
    shadow_percentage: int,
    shadows_writes: bool = False,
    unshadowed_prefix: str | None = None,
) -> str:
    """A migration.yaml where legacy serves everybody and this part of the requests goes to new as well.

    What begins with the `unshadowed_prefix` is a route of its own, of which nothing goes to new.
    """
    return CONFIG.format(
        legacy_port=legacy_port,
        new_port=new_port,
        unshadowed="" if unshadowed_prefix is None else UNSHADOWED.format(prefix=unshadowed_prefix),
        shadow_percentage=shadow_percentage,
        writes=", writes: true" if shadows_writes else "",
    )


def parse_evidence(body: bytes) -> Evidence:
    """The sums over all routes of an answer of `GET /api/v1/routes`."""
    routes: list[dict[str, Any]] = json.loads(body)
    skipped: dict[str, int] = {}
    for route in routes:
        for reason, count in route["coverage"]["skipped"].items():
            skipped[reason] = skipped.get(reason, 0) + count
    return Evidence(
        pairs=sum(route["pairs"] for route in routes),
        matches=sum(route["matches"] for route in routes),
        mismatches=sum(route["mismatches"] for route in routes),
        compared=sum(route["coverage"]["compared"] for route in routes),
        skipped=tuple(sorted(skipped.items())),
    )


def read_evidence(admin_port: int) -> Evidence:
    """What the admin API counts now; `ContenderFailed` when it doesn't say."""
    status, body = fetch(admin_port, "/api/v1/routes")
    if status != 200:
        raise ContenderFailed(f"changeover answered {status} to GET /api/v1/routes: {body[:200]!r}")
    try:
        return parse_evidence(body)
    except (ValueError, LookupError, TypeError, AttributeError) as unreadable:
        raise ContenderFailed(f"GET /api/v1/routes is not as expected ({unreadable!r}): {body[:200]!r}") from None


def read_settled_evidence(admin_port: int) -> Evidence:
    """The evidence when it hasn't changed for `STILL_S`, or after `SETTLE_S`."""
    now = time.monotonic()
    end, still_since, latest = now + SETTLE_S, now, read_evidence(admin_port)
    while now < end and (now - still_since < STILL_S or not latest.pairs):
        time.sleep(SETTLE_POLL_S)
        earlier, latest, now = latest, read_evidence(admin_port), time.monotonic()
        if earlier != latest:
            still_since = now
    return latest


def changeover_command(
    folder: Path, port: int, admin_port: int, workers: int = 1, certificate: Certificate | None = None
) -> list[str]:
    tls = ("--tls-certificate", str(certificate.chain), "--tls-key", str(certificate.key)) if certificate else ()
    return [
        str(find_program("changeover")),
        "serve",
        *("--config", str(folder / "migration.yaml")),
        *("--listen", f"127.0.0.1:{port}"),
        *("--admin-listen", f"127.0.0.1:{admin_port}"),
        *("--state-dir", str(folder / "state")),
        *("--workers", str(workers)),
        *tls,
    ]


@contextmanager
def running_changeover(
    cores: Sequence[int],
    folder: Path,
    config: str,
    *,
    workers: int = 1,
    certificate: Certificate | None = None,
    **environ: str,
) -> Iterator[tuple[Child, int, int]]:
    """`changeover serve`, ready: its process, its port and its admin port."""
    port, admin_port = find_free_port(), find_free_port()
    (folder / "migration.yaml").write_text(config)
    (folder / "state").mkdir()
    command = changeover_command(folder, port, admin_port, workers, certificate)
    authority = certificate.authority if certificate else None
    with started(
        "changeover", command, cores=cores, folder=folder, environment=_build_environment() | environ
    ) as child:
        child.wait_until(lambda: is_answering(admin_port, "/readyz"))
        child.wait_until(lambda: is_answering(port, "/", authority))
        yield child, port, admin_port


@contextmanager
def _start(place: Place, *, new_port: Callable[[Origins], int], shadow_percentage: int) -> Iterator[Target]:
    config = render_config(
        place.origins.serving_port,
        new_port(place.origins),
        shadow_percentage=shadow_percentage,
        shadows_writes=place.scenario.body_bytes > 0,
    )
    running = running_changeover(
        place.cores, place.folder, config, workers=place.scenario.workers, certificate=place.certificate
    )
    with running as (child, port, admin_port):
        if shadow_percentage:
            yield Target(port, child.pid, partial(read_settled_evidence, admin_port))
        else:
            yield Target(port, child.pid)


def _build_environment() -> dict[str, str]:
    # A variable of the operator's own would silently change what is measured.
    return {name: value for name, value in os.environ.items() if not name.startswith("CHANGEOVER_")}


def _find_missing() -> str | None:
    program = find_program("changeover")
    return None if program and _run(program, "serve", "--help").returncode == 0 else MISSING_CHANGEOVER


def _read_version() -> str:
    said = _run(find_program("changeover"), "--version").stdout.split()
    return f"Changeover {said[-1]}" if said else "Changeover (unknown version)"


def _run(program: object, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(program), *arguments], capture_output=True, text=True, timeout=30, check=False)


PASS = Contender(
    name="changeover-pass",
    family="changeover",
    title="Changeover",
    work="pass",
    find_missing=_find_missing,
    read_version=_read_version,
    start=partial(_start, new_port=lambda origins: origins.equal_port, shadow_percentage=0),
)
SHADOW = Contender(
    name="changeover-shadow",
    family="changeover",
    title="Changeover, shadow + compare: equal answers",
    work="mirror",
    find_missing=_find_missing,
    read_version=_read_version,
    start=partial(_start, new_port=lambda origins: origins.equal_port, shadow_percentage=100),
)
REORDER = Contender(
    name="changeover-reorder",
    family="changeover",
    title="Changeover, shadow + compare: other key order",
    work="mirror",
    find_missing=_find_missing,
    read_version=_read_version,
    start=partial(_start, new_port=lambda origins: origins.reordered_port, shadow_percentage=100),
)
