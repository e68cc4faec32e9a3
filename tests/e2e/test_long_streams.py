"""WebSockets and event streams that are open when their worker is replaced: told to end, and taken up by the next."""

from __future__ import annotations

import signal
import threading
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import TYPE_CHECKING, Self

import httpx
import pytest
from websockets.exceptions import ConnectionClosedOK
from websockets.sync.client import connect

from tests.e2e.node import serving, write_config
from tests.e2e.program import is_running, until
from tests.e2e.test_websocket import SocketServer
from tests.e2e.workers import current_workers, wait_rolled

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from websockets.sync.client import ClientConnection

    from tests.e2e.node import Node

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

PATIENCE_S = 10.0
LONG_S = "60"  # a drain that nobody waits for
CONFIG = """\
version: 1
backends: {{legacy: {{url: "{legacy}"}}, new: {{url: "{new}"}}}}
users: {{key: ["header:x-user-id"], salt: inkzee-2026}}
routes:
  chat: {{match: {{prefix: /chat}}, rollout: {{percentage: 0}}, shadow: {{percentage: 0}}}}
  news: {{match: {{prefix: /news}}, rollout: {{percentage: 100}}, shadow: {{percentage: 0}}}}
"""


class _Telling(BaseHTTPRequestHandler):
    """Numbered events without end, from the one after `Last-Event-ID` on; each comes in two pieces."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        try:
            for number in count(int(self.headers.get("last-event-id", "0")) + 1):
                for piece in (b"id: %d\ndata: fi" % number, b"rst\ndata: second\n\n"):
                    self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                    threading.Event().wait(0.005)
        except OSError:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Says nothing."""


class EventServer(ThreadingHTTPServer):
    """A backend of event streams."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Telling)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join(PATIENCE_S)
        self.server_close()


class Reader:
    """Reads events as an EventSource does: connects again at each end, with the last id."""

    def __init__(self, node: Node) -> None:
        self.numbers: list[int] = []
        self.streams: list[bytes] = []  # what each that has ended had brought
        self._url = f"{node.url}/news"
        self._is_done = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with httpx.Client(trust_env=False, timeout=PATIENCE_S) as client:
            while not self._is_done.is_set():
                last = str(self.numbers[-1]) if self.numbers else "0"
                with client.stream("GET", self._url, headers={"x-user-id": "user-1", "last-event-id": last}) as answer:
                    assert 200 == answer.status_code
                    self.streams.append(b"".join(self._followed(answer)))

    def _followed(self, answer: httpx.Response) -> Iterator[bytes]:
        data = b""
        for piece in answer.iter_raw():
            *events, data = (data + piece).split(b"\n\n")
            self.numbers += [int(event.partition(b"\n")[0].removeprefix(b"id: ")) for event in events]
            yield piece
            if self._is_done.is_set():
                return

    def wait_number(self, number: int) -> None:
        until(lambda: self.numbers and self.numbers[-1] >= number, f"event {number}", within_s=PATIENCE_S)

    def stop(self) -> None:
        self._is_done.set()
        self._thread.join(PATIENCE_S)


def chatting(node: Node) -> ClientConnection:
    return connect(f"{node.url.replace('http', 'ws', 1)}/chat", proxy=None, open_timeout=PATIENCE_S)


def test_long_streams_move_to_the_new_worker_in_a_rolling_restart(tmp_path: Path):
    """The WebSocket's client gets 1001, as its backend does; the reader of events misses none and gets none cut; both
    come again and are served, and the old worker ends long before its time is over.
    """
    with ExitStack() as stack:
        talker, teller = stack.enter_context(SocketServer("legacy")), stack.enter_context(EventServer())
        config = write_config(tmp_path, CONFIG.format(legacy=talker.url, new=teller.url))
        node = stack.enter_context(serving(config, tmp_path, CHANGEOVER_DRAIN_S=LONG_S))
        old = current_workers(node, 1)["worker-1"]
        reader = Reader(node)
        before = stack.enter_context(chatting(node))
        before.send("here")
        assert "here" == before.recv(timeout=PATIENCE_S)
        reader.wait_number(20)

        for number in (signal.SIGHUP, signal.SIGUSR2):
            node.program.process.send_signal(number)
        with pytest.raises(ConnectionClosedOK) as closed:
            before.recv(timeout=PATIENCE_S)
        assert closed.value.rcvd is not None
        assert (1001, ("/chat", 1001)) == (closed.value.rcvd.code, talker.ended.get(timeout=PATIENCE_S))
        with chatting(node) as after:
            after.send("back")
            assert "back" == after.recv(timeout=PATIENCE_S)
        wait_rolled(node, 1)
        until(lambda: not is_running(old), "the old worker gone", within_s=PATIENCE_S)

        until(lambda: reader.streams, "the stream ended", within_s=PATIENCE_S)
        reader.wait_number(reader.numbers[-1] + 20)
        reader.stop()
        *ended, _ = reader.streams
        assert [True] * len(ended) == [not each or each.endswith(b"\ndata: second\n\n") for each in ended]
        assert list(range(1, reader.numbers[-1] + 1)) == reader.numbers
        assert [] == node.program.events("worker.broke_off")
        assert node.stop() == 0
