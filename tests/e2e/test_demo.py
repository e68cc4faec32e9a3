"""The demo as users start it: every named difference is found once, and nothing is found where nothing differs."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.backends.named_signatures import SIGNATURES
from tests.e2e.node import Node, example_backend, serving, write_example
from tests.e2e.program import Program, free_port

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(240)]

FOUND_S = 180.0  # the promise is a minute
PAIRS = 2_000
RATE = 150  # requests per second, so that 2,000 pairs don't take a minute


def found_signatures(node: Node) -> list[tuple[str, str, str, str]]:
    return sorted((row["route"], row["kind"], row["path"], row["shape"]) for row in node.get("diffs"))


def totals(node: Node) -> dict[str, Any]:
    found: dict[str, Any] = node.get("status")["totals"]
    return found


def test_demo_shows_each_named_difference_as_one_signature_and_nothing_else(
    tmp_path: Path, figure: Callable[[str], None]
):
    """Users, traffic and coverage are there, nine groups are found, and after many more answers they are still nine."""
    ports = free_port(), free_port()
    file = write_example(tmp_path, *(f"http://127.0.0.1:{port}" for port in ports))
    named = sorted(SIGNATURES.values())
    began = time.monotonic()
    with serving(file, tmp_path, verb="demo") as node:
        node.program.wait_until(lambda: len(found_signatures(node)) >= len(named), "nine signatures", within_s=FOUND_S)
        figure(f"demo: {len(named)} signatures after {time.monotonic() - began:.1f} s (promised: a minute)")
        enough = totals(node)["pairs"] + 200
        node.program.wait_until(lambda: totals(node)["pairs"] >= enough, "200 pairs more", within_s=120)

        assert named == found_signatures(node)
        feeds = node.route("feeds")
        assert (True, True) == (feeds["users"]["legacy"] > 0, feeds["users"]["new"] > 0)
        seen = totals(node)
        shown = node.run("status"), node.run("diffs", "list")
        assert [(0, ""), (0, "")] == [(each.returncode, each.stderr) for each in shown]
        assert len(named) == sum(row["id"] in shown[1].stdout for row in node.get("diffs"))
        skipped = [row["coverage"]["skipped"] for row in node.get("routes") if row["coverage"]["skipped"]]
        figure(f"demo: {seen['pairs']} pairs, {seen['compared']} of {seen['expected']} compared; not: {skipped}")
        assert node.stop() == 0


def test_backends_without_differences_give_no_mismatch_in_2000_pairs(tmp_path: Path, figure: Callable[[str], None]):
    """With every switch off nothing is found: no mismatch, no signature, nothing that gave up."""
    with (
        example_backend("legacy_backend", tmp_path) as legacy,
        example_backend("new_backend", tmp_path, NEW_BACKEND_BUGS="none") as new,
        serving(write_example(tmp_path, legacy, new), tmp_path) as node,
    ):
        readers = (sys.executable, "-m", "proxy.demo", "--url", node.url, "--rate", str(RATE))
        with Program("readers", readers, tmp_path) as traffic:
            began = time.monotonic()
            # Compared, not served: on a busy machine some shadows are shed.
            traffic.wait_until(lambda: totals(node)["compared"] >= PAIRS, f"{PAIRS} pairs", within_s=200)
            took_s = time.monotonic() - began
            assert traffic.stop() == 0
            assert [] == traffic.events("reader.failed")
        seen = totals(node)
        figure(f"no bugs: {seen['compared']} pairs in {took_s:.0f} s, {seen['mismatches']} mismatches")
        assert (0, []) == (seen["mismatches"], node.get("diffs"))
        assert {"legacy": 0, "new": 0} == seen["failed"]
        assert node.stop() == 0
