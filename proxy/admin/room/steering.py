"""One route's page, and the forms that steer it: percentage, hold, release.

1. A percentage is previewed before it can be set: what the form sends has been before somebody's eyes.
2. Raising by more than LARGE_STEP, or to all users, needs the route's name typed. Lowering never does, nor does a hold:
   rolling back is for a hurry, and legacy serves as it always did.
3. What was seen goes with the form; who finds it changed by somebody else is told so, and changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from starlette.responses import RedirectResponse, Response

from proxy.admin.evidence import in_window, window_text
from proxy.admin.fields import read_query, refuse, text_field, written_percentage
from proxy.admin.figures import outcomes
from proxy.admin.room.drawing import stacked
from proxy.admin.room.forms import form_seen, form_who, read_form, remember_who, remembered_who
from proxy.admin.room.frame import Page, show
from proxy.admin.room.overview import rollout_bar
from proxy.admin.within import outside
from proxy.errors import ChangeoverError, NotFound, StoreError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable, Mapping

    from starlette.requests import Request

    from proxy.admin.control_api import ControlApi

Json = dict[str, Any]
LARGE_STEP = 10  # points
ALL = 100
HISTORY_LINES = 20
NO_HOLD = "none"  # the form's `seen` where there was none


async def get_route(request: Request, control: ControlApi) -> Page:
    query = read_query(request, ("percentage",))
    wished = written_percentage(query, "percentage") if "percentage" in query else None
    return await _show(request, control, wished)


async def post_rollout(request: Request, control: ControlApi) -> Response:
    form = await read_form(request, ("percentage", "seen", "reason", "who", "confirm"))

    async def change() -> None:
        number, seen = written_percentage(form, "percentage"), written_percentage(form, "seen")
        reason = text_field(form, "reason")
        _refuse_unconfirmed(request, form, seen, number)
        await control.set_rollout(request.path_params["name"], number, reason, form_who(request, form), seen)

    return await _changed(request, control, form, change(), is_rollout=True)


async def post_hold(request: Request, control: ControlApi) -> Response:
    form = await read_form(request, ("percentage", "seen", "reason", "who"))

    async def change() -> None:
        number = written_percentage(form, "percentage") if "percentage" in form else 0.0
        seen = None if form_seen(form) == NO_HOLD else written_percentage(form, "seen")
        await control.hold(
            request.path_params["name"], number, text_field(form, "reason"), form_who(request, form), seen
        )

    return await _changed(request, control, form, change())


async def post_release(request: Request, control: ControlApi) -> Response:
    form = await read_form(request, ("seen", "reason", "who", "confirm"))
    name = request.path_params["name"]

    async def change() -> None:
        reason, seen = text_field(form, "reason"), written_percentage(form, "seen")
        route = _found(await control.routes(), name)
        _refuse_unconfirmed(request, form, route["effective_percentage"], route["percentage"])
        await control.release(name, reason, form_who(request, form), seen)

    return await _changed(request, control, form, change())


def needs_name(before: float, after: float) -> bool:
    """Whether a step is one that nobody may take by a slip (rule 2)."""
    return after > before and (after - before > LARGE_STEP or after >= ALL)


async def _changed(
    request: Request,
    control: ControlApi,
    form: Mapping[str, str],
    change: Awaitable[None],
    *,
    is_rollout: bool = False,
) -> Response:
    """Back to the route's page; where the change is refused, the page with why, and with what was given."""
    try:
        await change
    except ChangeoverError as error:
        wished = form.get("percentage") if is_rollout else None
        return await _show(request, control, _number(wished), error, form)
    answer = RedirectResponse(outside(request, f"/routes/{quote(request.path_params['name'], safe='')}"), 303)
    remember_who(request, answer, form_who(request, form))
    return answer


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else written_percentage({"percentage": text}, "percentage")
    except ChangeoverError:
        return None


def _refuse_unconfirmed(request: Request, form: Mapping[str, str], before: float, after: float) -> None:
    name = request.path_params["name"]
    if needs_name(before, after) and form.get("confirm", "").strip() != name:
        refuse(f"from {before:g} % to {after:g} % is a large step: type the route's name, {name}, to confirm it")


async def _show(
    request: Request,
    control: ControlApi,
    wished: float | None,
    error: ChangeoverError | None = None,
    form: Mapping[str, str] | None = None,
) -> Page:
    name = request.path_params["name"]
    routes = await control.routes()
    route = in_window(_found(routes, name))
    preview = None if wished is None else await control.preview_rollout(name, wished)
    return await show(
        request,
        control,
        "route.html",
        200 if error is None else error.status,
        route=route,
        own_hold=(await control.steering(name))["own_hold"],
        no_hold=NO_HOLD,
        members=[each["name"] for each in routes if each["group"] == route["group"]],
        preview=preview,
        wished=wished,
        needs_name=preview is not None and needs_name(preview["percentage"]["before"], preview["percentage"]["after"]),
        release_needs_name=needs_name(route["effective_percentage"], route["percentage"]),
        complaint=None if error is None else str(error).split("\n"),
        given=form or {},
        who=(form or {}).get("who") or remembered_who(request),
        bar=rollout_bar(route),
        got=outcomes(route),
        window=window_text(route),
        **await _evidence(control, name),
    )


async def _evidence(control: ControlApi, name: str) -> Json:
    """The last hour and what was changed; nothing of it while the store can't say."""
    try:
        minutes = (await control.history())["routes"].get(name, [])
        history = list(await control.audit(HISTORY_LINES, name))
    except StoreError:
        return {"traffic": None, "history": []}
    return {
        "traffic": stacked([(each["requests"]["legacy"], each["requests"]["new"]) for each in minutes]),
        "history": history,
    }


def _found(routes: Iterable[Json], name: str) -> Json:
    found = next((each for each in routes if each["name"] == name), None)
    if found is None:
        raise NotFound(f"route {name!r}: not in the config")
    return found
