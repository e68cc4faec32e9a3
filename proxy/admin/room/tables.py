"""Every table of the pages as rows for programs: what each has, and how a spreadsheet shows it.

The rows are what `/NAME.json` answers; the columns make `/NAME.csv` of them. Filters are those of the page.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from proxy.admin.audit_text import change_text
from proxy.admin.evidence import in_window, window_text
from proxy.admin.fields import read_query
from proxy.admin.figures import moment, reasons_of
from proxy.admin.progress import ask_progress, groups
from proxy.admin.report.sentence import sentence_of, sentence_text
from proxy.admin.room.differences import FILTERS, in_state
from proxy.admin.sift import sift
from proxy.core.evidence import CHOSEN_GAPS
from proxy.errors import NotFound

if TYPE_CHECKING:
    from starlette.requests import Request

    from proxy.admin.control_api import ControlApi

Json = dict[str, Any]
Read = Callable[["Request", "ControlApi"], Awaitable[list[Json]]]
Value = Callable[[Json], Any]
MAX_LINES = 10_000  # of a file: what a spreadsheet opens without pausing; `files` tells of what is left out


@dataclass(frozen=True, slots=True)
class Table:
    """`read` gives one row more than MAX_LINES where there are more.

    `columns`: heading -> the value of a row there; text, a number, a list of texts, or None for nothing.
    """

    read: Read
    columns: Mapping[str, Value]


def _field(*path: str) -> Value:
    """The value at a path of members; None where one of them is."""

    def value(row: Json) -> Any:
        found: Any = row
        for name in path:
            found = None if found is None else found[name]
        return found

    return value


def _fields(*names: str) -> dict[str, Value]:
    return {name: _field(name) for name in names}


def _sides(name: str) -> dict[str, Value]:
    return {f"{name} {side}": _field(name, side) for side in ("legacy", "new")}


def _moment(name: str) -> Value:
    return lambda row: None if row[name] is None else moment(row[name])


# --- routes ---
async def _routes(request: Request, control: ControlApi) -> list[Json]:
    """As on the overview: what the routes' windows have counted."""
    read_query(request, ())
    return list(map(in_window, await control.routes()))


_ROUTE_COLUMNS = {
    **_fields("name", "group", "stage", "percentage", "effective_percentage"),
    "held at": _field("hold", "percentage"),
    **_sides("users"),
    **_sides("requests"),
    **_sides("failed"),
    **_sides("server_errors"),
    **_fields("pairs", "matches", "mismatches", "match_rate"),
    **{name: _field("coverage", name) for name in ("compared", "expected")},
    "coverage": _field("coverage", "ratio"),
    "counted": window_text,
    **{
        f"{each} ms {side}": _field("latency_ms", side, each)
        for each in ("p50", "p95", "p99")
        for side in ("legacy", "new")
    },
}


async def _gaps(request: Request, control: ControlApi) -> list[Json]:
    read_query(request, ())
    return [
        {"route": route["name"], "reason": reason, "count": number, "chosen": reason in CHOSEN_GAPS}
        for route in map(in_window, await control.routes())
        for reason, number in sorted(reasons_of(route).items())
    ]


async def _history(request: Request, control: ControlApi) -> list[Json]:
    route = read_query(request, ("route",)).get("route")
    history = (await control.history())["routes"]
    if route is not None and route not in history:
        raise NotFound(f"route {route!r}: not in the config")
    return [
        {"route": name, **minute} for name, minutes in history.items() if route in {None, name} for minute in minutes
    ]


# --- progress ---
async def _progress(request: Request, control: ControlApi) -> list[Json]:
    read_query(request, ())
    rows: list[Json] = (await ask_progress(control, await control.routes()))["routes"]
    return rows


async def _groups(request: Request, control: ControlApi) -> list[Json]:
    read_query(request, ())
    return groups(await control.routes())


async def _burn_up(request: Request, control: ControlApi) -> list[Json]:
    read_query(request, ())
    buckets: list[Json] = (await control.burn_up())["buckets"]
    return buckets


# --- differences, audit ---
async def _differences(request: Request, control: ControlApi) -> list[Json]:
    query = read_query(request, FILTERS)
    rows = await control.diffs(query.get("route"), None)
    sifted = sift(rows, query.get("kind"), query.get("text"), query.get("version"))
    shown = in_state(sifted, query.get("state"))[: MAX_LINES + 1]
    return [{**row, "sentence": sentence_text(sentence_of(row))} for row in shown]


async def _audit(request: Request, control: ControlApi) -> list[Json]:
    return list(await control.audit(MAX_LINES + 1, read_query(request, ("subject",)).get("subject")))


TABLES: dict[str, Table] = {
    "routes": Table(_routes, _ROUTE_COLUMNS),
    "gaps": Table(
        _gaps, {**_fields("route", "reason", "count"), "chosen": lambda row: "yes" if row["chosen"] else "no"}
    ),
    "history": Table(
        _history,
        {
            "route": _field("route"),
            "minute (UTC)": _moment("at"),
            **_sides("requests"),
            **_fields("mismatches", "compared", "expected"),
        },
    ),
    "progress": Table(
        _progress,
        _fields("name", "group", "stage", "percentage", "effective_percentage", "verdict", "why", "basis", "window"),
    ),
    "burn-up": Table(_burn_up, {"from (UTC)": _moment("at"), **_sides("requests")}),
    "groups": Table(
        _groups,
        {
            **_fields("name", "routes", "percentage"),
            **_sides("users"),
            "users on new": _field("of_users"),
            **_sides("requests"),
            "requests on new": _field("of_requests"),
            "counted": _field("counted"),
        },
    ),
    "diffs": Table(
        _differences,
        {
            **_fields("id", "route", "kind", "sentence", "path", "shape", "state", "count"),
            "first seen (UTC)": _moment("first_seen"),
            "last seen (UTC)": _moment("last_seen"),
            **_fields("who", "reason", "owner", "ticket"),
            "until (UTC)": _moment("until"),
            **_fields("rule", "versions"),
        },
    ),
    "audit": Table(
        _audit,
        {
            "at (UTC)": _moment("at"),
            **_fields("who", "action", "subject"),
            "before → after": change_text,
            **_fields("reason", "origin"),
        },
    ),
}
