"""A fault of new that a deployment has mended counts no longer: what people read is about the version that is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.e2e.backends import Backend
from tests.e2e.node import Node, serving, write_config
from tests.e2e.program import until

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

CONFIG = """\
version: 1
backends: {{legacy: {{url: "{legacy}"}}, new: {{url: "{new}"}}}}
users: {{key: ["header:x-user-id"], salt: inkzee-2026}}
routes:
  feeds: {{match: {{path: /a}}, shadow: {{percentage: 100}}}}
"""
PAIRS = 60


def answering(version: str, body: str) -> dict[str, bytes]:
    """A backend of this version; where the body is legacy's, nothing differs but what no one compares."""
    head = f"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nx-version: {version}\r\ncontent-length: {len(body)}\r\n\r\n"
    return {"/a": (head + body).encode()}


def ask(node: Node, compared: int) -> dict[str, Any]:
    """The route's row once so many pairs of all time are compared."""
    with httpx.Client(base_url=node.url, trust_env=False) as users:
        for number in range(PAIRS):
            assert 200 == users.get("/a", headers={"x-user-id": str(number)}).status_code
    until(lambda: node.route("feeds")["coverage"]["compared"] == compared, f"{compared} pairs compared", within_s=30)
    return node.route("feeds")


def test_what_was_mended_counts_no_longer(tmp_path: Path):
    """The new version answers as legacy does: each pair is equal byte by byte, and still its version is found."""
    legacy, new = Backend("legacy", whole=answering("l1", "right")), Backend("new", whole=answering("v6", "wrong"))
    with legacy, new:
        file = write_config(tmp_path, CONFIG.format(legacy=legacy.url, new=new.url))
        with serving(file, tmp_path) as node:
            broken = ask(node, PAIRS)
            assert (PAIRS, None) == (broken["mismatches"], broken["evidence"]["since"])
            assert "not ready" == node.get("progress")["routes"][0]["verdict"]

            new.whole = answering("v7", "right")
            ask(node, 2 * PAIRS)
            changed = {"version": {"before": "v6", "after": "v7"}}
            until(lambda: node.route("feeds")["evidence"]["because"] == changed, "the window to begin", within_s=15)
            mended = ask(node, 3 * PAIRS)
            evidence = mended["evidence"]
            assert (PAIRS, 0, 1.0) == (mended["mismatches"], evidence["mismatches"], evidence["match_rate"])
            assert PAIRS <= evidence["coverage"]["compared"] <= 2 * PAIRS

            progress = node.get("progress")
            assert "when new became v7 (before: v6)" in progress["routes"][0]["window"]
            assert "New was replaced: version v7 after v6" in [each["words"] for each in progress["decided"]]
            (seen,) = node.get("status")["nodes"]
            assert (False, {"linked": 1, "expected": 1}) == (seen["is_silent"], seen["workers"])
            page = httpx.get(node.admin_url, trust_env=False).text
            assert ", when new became v7 (before: v6)" in page
