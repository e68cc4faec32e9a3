"""What a report tells: order, shares, periods; and its text and Markdown: escaping, bounds, and law 5."""

from __future__ import annotations

import re
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.admin.report.as_markdown import MAX_CHARACTERS, as_markdown
from proxy.admin.report.as_text import as_text
from proxy.admin.report.content import Scope, is_seen_since, worst_signatures
from proxy.admin.report.formats import FORMATS
from tests.admin.hostile import HOSTILE
from tests.admin.reports import MADE_AT, detailed, full_report, report_of
from tests.fakes import SINCE, covered, difference, route_row, signature_row


def test_report_puts_the_worst_first():
    """Routes by mismatches, then by missing coverage; signatures by what nobody has decided about."""
    report = report_of(
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
    assert ["4", "3", "2", "1"] == [finding.row["id"] for finding in report.findings]


def test_share_is_of_all_pairs_that_were_compared():
    """A signature's count runs from its beginning, so that it is no share of a shorter period."""
    row = signature_row(count=9)
    by_route = report_of([route_row()], [row]).findings[0]
    all_time = report_of([route_row()], [row], compared={"feeds": 4_500}).findings[0]
    assert (0.01, 0.002) == (by_route.share, all_time.share)


def test_share_is_at_most_all_and_unknown_without_its_route():
    """Counters may be behind the sightings, and a route may be gone from the config."""
    rows = [signature_row("1", count=2_000), signature_row("2", route="gone")]
    assert [1.0, None] == [finding.share for finding in report_of([route_row()], rows).findings]


def test_period_leaves_out_what_was_not_seen_in_it():
    """Both the signatures and those that get an example."""
    rows = [signature_row("old", last_seen=SINCE), signature_row("late", last_seen=SINCE + 60, count=1)]
    report = report_of([], rows, scope=Scope(MADE_AT, SINCE + 60))
    assert (["late"], ["late"]) == (
        [finding.row["id"] for finding in report.findings],
        worst_signatures(rows, SINCE + 60, 5),
    )
    assert is_seen_since(rows[0], None)


def test_worst_signatures_are_the_first_of_the_report():
    """So many of them as get an example."""
    rows = [signature_row(str(number), count=number) for number in range(9)]
    assert ["8", "7"] == worst_signatures(rows, None, 2)


def test_text_and_markdown_give_every_gap_its_reason():
    """What was not compared stands in both, with its number."""
    report = report_of([route_row()])
    assert "    not compared: timeout 100, not_sampled 7" in as_text(report).splitlines()
    assert "- `feeds`: timeout 100, not\\_sampled 7" in as_markdown(report).splitlines()


def test_text_and_markdown_never_show_a_match_rate_without_coverage():
    """Law 5: wherever a match rate stands, its coverage stands behind it."""
    report = report_of([route_row()], [signature_row()])
    for document in (as_text(report), as_markdown(report)):
        assert len(re.findall(r"99\.78 %", document)) == len(re.findall(r"99\.78 % \(coverage 90 %\)", document)) == 1


@pytest.mark.parametrize("name", ["text", "markdown", "html", "junit"])
def test_each_format_says_what_a_route_lacks_for_proof(name: str):
    """With 2 mismatches of 900 it may still be 99.9 %; 5 % of mismatches rule it out; none of 4,000 prove it."""
    mostly = route_row("mostly", mismatches=2, coverage=covered(900))
    bad = route_row("bad", mismatches=50, match_rate=0.95, coverage=covered(1_000))
    good = route_row("good", mismatches=0, match_rate=1.0, coverage=covered(4_000))
    text = FORMATS[name](report_of([mostly, bad, good])).replace("\\", "")
    wanted = (
        "6,389 more pairs without a mismatch until 99.9 % is proven",
        "99.9 % is ruled out; once fixed, 3,838 pairs since then prove it",
        "99.9 % is proven",
    )
    assert [] == [each for each in wanted if each not in text]


def test_text_tells_an_example_and_a_decision():
    """The request, both sides, who decided what."""
    row = signature_row(state="known", owner="bo", ticket="T-1", until=MADE_AT)
    lines = as_text(report_of([], [row], details=detailed(row))).splitlines()
    assert lines[-6:] == [
        "    1,234 times; first seen 2026-09-21 14:13:20Z, last seen 2026-09-21 14:14:20Z",
        "    owner: bo, ticket: T-1, until: 2026-09-21 15:13:20Z",
        "    for example GET /api/feeds?page=2 at 2026-09-21 14:13:20Z",
        "      body $.items[0].score",
        "      legacy (200, 21 bytes): 1",
        '      new (200, 23 bytes): "1"',
    ]


def test_markdown_is_a_table_that_foreign_text_can_not_leave():
    """Pipes, line ends, backticks and HTML in a path stay within their cell."""
    hostile = signature_row(path="$.a|b\n| x | `code` <script>@ada", shape="**bold**", route="r|s")
    row = as_markdown(report_of([], [hostile])).splitlines()[-1]
    assert 9 == len(re.findall(r"(?<!\\)\|", row))
    assert "``$.a\\|b\\n\\| x \\| `code` <script>@ada``" in row


@given(st.text(st.characters(codec="utf-8"), max_size=200), st.integers(0, 50))
def test_markdown_has_one_line_for_each_signature(text: str, number: int):
    """Whatever a path holds, a signature is one row of eight cells."""
    rows = [signature_row(str(index), path=text, shape=text, route=text, reason=text) for index in range(number)]
    table = [line for line in as_markdown(report_of([], rows)).splitlines() if line.startswith("| `")]
    assert [9] * number == [len(re.findall(r"(?<!\\)\|", row)) for row in table]


@pytest.mark.parametrize("text", HOSTILE)
def test_markdown_example_stays_in_its_fence(text: str):
    """A value can neither close the block nor begin another one."""
    row = signature_row(path=text)
    differing = [difference(signature=row["id"], path=text, before=text, after=text)]
    document = as_markdown(report_of([], [row], details=detailed(row, differences=differing)))
    *_, opening, place, before, after, closing = document.splitlines()
    assert opening == f"{closing}diff"
    assert re.fullmatch("`{3,}", closing)
    assert [True] * 3 == [closing not in line for line in (place, before, after)]
    assert ("-", "+") == (before[0], after[0])


def test_markdown_keeps_within_a_comment_and_counts_the_rest():
    """Ten thousand signatures still make a document that can be posted; the worst are in it."""
    rows = [signature_row(f"{index:012}", count=index, path="$." + "x" * 500) for index in range(10_000)]
    document = as_markdown(report_of([route_row()], rows))
    kept = len(re.findall(r"^\| `0", document, re.MULTILINE))
    assert len(document) <= MAX_CHARACTERS
    assert "000000009999" in document
    assert f"… {10_000 - kept:,} more signatures had no room here" in document


@pytest.mark.parametrize("number", [1, 300, 5_000])
def test_markdown_of_many_of_everything_keeps_within_a_comment_too(number: int):
    """Each part that is cut says so, and none of its rows is broken."""
    rows = [signature_row(f"{index:012}", path="$." + "y" * 200) for index in range(number)]
    details = {id_: detail for row in rows for id_, detail in detailed(row).items()}
    routes = [route_row(f"route-{index}") for index in range(number)]
    document = as_markdown(report_of(routes, rows, details=details, fail_on=["coverage<95%"]))
    assert len(document) <= MAX_CHARACTERS
    assert (number > 1) == ("had no room here" in document)
    assert 0 == document.count("```") % 2


@pytest.mark.parametrize("write", [as_text, as_markdown])
@pytest.mark.parametrize("text", HOSTILE)
def test_documents_are_plain_lines(write, text: str):
    """Control characters of a backend become visible escapes."""
    row = signature_row(path=text, shape=text, state=text, reason=text)
    document = write(report_of([route_row(text)], [row], details=detailed(row)))
    assert [] == [character for character in document if not (character.isprintable() or character == "\n")]


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_says_which_thresholds_failed_and_of_which_period(name: str):
    """The expression and where it was crossed; and what its numbers are of."""
    document = unescape(FORMATS[name](full_report()).replace("\\", ""))
    assert [True, True, True] == [each in document for each in ("coverage<95%", "90 %", "mismatches>5")]
    assert name in {"json", "junit"} or "since 2026-09-21 14:13:20Z" in document
