"""From which address a change was asked for: who connected, and behind a listed sign-on proxy whom that names."""

from __future__ import annotations

import pytest
from starlette.requests import Request

from proxy.admin.access.origins import Origins
from proxy.core.trusted import parse_trusted_proxies

PROXY = "10.0.0.1"
CHAIN = {"x-forwarded-for": "6.6.6.6, 192.0.2.9"}


def request(client: str | None, headers: dict[str, str]) -> Request:
    lines = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    peer = None if client is None else (client, 1234)
    return Request({"type": "http", "scheme": "http", "path": "/", "headers": lines, "client": peer, "server": None})


@pytest.mark.parametrize(
    ("listed", "client", "headers", "expected"),
    [
        ("", "192.0.2.7", {}, "192.0.2.7"),
        ("", "192.0.2.7", CHAIN, "192.0.2.7"),
        ("", "::ffff:192.0.2.7", {}, "192.0.2.7"),
        ("", "fe80::1%eth0", {}, "fe80::1"),
        ("", None, CHAIN, "unix"),
        (PROXY, "192.0.2.7", CHAIN, "192.0.2.7"),
        (PROXY, PROXY, CHAIN, "192.0.2.9"),
        (PROXY, PROXY, {"forwarded": "for=192.0.2.9"}, "192.0.2.9"),
        (PROXY, PROXY, {"x-forwarded-for": "<script>"}, "unknown"),
        (PROXY, PROXY, {"x-forwarded-for": "\xff"}, "unknown"),
        (PROXY, PROXY, {}, PROXY),
        ("unix", None, CHAIN, "192.0.2.9"),
        ("unix", None, {}, "unix"),
    ],
)
def test_origin(listed: str, client: str | None, headers: dict[str, str], expected: str) -> None:
    """An address, `unix` or `unknown`, never what somebody invented."""
    assert expected == Origins(parse_trusted_proxies(listed)).of(request(client, headers))
