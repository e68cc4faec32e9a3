"""Reports, as pure functions from what the API answers to a document: text, Markdown or JSON.

Worst first. A match rate never stands without its coverage, and every gap has its reason (law 5); what was not
compared is not called equal (law 10). Everything from outside is made plain or escaped.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from proxy.admin.figures import (
    both,
    count,
    coverage_ratio,
    match_with_coverage,
    moment,
    percent,
    skipped_reasons,
)
from proxy.admin.plain import markdown, markdown_code, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Json = dict[str, Any]
MAX_MARKDOWN_CHARACTERS = 60_000  # GitHub refuses comments over 65,536 characters; the rest is for a bot's own words
MAX_CELL_CHARACTERS = 160
# People look at these first; what they decided about comes last. Unknown states count as undecided.
_STATE_ORDER = {"regressed": 0, "new": 1, "known": 2, "noise": 3, "ignored": 4, "fixed": 5}


@dataclass(frozen=True, slots=True)
class Report:
    """What a report tells, worst first: routes by mismatches and missing coverage, signatures by state and count."""

    version: str
    config_digest: str
    routes: tuple[Json, ...]
    signatures: tuple[Json, ...]


def build_report(status: Json, routes: Sequence[Json], signatures: Sequence[Json]) -> Report:
    """From the answers of /status, /routes and /diffs."""
    return Report(
        version=status["version"],
        config_digest=status["config"]["digest"],
        routes=tuple(sorted(routes, key=_route_rank)),
        signatures=tuple(sorted(signatures, key=_signature_rank)),
    )


def as_text(report: Report) -> str:
    lines = [_title(report), ""]
    for route in report.routes:
        lines += [plain(line) for line in _route_text(route)]
    lines += ["", f"{len(report.signatures)} signatures", *(plain(_signature_text(each)) for each in report.signatures)]
    return "\n".join(lines) + "\n"


def as_markdown(report: Report) -> str:
    """At most MAX_MARKDOWN_CHARACTERS; what had no room is counted at the end."""
    head = [f"# {_title(report)}", "", *_ROUTE_HEAD]
    head += [_route_markdown(route) for route in report.routes]
    gaps = [f"- {markdown_code(route['name'])}: {markdown(skipped_reasons(route))}" for route in _with_gaps(report)]
    if gaps:
        head += ["", "## Not compared, and why", "", *gaps]
    head += ["", f"## Differences: {len(report.signatures)}", "", *(_SIGNATURE_HEAD if report.signatures else ())]
    return _bounded(head, [_signature_markdown(each) for each in report.signatures])


def as_json(report: Report) -> str:
    """The API's own values, in the report's order."""
    document = {
        "version": report.version,
        "config_digest": report.config_digest,
        "routes": report.routes,
        "signatures": report.signatures,
    }
    return json.dumps(document, indent=2) + "\n"


FORMATS: dict[str, Callable[[Report], str]] = {"text": as_text, "markdown": as_markdown, "json": as_json}

_ROUTE_HEAD = (
    "| route | in force | users legacy / new | compared | match rate (coverage) | mismatches |",
    "|---|---:|---:|---:|---:|---:|",
)
_SIGNATURE_HEAD = (
    "| signature | state | route | where | change | count | last seen |",
    "|---|---|---|---|---|---:|---|",
)


def _title(report: Report) -> str:
    digest = re.sub("[^0-9a-f]", "", report.config_digest)
    return f"Changeover report: {len(report.routes)} routes, config {digest[:12]}"


def _route_rank(route: Json) -> tuple[int, float, str]:
    """Most mismatches first, then least coverage; a route of which nothing was expected comes last."""
    ratio = coverage_ratio(route)
    return -route["mismatches"], 2.0 if ratio is None else ratio, route["name"]


def _signature_rank(signature: Json) -> tuple[int, int, str]:
    return _STATE_ORDER.get(signature["state"], 1), -signature["count"], signature["id"]


def _with_gaps(report: Report) -> list[Json]:
    return [route for route in report.routes if skipped_reasons(route)]


def _route_text(route: Json) -> list[str]:
    facts = (
        f"{route['name']}: {percent(route['effective_percentage'])} in force, "
        f"users {both(route['users'], count)}, {count(route['coverage']['compared'])} compared, "
        f"match rate {match_with_coverage(route)}, {count(route['mismatches'])} mismatches"
    )
    gaps = skipped_reasons(route)
    return [facts, f"    not compared: {gaps}"] if gaps else [facts]


def _signature_text(signature: Json) -> str:
    return (
        f"{signature['id']}  {signature['state']:<9}  {count(signature['count']):>9}  {signature['route']}  "
        f"{_where(signature)}  {signature.get('shape', '')}"
    ).rstrip()


def _route_markdown(route: Json) -> str:
    cells = [
        markdown_code(route["name"], MAX_CELL_CHARACTERS),
        percent(route["effective_percentage"]),
        both(route["users"], count),
        count(route["coverage"]["compared"]),
        match_with_coverage(route),
        count(route["mismatches"]),
    ]
    return f"| {' | '.join(cells)} |"


def _signature_markdown(signature: Json) -> str:
    cells = [
        markdown_code(signature["id"], MAX_CELL_CHARACTERS),
        markdown(signature["state"]),
        markdown_code(signature["route"], MAX_CELL_CHARACTERS),
        markdown_code(_where(signature), MAX_CELL_CHARACTERS),
        markdown_code(signature.get("shape", ""), MAX_CELL_CHARACTERS),
        count(signature["count"]),
        moment(signature["last_seen"]),
    ]
    return f"| {' | '.join(cells)} |"


def _where(signature: Json) -> str:
    return f"{signature['kind']} {signature['path']}".strip()


def _bounded(head: list[str], rows: list[str]) -> str:
    """The head, and as many rows as fit; a head that is too long is cut at a line as well."""
    room = MAX_MARKDOWN_CHARACTERS - 100  # for the line that counts what had no room
    kept: list[str] = []
    lines = [*head, *rows]
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            break
        kept.append(line)
    if len(kept) < len(lines):
        kept += ["", f"… and {len(lines) - len(kept)} more lines: `changeover report --format json` has all."]
    return "\n".join(kept) + "\n"
