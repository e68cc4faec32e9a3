"""What noise runs say is one sentence with its numbers, in every place that shows a signature."""

from __future__ import annotations

import json
from html import unescape

import pytest

from proxy.admin.noise_text import noise_sentence
from proxy.admin.report.as_html import as_html
from proxy.admin.report.as_json import as_json
from proxy.admin.report.as_junit import as_junit
from proxy.admin.report.as_markdown import as_markdown
from proxy.admin.report.as_text import as_text
from proxy.admin.signature_text import head_lines
from tests.admin.reports import report_of
from tests.fakes import signature_row, trend

NOISE = {
    "verdict": "noise",
    "p": 0.412,
    "of_shape": False,
    "self_shown": 56,
    "self_pairs": 1_940,
    "new_shown": 63,
    "new_pairs": 2_013,
    "both_shown": 30,
    "new_alone": 30,
    "first_alone": 28,
    "again_alone": 1_030,
}
SENTENCE = (
    "differs in 3.13 % of 2,013 pairs with new, in 2.89 % of 1,940 pairs of legacy with itself; where one of three "
    "answers stood alone, it was new's 30 of 1,088 times (by chance a third): noise (p = 0.41, in doubt below 0.02)"
)


@pytest.mark.parametrize(
    ("changes", "end"),
    [
        ({}, ": noise (p = 0.41, in doubt below 0.02)"),
        (
            {"verdict": "unproven", "p": 0.0123},
            ": not proven to be noise, nor more often with new (p = 0.012, proven below 0.005)",
        ),
        ({"verdict": "mismatch", "p": 1e-9}, ": more often with new (p < 0.0001, proven below 0.005)"),
    ],
)
def test_sentence_says_both_shares_and_the_conclusion(changes, end):
    """Both rates, of how many pairs, what follows, and how likely it would be by chance."""
    said = noise_sentence(signature_row(noise=NOISE | changes))
    assert SENTENCE.rpartition(": ")[0] + end == said


def test_sentence_names_the_shape_that_proved_it():
    """The numbers are those of the shape alone then."""
    row = signature_row(shape="number→null", noise=NOISE | {"of_shape": True, "verdict": "mismatch", "p": 0.0001})
    said = noise_sentence(row)
    assert said.startswith("is 'number→null' in 3.13 % of 2,013 pairs with new")
    assert said.endswith("(p = 0.0001, proven below 0.0005)")


def test_sentence_without_answers_that_stood_alone():
    """What never happened isn't mentioned."""
    said = noise_sentence(signature_row(noise=NOISE | {"new_alone": 0, "first_alone": 0, "again_alone": 0}))
    assert said.endswith("of 1,940 pairs of legacy with itself: noise (p = 0.41, in doubt below 0.02)")


def test_sentence_is_none_without_noise_runs():
    """Where legacy was never asked twice nothing is said."""
    assert "" == noise_sentence(signature_row(noise=None))


def test_sentence_of_no_pairs_with_new():
    """A share of nothing is none."""
    assert "in 0 % of 0 pairs with new" in noise_sentence(signature_row(noise=NOISE | {"new_shown": 0, "new_pairs": 0}))


@pytest.mark.parametrize("write", [as_text, as_html, as_markdown, as_junit, as_json])
def test_report_has_the_sentence(write):
    """Every format says it, as `diffs show` does."""
    report = report_of([], [signature_row(noise=NOISE, state="noise")])
    text = write(report)
    if write is as_json:
        text = json.loads(text)["signatures"][0]["noise_sentence"]
    assert SENTENCE in unescape(text).replace("\\", "")


def test_signature_has_the_sentence():
    """`diffs show` has it among what the signature is."""
    assert any(
        line.split(maxsplit=1) == ["noise", SENTENCE]
        for line in head_lines({**signature_row(noise=NOISE), "trend": trend()})
    )
