"""The admin API as one Starlette application: addresses, and what each of them asks of the control plane.

Handlers read and check what a client sent, call the control plane and return what it says; they know neither
store nor file. The addresses are described in docs/admin-api.md.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Awaitable, Callable
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from proxy.admin.access.door import open_door
from proxy.admin.access.guard import Guard
from proxy.admin.access.rights import check_complete
from proxy.admin.access.session import Sessions
from proxy.admin.answer import JsonAnswer
from proxy.admin.entrance import Entrance
from proxy.admin.fields import (
    headers_field,
    moment_field,
    optional_text_field,
    percentage_field,
    read_object,
    read_query,
    refuse,
    text_field,
    texts_field,
    truth_field,
    unknown_name,
    whole_field,
    written_percentage,
)
from proxy.admin.metrics import CONTENT_TYPE, render_metrics
from proxy.admin.paging import PAGING, linked, page
from proxy.admin.preconditions import if_match, tagged
from proxy.admin.problems import answer_changeover_error, answer_fault, answer_http_exception
from proxy.admin.progress import ask_progress
from proxy.admin.room.frame import visitor_of
from proxy.admin.room.pages import answering_people, page_routes
from proxy.admin.room.signing_in import SigningIn
from proxy.admin.sift import sift
from proxy.core.triage import ALL_STATES, SETTABLE_STATES
from proxy.errors import ChangeoverError

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.requests import Request

    from proxy.admin.control_api import ControlApi
    from proxy.control.changes import Seen
    from proxy.settings import Settings

Handler = Callable[["Request", "ControlApi"], Awaitable[Any]]

MAX_AUDIT_ROWS = 1_000
MAX_ID = 2**53  # of a line of the audit: what JSON carries exactly (RFC 8259 §6)
MAX_TRENDS = 200  # of signatures in one question: two pages of a list
_DEFAULT_AUDIT_ROWS = 100
_MAX_WHO_CHARACTERS = 64
_DECISION = ("id", "state", "who", "reason", "owner", "ticket", "until", "rule", "revision")


def create_app(control: ControlApi, settings: Settings, session_key: bytes | None = None) -> Entrance:
    """The application for the settings' admin listener; sessions are signed with a key of its own unless one is given.

    Raises StartError for a listener that others can reach and that asks nobody who they are.
    """
    door = open_door(settings)
    sessions = Sessions(session_key or secrets.token_bytes(32), settings.admin_prefix)
    routes = [*api_routes(control), *page_routes(control), *SigningIn(door, sessions).routes()]
    check_complete(routes)
    app = Starlette(
        routes=routes,
        middleware=[Middleware(Guard, door, sessions)],
        exception_handlers={
            ChangeoverError: answering_people(answer_changeover_error),
            HTTPException: answering_people(answer_http_exception),
            Exception: answering_people(answer_fault),
        },
    )
    return Entrance(app, settings.admin_prefix)


def api_routes(control: ControlApi) -> list[Route]:
    """What programs may ask."""
    return [_route(path, handlers, control) for path, handlers in ENDPOINTS.items()]


def read_who(request: Request) -> str:
    """Who asks, for the audit log: whose token it is; else what the commands say of their user, or "api".

    The latter is a note, not a proof.
    """
    if name := visitor_of(request).name:
        return name
    who = request.headers.get("x-changeover-who", "").strip()
    is_usable = who.isascii() and who.isprintable() and 0 < len(who) <= _MAX_WHO_CHARACTERS
    return who if is_usable else "api"


async def get_status(request: Request, control: ControlApi) -> Any:
    read_query(request, ())
    return await control.status()


async def get_routes(request: Request, control: ControlApi) -> Any:
    query = read_query(request, ("since", *PAGING))
    since = query.get("since")
    rows = await control.routes(None if since is None else _unix_seconds("since", since))
    return page(request, rows, query, "name")


async def get_history(request: Request, control: ControlApi) -> Any:
    read_query(request, ())
    return await control.history()


async def get_progress(request: Request, control: ControlApi) -> Any:
    read_query(request, ())
    return await ask_progress(control, await control.routes())


async def get_rollout(request: Request, control: ControlApi) -> Any:
    read_query(request, ())
    return tagged(await _rollout_of(request, control))


async def put_rollout(request: Request, control: ControlApi) -> Any:
    body = await read_object(request, ("percentage", "reason", "seen"))
    percentage, reason = percentage_field(body, "percentage"), text_field(body, "reason")
    seen = None if body.get("seen") is None else percentage_field(body, "seen")
    async with if_match(request, partial(_rollout_of, request, control)) as matched:
        seen = matched["percentage"] if matched is not None and seen is None else seen
        return await control.set_rollout(request.path_params["name"], percentage, reason, read_who(request), seen)


async def _rollout_of(request: Request, control: ControlApi) -> dict[str, Any]:
    steering = await control.steering(request.path_params["name"])
    return {name: value for name, value in steering.items() if name != "own_hold"}


async def get_hold(request: Request, control: ControlApi) -> Any:
    read_query(request, ())
    return tagged(await _hold_of(request, control))


async def _hold_of(request: Request, control: ControlApi) -> dict[str, Any]:
    steering = await control.steering(request.path_params["name"])
    return {"name": steering["name"], "hold": steering["own_hold"]}


def _cap_of(hold_answer: dict[str, Any]) -> float | None:
    return None if hold_answer["hold"] is None else hold_answer["hold"]["percentage"]


async def get_preview(request: Request, control: ControlApi) -> Any:
    query = read_query(request, ("percentage",))
    return await control.preview_rollout(request.path_params["name"], written_percentage(query, "percentage"))


async def put_hold(request: Request, control: ControlApi) -> Any:
    """With `seen`, the cap of the route's own hold or null, it is refused where another one is there."""
    body = await read_object(request, ("percentage", "reason", "seen"))
    percentage, reason = percentage_field(body, "percentage", default=0), text_field(body, "reason")
    seen: Seen = "any"
    if "seen" in body:
        seen = None if body["seen"] is None else percentage_field(body, "seen")
    async with if_match(request, partial(_hold_of, request, control)) as matched:
        seen = _cap_of(matched) if matched is not None and seen == "any" else seen
        return await control.hold(request.path_params["name"], percentage, reason, read_who(request), seen)


async def delete_hold(request: Request, control: ControlApi) -> Any:
    """The reason comes as a query field: a body of DELETE has no defined meaning (RFC 9110 §9.3.5)."""
    query = read_query(request, ("reason", "seen"))
    reason = optional_text_field(query, "reason")
    seen = written_percentage(query, "seen") if "seen" in query else None
    async with if_match(request, partial(_hold_of, request, control)) as matched:
        seen = _cap_of(matched) if matched is not None and seen is None else seen
        return await control.release(request.path_params["name"], reason or "", read_who(request), seen)


async def get_kill_switch(request: Request, control: ControlApi) -> Any:
    read_query(request, ())
    return await control.kill_switch()


async def put_kill_switch(request: Request, control: ControlApi) -> Any:
    body = await read_object(request, ("reason",))
    return await control.put_kill_switch(text_field(body, "reason"), read_who(request))


async def delete_kill_switch(request: Request, control: ControlApi) -> Any:
    """The reason comes as a query field, as with holds."""
    reason = optional_text_field(read_query(request, ("reason",)), "reason")
    return await control.delete_kill_switch(reason or "", read_who(request))


async def get_diffs(request: Request, control: ControlApi) -> Any:
    query = read_query(request, ("route", "state", "kind", "text", "version", *PAGING))
    _check_state(query.get("state"), ALL_STATES)
    rows = await control.diffs(query.get("route"), query.get("state"))
    return page(request, sift(rows, query.get("kind"), query.get("text"), query.get("version")), query, "id")


async def get_trends(request: Request, control: ControlApi) -> Any:
    read_query(request, (), repeatable=("id",))
    ids = request.query_params.getlist("id")
    if not 1 <= len(ids) <= MAX_TRENDS:
        refuse(f'the query field "id" is given {len(ids)} times: send it 1 to {MAX_TRENDS} times')
    return await control.trends(ids)


async def get_rule(request: Request, control: ControlApi) -> Any:
    query = read_query(request, ("reason", "ticket"))
    reason, ticket = optional_text_field(query, "reason"), optional_text_field(query, "ticket")
    return await control.preview_ignore(request.path_params["id"], reason or "", read_who(request), ticket)


async def get_diff(request: Request, control: ControlApi) -> Any:
    read_query(request, ())
    return await control.diff(request.path_params["id"])


async def get_state(request: Request, control: ControlApi) -> Any:
    read_query(request, ())
    return tagged(await _state_of(request, control))


async def _state_of(request: Request, control: ControlApi) -> dict[str, Any]:
    detail = await control.diff(request.path_params["id"])
    return {name: detail[name] for name in _DECISION}


async def post_state(request: Request, control: ControlApi) -> Any:
    body = await read_object(request, ("state", "reason", "owner", "ticket", "until", "rule", "seen"))
    state = text_field(body, "state")
    _check_state(state, SETTABLE_STATES)
    id_, reason, who = request.path_params["id"], text_field(body, "reason"), read_who(request)
    owner, ticket = optional_text_field(body, "owner"), optional_text_field(body, "ticket")
    until, is_rule = moment_field(body, "until"), truth_field(body, "rule")
    seen = optional_text_field(body, "seen")
    if is_rule and (state != "ignored" or until is not None):
        refuse('"rule" goes with the state "ignored" and without "until": a rule ignores, and has no end')
    async with if_match(request, partial(_state_of, request, control)) as matched:
        seen = matched["revision"] if matched is not None and seen is None else seen
        if is_rule:
            return await control.ignore_by_rule(id_, reason, who, owner, ticket, seen)
        return await control.set_state(id_, state, reason, who, owner, ticket, until, seen)


async def get_proposals(request: Request, control: ControlApi) -> Any:
    read_query(request, ())
    return await control.proposals(request.path_params["name"])


async def post_proposals(request: Request, control: ControlApi) -> Any:
    body = await read_object(request, ("rules", "reason"))
    rules, reason = texts_field(body, "rules"), text_field(body, "reason")
    return await control.write_proposals(request.path_params["name"], rules, reason, read_who(request))


async def post_retry(request: Request, control: ControlApi) -> Any:
    read_query(request, ())
    body = await read_object(request, ("headers",), may_be_empty=True)
    return await control.retry(request.path_params["id"], read_who(request), headers_field(body, "headers"))


async def get_explain(request: Request, control: ControlApi) -> Any:
    """`header=name:value` may be repeated; names are compared in lower case."""
    query = read_query(request, ("method", "path", "user", "host"), repeatable=("header",))
    if "path" not in query or not query["path"].startswith("/"):
        refuse('the query field "path" is missing or does not begin with "/": send e.g. path=/api/feeds')
    method, user, host = query.get("method", "GET").upper(), query.get("user"), query.get("host")
    return await control.explain(method, query["path"], user, host, _headers(request))


async def get_audit(request: Request, control: ControlApi) -> Any:
    query = read_query(request, ("limit", "subject", "before"))
    limit = whole_field(query, "limit", 1, MAX_AUDIT_ROWS, None) or _DEFAULT_AUDIT_ROWS
    before_id = whole_field(query, "before", 1, MAX_ID, None)
    rows = await control.audit(limit + 1, query.get("subject"), before_id)
    return linked(request, rows[:limit], {"before": rows[limit - 1]["id"]} if len(rows) > limit else None)


async def post_reload(request: Request, control: ControlApi) -> Any:
    read_query(request, ())
    return await control.reload()


async def get_metrics(_request: Request, control: ControlApi) -> Response:
    return Response(render_metrics(await control.metrics_snapshot()), media_type=CONTENT_TYPE)


async def get_livez(_request: Request, _control: ControlApi) -> Response:
    return PlainTextResponse("alive\n")


async def get_readyz(_request: Request, control: ControlApi) -> Response:
    """Ready when a rollout is in force and at least one worker has it: then users are served as configured."""
    status = await control.status()
    if unready := _unready_reason(status):
        return PlainTextResponse(f"not ready: {unready}\n", HTTPStatus.SERVICE_UNAVAILABLE)
    return PlainTextResponse("ready\n")


async def get_openapi(request: Request, _control: ControlApi) -> Any:
    from proxy.admin.openapi.document import openapi_document  # noqa: PLC0415  # a sixteenth of control's start

    read_query(request, ())
    return openapi_document()


ENDPOINTS: dict[str, dict[str, Handler]] = {
    "/api/openapi.json": {"GET": get_openapi},
    "/api/v1/status": {"GET": get_status},
    "/api/v1/routes": {"GET": get_routes},
    "/api/v1/history": {"GET": get_history},
    "/api/v1/progress": {"GET": get_progress},
    "/api/v1/routes/{name}/preview": {"GET": get_preview},
    "/api/v1/routes/{name}/rollout": {"GET": get_rollout, "PUT": put_rollout},
    "/api/v1/routes/{name}/hold": {"GET": get_hold, "PUT": put_hold, "DELETE": delete_hold},
    "/api/v1/routes/{name}/proposals": {"GET": get_proposals, "POST": post_proposals},
    "/api/v1/kill-switch": {"GET": get_kill_switch, "PUT": put_kill_switch, "DELETE": delete_kill_switch},
    "/api/v1/diffs": {"GET": get_diffs},
    "/api/v1/diffs/{id}": {"GET": get_diff},
    "/api/v1/diffs/{id}/rule": {"GET": get_rule},
    "/api/v1/diffs/{id}/state": {"GET": get_state, "POST": post_state},
    "/api/v1/diffs/{id}/retry": {"POST": post_retry},
    "/api/v1/trends": {"GET": get_trends},
    "/api/v1/explain": {"GET": get_explain},
    "/api/v1/audit": {"GET": get_audit},
    "/api/v1/reload": {"POST": post_reload},
    "/metrics": {"GET": get_metrics},
    "/livez": {"GET": get_livez},
    "/readyz": {"GET": get_readyz},
}


def _route(path: str, handlers: dict[str, Handler], control: ControlApi) -> Route:
    """One Starlette route for all methods of an address, so that a 405 names all of them."""

    async def answer(request: Request) -> Response:
        handler = handlers["GET" if request.method == "HEAD" else request.method]
        content = await handler(request, control)
        return content if isinstance(content, Response) else JsonAnswer(content)

    return Route(path, answer, methods=list(handlers))


def _unix_seconds(name: str, text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,11}(\.[0-9]{1,9})?", text):
        refuse(f'the query field "{name}" is {text[:40]!r}: must be a time in Unix seconds')
    return float(text)


def _check_state(state: str | None, known: Collection[str]) -> None:
    if state is not None and state not in known:
        refuse(unknown_name(state, known, "state"))


def _headers(request: Request) -> dict[str, str]:
    """Lower-case name -> value, from the repeated query field `header=name:value`."""
    headers = {}
    for line in request.query_params.getlist("header"):
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            refuse(f'the query field "header" is {line[:80]!r}: must be name:value')
        headers[name.strip().lower()] = value.strip()
    return headers


def _unready_reason(status: dict[str, Any]) -> str | None:
    if not status.get("config", {}).get("digest"):
        return "no config is in force"
    if not status.get("workers", {}).get("linked"):
        return "no worker is linked"
    return None
