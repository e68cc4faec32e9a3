"""Who would serve a request, and why; and from which percentage on that user is on new. Nothing is sent anywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from proxy.admin.fields import MAX_TEXT_CHARACTERS, read_query, refuse
from proxy.admin.room.frame import Page, show

if TYPE_CHECKING:
    from starlette.requests import Request

    from proxy.admin.control_api import ControlApi

Json = dict[str, Any]
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
STEPS = (1, 5, 10, 25, 50, 75, 100)
_REASONS = {
    "kill_switch": "the kill switch is on: everything goes to legacy",
    "no_route": "no route matches, and what is unknown goes to legacy",
    "missing_key": "nothing says which user it is, and who is unknown goes to legacy",
    "unhealthy": "new is ill, so that legacy serves its users",
    "hold": "by the config's percentage it would be new, and a hold keeps it on legacy",
    "bucket": "by the percentage in force",
}


async def get_explain(request: Request, control: ControlApi) -> Page:
    query = read_query(request, ("method", "path", "user", "host", "header"))
    answer = await _ask(control, query) if "path" in query else None
    return await show(
        request,
        control,
        "explain.html",
        methods=METHODS,
        given=query,
        answer=answer,
        why=None if answer is None else reason_text(answer["reason"]),
        steps=[] if answer is None or answer["bucket"] is None else [(step, is_on_new(answer, step)) for step in STEPS],
    )


def reason_text(reason: str) -> str:
    """A decision's reason as half a sentence; one that isn't known here is named as it is."""
    if reason.startswith("pin:"):
        return f"the pin {reason.removeprefix('pin:')} says so"
    return _REASONS.get(reason, reason)


def is_on_new(answer: Json, percentage: float) -> bool:
    """Whether the user would be on new at a percentage: law 2."""
    is_on: bool = answer["bucket"] < round(percentage * 1000)
    return is_on


async def _ask(control: ControlApi, query: dict[str, str]) -> Json:
    if not query["path"].startswith("/"):
        refuse('the path does not begin with "/": give e.g. /api/feeds')
    if any(len(text) > MAX_TEXT_CHARACTERS for text in query.values()):
        refuse(f"a field has more than {MAX_TEXT_CHARACTERS} characters")
    headers = {}
    if "header" in query:
        name, colon, value = query["header"].partition(":")
        if not colon or not name.strip():
            refuse("the header must be written as name: value")
        headers[name.strip().lower()] = value.strip()
    method = query.get("method", "GET").upper()
    return await control.explain(method, query["path"], query.get("user"), query.get("host"), headers)
