"""Whoever reads a node's log and stalls: users are served, and the node ends, as if he read."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.e2e.backends import Backend
from tests.e2e.load import get
from tests.e2e.node import write_example
from tests.e2e.program import ROOT, own_environment
from tests.e2e.workers import FEED

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

MANY = 1_500  # requests whose lines fill a pipe several times over


@contextmanager
def unread_node(folder: Path, **environ: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A node whose log is read until it is ready, and no more; and its port."""
    with ExitStack() as stack:
        legacy, new = (stack.enter_context(Backend(name)) for name in ("legacy", "new"))
        file = write_example(folder, legacy.url, new.url)
        argv = [sys.executable, "-m", "proxy", "serve", "--config", str(file), "--state-dir", str(folder / "state")]
        listeners = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--log-format", "json"]
        process = stack.enter_context(
            subprocess.Popen(
                argv + listeners, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=own_environment(**environ)
            )
        )
        stack.callback(process.kill)
        port = 0
        for text in process.stderr or ():
            line = json.loads(text)
            if line["event"] == "node.starting":
                port = int(line["users"].rpartition(":")[2])
            if line["event"] == "node.ready":
                break
        yield process, port


def asked(port: int, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as user:
        user.sendall(request)
        return user.recv(64)


@pytest.mark.parametrize(
    ("scope", "request_of_many"),
    [("all", get(FEED, "user-1")), ("problems", b"GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 1, 2\r\n\r\n")],
    ids=["served", "refused"],
)
def test_log_that_nobody_reads_stops_neither_users_nor_the_end(scope: str, request_of_many: bytes, tmp_path: Path):
    """Users are answered however many lines nobody reads, and SIGTERM ends the node."""
    with unread_node(tmp_path, CHANGEOVER_REQUEST_LOG=scope, CHANGEOVER_DRAIN_S="2") as (process, port):
        for _ in range(MANY):
            assert asked(port, request_of_many)
        assert asked(port, get(FEED, "user-2")).startswith(b"HTTP/1.1 200 ")
        process.send_signal(signal.SIGTERM)
        assert 0 == process.wait(30)
