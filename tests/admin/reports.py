"""Reports for tests of their formats."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from proxy.admin.report.content import Report, Scope, build_report
from proxy.admin.report.thresholds import parse_threshold
from tests.fakes import SINCE, difference, example, route_row, signature_row, status_row

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Json = dict[str, Any]
MADE_AT = SINCE + 3_600


def report_of(
    routes: Sequence[Json] = (), signatures: Sequence[Json] = (), *, fail_on: Iterable[str] = (), **changes: Any
) -> Report:
    """A report made an hour after the evidence began; without examples unless `details` are given."""
    options = {"scope": Scope(MADE_AT), "thresholds": [parse_threshold(each) for each in fail_on], **changes}
    return build_report(status_row(), routes, signatures, **options)


def detailed(row: Json, **changes: Any) -> dict[str, Json]:
    """The `details` of one signature with one example, whose difference is the signature's."""
    own = difference(signature=row["id"], kind=row["kind"])
    return {row["id"]: {**row, "examples": [example(**{"differences": [own], **changes})]}}


def full_report() -> Report:
    """A report with something in every place."""
    decided = {"who": "ada", "reason": "meant to be", "owner": "bo", "ticket": "T-1", "until": SINCE + 9_000}
    rows = [
        signature_row("a1b2c3d4e5f6", path="$.items[*].score", shape="number→numeric string"),
        signature_row("b1b2c3d4e5f6", state="known", **decided),
        signature_row("c1b2c3d4e5f6", state="ignored", kind="header", path="x-runtime", shape="missing"),
        signature_row("d1b2c3d4e5f6", state="regressed", kind="status", path="status", shape="200→500", count=1),
    ]
    return report_of(
        [route_row(), route_row("idle", mismatches=0, match_rate=None, coverage={**_NOTHING})],
        rows,
        fail_on=["coverage<95%", "mismatches>5", "new_signatures>0"],
        details=detailed(rows[0]),
        scope=Scope(MADE_AT, SINCE, None),
    )


_NOTHING: Json = {"compared": 0, "expected": 0, "partly": {}, "ratio": None, "skipped": {"method": 3}, "unlisted": 0}
