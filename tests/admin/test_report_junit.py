"""JUnit XML: well-formed whatever it holds, with the counts, names and outcomes that CI systems read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from proxy.admin.plain import plain
from proxy.admin.report.as_junit import as_junit
from tests.admin.hostile import HOSTILE
from tests.admin.reports import detailed, full_report, report_of
from tests.fakes import covered, route_row, signature_row

if TYPE_CHECKING:
    from proxy.admin.report.content import Report

# What Jenkins' junit-10.xsd allows on each element, and of that what it demands.
ALLOWED = {
    "testsuites": {"name", "time", "tests", "failures", "errors"},
    "testsuite": {"name", "tests", "failures", "errors", "group", "time", "skipped", "timestamp", "hostname", "id"},
    "testcase": {"name", "time", "classname", "group"},
    "failure": {"type", "message"},
    "skipped": {"type", "message"},
    "system-out": set(),
}
DEMANDED = {"testsuite": {"name", "tests", "failures", "errors"}, "testcase": {"name"}}
CHILDREN = {
    "testsuites": {"testsuite"},
    "testsuite": {"testcase"},
    "testcase": {"failure", "skipped", "system-out"},
}


def parsed(report: Report) -> ET.Element:
    return ET.fromstring(as_junit(report))


def outcomes(report: Report, suite: str) -> list[str]:
    """passed, failed or skipped of each case of a suite."""
    return [
        "failed" if case.find("failure") is not None else "skipped" if case.find("skipped") is not None else "passed"
        for case in parsed(report).iterfind(f"testsuite[@name='changeover.{suite}']/testcase")
    ]


def test_document_has_the_elements_and_attributes_that_are_agreed_on():
    """Those of Jenkins' schema, and of them all that are demanded."""
    for element in parsed(full_report()).iter():
        assert set(element.attrib) <= ALLOWED[element.tag]
        assert DEMANDED.get(element.tag, set()) <= set(element.attrib)
        assert {child.tag for child in element} <= CHILDREN.get(element.tag, set())


def test_document_counts_its_cases():
    """What the attributes say is what is there."""
    root = parsed(full_report())
    for element in (root, *root.iterfind("testsuite")):
        cases = list(element.iter("testcase"))
        assert (element.get("tests"), element.get("failures"), element.get("errors")) == (
            str(len(cases)),
            str(sum(case.find("failure") is not None for case in cases)),
            "0",
        )
    assert ["3", "2", "4"] == [suite.get("tests") for suite in root.iterfind("testsuite")]


def test_names_are_unique():
    """GitLab drops the second of two cases with one name."""
    rows = [signature_row(f"{number:012}") for number in range(50)]
    names = [
        (case.get("classname"), case.get("name")) for case in parsed(report_of([route_row()], rows)).iter("testcase")
    ]
    assert len(names) == len(set(names)) == 51


def test_without_thresholds_a_mismatch_fails_and_nothing_compared_is_skipped():
    """A route that should have been compared and wasn't has failed: law 10."""
    routes = [
        route_row("bad"),
        route_row("blind", mismatches=0, match_rate=None, coverage=covered(0, timeout=9)),
        route_row("good", mismatches=0, match_rate=1.0, coverage=covered(10)),
        route_row("idle", mismatches=0, match_rate=None, coverage=covered(0, method=9)),
    ]
    assert ["failed", "failed", "passed", "skipped"] == outcomes(report_of(routes), "routes")


def test_without_thresholds_an_undecided_signature_fails():
    """A known one is neither; what is silenced or gone passes."""
    states = ("regressed", "new", "unproven", "known", "noise", "ignored", "fixed")
    rows = [signature_row(str(number), state=state) for number, state in enumerate(states)]
    expected = ["failed", "failed", "failed", "skipped", "passed", "passed", "passed"]
    assert expected == outcomes(report_of([], rows), "signatures")


def test_with_thresholds_what_crossed_one_has_failed_and_nothing_else():
    """So that the page of the CI system and the exit code agree."""
    rows = [signature_row("1", state="new"), signature_row("2", state="known")]
    routes = [route_row("feeds"), route_row("blind", mismatches=0, match_rate=None, coverage=covered(0, timeout=9))]
    lenient = report_of(routes, rows, fail_on=["mismatch_rate>1%"])
    strict = report_of(routes, rows, fail_on=["coverage<50%", "open_signatures>0", "match_rate<1%"])
    assert (["passed"], ["passed", "skipped"], ["passed", "skipped"]) == (
        outcomes(lenient, "thresholds"),
        outcomes(lenient, "routes"),
        outcomes(lenient, "signatures"),
    )
    assert (["failed", "failed", "passed"], ["passed", "failed"], ["failed", "failed"]) == (
        outcomes(strict, "thresholds"),
        outcomes(strict, "routes"),
        outcomes(strict, "signatures"),
    )


def test_threshold_without_data_is_skipped():
    """Inconclusive is not a pass."""
    idle = route_row(mismatches=0, match_rate=None, coverage=covered(0))
    assert ["skipped"] == outcomes(report_of([idle], fail_on=["match_rate<99%"]), "thresholds")


def test_failure_says_what_where_and_how_often():
    """The message is a sentence, the text below has the example."""
    row = signature_row(path="$.score", shape="number→string", owner="bo")
    failure = parsed(report_of([route_row()], [row], details=detailed(row))).find(".//testsuite[2]//failure")
    assert failure is not None
    assert failure.get("message") == "new: New sends $.score as a string where legacy sends a number."
    lines = (failure.text or "").splitlines()
    assert ["owner: bo", "for example GET /api/feeds?page=2", "legacy (200): 1", 'new (200): "1"'] == lines[2:6]


def test_report_of_nothing_is_a_document():
    """Without routes and signatures there are no suites."""
    assert [] == list(parsed(report_of()))


@pytest.mark.parametrize("text", HOSTILE)
def test_document_is_well_formed_whatever_it_holds(text: str):
    """XML has no controls, not even as references; they arrive as their visible escapes."""
    row = signature_row(path=text, shape=text, reason=text, owner=text)
    root = parsed(report_of([route_row(text)], [row], details=detailed(row)))
    names = [case.get("name") for case in root.iter("testcase")]
    assert (2, plain(text)) == (len(names), names[0])
    assert [] == re.findall(r"[\x00-\x08\x0b-\x1f]", "".join(root.itertext()))
