"""The tables of the pages as files: `/NAME.csv` for spreadsheets, `/NAME.json` for programs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response

from proxy.admin.answer import JsonAnswer
from proxy.admin.csv_text import csv_text
from proxy.admin.room.frame import HEADERS
from proxy.admin.room.tables import MAX_LINES, TABLES, Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proxy.admin.control_api import ControlApi

Json = dict[str, Any]
TRUNCATED = "x-changeover-truncated"  # the number of rows that are there
LEFT_OUT = "only the first {lines} lines are here: ask for fewer with the filters of the page"
Answering = Callable[[Request, "ControlApi"], Awaitable[Response]]


def files() -> dict[str, Answering]:
    """Address -> who answers it, for each table in both forms."""
    return {
        f"/{name}.{kind}": partial(answer, name, table)
        for name, table in TABLES.items()
        for kind, answer in (("csv", _get_csv), ("json", _get_json))
    }


async def _get_json(_name: str, table: Table, request: Request, control: ControlApi) -> Response:
    rows, told = _whole(await table.read(request, control))
    return JsonAnswer(rows, headers={**HEADERS, **told})


async def _get_csv(name: str, table: Table, request: Request, control: ControlApi) -> Response:
    """In UTF-8 with a byte order mark, without which spreadsheets take it for something else."""
    rows, told = _whole(await table.read(request, control))
    text = await asyncio.to_thread(written, table, rows)
    if told:
        text += csv_text((LEFT_OUT.format(lines=MAX_LINES),), ())
    headers = {**HEADERS, **told, "content-disposition": f'attachment; filename="changeover-{name}.csv"'}
    return Response(text.encode("utf-8-sig", "replace"), media_type="text/csv; charset=utf-8", headers=headers)


def _whole(rows: list[Json]) -> tuple[list[Json], dict[str, str]]:
    """The rows that a file may have, and the header that says so where there are more."""
    return rows[:MAX_LINES], {} if len(rows) <= MAX_LINES else {TRUNCATED: str(MAX_LINES)}


def written(table: Table, rows: Sequence[Json]) -> str:
    """The rows under the table's headings."""
    return csv_text(tuple(table.columns), ([_cell(of(row)) for of in table.columns.values()] for row in rows))


def _cell(value: Any) -> str:
    """Numbers in full, without separators; nothing is an empty cell."""
    if value is None:
        return ""
    return "; ".join(value) if isinstance(value, list) else str(value)
