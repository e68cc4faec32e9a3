"""The HTML report: whatever was captured, the page has the tags of the template and no other."""

from __future__ import annotations

import base64
import json
import re
from hashlib import sha256
from typing import Any

import pytest

from proxy.admin.plain import plain
from proxy.admin.report.as_html import MAX_FINDINGS, as_html
from proxy.admin.report.content import Report, Scope
from tests.admin.hostile import HOSTILE
from tests.admin.reports import MADE_AT, full_report, report_of
from tests.admin.structure import Structure
from tests.fakes import answer, covered, difference, example, route_row, signature_row


def filled_with(text: str) -> Report:
    """A report that has the text wherever a config, a person or a backend may have put it."""
    row = signature_row(
        path=text, shape=text, route=text, who=text, reason=text, owner=text, ticket=text, until=MADE_AT
    )
    status = signature_row("b1b2c3d4e5f6", path=text, shape=f"{text}→{text}", route=text)
    header = signature_row("c1b2c3d4e5f6", kind="header", path=f"set-cookie.{text}.{text}", shape="missing")
    body = {"<": text, text: [text]}
    request = {"id": text, "at": MADE_AT, "method": text, "target": text, "headers": [[text, text]]}
    shown = example(
        request=request,
        control=answer(json.dumps({"score": text, text: [text]})),
        candidate=answer(json.dumps({"score": [text], text: text})),
        differences=[difference(signature=row["id"], path=f"$.{text}.score", before=body, after=text, shape=text)],
    )
    return report_of(
        [route_row(text, coverage=covered(10, **{text: 3}))],
        [row, status, header],
        scope=Scope(MADE_AT, None, text),
        details={row["id"]: {**row, "examples": [shown]}},
        fail_on=["mismatches>1"],
    )


@pytest.mark.parametrize("text", HOSTILE)
def test_page_is_the_same_whatever_the_text(text: str):
    """Tags and attributes are those of a page with a harmless word, every tag is closed, and the text is shown."""
    page, harmless = Structure(as_html(filled_with(text))), Structure(as_html(filled_with("word")))
    assert ([], harmless.tags) == (page.open, page.tags)
    assert plain(text) in page.text


def test_corpus_has_its_size():
    """More than sixty texts, each of them once."""
    assert 60 < len(HOSTILE) == len(set(HOSTILE))


@pytest.mark.parametrize("text", HOSTILE)
def test_body_that_is_no_json_brings_no_tag_either(text: str):
    """Its lines are shown as they are."""
    row = signature_row(path="$", shape="line value")
    differing = [difference(signature=row["id"], path="$", before=text, after=f"{text}!")]
    shown = example(control=answer(text), candidate=answer(f"{text}!"), differences=differing)
    page = Structure(as_html(report_of([], [row], details={row["id"]: {**row, "examples": [shown]}})))
    known = {tag for tag, _ in Structure(as_html(full_report())).tags}
    assert ([], set()) == (page.open, {tag for tag, _ in page.tags} - known)
    assert plain(text.splitlines()[-1])[:60] in page.text


@pytest.mark.parametrize("text", HOSTILE)
def test_page_leads_nowhere(text: str):
    """There are no links out of the page, no sources, actions or styles."""
    assert [] == Structure(as_html(filled_with(text))).links


@pytest.mark.parametrize(
    ("ticket", "expected"),
    [
        ("https://tracker.example/T-1?x=1&y=2", ["https://tracker.example/T-1?x=1&y=2"]),
        ("http://tracker.example", ["http://tracker.example"]),
        ("T-1", []),
        ("javascript:alert(1)", []),
        ("https://a.example\njavascript:alert(1)", []),
        (" https://a.example", []),
        ("HTTPS://a.example", []),
    ],
)
def test_ticket_is_a_link_only_where_it_is_an_address_of_the_web(ticket: str, expected: list[str]):
    """Everything else stays text."""
    page = Structure(as_html(report_of([], [signature_row(ticket=ticket)])))
    assert expected == [link for link in page.links if link and not link.startswith("#")]
    assert plain(ticket) in page.text


def test_page_allows_its_own_style_and_nothing_else():
    """The policy's digest is that of the style, so that an injected style or script does nothing."""
    page = as_html(full_report())
    style = re.search(r"<style>(.*)</style>", page, re.DOTALL)
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert style is not None
    assert policy is not None
    digest = base64.b64encode(sha256(style[1].encode()).digest()).decode()
    expected = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert expected == policy[1].replace("&#39;", "'").replace("&#43;", "+")


def test_page_needs_no_other_file():
    """No script, image, font or style from elsewhere: it opens from disk, offline."""
    page = as_html(full_report())
    assert [] == re.findall(r"<(?:script|img|link|iframe|object|embed|form)\b|@import|url\(| style=| on[a-z]+=", page)


def test_page_is_for_light_dark_paper_and_small_screens():
    """The style has its four cases, and the page says its width."""
    page = as_html(full_report())
    wanted = ("prefers-color-scheme: dark", "@media print", "@media (max-width", 'content="width=device-width')
    assert [] == [each for each in wanted if each not in page]


def test_page_shows_what_the_report_has():
    """Sentence, share, states, decision, example, threshold, gap and proof of each kind stand on it."""
    text = re.sub(r"\s+", " ", Structure(as_html(full_report())).text)
    wanted = (
        "New sends $.items[*].score as a string that holds a number where legacy sends a number.",
        "New answers with status 500, legacy with 200.",
        "coverage<95%",
        "feeds has 90 %",
        "there are 1",
        "timeout 100, not_sampled 7",
        "99.78 % coverage 90 %",
        "nothing compared coverage -",
        "T-1",
        "meant to be",
        "GET /api/feeds?page=2",
        "first seen 2026-09-21 14:13:20Z",
    )
    assert [] == [each for each in wanted if each not in text]


def test_page_counts_the_differences_it_has_no_room_for():
    """The worst are shown, the others are counted."""
    rows = [signature_row(f"{number:012}", count=number + 1) for number in range(MAX_FINDINGS + 7)]
    page = as_html(report_of([], rows))
    assert MAX_FINDINGS == page.count("<article")
    assert ("7 more differences" in page, f"{MAX_FINDINGS + 6:012}" in page) == (True, True)


@pytest.mark.parametrize("changes", [{"scope": Scope(MADE_AT, None, "feeds")}, {}])
def test_empty_report_is_a_page(changes: dict[str, Any]):
    """Without routes and differences it says so."""
    text = Structure(as_html(report_of(**changes))).text
    assert ("The config has no routes." in text, "None were found." in text) == (True, True)
