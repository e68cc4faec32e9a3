"""Users who mean harm: their connections end, the worker's memory stays, and nobody beside them notices.

The timeouts are made short, so that a test sees them at work. Innocent users ask all the time, alone and beside the
abuse in turn; as many ask the backend itself, to tell what abuse takes from the machine from what it does to the proxy.
"""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.e2e.abuse_support import Ended, Worker, abusing, descriptors_for_all
from tests.e2e.load import Load, get, p99_ms
from tests.e2e.node import Node, serving, write_config
from tests.e2e.program import Program, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

CONFIG = """\
version: 1
backends: {{legacy: {{url: "{url}"}}, new: {{url: "{url}"}}}}
users: {{key: ["header:x-user-id"], salt: inkzee-2026}}
routes:
  all: {{match: {{prefix: /}}, shadow: {{percentage: 100, timeout: 2s}}}}
"""
MIB = 1 << 20
SETTINGS = {
    **dict.fromkeys(("head_timeout_s", "body_timeout_s", "keep_alive_s", "send_timeout_s"), "1"),
    "shadow_total_bytes": str(8 * MIB),  # what a test sees growing are not copies for the comparer
}
QUIET_S = 0.8
AFTER_S = 0.4  # what was over in a moment still makes others wait, and they are to be seen
PATIENCE_S = 15.0  # above every timeout, several times over, and the upload's time
# Of the innocents' p99 beside abuse to their p99 alone, over the same ratio of those who ask the backend itself where
# that one is above 1; of the quieter round. The aim is 1.2; few and busy cores, which run abusers, users, worker and
# backend alike, need more. Whoever waited for an abuser would wait for a second in each round: a ratio of some hundred.
MAX_RATIO = 10.0
# Connections of the worker's own that may have come meanwhile: a pool's, at the most that innocents needed at once.
SPARE_DESCRIPTORS = 24
ROUNDS = 2


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of abuse, on so many connections; `max_growth` bounds the worker's memory, in bytes."""

    name: str
    connections: int
    max_growth: int = 32 * MIB

    def __str__(self) -> str:
        return f"{self.name}-{self.connections}"


KINDS = (
    Kind("idle", 2_000, 48 * MIB),
    Kind("partial-head", 200),
    Kind("dripped-head", 200),
    Kind("dripped-body", 100),
    Kind("stalled-body", 100),
    Kind("endless-head", 20),
    Kind("endless-fields", 20),
    Kind("deaf", 20, 64 * MIB),  # to an answer without end: buffers are full on the way to it and its shadow
    Kind("sipping", 20),  # a byte each second
    Kind("upload", 1),  # of 10 GB, as much of it as goes through in four seconds
)


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time, in monotonic seconds."""

    began: float
    ended: float

    def p99_ms(self, load: Load) -> float:
        """Of what a load asked meanwhile."""
        return p99_ms([each.elapsed_s for each in load.answers if self.began <= each.began_at < self.ended])


@dataclass(frozen=True, slots=True)
class Round:
    """When innocents were alone, then when there was abuse beside them, and how that ended."""

    alone: Span
    beside: Span
    end: Ended

    def ratio(self, load: Load) -> float:
        return self.beside.p99_ms(load) / self.alone.p99_ms(load)


@dataclass(frozen=True, slots=True)
class Scene:
    """A node, and the port of the backend behind it."""

    node: Node
    backend_port: int

    def innocents(self) -> Load:
        return self._load(self.node.port)

    def neighbours(self) -> Load:
        """The same users without the proxy."""
        return self._load(self.backend_port)

    @staticmethod
    def _load(port: int) -> Load:
        return Load(port, lambda n: get("/api/unread", f"user-{n % 100}"), connections=4, pause_s=0.01)

    def endless_answers(self) -> int:
        """How many answers without end the backend still writes."""
        return int(httpx.get(f"http://127.0.0.1:{self.backend_port}/endless/number", trust_env=False).text)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A node with short timeouts before a backend that has a process of its own."""
    folder = tmp_path_factory.mktemp("abuse")
    with ExitStack() as stack:
        refusal = stack.enter_context(descriptors_for_all())
        if refusal:
            pytest.skip(refusal)
        backend = stack.enter_context(Program("backend", (sys.executable, "-m", "tests.e2e.backends"), folder))
        backend.wait_until(lambda: backend.stdout.read_text().endswith("\n"), "the backend's URL")
        url = backend.stdout.read_text().strip()
        config = write_config(folder, CONFIG.format(url=url))
        environ = {f"CHANGEOVER_{name.upper()}": value for name, value in SETTINGS.items()}
        node = stack.enter_context(serving(config, folder, **environ))
        made = Scene(node, int(url.rpartition(":")[2]))
        with made.innocents() as load:
            load.wait_answers(500)  # pools and buffers have their size
        yield made
        assert node.stop() == 0


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_abuse_ends_and_costs_others_nothing(kind: Kind, scene: Scene, tmp_path: Path, figure: Callable[[str], None]):
    """Every connection is ended by the worker and let go; memory stays bounded; no innocent fails or waits for it."""
    (pid,) = scene.node.worker_pids()
    with scene.innocents() as load, scene.neighbours() as direct:
        load.wait_answers(100)
        worker, descriptors = Worker(pid), Worker(pid).descriptors
        rounds = [play(kind, scene, worker, tmp_path) for _ in range(ROUNDS)]
    ratios = [each.ratio(load) / max(1.0, each.ratio(direct)) for each in rounds]
    figure(describe(kind, rounds, worker, load, direct))
    assert [(kind.connections, kind.connections)] * ROUNDS == [(each.end.opened, each.end.ended) for each in rounds]
    assert [] == load.bad
    assert worker.growth < kind.max_growth
    until(
        lambda: worker.descriptors <= descriptors + SPARE_DESCRIPTORS and not scene.endless_answers(),
        f"the worker's {descriptors} descriptors of before, and no endless answer",
        within_s=PATIENCE_S,
    )
    assert {pid} == scene.node.worker_pids()
    assert min(ratios) <= MAX_RATIO, ratios


def play(kind: Kind, scene: Scene, worker: Worker, folder: Path) -> Round:
    began = time.monotonic()
    worker.look_for(QUIET_S)
    alone = Span(began, time.monotonic())
    with abusing(kind.name, scene.node.port, kind.connections, folder, PATIENCE_S) as abuse:
        began = time.monotonic()
        end = abuse.watch(worker)
        worker.look_for(AFTER_S)
        return Round(alone, Span(began, time.monotonic()), end)


def describe(kind: Kind, rounds: list[Round], worker: Worker, load: Load, direct: Load) -> str:
    ends = [each.end for each in rounds]
    p99s = ", ".join(
        f"{each.beside.p99_ms(load):.1f} to {each.alone.p99_ms(load):.1f} ms = {each.ratio(load):.2f} "
        f"({each.ratio(direct):.2f} without the proxy)"
        for each in rounds
    )
    return (
        f"abuse {kind}: ended {[each.ended for each in ends]} after {max(each.after_s for each in ends):.1f} s, having "
        f"sent {sum(each.sent for each in ends) / 1e6:,.1f} MB; worker {worker.before // MIB} MiB, grew by "
        f"{worker.growth / MIB:.1f} MiB; {len(load.answers)} innocent requests, {len(load.bad)} failed; p99 beside to "
        f"alone: {p99s}"
    )
