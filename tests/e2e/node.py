"""`changeover serve` and `changeover demo` as real processes, and what a user and an operator ask of them."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx

from tests.e2e.program import ROOT, START_S, Program, changeover, free_port, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from subprocess import CompletedProcess

EXAMPLE = ROOT / "config" / "migration.yaml"
_URLS = {"legacy": "http://127.0.0.1:8001", "new": "http://127.0.0.1:8002"}


def write_example(folder: Path, legacy: str, new: str, **replaced: str) -> Path:
    """The config of the repository with other backends. `replaced`: further texts of it, each found at least once."""
    text = EXAMPLE.read_text()
    for before, after in {_URLS["legacy"]: legacy, _URLS["new"]: new, **replaced}.items():
        assert before in text, f"{EXAMPLE.name} has no {before!r}"
        text = text.replace(before, after)
    return write_config(folder, text)


def write_config(folder: Path, text: str) -> Path:
    file = folder / "config" / "migration.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    return file


class Node:
    """A running node."""

    def __init__(self, program: Program, config: Path, state: Path) -> None:
        self.program = program
        self.config = config
        self.state = state
        started = program.wait_until(lambda: program.events("node.starting"), "node.starting in the log")[0]
        self.url: str = started["users"]
        self.admin_url: str = started["admin"]
        self.port = int(self.url.rpartition(":")[2])
        self._admin = httpx.Client(base_url=self.admin_url, trust_env=False, timeout=15)
        program.wait_until(self.is_ready, f"{self.admin_url}/readyz")

    def close(self) -> None:
        self._admin.close()

    def stop(self) -> int:
        return self.program.stop()

    # --- the operator's side ---
    def is_ready(self) -> bool:
        try:
            return self._admin.get("/readyz").is_success
        except httpx.TransportError:
            return False

    def get(self, endpoint: str, /, **query: str) -> Any:
        return self._admin.get(f"/api/v1/{endpoint}", params=query).raise_for_status().json()

    def put(self, endpoint: str, /, **body: object) -> Any:
        return self._admin.put(f"/api/v1/{endpoint}", json=body).raise_for_status().json()

    def delete(self, endpoint: str, /, **query: str) -> Any:
        return self._admin.delete(f"/api/v1/{endpoint}", params=query).raise_for_status().json()

    def route(self, name: str) -> dict[str, Any]:
        row: dict[str, Any] = next(row for row in self.get("routes") if row["name"] == name)
        return row

    def run(self, *arguments: str) -> CompletedProcess[str]:
        """A command of the operator's against this node."""
        return changeover(*arguments, CHANGEOVER_ADMIN_URL=self.admin_url)

    # --- its processes ---
    def pid_of(self, child: str) -> int:
        """The process that has this part now."""
        return int([entry["pid"] for entry in self.program.events("child.started") if entry["child"] == child][-1])

    def worker_pids(self) -> set[int]:
        """Of the workers that are linked."""
        return {link["pid"] for link in self.get("status")["workers"]["links"]}

    # --- evidence ---
    def accounts(self, name: str) -> tuple[int, int]:
        """Requests of a route that were decided and ended, and those that evidence accounts for (law 5)."""
        row = self.route(name)
        ended = sum(row["requests"].values()) + sum(row["failed"].values())
        found = row["matches"] + row["mismatches"] + row["noise"]
        return ended, found + sum(row["coverage"]["skipped"].values())

    def settle(self, name: str, requests: int, *, within_s: float = 20.0) -> dict[str, Any]:
        """The route's row once all `requests` have ended and are accounted for."""

        def is_settled() -> bool:
            return self.accounts(name) == (requests, requests)

        try:
            until(is_settled, f"{requests} requests of {name} accounted for", within_s=within_s)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.accounts(name)}, {self.route(name)}") from None
        return self.route(name)


@contextmanager
def serving(config: Path, folder: Path, *arguments: str, verb: str = "serve", **environ: str) -> Iterator[Node]:
    """A node on free ports, until the end of the context."""
    listen = "127.0.0.1:0" if verb == "serve" else f"127.0.0.1:{free_port()}"  # the demo's readers must know it
    state = folder / "state"
    argv = (
        *(sys.executable, "-m", "proxy", verb, "--config", str(config), "--state-dir", str(state)),
        *("--listen", listen, "--admin-listen", "127.0.0.1:0", "--log-format", "json", *arguments),
    )
    with Program(verb, argv, folder, environ) as program:
        node = Node(program, config, state)
        try:
            yield node
        finally:
            node.close()


@contextmanager
def example_backend(package: str, folder: Path, **environ: str) -> Iterator[str]:
    """The URL of `legacy_backend` or `new_backend` as a process, with fresh state."""
    url = f"http://127.0.0.1:{free_port()}"
    port = url.rpartition(":")[2]
    argv = (sys.executable, "-m", package, "--port", port, "--state-dir", str(folder / package))
    with Program(package, argv, folder, environ) as program:
        program.wait_until(lambda: is_up(f"{url}/healthz"), f"{package} answers", within_s=START_S)
        yield url


def is_up(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False).is_success
    except httpx.TransportError:
        return False
