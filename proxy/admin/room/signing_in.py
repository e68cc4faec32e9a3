"""Signing in and out, and the link that shows the progress page to whoever has it."""

from __future__ import annotations

import time
from math import ceil
from typing import TYPE_CHECKING

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from proxy.admin.access.attempts import Attempts
from proxy.admin.access.rights import Role
from proxy.admin.fields import read_query
from proxy.admin.room.forms import read_form
from proxy.admin.room.frame import Page, error_page, frame
from proxy.admin.within import outside
from proxy.origin import ORIGIN

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from proxy.admin.access.door import Door
    from proxy.admin.access.session import Sessions

PATH = "/sign-in"


def sign_in_page(request: Request, status: int, complaint: str | None = None, after: str | None = None) -> Page:
    """The form; it leads on to `after`, or to where the request was going."""
    return Page(frame(request, None, "sign_in.html", complaint=complaint, after=after or _here(request)), status)


def ask_again(request: Request) -> Page:
    """Lets the browser ask the same once more by itself.

    Coming from another site it brings no SameSite=Strict cookie, though it may well have one; from our page it does.
    """
    return Page(frame(request, None, "again.html", again=_here(request)), 401)


class SigningIn:
    """The endpoints."""

    def __init__(
        self,
        door: Door,
        sessions: Sessions,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._door = door
        self._sessions = sessions
        self._attempts = Attempts(clock)
        self._now = now

    def routes(self) -> list[Route]:
        return [
            Route(PATH, self._show, methods=["GET"]),
            Route(PATH, self._sign_in, methods=["POST"]),
            Route("/sign-out", self._sign_out, methods=["POST"]),
            Route("/shared/{token}", self._follow_link, methods=["GET"]),
        ]

    async def _show(self, request: Request) -> Response:
        after = _own_path(read_query(request, ("next",)).get("next", "/"))
        if request.state.visitor.role >= Role.VIEWER:
            return RedirectResponse(outside(request, after), 303)
        return sign_in_page(request, 200, after=after)

    async def _sign_in(self, request: Request) -> Response:
        form = await read_form(request, ("token", "next"))
        address = ORIGIN.get()  # of the browser, where a listed proxy names it: else one would lock out all behind it
        after = _own_path(form.get("next", "/"))
        if wait_s := self._attempts.wait_s(address):
            wait = f"{ceil(wait_s)}"
            page = sign_in_page(request, 429, f"Too many attempts: try again in {wait} seconds.", after)
            page.headers["retry-after"] = wait
            return page
        now = self._now()
        key = self._door.key_of(form.get("token", "").strip(), now)
        if key is None or key.role < Role.VIEWER:
            self._attempts.failed(address)
            return sign_in_page(request, 401, "This token is not known here, or its time is over.", after)
        answer = RedirectResponse(outside(request, after), 303)
        self._sessions.begin(answer, request, key, now)
        return answer

    async def _sign_out(self, request: Request) -> Response:
        await read_form(request, ())
        answer = RedirectResponse(outside(request, PATH), 303)
        self._sessions.end(answer)
        return answer

    async def _follow_link(self, request: Request) -> Response:
        """To the page, with a cookie that opens it: the token need not stand in each address, nor in the history."""
        now = self._now()
        key = self._door.key_of(request.path_params["token"], now)
        if key is None or key.role is not Role.LINK:
            return error_page(request, 404, "This link is not known here, or its time is over. Ask for another one.")
        answer = RedirectResponse(outside(request, "/progress"), 303)
        if request.state.visitor.role < Role.VIEWER:
            self._sessions.begin(answer, request, key, now, is_link=True)
        return answer


def _here(request: Request) -> str:
    """Where a browser was going, for a page that can be asked for again."""
    if request.method not in {"GET", "HEAD"}:
        return "/"
    return _own_path(request.url.path + (f"?{request.url.query}" if request.url.query else ""))


def _own_path(after: str) -> str:
    """A path of ours: two slashes, of either kind, begin another host to a browser."""
    is_ours = after.startswith("/") and after[1:2] not in {"/", "\\"} and after.isprintable()
    return after if is_ours else "/"
