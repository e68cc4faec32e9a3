"""Who may speak to the admin API at all: three checks before any endpoint, as plain ASGI.

1. With a token, every request but a probe carries it as `Authorization: Bearer`.
2. Without one the listener is on loopback, and the Host header must name it: a page that rebinds its own name to
   127.0.0.1 (DNS rebinding) still sends its own name.
3. A browser may not change anything on behalf of another site: Sec-Fetch-Site and Origin are believed against it.

Probes are open: they say one word, and an orchestrator has neither name nor token.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from starlette.requests import Request

from proxy.admin.problems import problem

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

    from proxy.admin.door import Door

PROBES = frozenset({"/livez", "/readyz"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})  # RFC 9110 §9.2.1, less TRACE


class Guard:
    """ASGI middleware that lets through what the door allows, and answers the rest with a problem."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self._app = app
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(Request(scope)) if scope["type"] == "http" else None
        await (refusal or self._app)(scope, receive, send)

    def _refusal(self, request: Request) -> Response | None:
        if request.url.path in PROBES:
            return None
        return self._refuse_stranger(request) or _refuse_foreign_page(request)

    def _refuse_stranger(self, request: Request) -> Response | None:
        if self._door.token is None:
            return self._refuse_host(request)
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        # As bytes, since compare_digest refuses text beyond ASCII; headers were read as Latin-1.
        is_right = hmac.compare_digest(given.strip().encode("latin-1"), self._door.token.encode())
        if is_right and scheme.lower() == "bearer":
            return None
        detail = "This listener asks for a token: send `Authorization: Bearer` with CHANGEOVER_ADMIN_TOKEN."
        headers = {"www-authenticate": 'Bearer realm="changeover"'}
        return problem(401, "unauthorized", detail, request.url.path, headers=headers)

    def _refuse_host(self, request: Request) -> Response | None:
        hosts = request.headers.getlist("host")
        if len(hosts) == 1 and _without_port(hosts[0]) in self._door.names:
            return None
        detail = f"The Host header must be one of {', '.join(sorted(self._door.names))}."
        return problem(421, "misdirected", detail, request.url.path)


def _refuse_foreign_page(request: Request) -> Response | None:
    if request.method in SAFE_METHODS or not _is_from_another_site(request):
        return None
    detail = "A page of another site may not change anything here."
    return problem(403, "cross_site", detail, request.url.path)


def _is_from_another_site(request: Request) -> bool:
    """By the Fetch Metadata of newer browsers and the Origin of all; neither is sent by curl or the commands."""
    if request.headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}:
        return True
    origin = request.headers.get("origin")
    return origin is not None and origin.partition("://")[2] != request.headers.get("host", "")


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdecimal() else host).lower()
