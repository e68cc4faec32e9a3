"""What a form of ours sends: checked for its origin, then field by field as the JSON API does (`proxy.admin.fields`).

A form is what a page of another site could send with this browser's rights. `access.guard` refuses what says that it
comes from elsewhere; a form must also say that it comes from here, which each browser of the last years does.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, unquote

from proxy.admin.fields import MAX_TEXT_CHARACTERS, read_body, refuse, refuse_unknown
from proxy.admin.room.frame import visitor_of
from proxy.errors import RequestRefused

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from starlette.requests import Request
    from starlette.responses import Response

WHO = "who"  # the form's field
NOBODY = "control room"
MAX_WHO_CHARACTERS = 64
_WHO_COOKIE = "changeover_who"
_YEAR_S = 31_536_000
_FORM = "application/x-www-form-urlencoded"


async def read_form(request: Request, known: Collection[str]) -> dict[str, str]:
    """The fields, each at most once; empty ones are left out. Raises RequestRefused."""
    _refuse_unproven(request)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        refuse(f"a form must come as {_FORM}")
    body = await read_body(request)
    try:
        fields = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=len(known) + 1)
    except ValueError:  # not ASCII, not UTF-8 within, or too many
        refuse("the form can't be read: send the page's own fields, in UTF-8")
    form = dict(fields)
    refuse_unknown(form, known, "field")
    if len(form) < len(fields):
        refuse("a field of the form is given twice: send it once")
    return {name: value for name, value in form.items() if value.strip()}


def form_day(form: Mapping[str, str], name: str) -> float | None:
    """The beginning of a day (UTC) in Unix seconds, or None where the field is empty."""
    text = form.get(name)
    if text is None:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).timestamp()
    except ValueError:
        refuse(f'"{name}" is {text[:40]!r}: must be a day as 2026-11-30')


def form_seen(form: Mapping[str, str]) -> str:
    """What the page showed when it was made: a form without it would overwrite what nobody has seen."""
    return form.get("seen") or refuse("the form says not what its page showed: load the page again")


def form_who(request: Request, form: Mapping[str, str]) -> str:
    """Who says it, for the audit: who signed in, or else what the form says, which is a note and not a proof."""
    if name := visitor_of(request).name:
        return name
    who = form.get(WHO, remembered_who(request) or NOBODY).strip()
    if len(who) > MAX_WHO_CHARACTERS or not who.isprintable():
        refuse(f'"{WHO}" must be a name of at most {MAX_WHO_CHARACTERS} printable characters')
    return who


def remember_who(request: Request, answer: Response, who: str) -> None:
    """So that the next form has the name already."""
    if who != NOBODY and visitor_of(request).name is None:
        answer.set_cookie(_WHO_COOKIE, quote(who), max_age=_YEAR_S, httponly=True, samesite="strict")


def remembered_who(request: Request) -> str:
    """The name that was given last in this browser, or ""."""
    who = unquote(request.cookies.get(_WHO_COOKIE, "")[:MAX_TEXT_CHARACTERS], errors="replace")
    return who[:MAX_WHO_CHARACTERS] if who.isprintable() else ""


def _refuse_unproven(request: Request) -> None:
    """By the Fetch Metadata of newer browsers, or the Origin of all, which the guard has compared with the host."""
    if request.headers.get("sec-fetch-site") != "same-origin" and "origin" not in request.headers:
        raise RequestRefused(403, "a form must come from a page of this listener; programs use the JSON API")
