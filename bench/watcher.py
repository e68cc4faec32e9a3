"""Browsers that watch the overview, without a screen: `python -m bench.watcher PORT NUMBER`, until it is ended.

Each has a stream (`GET /live`) that it reads as events come. A stream that ends is opened again, as browsers do.
"""

from __future__ import annotations

import selectors
import socket
import sys

_REQUEST = b"GET /live HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: text/event-stream\r\n\r\n"
_PATIENCE_S = 10.0


def watch(port: int, number: int) -> None:
    """Says "watching" once each stream has begun; raises OSError or ValueError where one is refused."""
    waiting = selectors.DefaultSelector()
    for _ in range(number):
        waiting.register(begin(port), selectors.EVENT_READ)
    print("watching", flush=True)
    while True:
        for key, _ in waiting.select():
            stream = key.fileobj
            assert isinstance(stream, socket.socket)
            if not stream.recv(262_144):
                waiting.unregister(stream)
                stream.close()
                waiting.register(begin(port), selectors.EVENT_READ)


def begin(port: int) -> socket.socket:
    """A stream whose first bytes have come."""
    stream = socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE_S)
    stream.sendall(_REQUEST)
    head = stream.recv(262_144)
    if not head.startswith(b"HTTP/1.1 200 "):
        raise ValueError(f"GET /live is answered {head[:200]!r}")
    return stream


if __name__ == "__main__":
    watch(int(sys.argv[1]), int(sys.argv[2]))
