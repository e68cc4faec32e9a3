"""The control room's addresses, and which module answers each of them.

Pages ask the control plane what the JSON API asks (`proxy.admin.control_api`), and nothing else. Who may ask at all was
decided before (`proxy.admin.access.guard`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from proxy.admin.room import assets
from proxy.admin.room.audit import get_audit
from proxy.admin.room.differences import get_differences
from proxy.admin.room.explaining import get_explain
from proxy.admin.room.files import files
from proxy.admin.room.frame import error_page, wants_page
from proxy.admin.room.killing import PATH, get_kill_switch, post_kill_switch, post_kill_switch_off
from proxy.admin.room.live import PATH as LIVE
from proxy.admin.room.live import Live
from proxy.admin.room.overview import Overview
from proxy.admin.room.progress import get_progress
from proxy.admin.room.signature import get_difference, get_har, get_ignore, post_retry, post_state
from proxy.admin.room.steering import get_route, post_hold, post_release, post_rollout
from proxy.errors import ChangeoverError

if TYPE_CHECKING:
    from proxy.admin.control_api import ControlApi

Handler = Callable[[Request, "ControlApi"], Awaitable[Response]]
ErrorHandler = Callable[[Request, Exception], Awaitable[Response]]
_NOTHING_HERE = "There is nothing at this address."
_FAULT = "The page could not be made. The log of the control process has the details."


def pages(control: ControlApi) -> dict[str, dict[str, Handler]]:
    """Address -> method -> who answers."""
    overview = Overview(control)
    return {
        "/": {"GET": overview.answer},
        LIVE: {"GET": Live(overview).answer},
        "/audit": {"GET": get_audit},
        "/diffs": {"GET": get_differences},
        "/diffs/{id}": {"GET": get_difference},
        "/diffs/{id}/ignore": {"GET": get_ignore},
        "/diffs/{id}/state": {"POST": post_state},
        "/diffs/{id}/retry": {"POST": post_retry},
        "/diffs/{id}/har": {"GET": get_har},
        "/explain": {"GET": get_explain},
        PATH: {"GET": get_kill_switch, "POST": post_kill_switch},
        f"{PATH}/off": {"POST": post_kill_switch_off},
        "/progress": {"GET": get_progress},
        "/routes/{name}": {"GET": get_route},
        "/routes/{name}/rollout": {"POST": post_rollout},
        "/routes/{name}/hold": {"POST": post_hold},
        "/routes/{name}/release": {"POST": post_release},
        **{path: {"GET": answer} for path, answer in files().items()},
    }


def page_routes(control: ControlApi) -> list[Route]:
    return [
        *(_route(path, handlers, control) for path, handlers in pages(control).items()),
        Route(assets.PATH, assets.answer_asset, methods=["GET"]),
    ]


def answering_people(for_programs: ErrorHandler) -> ErrorHandler:
    """The same refusal as a page where a browser asks for one."""

    async def answer(request: Request, error: Exception) -> Response:
        if not wants_page(request):
            return await for_programs(request, error)
        if isinstance(error, ChangeoverError):
            return error_page(request, error.status, str(error))
        if isinstance(error, HTTPException):
            return error_page(request, error.status_code, _NOTHING_HERE if error.status_code == 404 else error.detail)
        return error_page(request, 500, _FAULT)

    return answer


def _route(path: str, handlers: dict[str, Handler], control: ControlApi) -> Route:
    async def answer(request: Request) -> Response:
        return await handlers["GET" if request.method == "HEAD" else request.method](request, control)

    return Route(path, answer, methods=list(handlers))
