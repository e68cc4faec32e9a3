"""The admin API as one Starlette application: addresses, and what each of them asks of the control plane.

Handlers read and check what a client sent, call the control plane and return what it says; they know neither
store nor file. The addresses are described in docs/admin-api.md.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from proxy.admin.answer import JsonAnswer
from proxy.admin.door import open_door
from proxy.admin.fields import (
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
from proxy.admin.guard import Guard
from proxy.admin.metrics import CONTENT_TYPE, render_metrics
from proxy.admin.problems import answer_changeover_error, answer_fault, answer_http_exception
from proxy.admin.room.pages import answering_people, page_routes
from proxy.admin.sift import sift
from proxy.core.triage import ALL_STATES, SETTABLE_STATES
from proxy.errors import ChangeoverError

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.requests import Request

    from proxy.admin.control_api import ControlApi
    from proxy.settings import Settings

Handler = Callable[["Request", "ControlApi"], Awaitable[Any]]

MAX_AUDIT_ROWS = 1_000
MAX_ID = 2**53  # of a line of the audit: what JSON carries exactly (RFC 8259 §6)
MAX_TRENDS = 200  # of signatures in one question: two pages of a list
_DEFAULT_AUDIT_ROWS = 100
_MAX_WHO_CHARACTERS = 64


def create_app(control: ControlApi, settings: Settings) -> Starlette:
    """The application for the settings' admin listener. Raises StartError for a public one without a token."""
    door = open_door(settings.admin_host, settings.admin_token)
    return Starlette(
        routes=[*(_route(path, handlers, control) for path, handlers in ENDPOINTS.items()), *page_routes(control)],
        middleware=[Middleware(Guard, door)],
        exception_handlers={
            ChangeoverError: answering_people(answer_changeover_error),
            HTTPException: answering_people(answer_http_exception),
            Exception: answering_people(answer_fault),
        },
    )


def read_who(request: Request) -> str:
    """Who asks, for the audit log: what the commands say of their user, or "api". Not a proof of identity."""
    who = request.headers.get("x-changeover-who", "").strip()
    is_usable = who.isascii() and who.isprintable() and 0 < len(who) <= _MAX_WHO_CHARACTERS
    return who if is_usable else "api"


async def get_status(request: Request, control: ControlApi) -> Any:
    read_query(request, ())
    return await control.status()


async def get_routes(request: Request, control: ControlApi) -> Any:
    since = read_query(request, ("since",)).get("since")
    return await control.routes(None if since is None else _unix_seconds("since", since))


async def get_history(request: Request, control: ControlApi) -> Any:
    read_query(request, ())
    return await control.history()


async def put_rollout(request: Request, control: ControlApi) -> Any:
    body = await read_object(request, ("percentage", "reason", "seen"))
    percentage, reason = percentage_field(body, "percentage"), text_field(body, "reason")
    seen = None if body.get("seen") is None else percentage_field(body, "seen")
    return await control.set_rollout(request.path_params["name"], percentage, reason, read_who(request), seen)


async def get_preview(request: Request, control: ControlApi) -> Any:
    query = read_query(request, ("percentage",))
    return await control.preview_rollout(request.path_params["name"], written_percentage(query, "percentage"))


async def put_hold(request: Request, control: ControlApi) -> Any:
    body = await read_object(request, ("percentage", "reason"))
    percentage, reason = percentage_field(body, "percentage", default=0), text_field(body, "reason")
    return await control.hold(request.path_params["name"], percentage, reason, read_who(request))


async def delete_hold(request: Request, control: ControlApi) -> Any:
    """The reason comes as a query field: a body of DELETE has no defined meaning (RFC 9110 §9.3.5)."""
    query = read_query(request, ("reason", "seen"))
    reason = optional_text_field(query, "reason")
    seen = written_percentage(query, "seen") if "seen" in query else None
    return await control.release(request.path_params["name"], reason or "", read_who(request), seen)


async def get_diffs(request: Request, control: ControlApi) -> Any:
    query = read_query(request, ("route", "state", "kind", "text", "version"))
    _check_state(query.get("state"), ALL_STATES)
    rows = await control.diffs(query.get("route"), query.get("state"))
    return sift(rows, query.get("kind"), query.get("text"), query.get("version"))


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


async def post_state(request: Request, control: ControlApi) -> Any:
    body = await read_object(request, ("state", "reason", "owner", "ticket", "until", "rule"))
    state = text_field(body, "state")
    _check_state(state, SETTABLE_STATES)
    id_, reason, who = request.path_params["id"], text_field(body, "reason"), read_who(request)
    owner, ticket = optional_text_field(body, "owner"), optional_text_field(body, "ticket")
    until = moment_field(body, "until")
    if not truth_field(body, "rule"):
        return await control.set_state(id_, state, reason, who, owner, ticket, until)
    if state != "ignored" or until is not None:
        refuse('"rule" goes with the state "ignored" and without "until": a rule ignores, and has no end')
    return await control.ignore_by_rule(id_, reason, who, owner, ticket)


async def get_proposals(request: Request, control: ControlApi) -> Any:
    read_query(request, ())
    return await control.proposals(request.path_params["name"])


async def post_proposals(request: Request, control: ControlApi) -> Any:
    body = await read_object(request, ("rules", "reason"))
    rules, reason = texts_field(body, "rules"), text_field(body, "reason")
    return await control.write_proposals(request.path_params["name"], rules, reason, read_who(request))


async def post_retry(request: Request, control: ControlApi) -> Any:
    read_query(request, ())
    return await control.retry(request.path_params["id"], read_who(request))


async def get_explain(request: Request, control: ControlApi) -> Any:
    """`header=name:value` may be repeated; names are compared in lower case."""
    query = read_query(request, ("method", "path", "user", "host"), repeatable=("header",))
    if "path" not in query or not query["path"].startswith("/"):
        refuse('the query field "path" is missing or does not begin with "/": send e.g. path=/api/feeds')
    method, user, host = query.get("method", "GET").upper(), query.get("user"), query.get("host")
    return await control.explain(method, query["path"], user, host, _headers(request))


async def get_audit(request: Request, control: ControlApi) -> Any:
    query = read_query(request, ("limit", "subject", "before"))
    limit = whole_field(query, "limit", 1, MAX_AUDIT_ROWS, _DEFAULT_AUDIT_ROWS)
    before_id = whole_field(query, "before", 1, MAX_ID, None)
    return await control.audit(limit or _DEFAULT_AUDIT_ROWS, query.get("subject"), before_id)


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


ENDPOINTS: dict[str, dict[str, Handler]] = {
    "/api/v1/status": {"GET": get_status},
    "/api/v1/routes": {"GET": get_routes},
    "/api/v1/history": {"GET": get_history},
    "/api/v1/routes/{name}/preview": {"GET": get_preview},
    "/api/v1/routes/{name}/rollout": {"PUT": put_rollout},
    "/api/v1/routes/{name}/hold": {"PUT": put_hold, "DELETE": delete_hold},
    "/api/v1/routes/{name}/proposals": {"GET": get_proposals, "POST": post_proposals},
    "/api/v1/diffs": {"GET": get_diffs},
    "/api/v1/diffs/{id}": {"GET": get_diff},
    "/api/v1/diffs/{id}/rule": {"GET": get_rule},
    "/api/v1/diffs/{id}/state": {"POST": post_state},
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
