"""Who may speak to the admin listener at all, and do what they ask: before any endpoint, as plain ASGI.

1. A bearer token says who asks; else the session cookie; else the header of a sign-on proxy that is listed. What is
   wrong or over is refused, not ignored.
2. Without a token, the Host header must be a name of the listener: a page that rebinds its own name to our address
   (DNS rebinding) still sends its own name, and it has no token.
3. A browser may not change anything on behalf of another site: Sec-Fetch-Site and Origin are believed against it.
4. Then the endpoint's row in `rights` decides.

Probes are open: they say one word, and an orchestrator has neither name nor token.
"""

from __future__ import annotations

import time
from dataclasses import replace
from http import HTTPStatus
from ipaddress import ip_address
from typing import TYPE_CHECKING

from starlette.requests import Request

from proxy.admin.access.origins import Origins
from proxy.admin.access.rights import NOBODY, SAFE_METHODS, UNCHANGING, Role, Visitor, needed_role
from proxy.admin.access.roster import MAX_NAME_CHARACTERS
from proxy.admin.problems import problem
from proxy.admin.room.frame import error_page, wants_page
from proxy.admin.room.signing_in import ask_again, sign_in_page
from proxy.core.trusted import TrustedProxies
from proxy.origin import ORIGIN

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

    from proxy.admin.access.door import Door
    from proxy.admin.access.session import Sessions

PROBES = frozenset({"/livez", "/readyz"})


class Guard:
    """ASGI middleware that lets through what the door and the rights allow, and answers the rest.

    What follows finds the visitor in the request's state.
    """

    def __init__(self, app: ASGIApp, door: Door, sessions: Sessions, now: Callable[[], float] = time.time) -> None:
        self._app = app
        self._door = door
        self._sessions = sessions
        self._origins = Origins(door.sign_on.proxies if door.sign_on else TrustedProxies())
        self._now = now

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        answer = self._refusal(request) or self._app
        token = ORIGIN.set(self._origins.of(request))
        try:
            await answer(scope, receive, send)
        finally:
            ORIGIN.reset(token)

    def _refusal(self, request: Request) -> Response | None:
        state = request.scope.setdefault("state", {})
        state["visitor"] = NOBODY
        if request.url.path in PROBES:
            return None
        bearer = None if self._door.is_open else _bearer(request)
        if bearer is None and (refusal := self._refuse_host(request)):
            return refusal
        visitor = self._visitor(request, bearer)
        if self._door.is_read_only:
            visitor = replace(visitor, role=min(visitor.role, Role.VIEWER))
        state["visitor"] = visitor
        state["roster_problem"] = self._door.problem if visitor.role is Role.ADMIN else None
        if bearer is not None and visitor is NOBODY:
            return self._refuse_stranger(request)
        return _refuse_foreign_page(request) or self._refuse_role(request, visitor)

    def _visitor(self, request: Request, bearer: str | None) -> Visitor:
        """Rule 1."""
        if self._door.is_open:
            return Visitor(Role.ADMIN)
        now = self._now()
        if bearer is not None:
            key = self._door.key_of(bearer, now)
            return NOBODY if key is None else key.visitor
        id_ = self._sessions.key_id(request, now)
        key = None if id_ is None else self._door.key_by_id(id_, now)
        if key is not None and key.role >= Role.VIEWER:
            return key.visitor
        person = None if self._door.sign_on is None else self._signed_on(request, self._door.sign_on.header)
        if person is not None:
            return Visitor(self._door.roster.role_of(person) or Role.ANYONE, person)
        return NOBODY if key is None else key.visitor

    def _signed_on(self, request: Request, header: str) -> str | None:
        """Who the sign-on proxy says it is; nobody where it isn't that proxy which speaks, or says it twice."""
        said = request.headers.getlist(header)
        person = said[0].strip() if len(said) == 1 else ""
        is_usable = person.isascii() and person.isprintable() and 0 < len(person) <= MAX_NAME_CHARACTERS
        return person if is_usable and self._origins.is_listed(request) else None

    def _refuse_host(self, request: Request) -> Response | None:
        """Rule 2. An address is no name that could be rebound; where everybody is let in, only ours will do."""
        hosts = request.headers.getlist("host")
        host = _without_port(hosts[0]) if len(hosts) == 1 else ""
        if host in self._door.names or (not self._door.is_open and _is_address(host)):
            return None
        detail = (
            f"The Host header must be one of {', '.join(sorted(self._door.names))}; "
            "other names of the listener go into CHANGEOVER_ADMIN_HOSTS."
        )
        if wants_page(request):
            return error_page(request, HTTPStatus.MISDIRECTED_REQUEST, detail)
        return problem(421, "misdirected", detail, request)

    def _refuse_role(self, request: Request, visitor: Visitor) -> Response | None:
        """Rule 4."""
        path = request.url.path
        needed = needed_role(request.method, path)
        if visitor.role >= needed:
            return None
        if visitor.name is None and visitor.role is Role.ANYONE:
            return self._refuse_stranger(request)
        if self._door.is_read_only and request.method not in SAFE_METHODS and path not in UNCHANGING:
            return _refuse(request, "read_only", "This listener is read-only: nothing can be changed here.")
        if visitor.role is Role.LINK:
            return _refuse(
                request,
                "forbidden",
                "Your link shows the progress page, and nothing else. Go back to it, or sign in to see more.",
            )
        has = "no role" if visitor.role is Role.ANYONE else f"the role {visitor.role.name.lower()}"
        return _refuse(
            request,
            "forbidden",
            f"{visitor.name or 'You'} has {has} here, and this needs the role {needed.name.lower()}; "
            "roles stand in the tokens file of the listener.",
        )

    def _refuse_stranger(self, request: Request) -> Response:
        if wants_page(request):
            if request.method in SAFE_METHODS and request.headers.get("sec-fetch-site") in {"cross-site", "same-site"}:
                return ask_again(request)
            return sign_in_page(request, 401)
        detail = "This listener asks who you are: send `Authorization: Bearer` with a token that is good, or sign in."
        return problem(401, "unauthorized", detail, request, headers={"www-authenticate": 'Bearer realm="changeover"'})


def _refuse(request: Request, code: str, detail: str) -> Response:
    return error_page(request, 403, detail) if wants_page(request) else problem(403, code, detail, request)


def _bearer(request: Request) -> str | None:
    """What stands in Authorization, whether it is a token or not; None where nothing does."""
    given = request.headers.get("authorization")
    if given is None:
        return None
    scheme, _, token = given.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _refuse_foreign_page(request: Request) -> Response | None:
    if request.method in SAFE_METHODS or not _is_from_another_site(request):
        return None
    return problem(403, "cross_site", "A page of another site may not change anything here.", request)


def _is_from_another_site(request: Request) -> bool:
    """By the Fetch Metadata of newer browsers and the Origin of all; neither is sent by curl or the commands."""
    if request.headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}:
        return True
    origin = request.headers.get("origin")
    return origin is not None and origin.partition("://")[2] != request.headers.get("host", "")


def _is_address(host: str) -> bool:
    try:
        ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdecimal() else host).lower()
