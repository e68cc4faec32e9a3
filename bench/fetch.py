"""One bounded GET on loopback: for readiness, counters and evidence, never for load."""

from __future__ import annotations

import socket
from http.client import HTTPConnection, HTTPException

FETCH_S = 5.0


def fetch(port: int, path: str) -> tuple[int, bytes]:
    """Status and body of `GET path`; `OSError` or `HTTPException` when nobody answers."""
    connection = HTTPConnection("127.0.0.1", port, timeout=FETCH_S)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def is_answering(port: int, path: str) -> bool:
    """Whether `GET path` is answered with 200 now."""
    try:
        return fetch(port, path)[0] == 200
    except (OSError, HTTPException):
        return False


def is_listening(port: int) -> bool:
    """Whether somebody accepts connections now, whatever they answer."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=FETCH_S).close()
    except OSError:
        return False
    return True
