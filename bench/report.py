"""The result as text: the tables on stdout, a section of bench/results.md, and JSON for machines."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from bench.cores import describe_background
from bench.results import Result, Row, find_ratio

if TYPE_CHECKING:
    from collections.abc import Sequence

NOTHING = "–"
WORK_WORDS = {"direct": "none", "pass": "passing", "mirror": "mirroring"}

RATE_HEADER = (
    "contender",
    "work",
    "requests/s",
    "slowest–fastest",
    "p50 ms",
    "p99 ms",
    "× Envoy",
    "× nginx",
    "mirrored",
    "core busy",
    "remarks",
)
EVIDENCE_HEADER = ("contender", "pairs", "matches", "mismatches", "compared", "coverage", "skipped")

HOW_TO_READ = """\
Medians over the rounds. "× Envoy" and "× nginx" compare with that peer doing the same work, passing or mirroring.
"mirrored" is what the mirror origin got per request that the serving origin got. "core busy" is the proxy's core, or
the mean of its cores: well below 100 %, the load side was the limit and the proxy could do more. Pairs include the
warm-up. Limits and method: bench/README.md."""


def render_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table with aligned columns, so that it reads well unrendered too: text left, figures right."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    is_text = [all(not _is_figure(cell) for cell in column) for column in zip(*rows, strict=True)]
    is_text = is_text or [True] * len(header)
    rule = [f"{'-' * (width - 1)}{'-' if text else ':'}" for width, text in zip(widths, is_text, strict=True)]
    return "\n".join(_render_line(cells, widths, is_text) for cells in (header, rule, *rows))


def _render_line(cells: Sequence[str], widths: Sequence[int], is_text: Sequence[bool]) -> str:
    aligned = (
        cell.ljust(width) if text else cell.rjust(width)
        for cell, width, text in zip(cells, widths, is_text, strict=True)
    )
    return f"| {' | '.join(aligned)} |"


def _is_figure(cell: str) -> bool:
    return cell[:1].isdigit()


def render_rates(rows: Sequence[Row]) -> str:
    return render_table(RATE_HEADER, [_rate_cells(row, rows) for row in rows])


def _rate_cells(row: Row, rows: Sequence[Row]) -> list[str]:
    if not row.samples:
        word = "failed" if row.absence.startswith("failed") else "absent"
        return [row.title, WORK_WORDS[row.work], word, *[NOTHING] * 7, row.absence.splitlines()[0]]
    return [
        row.title,
        WORK_WORDS[row.work],
        f"{row.requests_per_s:,.0f}",
        f"{row.slowest_per_s:,.0f}–{row.fastest_per_s:,.0f}",
        f"{row.p50_ms:.2f}",
        f"{row.p99_ms:.2f}",
        _render_ratio(find_ratio(row, rows, "envoy")),
        _render_ratio(find_ratio(row, rows, "nginx")),
        _render_share(row.mirrored_ratio) if row.work == "mirror" else NOTHING,
        # Without a proxy its core is idle, or busy with something else.
        NOTHING if row.work == "direct" else _render_share(row.busy, digits=0),
        "; ".join(row.find_flaws()),
    ]


def _render_ratio(ratio: float | None) -> str:
    return NOTHING if ratio is None else f"{ratio:.2f}"


def _render_share(share: float | None, *, digits: int = 1) -> str:
    return NOTHING if share is None else f"{share * 100:.{digits}f} %"


def render_evidence(rows: Sequence[Row]) -> str:
    """The table of what was compared; empty when no row compared anything."""
    cells = [_evidence_cells(row) for row in rows if row.evidence]
    return render_table(EVIDENCE_HEADER, cells) if cells else ""


def _evidence_cells(row: Row) -> list[str]:
    evidence = row.evidence
    if evidence is None:
        return [row.title, *[NOTHING] * 6]
    return [
        row.title,
        f"{evidence.pairs:,}",
        f"{evidence.matches:,}",
        f"{evidence.mismatches:,}",
        f"{evidence.compared:,}",
        _render_share(evidence.coverage),
        ", ".join(f"{reason} {count:,}" for reason, count in evidence.skipped) or NOTHING,
    ]


def render_tables(result: Result) -> str:
    """Both tables and how to read them, as printed on stdout."""
    parts = [result.scenario.heading, _render_both(result), HOW_TO_READ]
    return "\n\n".join(parts)


def _render_both(result: Result) -> str:
    parts = [render_rates(result.rows), render_evidence(result.rows)]
    return "\n\n".join(part for part in parts if part)


def render_section(result: Result) -> str:
    """The scenario's section of bench/results.md, without its heading."""
    return f"{_render_circumstances(result)}\n\n{_render_both(result)}"


def _render_circumstances(result: Result) -> str:
    load = result.load
    return "\n".join(
        [
            f"- Date: {result.date}, in {result.took_s:.0f} s",
            f"- Command: `{result.command}`",
            f"- Machine: {result.machine.describe()}",
            f"- Versions: {', '.join(result.versions)}",
            f"- Pinning: {result.cores.describe()}",
            f"- Before the first run: {describe_background(result.background)}",
            (
                f"- Load: wrk, {load.describe()}; {result.rounds} rounds of {load.seconds} s after"
                f" {load.warm_up_seconds} s of warm-up, each contender started afresh"
            ),
        ]
    )


def render_json(results: Sequence[Result]) -> str:
    """Everything by scenario, down to the single run, with the medians of each row beside its samples."""
    return json.dumps({result.scenario.name: _build_document(result) for result in results}, indent=2) + "\n"


def _build_document(result: Result) -> dict[str, Any]:
    document = asdict(result)
    for row, fields in zip(result.rows, document["rows"], strict=True):
        fields["median"] = _medians(row, result.rows) if row.samples else None
    return document


def _medians(row: Row, rows: Sequence[Row]) -> dict[str, Any]:
    return {
        "requests_per_s": row.requests_per_s,
        "p50_ms": row.p50_ms,
        "p99_ms": row.p99_ms,
        "busy": row.busy,
        "foreign": row.foreign,
        "mirrored_ratio": row.mirrored_ratio,
        "to_envoy": find_ratio(row, rows, "envoy"),
        "to_nginx": find_ratio(row, rows, "nginx"),
        "flaws": row.find_flaws(),
    }
