"""The tables of the pages as files, and an example's HAR document: what each takes and answers (`room.files`)."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from proxy.admin.openapi import answers
from proxy.admin.openapi.answers import Answer, Count  # pydantic reads Count at run time
from proxy.admin.openapi.operations import TEXT, Operation, Query
from proxy.admin.sift import KINDS
from proxy.core.triage import ALL_STATES

_UNDECIDED = "undecided"
_ROUTE = Query("route", TEXT)


class GapLine(Answer):
    route: str
    reason: str
    count: Count
    chosen: bool = Field(description="The config wants it so.")


class MinuteLine(answers.Minute):
    route: str


class DifferenceLine(answers.SignatureRow):
    sentence: str


# Name -> what a line stands for, its model, the query, statuses of its own.
FILES: dict[str, tuple[str, type[Answer], tuple[Query, ...], tuple[int, ...]]] = {
    "routes": ("route, as on the overview", answers.RouteRow, (), ()),
    "gaps": ("reason of a route why something was not compared", GapLine, (), ()),
    "history": ("minute of a route's last hour", MinuteLine, (_ROUTE,), (404,)),
    "progress": ("route, with its verdict and what that rests on", answers.RouteProgress, (), ()),
    "burn-up": ("span of time, with the requests on legacy and new", answers.Bucket, (), ()),
    "groups": ("group, with who is on new", answers.Group, (), ()),
    "diffs": (
        "difference, the worst first, 10,000 at the most",
        DifferenceLine,
        (
            _ROUTE,
            Query("state", {**TEXT, "enum": sorted({_UNDECIDED, *ALL_STATES})}),
            Query("kind", {**TEXT, "enum": list(KINDS)}),
            Query("version", TEXT, "Of new."),
            Query("text", TEXT, "Words that all must stand in it."),
        ),
        (404,),
    ),
    "audit": ("change, the latest 10,000", answers.AuditLine, (Query("subject", TEXT),), ()),
}


def _operations() -> dict[tuple[str, str], Operation]:
    found: dict[tuple[str, str], Operation] = {}
    for name, (line, model, query, problems) in FILES.items():
        kinds: dict[str, Any] = {"csv": "text/csv", "json": [model]}
        for kind, answer in kinds.items():
            said = f"a line for each {line}"
            found["GET", f"/{name}.{kind}"] = Operation(said, answer, query, problems=problems, may_be_cut=True)
    har = Operation("the examples of a signature as a HAR 1.2 document", "application/json", problems=(404,))
    return {**found, ("GET", "/diffs/{id}/har"): har}


FILE_OPERATIONS = _operations()
