"""Two nodes before the same backends that share a store on PostgreSQL: what is known to one is known to both."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.e2e.node import example_backend, serving, write_example
from tests.e2e.program import changeover, until
from tests.postgres import postgres_server, postgres_url  # noqa: F401  # fixtures

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.node import Node

pytestmark = [pytest.mark.e2e, pytest.mark.postgres, pytest.mark.timeout(240)]
ROUTE = "feeds"


def test_nodes_that_share_a_store_steer_and_count_together(tmp_path: Path, postgres_url: str) -> None:  # noqa: F811
    """Each has its own config file, port and workers, as two machines would; evidence, holds and audit are common."""
    upgraded = changeover("db", "upgrade", CHANGEOVER_STORE_URL=postgres_url)
    assert 0 == upgraded.returncode, upgraded.stderr
    with ExitStack() as stack:
        urls = [stack.enter_context(example_backend(f"{side}_backend", tmp_path)) for side in ("legacy", "new")]
        nodes = {}
        for name in ("north", "south"):
            (tmp_path / name).mkdir()
            folder = tmp_path / name
            own = {"CHANGEOVER_NODE": name, "CHANGEOVER_STORE_URL": postgres_url}
            nodes[name] = stack.enter_context(serving(write_example(folder, *urls), folder, **own))
        north, south = nodes["north"], nodes["south"]
        session = log_in(north)
        ask(north, session, 10)
        ask(south, session, 20)
        for node in (north, south):
            node.settle(ROUTE, 30)
        rows, others = (node.get("diffs") for node in (north, south))
        assert rows
        assert counts_of(rows) == counts_of(others), "each difference once, with the pairs of both nodes"
        until(lambda: {"north", "south"} == names_of(north) == names_of(south), "each node knows of both", within_s=30)

        wish = north.route(ROUTE)["percentage"]
        assert 0 < wish
        north.put(f"routes/{ROUTE}/hold", percentage=0, reason="the north is not well")
        until(lambda: in_force(south) == 0, "the hold is in force in the south", within_s=30)
        assert {"legacy"} == {served_by(south, user) for user in range(40)}
        south.delete(f"routes/{ROUTE}/hold", reason="it is again")
        until(lambda: in_force(north) == wish, "it was let go in the north", within_s=30)
        south.put("kill-switch", reason="everything is on fire")
        until(lambda: north.get("status")["killed_by"], "the kill switch is on in the north", within_s=30)
        assert {"legacy"} == {served_by(north, user) for user in range(40)}

        who = {(line["action"], line["reason"]) for line in north.get("audit")}
        assert who >= {("hold.put", "the north is not well"), ("kill_switch.on", "everything is on fire")}
        assert 0 == south.stop()
        ask(north, session, 5)
        until(lambda: north.accounts(ROUTE)[0] >= 35, "the north goes on by itself", within_s=30)


def log_in(node: Node) -> httpx.Cookies:
    with httpx.Client(base_url=node.url, trust_env=False) as user:
        user.post("/api/session", json={"username": "reader01", "password": "paper-boat-01"}).raise_for_status()
        return user.cookies


def ask(node: Node, session: httpx.Cookies, times: int) -> None:
    with httpx.Client(base_url=node.url, cookies=session, trust_env=False) as users:
        for number in range(times):
            users.get("/api/feeds/7", headers={"x-user-id": str(number)}).raise_for_status()


def served_by(node: Node, user: int) -> str:
    """Where a user of the route is, by what the node says of itself."""
    decided: str = node.get("explain", path="/api/feeds/7", user=str(user))["backend"]
    return decided


def in_force(node: Node) -> float:
    percentage: float = node.route(ROUTE)["effective_percentage"]
    return percentage


def names_of(node: Node) -> set[str]:
    return {each["name"] for each in node.get("status")["nodes"]}


def counts_of(rows: list[dict[str, Any]]) -> dict[str, int]:
    return {row["id"]: row["count"] for row in rows}
