"""The shadowed backend breaks in every way that backends do: users get the very bytes that they get without a shadow.

One node, and for each fault a route that is shadowed beside one that isn't; legacy answers both paths alike. What it
costs in time is measured by `bench.faults`, which has the cores to itself.
"""

from __future__ import annotations

import itertools
import socket
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.e2e.abuse_support import Worker
from tests.e2e.backends import Backend
from tests.e2e.load import Load, get
from tests.e2e.node import Node, serving, write_config
from tests.e2e.program import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from io import BufferedReader

    from tests.e2e.backends import Behaviour

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

CONFIG = """\
version: 1
backends:
  legacy: {{url: "{legacy}"}}
  new: {{url: "{new}", timeout: {{connect: 500ms, read: 1s, write: 1s}}}}
users: {{key: ["header:x-user-id"], salt: inkzee-2026}}
routes:
  plain: {{match: {{prefix: /plain}}}}
"""
SHADOWED = """\
  {name}: {{match: {{prefix: /{name}}}, shadow: {{percentage: 100, timeout: 1s}}}}
"""
MIB = 1 << 20
SHADOW_BYTES = 8 * MIB  # that all shadows of the worker may hold
MAX_GROWTH = SHADOW_BYTES + 24 * MIB  # and buffers of the connections under way
ROUNDS = 10
LONG = bytes(range(256)) * 1200


@dataclass(frozen=True, slots=True)
class Fault:
    """How new breaks, and how evidence calls that; `stopped` isn't a behaviour, but the end of all."""

    name: str
    behaviour: Behaviour | None
    reasons: frozenset[str]

    def __str__(self) -> str:
        return self.name

    def begin(self, new: Backend) -> None:
        if self.behaviour is None:
            new.hang_up()
        else:
            new.behaviour = self.behaviour

    def end(self, new: Backend) -> None:
        if self.behaviour is None:
            new.listen()
        new.behaviour = "well"


# A reset shows where it happens to be met: while connecting, writing, or reading.
RESET = frozenset({f"shadow_failed.{phase}" for phase in ("connect", "write", "read", "truncated")})
FAULTS = (
    Fault("stopped", None, frozenset({"shadow_failed.connect"})),
    Fault("resetting", "reset", RESET),
    Fault("silent", "hang", frozenset({"shadow_failed.timeout"})),
    Fault("dripping", "drip", frozenset({"shadow_failed.timeout"})),
    Fault("garbage", "garbage", frozenset({"shadow_failed.protocol"})),
    Fault("gigabyte", "endless", frozenset({"too_large", "shed"})),
)
# What may be counted beside the fault's own reasons: requests that were under way when it began, or too many at once,
# and those that a pool let rest after a failed connect.
BESIDE = frozenset({"shed", "shadow_failed.connect", "shadow_failed.read", "shadow_failed.truncated"})


def answer(status: str, *fields: str, body: bytes = b"") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", "x-backend: legacy", *fields, "", ""]).encode() + body


def chunked(*pieces: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (*pieces, b""))


# One of each framing, and fields that a proxy might be tempted to tidy up.
ANSWERS = {
    "/length": answer("200 OK", "Content-Type: text/plain", "content-length: 5", "Set-Cookie: a=1", body=b"plain"),
    "/cookies": answer("200 OK", "Set-Cookie: a=1", "X-Odd:   spaced", "Set-Cookie: b=2", "content-length: 0"),
    "/chunks": answer("200 OK", "transfer-encoding: chunked", body=chunked(b"one", LONG, b"three")),
    "/long": answer("200 OK", f"content-length: {len(LONG)}", 'ETag: "x"', body=LONG),
    "/nothing": answer("204 No Content", "X-Kept: yes"),
    "/unchanged": answer("304 Not Modified", 'ETag: "x"'),
    "/missing": answer("404 Not Found", "content-length: 7", body=b"no such"),
    "/failed": answer("500 Internal Server Error", "content-length: 3", "Retry-After: 1", body=b"bad"),
}
CASES = [*itertools.product(("GET",), ANSWERS), ("HEAD", "/long"), ("POST", "/length"), ("DELETE", "/nothing")]
READS = sum(method in {"GET", "HEAD"} for method, _ in CASES)


@dataclass(slots=True)
class Scene:
    """A node, and the backend that breaks."""

    node: Node
    new: Backend


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A node between two backends that answer alike, on every route's paths."""
    folder = tmp_path_factory.mktemp("shadows")
    routes = ["plain", *(fault.name for fault in FAULTS)]
    whole = {f"/{route}{path}": ANSWERS[path] for route in routes for path in ANSWERS}
    with ExitStack() as stack:
        legacy = stack.enter_context(Backend("legacy", whole=whole))
        new = stack.enter_context(Backend("new", whole=whole))
        text = CONFIG.format(legacy=legacy.url, new=new.url)
        text += "".join(SHADOWED.format(name=fault.name) for fault in FAULTS)
        config = write_config(folder, text)
        environ = {"CHANGEOVER_SHADOW_TOTAL_BYTES": str(SHADOW_BYTES)}
        node = stack.enter_context(serving(config, folder, **environ))
        yield Scene(node, new)
        assert node.stop() == 0


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_broken_shadow_changes_no_byte_of_an_answer(fault: Fault, scene: Scene, figure: Callable[[str], None]):
    """Whole answers equal those of a route without shadow, also under load; each lost pair is counted; memory stays."""
    node, new = scene.node, scene.new
    (pid,) = node.worker_pids()
    asked = warm_up(fault, scene)
    worker = Worker(pid)
    fault.begin(new)
    try:
        with Load(
            node.port, lambda n: get(f"/{fault.name}/length", f"user-{n % 50}"), connections=4, pause_s=0.01
        ) as load:
            for _ in range(ROUNDS):
                worker.look()
                assert ask_all(node.port, "plain") == ask_all(node.port, fault.name)
                time.sleep(0.1)
            load.wait_answers(50)
            worker.look()
        asked += ROUNDS * len(CASES) + len(load.answers)
        assert [] == load.bad
        skipped = node.settle(fault.name, asked)["coverage"]["skipped"]
    finally:
        fault.end(new)
    worker.look()
    figure(
        f"shadow {fault}: {ROUNDS * len(CASES)} answers byte-identical, {len(load.answers)} beside them, none failed; "
        f"not compared: {skipped}; worker grew by {worker.growth / MIB:.1f} MiB"
    )
    writes = ROUNDS * (len(CASES) - READS)
    assert writes == skipped.pop("method")
    assert sum(number for reason, number in skipped.items() if reason in fault.reasons) > 0
    assert set() == set(skipped) - fault.reasons - BESIDE
    assert worker.growth < MAX_GROWTH
    assert {pid} == node.worker_pids()


def warm_up(fault: Fault, scene: Scene) -> int:
    """Until shadows arrive (a pool rests after the fault before), and buffers have their size: how many were asked."""
    asked = itertools.count()
    user = {"x-user-id": "warm"}
    with httpx.Client(base_url=scene.node.url, headers=user, trust_env=False) as client:

        def is_shadowed() -> bool:
            before = scene.new.asked["GET", True]
            client.get(f"/{fault.name}/long")
            next(asked)
            return scene.new.asked["GET", True] > before

        until(is_shadowed, "a shadow arrives", within_s=10)
        for _ in range(200):
            client.get(f"/{fault.name}/long")
            next(asked)
    number = next(asked)
    scene.node.settle(fault.name, number)
    return number


# --- whole answers ---
def ask_all(port: int, route: str) -> list[bytes]:
    """Each answer as it came, one after the other on one connection.

    Only where a chunk ends is left out: that depends on when pieces of the backend's answer arrive.
    """
    with socket.create_connection(("127.0.0.1", port), timeout=20) as sock, sock.makefile("rb") as received:
        return [ask(sock, received, method, f"/{route}{path}") for method, path in CASES]


def ask(sock: socket.socket, received: BufferedReader, method: str, target: str) -> bytes:
    sock.sendall(get(target, "user-1", method, b"sent" if method == "POST" else b""))
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = received.readline()
        assert line, f"{method} {target}: broken off after {head!r}"
        head += line
    return head + read_body(received, method, head.lower())


def read_body(received: BufferedReader, method: str, head: bytes) -> bytes:
    if method == "HEAD" or head[9:12] in {b"204", b"304"}:
        return b""
    if b"\r\ntransfer-encoding: chunked\r\n" not in head:
        return received.read(int(head.partition(b"\r\ncontent-length: ")[2].partition(b"\r\n")[0]))
    body = b""
    while size := int(received.readline(), 16):
        body += received.read(size)
        assert received.readline() == b"\r\n"
    assert received.readline() == b"\r\n"
    return body
