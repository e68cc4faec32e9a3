"""What each request and answer of the admin listener passes, whatever becomes of it: the URL prefix, and the headers.

Behind a proxy that shares its name with others the control room lives below a prefix, as /changeover. Inside, nobody
knows it: paths come without it, and links that leave get it back (`outside`). Probes are answered without it, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import RedirectResponse

from proxy.admin.access.guard import PROBES
from proxy.admin.problems import problem
from proxy.admin.room.frame import HEADERS
from proxy.admin.within import PREFIX

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Entrance:
    """The listener's application. Outside of everything: an answer to a fault of ours has the headers as well."""

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self._app = app
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=message.setdefault("headers", []))
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._answer(scope, receive, send_guarded)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        if not self._prefix or path in PROBES:
            await self._app(scope, receive, send)
        elif path.startswith(f"{self._prefix}/"):
            inner = {**scope, "path": path.removeprefix(self._prefix), PREFIX: self._prefix}
            inner["raw_path"] = scope.get("raw_path", b"").removeprefix(self._prefix.encode())
            await self._app(inner, receive, send)
        elif path == self._prefix:
            await RedirectResponse(f"{self._prefix}/", 308)(scope, receive, send)
        else:
            detail = f"Everything is below {self._prefix}/ here."
            await problem(404, "not_found", detail, Request(scope))(scope, receive, send)
