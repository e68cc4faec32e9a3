"""One bounded GET on loopback: for readiness, counters and evidence, never for load."""

from __future__ import annotations

import socket
import ssl
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

FETCH_S = 5.0


def fetch(port: int, path: str, authority: Path | None = None) -> tuple[int, bytes]:
    """Status and body of `GET path`, by TLS with an `authority`; `OSError` or `HTTPException` when nobody answers."""
    connection = _make_connection(port, authority)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def _make_connection(port: int, authority: Path | None) -> HTTPConnection:
    if authority is None:
        return HTTPConnection("127.0.0.1", port, timeout=FETCH_S)
    trust = ssl.create_default_context(cafile=authority)
    return HTTPSConnection("127.0.0.1", port, timeout=FETCH_S, context=trust)


def is_answering(port: int, path: str, authority: Path | None = None) -> bool:
    """Whether `GET path` is answered with 200 now."""
    try:
        return fetch(port, path, authority)[0] == 200
    except (OSError, HTTPException):
        return False


def is_listening(port: int) -> bool:
    """Whether somebody accepts connections now, whatever they answer."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=FETCH_S).close()
    except OSError:
        return False
    return True
