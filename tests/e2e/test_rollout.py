"""Moving users: one line of the file, in force at once, the same users in the same order, and nobody notices."""

from __future__ import annotations

import itertools
import os
import signal
import time
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from typing import TYPE_CHECKING

import httpx
import pytest

from proxy import config
from proxy.core.decide import decide
from proxy.core.model import Rollout
from tests.e2e.backends import Backend
from tests.e2e.load import Load, get, has_wrk, wrk
from tests.e2e.node import Node, serving, write_example
from tests.e2e.program import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

TARGET = "/api/feeds/5"
SALT, GROUP = "inkzee-2026", "reader"
KEYS = [f"user-{number}" for number in range(20_000)]
SAMPLE = KEYS[::67]  # 299 of them
IN_FORCE_S = 2.0
SLACK = 3  # deadlines are promises times this


def is_on_new(key: str, percentage: float) -> bool:
    """The formula of the design, written down a second time."""
    digest = sha256(f"{SALT}\0{GROUP}\0{key}".encode()).digest()
    return (int.from_bytes(digest[:8], "big") * 100_000) >> 64 < round(percentage * 1000)


def on_new_by_formula(keys: Iterable[str], percentage: float) -> set[str]:
    return {key for key in keys if is_on_new(key, percentage)}


def on_new_by_core(file: Path) -> set[str]:
    """Who is on new by what the config file says now."""
    rollout = Rollout(config.load(file, {}).migration)
    route = rollout.migration.route("feeds")
    return {key for key in KEYS if decide(rollout, route, key, lambda _: None, is_new_healthy=True).backend == "new"}


@contextmanager
def feeds_node(folder: Path, *arguments: str) -> Iterator[Node]:
    """A node between two backends that say who they are."""
    with ExitStack() as stack:
        legacy, new = (stack.enter_context(Backend(name)) for name in ("legacy", "new"))
        file = write_example(folder, legacy.url, new.url, **{'"header:x-runtime"': '"header:x-backend"'})
        yield stack.enter_context(serving(file, folder, *arguments))


def server_of(client: httpx.Client, key: str) -> str:
    answer = client.get(TARGET, headers={"x-user-id": key})
    assert 200 == answer.status_code
    return answer.headers["x-backend"]


def on_new_by_proxy(node: Node, keys: Iterable[str]) -> set[str]:
    """Who is answered by new."""
    with httpx.Client(base_url=node.url, trust_env=False) as client:
        return {key for key in keys if server_of(client, key) == "new"}


def set_feeds(node: Node, percentage: float) -> None:
    done = node.run("rollout", "set", "feeds", str(percentage), "--reason", "wave")
    assert (0, "") == (done.returncode, done.stderr)


def newcomer(before: float, after: float) -> str:
    """A user who is on new at `after` and not at `before`."""
    return next(key for key in KEYS if is_on_new(key, after) and not is_on_new(key, before))


def changed_lines(before: str, after: str) -> list[tuple[str, str]]:
    pairs = zip(before.splitlines(), after.splitlines(), strict=True)
    return [(old, new) for old, new in pairs if old != new]


def test_rollout_set_changes_one_line_and_is_in_force_at_once(tmp_path: Path, figure: Callable[[str], None]):
    """The command edits exactly the line with the percentage, and users move when it has ended."""
    with feeds_node(tmp_path) as node, httpx.Client(base_url=node.url, trust_env=False) as client:
        text = node.config.read_text()
        mover = newcomer(10, 25)
        assert "legacy" == server_of(client, mover)

        set_feeds(node, 25)
        began = time.monotonic()
        until(lambda: server_of(client, mover) == "new", "25 % in force", within_s=IN_FORCE_S * SLACK)
        took_s = time.monotonic() - began

        (line,) = changed_lines(text, node.config.read_text())
        assert line[0].replace("percentage: 10", "percentage: 25") == line[1]
        asked = node.run("explain", "GET", TARGET, "--user", mover, "-o", "json")
        assert (0, '"new"') == (asked.returncode, asked.stdout.partition('"backend": ')[2][:5])
        assert ("wave", {"percentage": 10}, {"percentage": 25}) == next(
            (line["reason"], line["before"], line["after"]) for line in node.get("audit") if line["subject"] == "feeds"
        )
        figure(f"rollout set: a user moved {took_s * 1000:.0f} ms after the command (promised: 2 s)")
        assert node.stop() == 0


def test_edited_file_is_in_force_soon(tmp_path: Path, figure: Callable[[str], None]):
    """Saving the file in an editor is enough; a kept-open connection's user moves as well."""
    with feeds_node(tmp_path) as node, httpx.Client(base_url=node.url, trust_env=False) as client:
        mover = newcomer(10, 25)
        assert "legacy" == server_of(client, mover)
        replace_file(node.config, node.config.read_text().replace("percentage: 10,", "percentage: 25,"))
        began = time.monotonic()
        until(lambda: server_of(client, mover) == "new", "25 % in force", within_s=IN_FORCE_S * SLACK)
        figure(f"edited file: a user moved {(time.monotonic() - began) * 1000:.0f} ms after the save (promised: 2 s)")


def replace_file(file: Path, text: str) -> None:
    """As most editors save: a new file under the old name."""
    written = file.with_suffix(".swp")
    written.write_text(text)
    written.replace(file)


def test_sighup_reloads_and_a_refused_file_leaves_the_last_one_in_force(tmp_path: Path):
    """A typo is shown and changes nothing; the mended file is in force; no process was restarted for it."""
    with feeds_node(tmp_path) as node, httpx.Client(base_url=node.url, trust_env=False) as client:
        text, processes = node.config.read_text(), (node.pid_of("control"), node.worker_pids())
        mover = newcomer(10, 25)
        node.config.write_text(text.replace("percentage: 10,", "percentage: 110,"))
        os.kill(node.program.pid, signal.SIGHUP)
        until(lambda: node.get("status")["config"]["error"], "the refusal shown", within_s=IN_FORCE_S * SLACK)
        assert ("110 is above 100" in node.get("status")["config"]["error"], "legacy") == (
            True,
            server_of(client, mover),
        )

        node.config.write_text(text.replace("percentage: 10,", "percentage: 25,"))
        os.kill(node.program.pid, signal.SIGHUP)
        until(lambda: server_of(client, mover) == "new", "25 % in force", within_s=IN_FORCE_S * SLACK)
        assert (None, processes) == (
            node.get("status")["config"]["error"],
            (node.pid_of("control"), node.worker_pids()),
        )
        assert node.stop() == 0


@pytest.mark.slow
def test_users_move_by_the_formula_forward_only_and_back_last_in_first(tmp_path: Path, figure: Callable[[str], None]):
    """Of 20,000 keys 25 % ± 1 are on new, key by key as computed; 25 → 50 only adds, 50 → 10 takes the latest back."""
    with feeds_node(tmp_path) as node:
        seen: dict[float, set[str]] = {}
        for percentage in (25, 50, 10):
            set_feeds(node, percentage)
            computed = on_new_by_formula(KEYS, percentage)
            assert computed == on_new_by_core(node.config)
            wanted = on_new_by_formula(SAMPLE, percentage)
            probe = max(SAMPLE, key=lambda key: (is_on_new(key, 50), not is_on_new(key, 25)))  # moves at 50 and at 10
            with httpx.Client(base_url=node.url, trust_env=False) as client:
                side = "new" if probe in wanted else "legacy"
                until(lambda: server_of(client, probe) == side, f"{percentage} %", within_s=IN_FORCE_S * SLACK)  # noqa: B023
            assert wanted == on_new_by_proxy(node, SAMPLE)
            seen[percentage] = computed
        share = len(seen[25]) / len(KEYS) * 100
        assert abs(share - 25) <= 1
        assert (True, True) == (seen[25] < seen[50], seen[10] < seen[25])
        assert seen[10] == {key for key in seen[50] if is_on_new(key, 10)}
        figure(f"20,000 keys at 25 %: {share:.2f} % on new; {len(SAMPLE)} keys through the proxy equal the formula")
        assert node.stop() == 0


@pytest.mark.slow
def test_twenty_changes_reach_two_workers_and_fail_no_request(tmp_path: Path, figure: Callable[[str], None]):
    """Operators change the percentage twenty times under load: every answer is a good one, and both sides have served.

    A client looks at each of its answers; where there is wrk, it asks beside it as fast as it can.
    """
    with feeds_node(tmp_path, "--workers", "2") as node, ExitStack() as stack:
        fast = stack.enter_context(wrk(node.port, TARGET, tmp_path)) if has_wrk() else None
        with Load(node.port, lambda n: get(TARGET, KEYS[n * 7919 % len(KEYS)]), pause_s=0.005) as load:
            load.wait_answers(100)
            change_twenty_times(node)
        stack.close()
        figure(f"twenty changes, two workers: {len(load.answers)} requests, {len(load.bad)} failed")
        assert ([], {"legacy", "new"}) == (load.bad, set(load.by_backend))
        if fast is not None:
            figure(f"twenty changes under wrk: {fast.requests} requests, {fast.failures} failed")
            assert (0, True) == (fast.failures, fast.requests > 1_000), fast.printed
        assert node.stop() == 0


def change_twenty_times(node: Node) -> None:
    for percentage in itertools.islice(itertools.cycle((25, 50, 10, 75, 0.5)), 20):
        set_feeds(node, percentage)
