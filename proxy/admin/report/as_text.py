"""A report as plain lines, for terminals and logs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from proxy.admin.figures import both, count, match_with_coverage, moment, percent, skipped_reasons
from proxy.admin.noise_text import noise_sentence
from proxy.admin.plain import plain
from proxy.admin.report.sentence import sentence_text
from proxy.admin.report.words import certainty, decision, occurrence, seen, subtitle, title, verdict_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proxy.admin.report.content import Finding, Report
    from proxy.admin.report.example import Example, Side

Json = dict[str, Any]
_INDENT = "    "


def as_text(report: Report) -> str:
    return "\n".join(plain(line) for line in _lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    yield title(report)
    yield ", ".join(subtitle(report))
    if report.outcomes:
        yield from _section("Thresholds", len(report.outcomes))
    for outcome in report.outcomes:
        yield verdict_line(outcome)
        yield from (f"{_INDENT}{failure.said()}" for failure in outcome.failures)
    yield from _section("Routes", len(report.routes))
    for route in report.routes:
        yield from _route(route)
    yield from _section("Differences", len(report.findings))
    for finding in report.findings:
        yield from _finding(finding)


def _section(name: str, number: int) -> tuple[str, str]:
    return "", f"{name}: {count(number)}"


def _route(route: Json) -> Iterator[str]:
    yield (
        f"{route['name']}: {percent(route['effective_percentage'])} in force, "
        f"users {both(route['users'], count)}, {count(route['coverage']['compared'])} compared, "
        f"match rate {match_with_coverage(route)}, {count(route['mismatches'])} mismatches"
    )
    if sure := certainty(route):
        yield f"{_INDENT}{sure}"
    if gaps := skipped_reasons(route):
        yield f"{_INDENT}not compared: {gaps}"


def _finding(finding: Finding) -> Iterator[str]:
    row = finding.row
    yield f"{row['id']}  {row['state']}  {row['route']}: {sentence_text(finding.sentence)}"
    yield f"{_INDENT}{occurrence(finding)}; {seen(finding)}"
    if rates := noise_sentence(row):
        yield f"{_INDENT}{rates}"
    if said := decision(row):
        yield _INDENT + ", ".join(f"{label}: {text}" for label, text in said)
    if finding.example is not None:
        yield from _example(finding.example)


def _example(example: Example) -> Iterator[str]:
    yield f"{_INDENT}for example {example.method} {example.target} at {moment(example.at)}"
    if example.place:
        yield f"{_INDENT}  {example.place}"
    yield from (f"{_INDENT}  {_side(side)}" for side in (example.control, example.candidate))


def _side(side: Side) -> str:
    return f"{side.name} ({side.status}, {count(side.length)} bytes): {side.value}"
