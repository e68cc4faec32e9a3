"""A newcomer's first five minutes, as the README tells them: commands in one terminal, pages in a browser."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.browser import new_page
from tests.e2e.node import Node, serving, write_example
from tests.e2e.program import ROOT, free_port, until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300)]

FOUND_S = FIXED_S = 120.0  # the README promises a minute each; machines that test are busy
SCORE = "$.items[*].score"
SWITCHED_OFF = "all,-score_as_string"


def score(node: Node) -> dict[str, Any] | None:
    """The difference that the README reads and fixes."""
    return next((row for row in node.get("diffs", route="feeds") if row["path"] == SCORE), None)


def text(page: Page) -> str:
    return " ".join(page.locator("main").inner_text().split())


def users_on_new(page: Page) -> int:
    """As the overview shows them beside the route `feeds`."""
    return int(page.locator("#route-feeds td:nth-of-type(2) .number").nth(1).inner_text())


def test_a_newcomer_moves_users_finds_a_difference_fixes_it_and_reads_the_progress(
    tmp_path: Path, browser: Browser, figure: Callable[[str], None]
):
    """Every step is one of the README's, and shows what it says."""
    ports = free_port(), free_port()
    file = write_example(tmp_path, *(f"http://127.0.0.1:{port}" for port in ports))
    began = time.monotonic()
    with serving(file, tmp_path, verb="demo") as node, new_page(browser, node.admin_url) as page:
        node.program.wait_until(lambda: score(node), "the difference", within_s=FOUND_S)
        figure(f"newcomer: the difference stands in the list after {time.monotonic() - began:.0f} s")
        page.goto("/")
        before = users_on_new(page)
        moved = node.run("rollout", "set", "feeds", "60", "--reason", "a first wave")
        assert (0, "") == (moved.returncode, moved.stderr)
        until(lambda: users_on_new(page) > before, "the live page to show users on new", within_s=60)
        figure(f"newcomer: users of feeds on new: {before}, then {users_on_new(page)}")
        assert "60 %" in node.run("status").stdout

        found = score(node)
        assert found is not None
        listed, shown = node.run("diffs", "list"), node.run("diffs", "show", found["id"])
        assert (True, True) == (found["id"] in listed.stdout, "number→numeric string" in listed.stdout)
        assert SCORE in shown.stdout
        page.goto(f"/diffs/{found['id']}")
        assert "New sends text where legacy sends a number" in text(page) or SCORE in text(page)
        page.goto("/progress")
        assert re.search(r"feeds not ready .*difference", text(page))
        assert node.stop() == 0

    fixed_at = time.monotonic()
    with (
        serving(file, tmp_path, verb="demo", NEW_BACKEND_BUGS=SWITCHED_OFF) as node,
        new_page(browser, node.admin_url) as page,
    ):
        node.program.wait_until(
            lambda: (score(node) or {}).get("state") == "fixed", "the difference to be fixed", within_s=FIXED_S
        )
        figure(f"newcomer: fixed {time.monotonic() - fixed_at:.0f} s after the new start")
        assert re.search(rf"{found['id']}.*fixed", node.run("diffs", "list", "--state", "fixed").stdout)
        page.goto(f"/diffs/{found['id']}")
        assert "fixed" == page.locator(".chip").first.text_content()
        page.goto("/progress")
        assert "a first wave" in text(page)
        report = node.run("report", "--format", "progress")
        assert (0, True) == (report.returncode, "a first wave" in report.stdout)
        assert node.stop() == 0


def test_the_readme_tells_the_same_steps():
    """What the test does is what stands there."""
    readme = (ROOT / "README.md").read_text()
    wanted = ("changeover rollout set feeds", "changeover diffs list", "changeover diffs show", "changeover status")
    assert [] == [each for each in (*wanted, f"NEW_BACKEND_BUGS={SWITCHED_OFF}") if each not in readme]
