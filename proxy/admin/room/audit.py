"""The audit: who changed what, from what to what, and why; newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from proxy.admin.audit_text import change_text
from proxy.admin.csv_text import csv_text
from proxy.admin.fields import read_query, whole_field
from proxy.admin.figures import moment
from proxy.admin.room.frame import HEADERS, Page, show

if TYPE_CHECKING:
    from starlette.requests import Request

    from proxy.admin.control_api import ControlApi

LINES = 100  # of a page
FILE_LINES = 10_000  # of a file: what a spreadsheet opens without pausing
MAX_ID = 2**53


async def get_audit(request: Request, control: ControlApi) -> Page:
    query = read_query(request, ("subject", "before"))
    before_id = whole_field(query, "before", 1, MAX_ID, None)
    lines = await control.audit(LINES + 1, query.get("subject"), before_id)
    shown = list(lines[:LINES])
    older = shown[-1]["id"] if len(lines) > LINES else None
    return await show(request, control, "audit.html", lines=shown, subject=query.get("subject"), older=older)


async def get_audit_file(request: Request, control: ControlApi) -> Response:
    """The same lines for a spreadsheet, the latest FILE_LINES of them."""
    query = read_query(request, ("subject",))
    lines = await control.audit(FILE_LINES, query.get("subject"))
    text = csv_text(
        ("at (UTC)", "who", "action", "subject", "before → after", "reason"),
        [
            (moment(each["at"]), each["who"], each["action"], each["subject"], change_text(each), each["reason"])
            for each in lines
        ],
    )
    headers = {**HEADERS, "content-disposition": 'attachment; filename="changeover-audit.csv"'}
    return Response(text.encode("utf-8-sig"), media_type="text/csv; charset=utf-8", headers=headers)
