"""A report as JUnit XML: a test case for each threshold, route and signature, for the test pages of CI systems.

The attributes are those that Jenkins' junit-10.xsd, GitLab and GitHub's actions agree on; names are unique, because
GitLab drops a second case of the same name. With thresholds, what crossed one has failed and nothing else, so that
the page and the exit code agree; without any, a mismatch, an undecided signature and a blind route have failed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from proxy.admin.figures import coverage_ratio, match_with_coverage, share, skipped_reasons
from proxy.admin.noise_text import noise_sentence
from proxy.admin.report.content import UNDECIDED
from proxy.admin.report.sentence import sentence_text
from proxy.admin.report.thresholds import SIGNATURE_COUNTS
from proxy.admin.report.words import certainty, decision, is_blind, occurrence, seen, title

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proxy.admin.report.content import Finding, Report
    from proxy.admin.report.thresholds import Outcome

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Case:
    """A test case: failed with a `failure`, skipped with a `skipped`, else passed. `output` is shown beside it."""

    name: str
    failure: str = ""
    skipped: str = ""
    output: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Suite:
    name: str
    cases: tuple[Case, ...]

    @property
    def failures(self) -> int:
        return sum(bool(case.failure) for case in self.cases)

    @property
    def skipped(self) -> int:
        return sum(bool(case.skipped) for case in self.cases)


def as_junit(report: Report) -> str:
    from proxy.admin.render import render  # noqa: PLC0415 - Jinja takes 40 ms that the other formats don't need

    suites = [suite for suite in suites_of(report) if suite.cases]
    made_at = datetime.fromtimestamp(report.scope.made_at, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return render("report.junit.xml", title=title(report), suites=suites, made_at=made_at)


def suites_of(report: Report) -> tuple[Suite, Suite, Suite]:
    return (
        Suite("changeover.thresholds", tuple(map(_threshold, report.outcomes))),
        Suite("changeover.routes", tuple(_route(route, report.outcomes) for route in report.routes)),
        Suite("changeover.signatures", tuple(_signature(finding, report.outcomes) for finding in report.findings)),
    )


def _threshold(outcome: Outcome) -> Case:
    no_data = "no route has data for it" if outcome.verdict == "no_data" else ""
    return Case(outcome.threshold.expression, "; ".join(outcome.sentences()), no_data)


def _route(route: Json, outcomes: tuple[Outcome, ...]) -> Case:
    failure = _crossed(route, outcomes) if outcomes else _mismatched(route)
    untested = "" if failure or route["coverage"]["compared"] else "nothing was compared"
    return Case(route["name"], failure, untested, tuple(_route_lines(route)))


def _crossed(route: Json, outcomes: tuple[Outcome, ...]) -> str:
    return "; ".join(
        f"{outcome.threshold.expression}: {failure.found}"
        for outcome in outcomes
        for failure in outcome.failures
        if failure.route == route["name"]
    )


def _mismatched(route: Json) -> str:
    if is_blind(route):
        return f"nothing was compared, and should have been (coverage {share(coverage_ratio(route))})"
    return f"{route['mismatches']} mismatches" if route["mismatches"] else ""


def _route_lines(route: Json) -> Iterator[str]:
    yield f"match rate {match_with_coverage(route)}"
    if sure := certainty(route):
        yield sure
    if gaps := skipped_reasons(route):
        yield f"not compared: {gaps}"


def _signature(finding: Finding, outcomes: tuple[Outcome, ...]) -> Case:
    """A decision that silences a difference passes; one that only knows of it is neither passed nor failed."""
    state = finding.row["state"]
    said = sentence_text(finding.sentence)
    has_failed = _is_counted(state, outcomes) if outcomes else state in UNDECIDED
    return Case(
        name=f"{finding.row['route']}: {said} [{finding.row['id']}]",
        failure=f"{state}: {said}" if has_failed else "",
        skipped="known, and still a mismatch" if state == "known" and not has_failed else "",
        output=tuple(_signature_lines(finding)),
    )


def _is_counted(state: str, outcomes: tuple[Outcome, ...]) -> bool:
    return any(
        outcome.verdict == "crossed" and state in SIGNATURE_COUNTS.get(outcome.threshold.figure, ())
        for outcome in outcomes
    )


def _signature_lines(finding: Finding) -> Iterator[str]:
    yield f"state {finding.row['state']}; {occurrence(finding)}; {seen(finding)}"
    if rates := noise_sentence(finding.row):
        yield rates
    yield from (f"{label}: {text}" for label, text in decision(finding.row))
    if finding.example is not None:
        example = finding.example
        yield f"for example {example.method} {example.target}"
        yield from (f"{side.name} ({side.status}): {side.value}" for side in (example.control, example.candidate))
