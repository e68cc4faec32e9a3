"""Processes of a node die, and its store is taken away: users notice nothing but what was in a dead worker's hands."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import threading
import time
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.e2e.backends import LATE_S, Backend
from tests.e2e.load import Load, get
from tests.e2e.node import Node, serving, write_example
from tests.e2e.program import descendants, is_running, until
from tests.e2e.workers import connections_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

# Half of the answers are equal; the others differ in one place, so that they have to go through control.
EQUAL, UNEQUAL = "/api/search", "/api/unread"
ANSWERS: dict[str, dict[str, bytes]] = {
    "legacy": {UNEQUAL: b'{"total": 7, "feeds": []}'},
    "new": {UNEQUAL: b'{"total": 8, "feeds": []}'},
}
BACK_S = 3.0  # the promise for control
SLACK = 3
LOCKED_S = 8.0  # longer than the store's busy timeout of 5 s
COUNTERS = {"pairs": "pairs", "mismatches": "mismatch"}  # as shown, and as stored


@contextmanager
def reader_node(folder: Path, *arguments: str) -> Iterator[tuple[Node, Backend]]:
    """A node between two backends, and the legacy one."""
    with ExitStack() as stack:
        legacy, new = (stack.enter_context(Backend(name, answers)) for name, answers in ANSWERS.items())
        replaced = {'"header:x-runtime"': '"header:x-backend"', "interval: 2s": "interval: 500ms"}
        file = write_example(folder, legacy.url, new.url, **replaced)
        yield stack.enter_context(serving(file, folder, *arguments)), legacy


def users(n: int) -> bytes:
    return get(UNEQUAL if n % 2 else EQUAL, f"user-{n % 500}")


def evidence(node: Node) -> dict[str, Any]:
    """How much was seen so far."""
    totals: dict[str, Any] = node.get("status")["totals"]
    return {name: totals[name] for name in COUNTERS}


def stored(node: Node, counter: str) -> int:
    """What of a counter would outlive control."""
    with closing(sqlite3.connect(node.state / "changeover.sqlite", timeout=10)) as store:
        rows = store.execute("SELECT counts FROM route_totals").fetchall()
    return sum(json.loads(counts).get(counter, 0) for (counts,) in rows)


def wait_more_evidence(node: Node, *, within_s: float = 20.0) -> None:
    """Until more pairs and more mismatches are counted than there were."""
    before = evidence(node)
    until(
        lambda: all(number > before[name] for name, number in evidence(node).items()),
        f"more evidence than {before}",
        within_s=within_s,
    )


def test_killed_control_is_back_soon_and_costs_no_request(tmp_path: Path, figure: Callable[[str], None]):
    """Workers serve on by themselves; the new control has the old evidence and takes up more; no comparer is left."""
    with reader_node(tmp_path) as (node, _), Load(node.port, users, connections=8, pause_s=0.01) as load:
        wait_more_evidence(node)
        before, control = evidence(node), node.pid_of("control")
        # Control dies with what it took over in the last fifth of a second: this must not be all there is.
        until(
            lambda: all(stored(node, COUNTERS[name]) >= number for name, number in before.items()),
            f"{before} stored",
            within_s=20,
        )
        its_own = descendants(control)
        killed_at = time.monotonic()
        os.kill(control, signal.SIGKILL)
        until(lambda: not is_running(control), "control dead", within_s=5)
        until(node.is_ready, "control ready again", within_s=BACK_S * SLACK)
        back_s = time.monotonic() - killed_at
        wait_more_evidence(node)
        load.stop()

        assert control != node.pid_of("control")
        assert (True, []) == (bool(its_own), [pid for pid in its_own if is_running(pid)])
        assert [] == load.bad
        after = evidence(node)
        assert all(after[name] > before[name] for name in before), (before, after)
        figure(f"control killed: ready after {back_s:.2f} s (promised: 3 s), {len(load.answers)} requests, 0 failed")
        assert node.stop() == 0


def test_killed_worker_costs_its_connections_only(tmp_path: Path, figure: Callable[[str], None]):
    """Of two workers one is killed: each of its connections loses a request at most, and it is started again."""
    connections = 16
    with (
        reader_node(tmp_path, "--workers", "2") as (node, _),
        Load(node.port, users, connections=connections, pause_s=0.005) as load,
    ):
        until(lambda: len(node.worker_pids()) == 2, "two workers linked", within_s=20)
        load.wait_answers(500)
        pids = node.worker_pids()
        owned_by = {pid: connections_of(pid, node.port) for pid in pids}
        victim = max(pids, key=owned_by.__getitem__)
        owned = owned_by[victim]
        os.kill(victim, signal.SIGKILL)
        load.wait_answers(500)
        until(
            lambda: len(node.worker_pids()) == 2 and victim not in node.worker_pids(),
            "the worker is replaced",
            within_s=20,
        )
        load.wait_answers(500)
        load.stop()
        statuses = {answered.status for answered in load.answers}
        figure(
            f"worker killed: it had {owned} of {connections} connections, {len(load.failures)} requests failed of "
            f"{len(load.answers)}"
        )
        assert ({200}, True) == (statuses, len(load.failures) <= owned), load.failures
        assert connections == sum(owned_by.values())
        assert pids - {victim} <= node.worker_pids()
        wait_pairs_of_a_request(node)
        assert node.stop() == 0


def wait_pairs_of_a_request(node: Node) -> None:
    """A request made now is counted: the node's evidence works."""
    with httpx.Client(base_url=node.url, headers={"x-user-id": "u"}, trust_env=False) as client:
        before = evidence(node)
        assert 200 == client.get(UNEQUAL).status_code
        until(lambda: evidence(node)["mismatches"] > before["mismatches"], "one more mismatch", within_s=20)


def test_killed_supervisor_takes_its_processes_with_it(tmp_path: Path):
    """Nobody is left to hold the ports: a new node can start on the same state folder."""
    with reader_node(tmp_path) as (node, _):
        started = node.program.kill()
        until(lambda: not any(map(is_running, started)), "nothing of the node runs on", within_s=30)
        with serving(node.config, tmp_path, "--listen", node.url.removeprefix("http://")) as again:
            assert (node.url, 0) == (again.url, again.stop())


@pytest.mark.slow
def test_store_that_is_taken_away_costs_evidence_at_most(tmp_path: Path, figure: Callable[[str], None]):
    """Another program locks the SQLite file: no request fails, status says so, and what was seen arrives after it."""
    with reader_node(tmp_path) as (node, _), Load(node.port, users, connections=8, pause_s=0.01) as load:
        wait_more_evidence(node)
        with closing(sqlite3.connect(node.state / "changeover.sqlite", isolation_level=None, timeout=10)) as thief:
            thief.execute("BEGIN EXCLUSIVE")
            locked_at = time.monotonic()
            until(lambda: not node.get("status")["store"]["up"], "the store counted as down", within_s=20)
            told_s = time.monotonic() - locked_at
            time.sleep(max(0.0, LOCKED_S - told_s))
            during = node.get("status")["store"]
            thief.execute("ROLLBACK")
        until(lambda: node.get("status")["store"]["up"], "the store is back", within_s=30)
        load.stop()

        assert [] == load.bad
        asked = {target: sum(each.target == target for each in load.answers) for target in (EQUAL, UNEQUAL)}
        rows = node.settle("search", asked[EQUAL]), node.settle("unread", asked[UNEQUAL])
        figure(
            f"store locked for {LOCKED_S:g} s: down was shown after {told_s:.1f} s; {len(load.answers)} requests, none "
            f"failed; {sum(row['matches'] + row['mismatches'] for row in rows)} compared, "
            f"{node.get('status')['store']['dropped']} dropped"
        )
        assert (False, True) == (during["up"], bool(during["error"]))
        assert 0 == node.get("status")["store"]["dropped"]  # eight seconds fit into the recorder's buffer
        # The rows have what is on its way to the store, the list of differences what has arrived there.
        seen = rows[1]["mismatches"]
        until(lambda: [each["count"] for each in node.get("diffs")] == [seen], f"{seen} sightings stored", within_s=20)
        assert node.stop() == 0


def test_sigterm_lets_a_request_in_flight_end(tmp_path: Path):
    """A slow answer that is under way arrives whole; then everything ends with 0 and leaves nothing behind."""
    with reader_node(tmp_path) as (node, legacy):
        legacy.behaviour = "late"
        legacy.arrived.clear()
        answers: list[httpx.Response] = []

        def ask() -> None:
            answers.append(
                httpx.get(f"{node.url}{EQUAL}", headers={"x-user-id": "user-1"}, trust_env=False, timeout=30)
            )

        asking = threading.Thread(target=ask)
        asking.start()
        assert legacy.arrived.wait(10)
        began = time.monotonic()
        assert node.stop() == 0
        asking.join(30)
        assert [200] == [answer.status_code for answer in answers]
        assert time.monotonic() - began > LATE_S / 2  # it did wait


def test_second_sigterm_ends_at_once(tmp_path: Path):
    """Who can't wait for the drain gets an end: nothing runs on."""
    with reader_node(tmp_path) as (node, legacy):
        legacy.behaviour = "hang"
        legacy.arrived.clear()
        started = descendants(node.program.pid)
        with socket.create_connection(("127.0.0.1", node.port), timeout=30) as user:
            user.sendall(get(EQUAL, "user-1"))
            assert legacy.arrived.wait(10)
            node.program.process.send_signal(signal.SIGTERM)
            node.program.wait_until(lambda: node.program.events("worker.draining"), "the drain")
            node.program.process.send_signal(signal.SIGTERM)
            node.program.process.wait(30)
            assert b"" == user.recv(1)
        until(lambda: not any(map(is_running, started)), "nothing of the node runs on", within_s=5)
