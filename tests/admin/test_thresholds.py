"""`--fail-on` expressions: how they read, and when they hold."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.admin.report import build_report
from proxy.admin.thresholds import FIGURES, failed_thresholds, parse_threshold
from proxy.errors import Refused
from tests.fakes import covered, route_row, signature_row, status_row


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
        ("", "must be a figure"),
        ("coverage", "must be a figure"),
        ("coverage==1", "must be a figure"),
        ("coverage<-1", "must be a figure"),
        ("coverage<95% or", "must be a figure"),
        ("coverag<95%", "known: mismatch_rate"),
        ("coverage<95", "is a share"),
        ("coverage<101%", "is a share"),
        ("mismatches>5%", "leave out the %"),
    ],
)
def test_threshold_that_would_be_misread_is_refused(expression: str, complaint: str):
    """A pipeline must not pass because of a typo; "coverage<95" would always hold."""
    with pytest.raises(Refused, match=complaint):
        parse_threshold(expression)


def failures(expression: str, *routes: dict[str, Any], states: tuple[str, ...] = ()) -> int:
    signatures = [signature_row(str(number), state=state) for number, state in enumerate(states)]
    return len(failed_thresholds([parse_threshold(expression)], build_report(status_row(), routes, signatures)))


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
    ],
)
def test_threshold_counts_signatures_by_state(expression: str, expected: int):
    """New, regressed, or open, which is both of these and the known ones."""
    states = ("new", "new", "known", "regressed", "ignored", "noise", "fixed")
    assert expected == failures(expression, route_row(), states=states)


@pytest.mark.parametrize("figure", FIGURES)
def test_every_figure_can_be_asked_for(figure: str):
    """No name in the list is an empty promise."""
    assert failures(f"{figure}>=0", route_row()) == 1
