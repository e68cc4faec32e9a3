"""The list of differences: what to look at first, by filters that stand in the address, so that a list can be sent."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from proxy.admin.fields import read_query, refuse, whole_field
from proxy.admin.report.content import UNDECIDED, signature_rank
from proxy.admin.report.sentence import sentence_of
from proxy.admin.room.drawing import stacked
from proxy.admin.room.frame import Page, show
from proxy.admin.sift import KINDS, sift
from proxy.core.triage import ALL_STATES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from proxy.admin.control_api import ControlApi

Json = dict[str, Any]
FILTERS = ("route", "state", "kind", "version", "text")
ROWS = 100  # of a page
MAX_PAGE = 10_000
_STATES = ("new", "regressed", "unproven", "known", "ignored", "noise", "fixed")
UNDECIDED_NAME = "undecided"  # in the address: all states about which somebody has to decide


@dataclass(frozen=True, slots=True)
class Asked:
    """The filters of an address, without those that are empty."""

    filters: Mapping[str, str]

    def url(self, **changes: str | None) -> str:
        """The address of the list with other filters; None takes one away."""
        merged = {**self.filters, **changes}
        query = urlencode([(name, value) for name, value in merged.items() if value], errors="replace")
        return f"/diffs?{query}" if query else "/diffs"

    def suffix(self, **more: str) -> str:
        """What a link to a signature's page must end in, so that this page knows the list it stands in."""
        query = urlencode([*self.filters.items(), *more.items()], errors="replace")
        return f"?{query}" if query else ""


async def get_differences(request: Request, control: ControlApi) -> Page:
    query = read_query(request, (*FILTERS, "page"))
    number = whole_field(query, "page", 1, MAX_PAGE, 1) or 1
    query.pop("page", None)
    asked = Asked(query)
    all_rows = await control.diffs(query.get("route"), None)
    sifted = sift(all_rows, query.get("kind"), query.get("text"), query.get("version"))
    rows = in_state(sifted, query.get("state"))
    shown = rows[(number - 1) * ROWS : number * ROWS]
    trends = (await control.trends([row["id"] for row in shown]))["counts"] if shown else {}
    return await show(
        request,
        control,
        "diffs.html",
        asked=asked,
        routes=sorted({*control.route_names(), *(row["route"] for row in all_rows)}),
        states=_STATES,
        kinds=KINDS,
        by_state=Counter(row["state"] for row in sifted),
        undecided=sum(row["state"] in UNDECIDED for row in sifted),
        sifted=len(sifted),
        rows=[(row, sentence_of(row), stacked([(0, each) for each in trends.get(row["id"], [])])) for row in shown],
        found=len(rows),
        number=number,
        pages=max(-(-len(rows) // ROWS), 1),
        first=(number - 1) * ROWS,
    )


def in_state(rows: list[Json], state: str | None) -> list[Json]:
    """Those in a state, or about which somebody has to decide; what is worst comes first."""
    if state not in {None, UNDECIDED_NAME, *ALL_STATES}:
        refuse(f"the state {str(state)[:40]!r} is unknown: give {UNDECIDED_NAME}, {', '.join(_STATES)}")
    wanted = UNDECIDED if state == UNDECIDED_NAME else ALL_STATES if state is None else {state}
    return sorted((row for row in rows if row["state"] in wanted), key=signature_rank)


async def neighbours(control: ControlApi, asked: Asked, signature_id: str) -> tuple[str | None, str | None]:
    """The ids before and after a signature in the list it was opened from.

    One that is not in it any more, since somebody has decided about it, is followed by the first that is.
    """
    given = asked.filters
    rows = await control.diffs(given.get("route"), None)
    rows = sift(rows, given.get("kind"), given.get("text"), given.get("version"))
    ids = [row["id"] for row in in_state(rows, given.get("state"))]
    if signature_id not in ids:
        return None, ids[0] if ids else None
    at = ids.index(signature_id)
    return ids[at - 1] if at else None, ids[at + 1] if at + 1 < len(ids) else None
