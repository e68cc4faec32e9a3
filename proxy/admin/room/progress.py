"""The page that says how far the migration is, for people who don't read code. It prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from proxy.admin.fields import read_query
from proxy.admin.progress import ask_progress
from proxy.admin.report.sentence import sentence_of
from proxy.admin.room.chart import chart_of
from proxy.admin.room.frame import Page, frame
from proxy.admin.room.overview import totals

if TYPE_CHECKING:
    from starlette.requests import Request

    from proxy.admin.control_api import ControlApi

Json = dict[str, Any]


async def get_progress(request: Request, control: ControlApi) -> Page:
    read_query(request, ())
    routes, node = await control.routes(), await control.status()
    progress = await ask_progress(control, routes)
    chart, marks = chart_of(progress["burn_up"], progress["decided"])
    page = frame(
        request,
        node,
        "progress.html",
        progress=progress,
        totals=totals(routes, node),
        blockers=[(row, sentence_of(row)) for row in progress["blockers"]],
        chart=chart,
        marks=marks,
    )
    return Page(page)
