"""The kill switch's page and forms. Putting it on asks for a reason and nothing else: that is for a hurry.

Taking it off moves everybody who was on new back there at once, so that a word has to be typed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import RedirectResponse, Response

from proxy.admin.access.rights import Role
from proxy.admin.fields import read_query, refuse, text_field
from proxy.admin.room.forms import form_who, read_form, remember_who, remembered_who
from proxy.admin.room.frame import Page, show, visitor_of
from proxy.admin.within import outside
from proxy.errors import ChangeoverError, StoreError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

    from starlette.requests import Request

    from proxy.admin.control_api import ControlApi

PATH = "/kill-switch"
CONFIRM = "off"
HISTORY_LINES = 20
EVERY_ROUTE = "*"  # the audit's subject


async def get_kill_switch(request: Request, control: ControlApi) -> Page:
    read_query(request, ())
    return await _show(request, control)


async def post_kill_switch(request: Request, control: ControlApi) -> Response:
    form = await read_form(request, ("reason", "who"))

    async def put_on() -> None:
        await control.put_kill_switch(text_field(form, "reason"), form_who(request, form))

    return await _changed(request, control, form, put_on())


async def post_kill_switch_off(request: Request, control: ControlApi) -> Response:
    form = await read_form(request, ("reason", "who", "confirm"))

    async def take_off() -> None:
        reason = text_field(form, "reason")
        if form.get("confirm", "").strip().lower() != CONFIRM:
            refuse(f"this moves users back to new at once: type {CONFIRM} to confirm it")
        await control.delete_kill_switch(reason, form_who(request, form))

    return await _changed(request, control, form, take_off())


async def _changed(request: Request, control: ControlApi, form: Mapping[str, str], change: Awaitable[None]) -> Response:
    try:
        await change
    except ChangeoverError as error:
        return await _show(request, control, error, form)
    answer = RedirectResponse(outside(request, PATH), 303)
    remember_who(request, answer, form_who(request, form))
    return answer


async def _show(
    request: Request, control: ControlApi, error: ChangeoverError | None = None, form: Mapping[str, str] | None = None
) -> Page:
    try:
        history = list(await control.audit(HISTORY_LINES, EVERY_ROUTE))
    except StoreError:
        history = []
    return await show(
        request,
        control,
        "kill_switch.html",
        200 if error is None else error.status,
        switch=await control.kill_switch(),
        may_take_off=visitor_of(request).role >= Role.ADMIN,
        confirm=CONFIRM,
        complaint=None if error is None else str(error).split("\n"),
        given=form or {},
        who=(form or {}).get("who") or remembered_who(request),
        history=history,
    )
