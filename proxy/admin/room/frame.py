"""What all pages have in common: the frame around their content, the headers, the page that says what went wrong.

Whatever a page shows may have been written by a backend, or by somebody who can reach one. Three things stand between
it and a browser: the templates escape (`proxy.admin.render`), nothing is ever marked as safe, and the policy lets no
script or style run that isn't a file of ours.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from proxy.admin import figures
from proxy.admin.access.rights import NOBODY, Role, Visitor
from proxy.admin.audit_text import change_text
from proxy.admin.noise_text import noise_sentence
from proxy.admin.render import render
from proxy.admin.room.assets import asset_url
from proxy.admin.within import prefix_of

if TYPE_CHECKING:
    from starlette.requests import Request

    from proxy.admin.control_api import ControlApi

Json = dict[str, Any]
# Content-Security-Policy level 3.
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    # Not no-referrer: with it browsers send `Origin: null` with a form, which looks like another site's.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "cache-control": "no-store",
}
NAVIGATION = (
    ("/", "Overview"),
    ("/diffs", "Differences"),
    ("/progress", "Progress"),
    ("/explain", "Explain"),
    ("/audit", "Audit"),
)
_SHOWN = {
    "asset": asset_url,
    "changed": change_text,
    "both": figures.both,
    "count": figures.count,
    "coverage_ratio": figures.coverage_ratio,
    "milliseconds": figures.milliseconds,
    "moment": figures.moment,
    "noise_sentence": noise_sentence,
    "percent": figures.percent,
    "share": figures.share,
}


class Page(Response):
    media_type = "text/html"

    def __init__(self, content: str, status_code: int = 200) -> None:
        super().__init__(content, status_code, HEADERS)


async def show(request: Request, control: ControlApi, template: str, status: int = 200, /, **values: Any) -> Page:
    """A template of `templates/room`, in the frame."""
    return Page(frame(request, await control.status(), template, **values), status)


def frame(request: Request, node: Json | None, template: str, /, **values: Any) -> str:
    """`node` is what /status answers, or None where it can't be said."""
    visitor = visitor_of(request)
    return render(
        f"room/{template}",
        **_SHOWN,
        node=node,
        prefix=prefix_of(request),
        visitor=visitor,
        may_act=visitor.role >= Role.OPERATOR,
        roster_problem=getattr(request.state, "roster_problem", None),
        navigation=NAVIGATION if visitor.role >= Role.VIEWER else (),
        here=request.url.path,
        is_here=lambda path: request.url.path == path or (path != "/" and request.url.path.startswith(f"{path}/")),
        **values,
    )


def visitor_of(request: Request) -> Visitor:
    """Who asks, as the guard has found."""
    visitor: Visitor = getattr(request.state, "visitor", NOBODY)
    return visitor


def wants_page(request: Request) -> bool:
    """Whether a person with a browser asks; the API's own addresses answer programs, whoever asks."""
    return not request.url.path.startswith("/api/") and "text/html" in request.headers.get("accept", "")


def error_page(request: Request, status: int, message: str) -> Page:
    """What was wrong, and what to do about it."""
    title = HTTPStatus(status).phrase
    return Page(frame(request, None, "error.html", title=title, lines=message.split("\n")), status)
