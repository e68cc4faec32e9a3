"""The audit: who changed what, from what to what, and why; newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.admin.fields import read_query, whole_field
from proxy.admin.room.frame import Page, show

if TYPE_CHECKING:
    from starlette.requests import Request

    from proxy.admin.control_api import ControlApi

LINES = 100  # of a page
MAX_ID = 2**53


async def get_audit(request: Request, control: ControlApi) -> Page:
    query = read_query(request, ("subject", "before"))
    before_id = whole_field(query, "before", 1, MAX_ID, None)
    lines = await control.audit(LINES + 1, query.get("subject"), before_id)
    shown = list(lines[:LINES])
    older = shown[-1]["id"] if len(lines) > LINES else None
    return await show(request, control, "audit.html", lines=shown, subject=query.get("subject"), older=older)
