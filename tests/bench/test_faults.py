"""The paced load and the broken backends, over real sockets."""

import itertools
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench.broken import ANSWER as LATE
from bench.broken import BEHAVIOURS, DEAD, GARBAGE, HUGE_HEAD, PIECE, PIECES, large_answer
from bench.children import find_free_port, started
from bench.fetch import is_listening
from bench.hostile import hostile_answers
from bench.openloop import Paced, send_paced

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
STALL_S = 0.3


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 128


@contextmanager
def answering(answer: bytes, stall_at: int = -1) -> Iterator[int]:
    """A server that answers each piece it gets; at the `stall_at`-th it stands still as a whole for STALL_S."""
    lock, numbers = threading.Lock(), itertools.count(1)

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            while self.request.recv(65536):
                with lock:
                    if next(numbers) == stall_at:
                        time.sleep(STALL_S)
                self.request.sendall(answer)

    with _Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield int(server.server_address[1])
        server.shutdown()


def test_paced_load_sends_as_many_as_are_due() -> None:
    """The pace, not the answers, decides how many requests there are."""
    with answering(ANSWER) as port:
        paced = send_paced(port, "/", 100, 0.5)
    assert (50, 0) == (len(paced.elapsed_s), paced.failed)


def test_paced_load_counts_a_stall_against_everything_it_held_up() -> None:
    """One stalled answer: the requests due meanwhile wait too, and their times say so."""
    with answering(ANSWER, stall_at=10) as port:
        paced = send_paced(port, "/", 100, 0.5)
    assert 50 == len(paced.elapsed_s)
    assert len([elapsed for elapsed in paced.elapsed_s if elapsed > STALL_S / 4]) > 10


def test_paced_load_counts_what_is_no_200_as_failed() -> None:
    """An answer that isn't a 200 is a failure, and no time."""
    with answering(b"HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n") as port:
        assert Paced([], 5) == send_paced(port, "/", 100, 0.05)


@pytest.mark.parametrize(("expected", "differing"), [(b"ok", 0), (b"o", 5), (b"oK", 5), (b"", 5), (None, 0)])
def test_paced_load_counts_bodies_that_are_not_the_expected_bytes(expected: bytes | None, differing: int) -> None:
    """They are answers, with their times; unless nothing is expected."""
    with answering(ANSWER) as port:
        paced = send_paced(port, "/", 100, 0.05, expected=expected)
    assert (5, 0, differing) == (len(paced.elapsed_s), paced.failed, paced.differing)


def test_paced_load_counts_bytes_behind_an_answer_as_differing() -> None:
    """What comes with it belongs to no answer that was asked for."""
    with answering(ANSWER + b"!") as port:
        assert 5 == send_paced(port, "/", 100, 0.05, expected=b"ok").differing


def test_paced_load_counts_refused_connections() -> None:
    """Nobody listens: everything failed, nothing hangs."""
    assert Paced([], 5) == send_paced(find_free_port(), "/", 100, 0.05)


def test_percentile_is_the_nearest_rank() -> None:
    """The 99th of a hundred is the second largest."""
    assert 99.0 == Paced([number / 1000 for number in range(1, 101)]).percentile_ms(99)


# What is received of an answer at once; None is a reset, nothing is silence.
AT_ONCE: dict[str, bytes | None] = {
    "hanging": b"",
    "garbage": GARBAGE,
    "slow": b"",
    "resetting": None,
    "dripping": LATE[:1],
    "huge": HUGE_HEAD,
    "hostile": b"HTTP/1.1 200 OK\r\ncontent-type: application/json",
}


@pytest.mark.parametrize("behaviour", BEHAVIOURS)
def test_broken_backend_is_broken(behaviour: str, tmp_path: Path) -> None:
    """It listens, and what it answers at once is nothing, a reset, a single byte, no HTTP, or the head of too much."""
    port = find_free_port()
    command = [sys.executable, "-m", "bench.broken", str(port), behaviour]
    environment = {"PYTHONPATH": str(Path(__file__).parents[2])}
    with started("broken", command, cores=[0], folder=tmp_path, environment=environment) as child:
        child.wait_until(lambda: is_listening(port))
        assert AT_ONCE[behaviour] == received_at_once(port, len(AT_ONCE[behaviour] or b""))


def test_dead_backend_neither_accepts_nor_refuses(tmp_path: Path) -> None:
    """Whoever connects hears nothing, as from a host that is gone."""
    port = find_free_port()
    command = [sys.executable, "-m", "bench.broken", str(port), DEAD]
    environment = {"PYTHONPATH": str(Path(__file__).parents[2])}
    with started("dead", command, cores=[0], folder=tmp_path, environment=environment) as child:
        child.wait_until(lambda: DEAD.encode() in child.log.read_bytes())
        for _ in range(3):
            with pytest.raises(TimeoutError):
                socket.create_connection(("127.0.0.1", port), timeout=0.1)


def received_at_once(port: int, length: int) -> bytes | None:
    """So many bytes of the answer to a request; where there are to be none: b"", or None after a reset."""
    with socket.socket() as connection:
        connection.settimeout(5)
        try:
            connection.connect(("127.0.0.1", port))
        except ConnectionError:  # it resets as soon as it can: even this may be late
            return None
        return receive_at_once(connection, length)


def receive_at_once(connection: socket.socket, length: int) -> bytes | None:
    """As `received_at_once`, on a connection that stands."""
    try:
        connection.sendall(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        connection.settimeout(5 if length else 0.3)
        received = connection.recv(length or 1)
        while len(received) < length:
            received += connection.recv(length - len(received))
    except TimeoutError:
        return b""
    except ConnectionError:
        return None
    assert received, "an orderly end"
    return received


def test_huge_answer_is_a_gigabyte() -> None:
    """The pieces that are poured add up to it."""
    assert 1 << 30 == PIECES * int(PIECE.partition(b"\r\n")[0], 16)


def test_large_answer_is_whole_and_too_long_to_be_masked_in_line() -> None:
    """So that a soak has work for the worker's masking child."""
    head, _, body = large_answer().partition(b"\r\n\r\n")
    assert f"content-length: {len(body)}".encode() in head.split(b"\r\n")
    assert len(body) > 8_192


def test_hostile_answers_are_whole_and_small_enough_to_be_compared() -> None:
    """Each says its length, and is no longer than the largest body that is kept by default."""
    for answer in hostile_answers():
        head, _, body = answer.partition(b"\r\n\r\n")
        assert f"content-length: {len(body)}".encode() in head.split(b"\r\n")
        assert len(body) <= 1 << 20
