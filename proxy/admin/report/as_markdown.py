"""A report as Markdown for a comment: never longer than a comment may be, and what had no room is counted."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from proxy.admin.figures import both, count, match_with_coverage, moment, percent, share, skipped_reasons
from proxy.admin.noise_text import noise_sentence
from proxy.admin.plain import markdown, markdown_code, plain
from proxy.admin.report.content import interval_of, with_gaps
from proxy.admin.report.words import VERDICTS, decision, interval_text, proof, subtitle, title

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from proxy.admin.report.content import Finding, Report
    from proxy.admin.report.example import Example, Side
    from proxy.admin.report.sentence import Sentence
    from proxy.admin.report.thresholds import Outcome

Json = dict[str, Any]
MAX_CHARACTERS = 60_000  # GitHub refuses comments over 65,536 characters; the rest is for a bot's own words
MAX_CELL_CHARACTERS = 160
_MAX_SENTENCE_CHARACTERS = 300
_ROOM_FOR_NOTES = 2_000  # headings, and the lines that count what had no room
_ROUTES = (
    "| route | in force | users legacy / new | compared | match rate (coverage) | 95 % interval | mismatches |",
    "|---|---:|---:|---:|---:|---:|---:|",
)
_SIGNATURES = (
    "| signature | state | route | what differs | count | share | last seen | decided |",
    "|---|---|---|---|---:|---:|---|---|",
)


def as_markdown(report: Report) -> str:
    """At most MAX_CHARACTERS; each part is cut at a whole row, and says how many rows it lacks."""
    page = _Page()
    page.add([f"# {markdown(title(report))}", "", markdown(", ".join(subtitle(report)))])
    if report.outcomes:
        page.add(["", "## Thresholds", ""])
        page.add_rows("thresholds", (_outcome(outcome) for outcome in report.outcomes), len(report.outcomes))
    page.add(["", f"## Routes: {count(len(report.routes))}", "", *_ROUTES])
    page.add_rows("routes", map(_route, report.routes), len(report.routes))
    page.add(["", "## How sure the match rates are", ""])
    page.add_rows("routes", map(_certainty, report.routes), len(report.routes))
    gaps = with_gaps(report)
    if gaps:
        page.add(["", "## Not compared, and why", ""])
        page.add_rows("routes", map(_gap, gaps), len(gaps))
    page.add(["", f"## Differences: {count(len(report.findings))}"])
    if report.findings:
        page.add(["", *_SIGNATURES])
        page.add_rows("signatures", map(_signature, report.findings), len(report.findings))
    shown = [finding for finding in report.findings if finding.example is not None]
    if shown:
        page.add(["", "## Examples"])
        page.add_rows("examples", map(_example, shown), len(shown))
    return page.text()


class _Page:
    """Lines that fit into MAX_CHARACTERS. A part that is full says what it lacks; later parts may still find room."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._room = MAX_CHARACTERS - _ROOM_FOR_NOTES

    def add(self, lines: Iterable[str]) -> None:
        """Headings: short, and always there."""
        for line in lines:
            self._lines.append(line)
            self._room -= len(line) + 1

    def add_rows(self, noun: str, rows: Iterator[str], number: int) -> None:
        """As many rows as fit in their order; the note that counts the rest has its room already."""
        for done, row in enumerate(rows):
            if len(row) + 1 > self._room:
                self._lines += ["", f"… {count(number - done)} more {noun} had no room here; `--format json` has all."]
                self._room = 0
                return
            self._lines.append(row)
            self._room -= len(row) + 1

    def text(self) -> str:
        return "\n".join(self._lines) + "\n"


def _outcome(outcome: Outcome) -> str:
    places = [f"  - {markdown(failure.said(), MAX_CELL_CHARACTERS)}" for failure in outcome.failures]
    return "\n".join([f"- **{VERDICTS[outcome.verdict]}** {markdown_code(outcome.threshold.expression)}", *places])


def _route(route: Json) -> str:
    interval = interval_of(route)
    return _row(
        markdown_code(route["name"], MAX_CELL_CHARACTERS),
        percent(route["effective_percentage"]),
        both(route["users"], count),
        count(route["coverage"]["compared"]),
        match_with_coverage(route),
        "-" if interval is None else interval_text(interval),
        count(route["mismatches"]),
    )


def _certainty(route: Json) -> str:
    return f"- {markdown_code(route['name'], MAX_CELL_CHARACTERS)}: {markdown(proof(route))}"


def _gap(route: Json) -> str:
    return f"- {markdown_code(route['name'], MAX_CELL_CHARACTERS)}: {markdown(skipped_reasons(route))}"


def _signature(finding: Finding) -> str:
    row = finding.row
    said = "; ".join(f"{label}: {text}" for label, text in decision(row))
    rates = f" It {markdown(noise, _MAX_SENTENCE_CHARACTERS)}." if (noise := noise_sentence(row)) else ""
    return _row(
        markdown_code(row["id"], MAX_CELL_CHARACTERS),
        markdown(row["state"], MAX_CELL_CHARACTERS),
        markdown_code(row["route"], MAX_CELL_CHARACTERS),
        _sentence(finding.sentence) + rates,
        count(row["count"]),
        share(finding.share),
        moment(row["last_seen"]),
        markdown(said, MAX_CELL_CHARACTERS),
    )


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _sentence(sentence: Sentence) -> str:
    return "".join(
        markdown_code(part.text, _MAX_SENTENCE_CHARACTERS) if part.is_code else markdown(part.text) for part in sentence
    )


def _example(finding: Finding) -> str:
    """A paragraph and a fenced block in the manner of a diff: legacy's value is what goes, new's what comes."""
    example = finding.example
    if example is None:
        return ""
    request = markdown_code(f"{example.method} {example.target}", _MAX_SENTENCE_CHARACTERS)
    head = f"{markdown_code(finding.row['id'])}: {request}, {moment(example.at)}"
    return "\n".join(["", head, "", *_fenced(_difference(example))])


def _difference(example: Example) -> list[str]:
    return [
        example.place or "(the place was not kept)",
        f"- {_side(example.control)}",
        f"+ {_side(example.candidate)}",
    ]


def _side(side: Side) -> str:
    return f"{side.name} ({side.status}, {count(side.length)} bytes): {side.value}"


def _fenced(lines: list[str]) -> list[str]:
    """A fence longer than any run of backticks in it (CommonMark 0.31 §4.5)."""
    shown = [plain(line) for line in lines]
    longest = max((len(run) for line in shown for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}diff", *shown, fence]
