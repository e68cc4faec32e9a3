"""Strangers who connect to the TLS port and say nothing: they take no descriptor that users or the worker need."""

from __future__ import annotations

import signal
import socket
import sys
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.certificates import Authority, Pair, der_of
from tests.e2e.abuse_support import Worker, descriptors_for_all
from tests.e2e.backends import Backend
from tests.e2e.load import get
from tests.e2e.node import Node, write_example
from tests.e2e.program import Program, until
from tests.e2e.workers import FEED

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

DESCRIPTORS = 600  # of the worker; half of them are for users
SILENT = 800
MOST = DESCRIPTORS // 2 + 38  # with an eighth more who would be told that there is no place


@contextmanager
def tls_node(folder: Path, pair: Pair) -> Iterator[Node]:
    """A node whose processes may have few descriptors."""
    files = ("--tls-certificate", str(pair.certificate), "--tls-key", str(pair.key))
    state = folder / "state"
    with Backend("legacy") as legacy, Backend("new") as new:
        config = write_example(folder, legacy.url, new.url)
        argv = (
            *("sh", "-c", f'ulimit -n {DESCRIPTORS} && exec "$@"', "sh"),
            *(sys.executable, "-m", "proxy", "serve", "--config", str(config), "--state-dir", str(state)),
            *("--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--log-format", "json", *files),
        )
        with Program("serve", argv, folder) as program:
            node = Node(program, config, state)
            try:
                yield node
            finally:
                node.close()


def connect(stack: ExitStack, node: Node, authority: Authority) -> ssl.SSLSocket:
    plain = socket.create_connection(("127.0.0.1", node.port), timeout=30)
    return stack.enter_context(authority.trusting().wrap_socket(plain, server_hostname="localhost"))


def ask(user: ssl.SSLSocket) -> bytes:
    """The status line of the answer."""
    user.sendall(get(FEED, "user-1"))
    return user.recv(1 << 16).split(b"\r\n", 1)[0]


def gauges(node: Node) -> dict[str, float]:
    (link,) = node.get("status")["workers"]["links"]
    found: dict[str, float] = link["gauges"]
    return found


def test_silent_handshakes_leave_descriptors_for_the_worker(tmp_path: Path, figure: Callable[[str], None]):
    """Who is connected is served, a backend reached, a renewed certificate read; afterwards all may come again."""
    with descriptors_for_all() as refusal:
        if refusal is not None:
            pytest.skip(refusal)
        authority = Authority(tmp_path)
        pair, renewed = authority.issue(), authority.issue()
        with tls_node(tmp_path, pair) as node, ExitStack() as stack:
            user = connect(stack, node, authority)
            assert b"HTTP/1.1 200 OK" == ask(user)
            worker = Worker(node.pid_of("worker-1"))
            with ExitStack() as strangers:
                for _ in range(SILENT):
                    strangers.enter_context(socket.create_connection(("127.0.0.1", node.port), timeout=30))
                until(lambda: gauges(node).get("handshakes") == MOST - 1, "all places taken", within_s=8)
                held = worker.descriptors
                assert SILENT - MOST + 1 == gauges(node)["refused.503"]
                assert b"HTTP/1.1 200 OK" == ask(user)
                pair.replace(renewed)
                node.program.process.send_signal(signal.SIGHUP)
                until(lambda: node.program.events("certificate.replaced"), "the certificate", within_s=8)
            figure(f"{SILENT} silent handshakes: {held} of {DESCRIPTORS} descriptors")
            assert MOST <= held < DESCRIPTORS - 100
            until(lambda: gauges(node)["handshakes"] == 0, "the places are free", within_s=8)
            newcomer = connect(stack, node, authority)
            assert der_of(renewed) == newcomer.getpeercert(binary_form=True)
            assert [b"HTTP/1.1 200 OK"] * 2 == [ask(newcomer), ask(user)]
            assert [] == node.program.events("listener.paused") + node.program.events("certificate.refused")
            assert node.stop() == 0
