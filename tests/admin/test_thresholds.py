"""`--fail-on` expressions: how they read, and when they hold."""

from __future__ import annotations

import re
from typing import Any

import pytest

from proxy.admin.report.thresholds import FIGURES, Outcome, judge, parse_threshold
from proxy.errors import Refused
from tests.admin.hostile import HOSTILE
from tests.fakes import covered, route_row, signature_row


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("mismatch_rate>0.1%", ("mismatch_rate", ">", 0.001)),
        (" coverage <= 0.95 ", ("coverage", "<=", 0.95)),
        ("new_signatures>=3", ("new_signatures", ">=", 3.0)),
    ],
)
def test_threshold_reads_percent_and_ratio_alike(expression: str, expected: tuple[str, str, float]):
    """Spaces don't matter; a share may be written both ways."""
    threshold = parse_threshold(expression)
    assert expected == (threshold.figure, threshold.sign, threshold.limit)


@pytest.mark.parametrize(
    ("expression", "complaint"),
    [
        ("", "must begin with a figure, as coverage<95%; known: mismatch_rate"),
        ("<95%", "must begin with a figure"),
        ("coverage", "after coverage must come <, <=, > or >=, and a number, as coverage<95%"),
        ("mismatches", "and a number, as mismatches<10"),
        ("coverage 95%", "after coverage must come"),
        ("coverage==1", "== is no comparison here; use <, <=, > or >="),
        ("coverage!=1", "!= is no comparison here"),
        ("coverage=<1", "=< is no comparison here"),
        ("coverage<", "after < must come a number, as coverage<95%"),
        ("coverage<-1", "'-1' is no number; give one as 95%"),
        ("coverage<95,5%", "'95,5%' is no number"),
        ("coverage<1e-3", "'1e-3' is no number"),
        ("coverage<95% or mismatches>1", "is no number; give one as 95%, one comparison in each --fail-on"),
        ("coverag<95%", "unknown figure 'coverag'; did you mean coverage"),
        ("Coverage<95%", "did you mean coverage"),
        ("new-signatures>0", "did you mean new_signatures"),
        ("zzz>1", "unknown figure 'zzz'; known: mismatch_rate"),
        ("coverage<95", "is a share"),
        ("coverage<101%", "is a share"),
        ("mismatches>5%", "leave out the %"),
    ],
)
def test_threshold_that_would_be_misread_is_refused(expression: str, complaint: str):
    """A pipeline must not pass because of a typo; "coverage<95" would always hold."""
    with pytest.raises(Refused, match=re.escape(complaint)) as refusal:
        parse_threshold(expression)
    assert str(refusal.value).startswith(f"--fail-on {expression!r}: ")


@pytest.mark.parametrize("text", [*HOSTILE, "x" * 9_000, "mismatches>" + "9" * 400])
def test_threshold_that_is_nonsense_is_refused_in_a_few_words(text: str):
    """Whatever comes in, the refusal fits a terminal."""
    with pytest.raises(Refused) as refusal:
        parse_threshold(text)
    assert len(str(refusal.value)) < 600


def outcome(expression: str, *routes: dict[str, Any], states: tuple[str, ...] = ()) -> Outcome:
    signatures = [signature_row(str(number), state=state) for number, state in enumerate(states)]
    return judge(parse_threshold(expression), routes, signatures)


def failures(expression: str, *routes: dict[str, Any], states: tuple[str, ...] = ()) -> int:
    return len(outcome(expression, *routes, states=states).failures)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("mismatch_rate>0.2%", 1),
        ("mismatch_rate>0.3%", 0),
        ("match_rate<99.9%", 1),
        ("coverage<90%", 0),
        ("coverage<=90%", 1),
        ("mismatches>=2", 1),
        ("mismatches>2", 0),
        ("compared<1000", 1),
        ("proven_match_rate<99.9%", 1),
        ("proven_match_rate<99.1%", 0),
    ],
)
def test_threshold_holds_for_a_route(expression: str, expected: int):
    """Two mismatches of 900 compared pairs, of 1,000 that should have been."""
    assert expected == failures(expression, route_row())


def test_threshold_names_each_route_that_crosses_it():
    """Every route is looked at by itself: a large one can't hide a small one."""
    assert failures("coverage<95%", route_row("a"), route_row("b")) == 2


def test_no_data_crosses_no_rate():
    """A route that compared nothing, and was not meant to, fails neither way; `compared` asks for data."""
    idle = route_row(match_rate=None, mismatches=0, coverage=covered(0, not_sampled=5))
    expressions = ("mismatch_rate>0%", "match_rate<100%", "coverage<100%", "compared<1")
    assert [0, 0, 0, 1] == [failures(expression, idle) for expression in expressions]


def test_differences_that_are_in_no_list_can_fail_a_pipeline():
    """`new_signatures` counts what is listed; beyond the bound there may be more."""
    routes = [route_row(), route_row("full", coverage={**covered(9), "unlisted": 30})]
    outcome = judge(parse_threshold("unlisted_differences>0"), routes, [])
    assert ["unlisted_differences>0: full has 30"] == outcome.sentences()


def test_lost_pairs_cross_the_coverage():
    """Nothing compared although something should have been is a coverage of 0."""
    blind = route_row(match_rate=None, coverage=covered(0, timeout=5))
    assert failures("coverage<1%", blind) == 1


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("new_signatures>1", 1),
        ("new_signatures>2", 0),
        ("regressed_signatures>0", 1),
        ("open_signatures>3", 1),
        ("open_signatures>4", 0),
        ("unproven_signatures>0", 0),
    ],
)
def test_threshold_counts_signatures_by_state(expression: str, expected: int):
    """New, regressed, or open, which is both of these and the known ones."""
    states = ("new", "new", "known", "regressed", "ignored", "noise", "fixed")
    assert expected == failures(expression, route_row(), states=states)


def test_threshold_counts_what_is_unproven_as_new():
    """It may be noise, and nobody knows: a pipeline that asks for no new difference doesn't pass it (law 10)."""
    states = ("unproven", "known", "noise")
    figures = ("new_signatures>0", "unproven_signatures>0", "open_signatures>1", "regressed_signatures>0")
    assert [1, 1, 1, 0] == [failures(figure, route_row(), states=states) for figure in figures]


def test_nothing_proven_crosses_the_proven_rate():
    """Few pairs prove little, none prove nothing; but where nothing should have been compared there is no figure."""
    few = route_row(mismatches=0, match_rate=1.0, coverage=covered(100))
    many = route_row(mismatches=0, match_rate=1.0, coverage=covered(3_838))
    blind = route_row(mismatches=0, match_rate=None, coverage=covered(0, timeout=5))
    idle = route_row(mismatches=0, match_rate=None, coverage=covered(0))
    assert [1, 0, 1, 0] == [failures("proven_match_rate<99.9%", route) for route in (few, many, blind, idle)]


def test_outcome_says_what_was_found():
    """Which route, with all its digits, or how many in the whole report."""
    assert ["coverage<95%: feeds has 90 %"] == outcome("coverage<95%", route_row()).sentences()
    assert ["mismatch_rate>0.1%: feeds has 0.222222 %"] == outcome("mismatch_rate>0.1%", route_row()).sentences()
    assert ["compared<1000: feeds has 900"] == outcome("compared<1000", route_row()).sentences()
    assert ["new_signatures>0: there are 2"] == outcome("new_signatures>0", states=("new", "new")).sentences()


def test_outcome_without_data_is_neither_kept_nor_crossed():
    """Inconclusive is not a pass."""
    idle = route_row(match_rate=None, mismatches=0, coverage=covered(0))
    verdicts = [outcome(each, idle).verdict for each in ("match_rate<1%", "mismatches>0", "compared<1")]
    assert ["no_data", "kept", "crossed"] == verdicts
    assert outcome("new_signatures>0").verdict == "kept"


@pytest.mark.parametrize("figure", FIGURES)
def test_every_figure_can_be_asked_for(figure: str):
    """No name in the list is an empty promise."""
    assert failures(f"{figure}>=0", route_row()) == 1
