"""Numbers as people read them."""

from __future__ import annotations

import pytest

from proxy.admin.figures import (
    both,
    count,
    coverage_ratio,
    match_with_coverage,
    milliseconds,
    moment,
    percent,
    share,
    skipped_reasons,
)
from tests.fakes import covered, route_row


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [
        (None, "-"),
        (0, "0 %"),
        (1, "100 %"),
        (1.0, "100 %"),
        (0.9, "90 %"),
        (0.29, "29 %"),
        (0.999999, "99.99 %"),
        (0.000001, "0.01 %"),
    ],
)
def test_share_never_rounds_to_all_or_nothing(ratio: float | None, expected: str):
    """One mismatch in a million is not 100 %, one match not 0 %."""
    assert expected == share(ratio)


@pytest.mark.parametrize(
    ("skipped", "compared", "expected"),
    [
        ({}, 0, None),
        ({"not_sampled": 100, "method": 3, "kill_switch": 1}, 0, None),
        ({"not_sampled": 100, "timeout": 1}, 3, 0.75),
        ({"timeout": 1}, 0, 0.0),
    ],
)
def test_coverage_leaves_out_chosen_gaps(skipped: dict[str, int], compared: int, expected: float | None):
    """What nobody meant to compare was not missed; without anything expected there is no coverage."""
    assert expected == coverage_ratio(route_row(coverage=covered(compared, **skipped)))


def test_match_rate_is_never_shown_without_coverage():
    """Law 5, with data and without."""
    nothing = route_row(match_rate=None, coverage=covered(0, timeout=4))
    assert ["99.78 % (coverage 90 %)", "nothing compared (coverage 0 %)"] == [
        match_with_coverage(route_row(match_rate=0.9978)),
        match_with_coverage(nothing),
    ]


def test_skipped_reasons_come_largest_first():
    """Equal numbers stand in the order of the alphabet."""
    coverage = covered(0, b=2, a=2, c=1_000)
    assert skipped_reasons(route_row(coverage=coverage)) == "c 1,000, a 2, b 2"


@pytest.mark.parametrize(
    ("skipped", "expected"), [({}, "only in part: size 2, status 1"), ({"a": 4}, "a 4; only in part: size 2, status 1")]
)
def test_pairs_compared_in_part_stand_beside_the_skipped(skipped: dict[str, int], expected: str):
    """A mismatch of which the body was not compared is a gap as well (law 5)."""
    coverage = {**covered(9, **skipped), "partly": {"status": 1, "size": 2}}
    assert expected == skipped_reasons(route_row(coverage=coverage))


def test_differences_that_are_in_no_list_stand_beside_the_gaps():
    """A route with too many kinds of differences says that it has more than it lists."""
    assert "a 4; seen, but not listed: 30" == skipped_reasons(route_row(coverage={**covered(9, a=4), "unlisted": 30}))


def test_missing_figures_are_a_dash():
    """No data is not zero."""
    assert ["-"] * 5 == [percent(None), count(None), milliseconds(None), moment(None), both(None, count)]


def test_figures_carry_their_units():
    """Percentages as the config writes them, times in UTC."""
    assert [percent(12.345), count(1_234_567), milliseconds(81.25), moment(0)] == [
        *("12.345 %", "1,234,567", "81.2", "1970-01-01 00:00:00Z")
    ]
