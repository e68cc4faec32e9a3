"""Reports from the API's answers: order, escaping, bounds, and law 5."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.admin.report import MAX_MARKDOWN_CHARACTERS, as_json, as_markdown, as_text, build_report
from tests.fakes import covered, route_row, signature_row, status_row


def test_report_puts_the_worst_first():
    """Routes by mismatches, then by missing coverage; signatures by what nobody has decided about."""
    report = build_report(
        status_row(),
        [
            route_row("idle", mismatches=0, coverage=covered(0)),
            route_row("fine", mismatches=0, coverage=covered(10)),
            route_row("blind", mismatches=0, coverage=covered(1, timeout=9)),
            route_row("bad", mismatches=7, coverage=covered(10)),
        ],
        [
            signature_row("1", state="ignored", count=9_000),
            signature_row("2", state="new", count=1),
            signature_row("3", state="new", count=5),
            signature_row("4", state="regressed", count=1),
        ],
    )
    assert ["bad", "blind", "fine", "idle"] == [route["name"] for route in report.routes]
    assert ["4", "3", "2", "1"] == [signature["id"] for signature in report.signatures]


def test_text_and_markdown_give_every_gap_its_reason():
    """What was not compared stands in both, with its number."""
    report = build_report(status_row(), [route_row()], [])
    assert "    not compared: timeout 100, not_sampled 7" in as_text(report).splitlines()
    assert "- `feeds`: timeout 100, not\\_sampled 7" in as_markdown(report).splitlines()


def test_text_and_markdown_never_show_a_match_rate_without_coverage():
    """Law 5: wherever a match rate stands, its coverage stands behind it."""
    report = build_report(status_row(), [route_row()], [signature_row()])
    for document in (as_text(report), as_markdown(report)):
        assert len(re.findall(r"99\.78 %", document)) == len(re.findall(r"99\.78 % \(coverage 90 %\)", document)) == 1


def test_markdown_is_a_table_that_foreign_text_can_not_leave():
    """Pipes, line ends, backticks and HTML in a path stay within their cell."""
    hostile = signature_row(path="$.a|b\n| x | `code` <script>@ada", shape="**bold**", route="r|s")
    lines = as_markdown(build_report(status_row(), [], [hostile])).splitlines()
    row = lines[-1]
    assert 8 == len(re.findall(r"(?<!\\)\|", row))
    assert "``body $.a\\|b\\n\\| x \\| `code` <script>@ada``" in row


@given(st.text(st.characters(codec="utf-8"), max_size=200), st.integers(0, 50))
def test_markdown_has_one_line_for_each_signature(text: str, number: int):
    """Whatever a path holds, a signature is one row of seven cells."""
    signatures = [signature_row(str(index), path=text, shape=text, route=text) for index in range(number)]
    rows = [line for line in as_markdown(build_report(status_row(), [], signatures)).splitlines() if "new" in line]
    table = [row for row in rows if row.startswith("| `")]
    assert [8] * number == [len(re.findall(r"(?<!\\)\|", row)) for row in table]


def test_markdown_keeps_within_a_comment_and_counts_the_rest():
    """Ten thousand signatures still make a document that can be posted; the worst are in it."""
    signatures = [signature_row(f"{index:012}", count=index, path="$." + "x" * 500) for index in range(10_000)]
    document = as_markdown(build_report(status_row(), [route_row()], signatures))
    kept = len(re.findall(r"^\| `0", document, re.MULTILINE))
    assert len(document) <= MAX_MARKDOWN_CHARACTERS
    assert "000000009999" in document
    assert f"… and {10_000 - kept} more lines" in document


def test_markdown_of_many_routes_keeps_within_a_comment_too():
    """A head that is too long is cut like the rest."""
    routes = [route_row(f"route-{index}") for index in range(5_000)]
    assert len(as_markdown(build_report(status_row(), routes, []))) <= MAX_MARKDOWN_CHARACTERS


def test_json_has_the_values_of_the_api():
    """Nothing is rounded or left out for machines."""
    document = json.loads(as_json(build_report(status_row(), [route_row()], [signature_row()])))
    assert ([route_row()], [signature_row()]) == (document["routes"], document["signatures"])


@pytest.mark.parametrize("write", [as_text, as_markdown])
def test_documents_are_plain_lines(write):
    """Control characters of a backend become visible escapes."""
    hostile = [signature_row(path="\x1b[2J\x07\u202e")]
    document = write(build_report(status_row(), [route_row("a\x1bb")], hostile))
    assert [] == [character for character in document if not (character.isprintable() or character == "\n")]
