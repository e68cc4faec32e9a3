"""A report as one HTML file: opens from disk, prints, needs no script and no other file.

Captured answers are hostile. Every value is escaped by the templates (`render`), and the page's own policy forbids
scripts, forms, images, frames and every style but the one it carries: what slipped through would still do nothing.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from proxy.admin.figures import both, count, coverage_ratio, milliseconds, moment, percent, share, skipped_reasons
from proxy.admin.noise_text import noise_sentence
from proxy.admin.report.content import UNDECIDED, interval_of
from proxy.admin.report.example import marked_parts
from proxy.admin.report.words import (
    VERDICTS,
    decision,
    interval_text,
    occurrence,
    proof,
    subtitle,
    title,
    totals,
)
from proxy.core.proportion import CONFIDENCE

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.admin.report.content import Finding, Report

Json = dict[str, Any]
MAX_FINDINGS = 500  # a page of some 2 MB; who has more to look at begins with the first ones
_SETTLED = frozenset({"ignored", "noise", "fixed"})
_DECIDED = _SETTLED | {"known"}
_LINK = re.compile(r"https?://[\w.~:/?#\[\]@!$&()*+,;=%-]{1,500}", re.ASCII)  # RFC 3986 §2, without the quote


@dataclass(frozen=True, slots=True)
class Group:
    """Signatures that ask the same of the reader."""

    anchor: str
    name: str
    findings: tuple[Finding, ...]


def as_html(report: Report) -> str:
    from proxy.admin.render import render  # noqa: PLC0415 - Jinja takes 40 ms that the other formats don't need

    style = render("report.css")
    shown = report.findings[:MAX_FINDINGS]
    return render(
        "report.html",
        report=report,
        title=title(report),
        subtitle=subtitle(report),
        policy=_policy(style),
        tiles=_tiles(report),
        groups=_groups(shown),
        left_out=len(report.findings) - len(shown),
        verdicts=VERDICTS,
        confidence=f"{CONFIDENCE * 100:g} %",
        route_cells=_route_cells,
        marked_parts=marked_parts,
        occurrence=occurrence,
        decision=decision,
        noise=noise_sentence,
        link=_link,
        moment=moment,
        count=count,
        gaps=skipped_reasons,
    )


def _policy(style: str) -> str:
    """Content-Security-Policy level 3: nothing is allowed but the style with this digest."""
    digest = base64.b64encode(sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def _tiles(report: Report) -> list[tuple[str, str, str]]:
    """What stands on top: name, number, what it rests on."""
    sums = totals(report)
    undecided = sum(number for state, number in sums["states"].items() if state in UNDECIDED)
    is_known = sums["match_rate"] is not None
    return [
        ("Match rate", share(sums["match_rate"]) if is_known else "unknown", f"coverage {share(sums['coverage'])}"),
        ("Compared", count(sums["compared"]), f"of {count(sums['expected'])} that should have been"),
        (
            "Mismatches",
            count(sums["mismatches"]),
            f"on {_routes_with_mismatches(report)} of {len(report.routes)} routes",
        ),
        ("To decide", count(undecided), f"of {count(len(report.findings))} differences"),
    ]


def _routes_with_mismatches(report: Report) -> int:
    return sum(route["mismatches"] > 0 for route in report.routes)


def _groups(findings: tuple[Finding, ...]) -> list[Group]:
    """Undecided ones first. A state that isn't known here counts as undecided: nothing is hidden."""
    groups = (
        Group("undecided", "To decide", _in(findings, lambda state: state not in _DECIDED)),
        Group("known", "Known, still mismatches", _in(findings, lambda state: state == "known")),
        Group("settled", "Ignored, noise or fixed", _in(findings, lambda state: state in _SETTLED)),
    )
    return [group for group in groups if group.findings]


def _in(findings: tuple[Finding, ...], is_in: Callable[[str], bool]) -> tuple[Finding, ...]:
    return tuple(finding for finding in findings if is_in(finding.row["state"]))


def _route_cells(route: Json) -> list[tuple[str, str, str]]:
    """Label, number, and the smaller words below it; the match rate has its coverage in the same cell (law 5)."""
    interval = interval_of(route)
    is_known = route["match_rate"] is not None
    return [
        ("In force", percent(route["effective_percentage"]), f"users {both(route['users'], count)}"),
        (
            "Match rate",
            share(route["match_rate"]) if is_known else "nothing compared",
            f"coverage {share(coverage_ratio(route))}",
        ),
        ("Confidence", "-" if interval is None else interval_text(interval), proof(route)),
        ("Compared", count(route["coverage"]["compared"]), f"of {count(route['coverage']['expected'])}"),
        ("Mismatches", count(route["mismatches"]), ""),
        ("p99 ms", _p99(route), "legacy / new"),
    ]


def _p99(route: Json) -> str:
    sides = (route["latency_ms"].get(side) or {} for side in ("legacy", "new"))
    return " / ".join(milliseconds(side.get("p99")) for side in sides)


def _link(text: str) -> str:
    """A ticket's address where it is one of the web's; never another scheme."""
    return text if _LINK.fullmatch(text) else ""
