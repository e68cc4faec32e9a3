"""One signature's page: what differs, both sides of its examples, what was decided, and the buttons for it."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from starlette.responses import RedirectResponse, Response

from proxy.admin.body_text import ignored_places
from proxy.admin.fields import optional_text_field, read_query, refuse, text_field
from proxy.admin.report.sentence import sentence_of
from proxy.admin.report.words import decision
from proxy.admin.request_text import curl_command, har
from proxy.admin.room.beside import bodies_beside, values_beside
from proxy.admin.room.differences import FILTERS, Asked, neighbours
from proxy.admin.room.drawing import stacked
from proxy.admin.room.forms import form_day, form_seen, form_who, read_form, remember_who, remembered_who
from proxy.admin.room.frame import HEADERS, Page, show
from proxy.admin.signature_text import titles
from proxy.admin.sparkline import hours_of
from proxy.admin.within import outside
from proxy.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from proxy.admin.control_api import ControlApi

Json = dict[str, Any]
EXAMPLES = 3  # of those that are kept; the first and the latest ones tell the most
HISTORY_LINES = 20
_DECIDING = ("action", "seen", "reason", "owner", "ticket", "until", "who")


async def get_difference(request: Request, control: ControlApi) -> Page:
    """`tried` is when an example was sent again: what became of it stands above the page."""
    query = read_query(request, (*FILTERS, "tried"))
    tried = query.pop("tried", None)
    return await _show(request, control, await control.diff(request.path_params["id"]), Asked(query), tried)


async def get_ignore(request: Request, control: ControlApi) -> Page:
    """The line that ignoring would write, before anything is written."""
    query = read_query(request, ("reason", "owner", "ticket", "who", "seen", *FILTERS))
    detail = await control.diff(request.path_params["id"])
    reason, ticket = text_field(query, "reason"), optional_text_field(query, "ticket")
    preview = await control.preview_ignore(detail["id"], reason, form_who(request, query), ticket)
    return await show(
        request,
        control,
        "ignore.html",
        detail=detail,
        sentence=sentence_of(detail),
        given=query,
        asked=_list_of(query),
        preview=preview,
    )


async def post_state(request: Request, control: ControlApi) -> Response:
    """Accept, ignore or reopen; the page follows, with what was decided on it, in the list where it stood."""
    form = await read_form(request, (*_DECIDING, *FILTERS))
    id_, reason, who = request.path_params["id"], text_field(form, "reason"), form_who(request, form)
    owner, ticket = optional_text_field(form, "owner"), optional_text_field(form, "ticket")
    action, until, seen = form.get("action"), form_day(form, "until"), form_seen(form)
    if action == "accept":
        await control.set_state(id_, "known", reason, who, owner, ticket, until, seen)
    elif action == "ignore":
        await control.ignore_by_rule(id_, reason, who, owner, ticket, seen)
    elif action == "reopen":
        await control.set_state(id_, "new", reason, who, owner, ticket, None, seen)
    else:
        refuse("the form says neither accept, ignore nor reopen")
    answer = RedirectResponse(outside(request, f"{_address(id_)}{_list_of(form).suffix()}#decided"), 303)
    remember_who(request, answer, who)
    return answer


async def post_retry(request: Request, control: ControlApi) -> Response:
    """Sends an example again; the page follows, with what became of it. Loading that anew sends nothing."""
    form = await read_form(request, ("who", *FILTERS))
    id_ = request.path_params["id"]
    tried = await control.retry(id_, form_who(request, form), {})
    suffix = _list_of(form).suffix(tried=f"{tried['at']:.6f}")
    return RedirectResponse(outside(request, f"{_address(id_)}{suffix}"), 303)


async def get_har(request: Request, control: ControlApi) -> Response:
    read_query(request, ())
    detail = await control.diff(request.path_params["id"])
    content = json.dumps(har(detail["examples"], detail["backends"]), indent=1)
    disposition = {"content-disposition": f'attachment; filename="changeover-{quote(detail["id"], safe="")}.har"'}
    return Response(content, media_type="application/json", headers={**HEADERS, **disposition})


def _address(id_: str) -> str:
    return f"/diffs/{quote(id_, safe='')}"


def _list_of(given: Mapping[str, str]) -> Asked:
    """The list that the page was opened from."""
    return Asked({name: given[name] for name in FILTERS if name in given})


async def _show(request: Request, control: ControlApi, detail: Json, asked: Asked, tried: str | None) -> Page:
    history = await _history(control, detail["id"])
    earlier, later = await neighbours(control, asked, detail["id"])
    examples = await asyncio.to_thread(_examples, detail)  # bodies may be long, and comparing lines takes a while
    return await show(
        request,
        control,
        "diff.html",
        detail=detail,
        sentence=sentence_of(detail),
        decided=decision(detail),
        history=history,
        trend=stacked([(0, number) for number in hours_of(detail["trend"])]),
        examples=examples,
        kept=len(detail["examples"]),
        asked=asked,
        earlier=earlier,
        later=later,
        tried=_tried(history, tried),
        is_tried=tried is not None,
        who=remembered_who(request),
    )


def _tried(history: list[Json], at: str | None) -> Json | None:
    """What became of the example that was sent again then; None where the history doesn't have it."""
    lines = (line for line in history if line["action"] == "diff.retry" and f"{line['at']:.6f}" == at)
    return next((line["after"] for line in lines if "statuses" in line["after"]), None)


def _examples(detail: Json) -> list[Json]:
    """The latest ones, newest first, as the template shows them."""
    shown, ignored = [], ignored_places(detail)
    for example in detail["examples"][: -EXAMPLES - 1 : -1]:
        values, more = values_beside(example, detail["id"])
        curl = [(name, curl_command(example, url).split("\n")) for name, url in detail["backends"].items()]
        shown.append(
            {
                "example": example,
                "titles": titles(example),
                "values": values,
                "more": more,
                "beside": bodies_beside(example, ignored),
                "curl": curl,
                "others": sorted({each["signature"] for each in example["differences"]} - {detail["id"]}),
            }
        )
    return shown


async def _history(control: ControlApi, signature_id: str) -> list[Json]:
    """What was decided so far, newest first; nothing while the store can't say."""
    try:
        return list(await control.audit(HISTORY_LINES, signature_id))
    except StoreError:
        return []
