"""A gigabyte through the proxy in either direction: it arrives whole, and the worker's memory stays flat."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.e2e.node import serving, write_config
from tests.e2e.program import is_running, resident_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from io import BufferedReader
    from pathlib import Path

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(180)]

GIGABYTE = 1 << 30
PIECE = bytes(range(256)) * 4096  # 1 MiB
MAX_GROWTH = 64 << 20
WARM = 32 << 20  # buffers, pools and copies for the comparer have their size by then
CONFIG = """\
version: 1
backends: {{legacy: {{url: "{legacy}"}}, new: {{url: "{new}"}}}}
users: {{key: ["header:x-user-id"], salt: inkzee-2026}}
routes:
  big: {{match: {{prefix: /}}, shadow: {{percentage: 100, writes: true}}}}
"""
GET = b"GET /big HTTP/1.1\r\nhost: big.example\r\nx-user-id: u\r\n\r\n"
PUT = b"PUT /big HTTP/1.1\r\nhost: big.example\r\nx-user-id: u\r\n"
LENGTH = b"content-length: %d\r\n\r\n" % GIGABYTE
CHUNKED = b"transfer-encoding: chunked\r\n\r\n"


class BigBackend:
    """Answers GET with a gigabyte, PUT with the number of bytes it got, as plain blocking code in threads."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)

    def _accept(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._converse, args=(peer,), daemon=True).start()

    def _converse(self, peer: socket.socket) -> None:
        with peer, peer.makefile("rb") as received:
            try:
                while head := read_head(received):
                    self._answer(peer, received, head)
            except OSError:
                pass  # a shadow that was abandoned

    @staticmethod
    def _answer(peer: socket.socket, received: BufferedReader, head: bytes) -> None:
        if head.startswith(b"GET"):
            peer.sendall(b"HTTP/1.1 200 OK\r\n" + LENGTH)
            for _ in range(GIGABYTE // len(PIECE)):
                peer.sendall(PIECE)
            return
        taken = count_chunked(received) if b"chunked" in head else count(received, GIGABYTE)
        peer.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%d" % (len(str(taken)), taken))


def read_head(received: BufferedReader) -> bytes:
    """A message's head; empty at the connection's end."""
    lines = []
    while (line := received.readline()) not in {b"\r\n", b""}:
        lines.append(line)
    return b"".join(lines)


def count(received: BufferedReader, length: int, step: Callable[[int], None] = lambda _: None) -> int:
    """How much of a body of this length is the pattern, byte by byte; `step` is told the number so far."""
    taken = 0
    while taken < length and received.read(len(PIECE)) == PIECE:
        taken += len(PIECE)
        step(taken)
    return taken


def count_chunked(received: BufferedReader) -> int:
    """The size of a chunked body."""
    taken = 0
    while size := int(received.readline(), 16):
        taken += len(received.read(size))
        received.readline()
    received.readline()
    return taken


class Memory:
    """What a process holds while something happens, seen at most each 20 ms."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._looked_at = 0.0
        self.warm = 0
        self.peak = 0

    def look(self, moved: int) -> None:
        if time.monotonic() - self._looked_at < 0.02:
            return
        self._looked_at = time.monotonic()
        held = resident_bytes(self._pid)
        if moved < WARM or not self.warm:
            self.warm = held
        self.peak = max(self.peak, held)

    @property
    def growth(self) -> int:
        return self.peak - self.warm


@contextmanager
def big_node(folder: Path) -> Iterator[tuple[socket.socket, Memory]]:
    """A connection to a node between two big backends, and its worker's memory."""
    backends = BigBackend(), BigBackend()
    try:
        config = write_config(folder, CONFIG.format(legacy=backends[0].url, new=backends[1].url))
        with serving(config, folder) as node:
            (pid,) = node.worker_pids()
            with socket.create_connection(("127.0.0.1", node.port), timeout=60) as client:
                yield client, Memory(pid)
            assert is_running(pid)
            skipped = node.settle("big", 1)["coverage"]["skipped"]
            assert 1 == sum(skipped.values()), skipped  # a gigabyte isn't compared, and that is counted
            assert node.stop() == 0
    finally:
        for backend in backends:
            backend.close()


def report(figure: Callable[[str], None], what: str, began: float, memory: Memory) -> None:
    took_s = time.monotonic() - began
    figure(
        f"1 GiB {what}: {GIGABYTE / took_s / 1e6:.0f} MB/s, worker {memory.warm >> 20} MiB, "
        f"grew by {memory.growth >> 20} MiB"
    )


def test_gigabyte_comes_down_with_flat_memory(tmp_path: Path, figure: Callable[[str], None]):
    """A download is never held, although a copy of it is wanted for comparison."""
    with big_node(tmp_path) as (client, memory):
        began = time.monotonic()
        client.sendall(GET)
        with client.makefile("rb") as received:
            head = read_head(received)
            taken = count(received, GIGABYTE, memory.look)
        report(figure, "down", began, memory)
        assert (b"200", GIGABYTE) == (head[9:12], taken)
        assert memory.growth < MAX_GROWTH


def test_slow_reader_of_a_gigabyte_is_waited_for(tmp_path: Path, figure: Callable[[str], None]):
    """A user who stops reading stops the backend, too, in place of filling the worker's memory."""
    with big_node(tmp_path) as (client, memory):
        began = time.monotonic()
        client.sendall(GET)
        with client.makefile("rb") as received:
            head = read_head(received)
            memory.look(0)
            for _ in range(50):  # nothing is read, and the answer keeps coming
                time.sleep(0.02)
                memory.look(WARM)
            taken = count(received, GIGABYTE, lambda _: memory.look(WARM))
        report(figure, "down to a slow reader", began, memory)
        assert (b"200", GIGABYTE) == (head[9:12], taken)
        assert memory.growth < MAX_GROWTH


@pytest.mark.parametrize("framing", [LENGTH, CHUNKED], ids=["length", "chunked"])
def test_gigabyte_goes_up_with_flat_memory(framing: bytes, tmp_path: Path, figure: Callable[[str], None]):
    """An upload is never held, although a copy of it is wanted for the shadow."""
    with big_node(tmp_path) as (client, memory):
        began = time.monotonic()
        client.sendall(PUT + framing)
        for number in range(GIGABYTE // len(PIECE)):
            client.sendall(PIECE if framing is LENGTH else b"%x\r\n%b\r\n" % (len(PIECE), PIECE))
            memory.look(number * len(PIECE))
        if framing is CHUNKED:
            client.sendall(b"0\r\n\r\n")
        with client.makefile("rb") as received:
            answer = read_head(received)[9:12], received.read(len(str(GIGABYTE)))
        report(figure, f"up, {'chunked' if framing is CHUNKED else 'with its length'}", began, memory)
        assert (b"200", str(GIGABYTE).encode()) == answer
        assert memory.growth < MAX_GROWTH
