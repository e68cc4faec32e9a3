"""Noise: a difference is noise only where legacy differs from itself as often, and proven where new differs more."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.noise import (
    DOUBT_LEVEL,
    EITHER,
    LEVEL,
    MIN_SELF_SHOWN,
    SHAPE_LEVEL,
    Rates,
    alone_p,
    bounded,
    chance,
    fisher_p,
    judge,
    place_p,
)


def exact(rates: Rates) -> Fraction:
    """Fisher's test by whole numbers."""
    shown, pairs = rates.self_shown + rates.new_shown, rates.self_pairs + rates.new_pairs
    ways = sum(
        math.comb(rates.new_pairs, number) * math.comb(rates.self_pairs, shown - number)
        for number in range(rates.new_shown, min(shown, rates.new_pairs) + 1)
    )
    return Fraction(ways, math.comb(pairs, shown))


@st.composite
def many_rates(draw: st.DrawFn, most: int = 60) -> Rates:
    self_pairs, new_pairs = draw(st.integers(0, most)), draw(st.integers(0, most))
    return Rates(draw(st.integers(0, self_pairs)), self_pairs, draw(st.integers(0, new_pairs)), new_pairs)


@given(many_rates())
def test_p_is_that_of_fishers_test(rates: Rates) -> None:
    """The sum by logarithms is the one by whole numbers, from the rarest table to the most common one."""
    assert math.isclose(float(exact(rates)), fisher_p(rates), rel_tol=1e-9, abs_tol=1e-12)


def test_p_of_the_lady_tasting_tea() -> None:
    """R. A. Fisher's own example: 3 of 4 cups or more are found by chance in 17 of 70 cases."""
    assert math.isclose(17 / 70, fisher_p(Rates(1, 4, 3, 4)))


@pytest.mark.parametrize("new_shown", [4_900, 5_000, 5_100, 5_200, 5_300])
def test_p_of_many_pairs_is_close_to_the_exact_one(new_shown: int) -> None:
    """Beyond the exact test's reach the normal distribution is within a tenth of it."""
    rates = Rates(5_000, 100_000, new_shown, 100_000)
    shown = rates.self_shown + new_shown
    table = [
        math.exp(log_choose(100_000, number) + log_choose(100_000, shown - number) - log_choose(200_000, shown))
        for number in range(new_shown, new_shown + 1_000)
    ]
    assert math.isclose(math.fsum(table), fisher_p(rates), rel_tol=0.1)


def log_choose(whole: int, part: int) -> float:
    return math.lgamma(whole + 1) - math.lgamma(part + 1) - math.lgamma(whole - part + 1)


@given(many_rates())
def test_p_falls_as_new_differs_more(rates: Rates) -> None:
    """One more difference with new never speaks against a mismatch."""
    if rates.new_shown < rates.new_pairs:
        more = Rates(rates.self_shown, rates.self_pairs, rates.new_shown + 1, rates.new_pairs)
        assert fisher_p(more) <= fisher_p(rates) + 1e-12


@given(many_rates(10**9))
def test_p_of_any_counts_is_a_probability(rates: Rates) -> None:
    """Years of counts neither overflow nor take long."""
    assert 0 <= fisher_p(rates) <= 1


@pytest.mark.parametrize(
    ("rates", "verdict"),
    [
        (Rates(0, 0, 5, 100), "unproven"),
        (Rates(0, 2, 100, 100), "mismatch"),
        (Rates(0, 1, 100, 100), "unproven"),
        (Rates(0, 2_000, 20, 2_000), "mismatch"),
        (Rates(0, 20, 20, 2_000), "unproven"),
        (Rates(10, 10, 1_000, 1_000), "noise"),
        (Rates(9, 9, 1_000, 1_000), "unproven"),
        (Rates(60, 2_000, 62, 2_000), "noise"),
        (Rates(60, 2_000, 88, 2_000), "unproven"),
        (Rates(60, 2_000, 85, 2_000, both_shown=30), "mismatch"),
        (Rates(60, 2_000, 100, 2_000), "mismatch"),
        (Rates(200, 2_000, 10, 2_000), "noise"),
        (Rates(1, 2_000, 0, 2_000), "noise"),
        (Rates(0, 2_000, 0, 2_000), "unproven"),
    ],
)
def test_verdict_follows_from_the_counts(rates: Rates, verdict: str) -> None:
    """Noise needs legacy's own differences, a mismatch needs proof, and doubt is neither (law 10)."""
    assert verdict == judge(rates).verdict


@given(many_rates(2_000))
def test_noise_was_seen_between_answers_of_legacy(rates: Rates) -> None:
    """Nothing that legacy never did by itself is called noise, and nothing that is in doubt."""
    found = judge(rates)
    if found.verdict == "noise":
        assert rates.self_shown > 0
        assert rates.new_shown == 0 or (rates.self_shown >= MIN_SELF_SHOWN and found.p >= DOUBT_LEVEL)


@given(many_rates(2_000), many_rates(2_000))
def test_shape_alone_only_ever_proves(place: Rates, shape: Rates) -> None:
    """A shape turns noise or doubt into a mismatch, and nothing into noise."""
    alone, both = judge(place), judge(place, shape)
    assert both.verdict in {alone.verdict, "mismatch"}
    assert both.of_shape == (alone.verdict != "mismatch" and chance(bounded(shape)) < SHAPE_LEVEL)


def test_chance_of_requests_all_asked_twice_is_mcnemars() -> None:
    """Only requests that differ on one side tell: 55 with new against 30 of legacy's own."""
    rates = Rates(130, 2_000, 155, 2_000, both_shown=100)
    z = (55 - 30) / math.sqrt(55 + 30)
    assert math.isclose(math.erfc(z / math.sqrt(2)) / 2, chance(rates), rel_tol=0.05)


def test_chance_of_requests_that_nearly_all_agree_is_fishers() -> None:
    """Where three requests differ on one side only, the normal distribution would make too much of them."""
    rates = Rates(100, 5_000, 103, 5_000, both_shown=100)
    assert fisher_p(rates) == chance(rates)


@given(many_rates(10**6), st.integers(0, 10**6))
def test_chance_of_any_counts_is_a_probability(rates: Rates, both: int) -> None:
    """Counts that only a fault or a lost batch could make end nowhere else."""
    assert 0 <= chance(bounded(replace(rates, both_shown=both))) <= 1


def exact_alone(rates: Rates) -> Fraction:
    """The binomial test by whole numbers: new's answer is one of three."""
    alone = rates.all_alone
    ways = sum(math.comb(alone, number) * 2 ** (alone - number) for number in range(rates.new_alone, alone + 1))
    return Fraction(ways, 3**alone)


def alone(new: int, first: int, again: int) -> Rates:
    """Counts of answers that stood alone, and no others."""
    return Rates(0, 0, 0, 0, 0, new, first, again)


@given(st.builds(alone, *[st.integers(0, 60)] * 3))
def test_p_of_answers_alone_is_that_of_the_binomial_test(rates: Rates) -> None:
    """The sum by logarithms is the one by whole numbers."""
    assert math.isclose(float(exact_alone(rates)), alone_p(rates), rel_tol=1e-9, abs_tol=1e-12)


@pytest.mark.parametrize("new", [4_000, 4_100, 4_150])
def test_p_of_many_answers_alone_is_close_to_the_exact_one(new: int) -> None:
    """Beyond the exact test's reach the normal distribution is within a tenth of it."""
    table = [
        math.exp(log_choose(12_000, number) - number * math.log(3) + (12_000 - number) * math.log(2 / 3))
        for number in range(new, new + 1_000)
    ]
    assert math.isclose(math.fsum(table), alone_p(alone(new, 4_000, 8_000 - new)), rel_tol=0.1)


@given(st.builds(alone, *[st.integers(0, 10**9)] * 3))
def test_p_of_any_answers_alone_is_a_probability(rates: Rates) -> None:
    """Years of counts neither overflow nor take long."""
    assert 0 <= alone_p(rates) <= 1


@given(st.builds(alone, *[st.integers(0, 200)] * 3))
def test_p_falls_as_new_stands_alone_more(rates: Rates) -> None:
    """One more never speaks against a mismatch, and one more of legacy's never for it."""
    more = alone(rates.new_alone + 1, rates.first_alone, rates.again_alone)
    others = alone(rates.new_alone, rates.first_alone + 1, rates.again_alone)
    assert alone_p(more) <= alone_p(rates) + 1e-12
    assert alone_p(rates) <= alone_p(others) + 1e-12


def test_answers_alone_prove_what_shares_leave_in_doubt() -> None:
    """New's answer is the odd one in 110 of 240 requests, where 80 were to be expected."""
    shares = Rates(150, 5_000, 184, 5_000, both_shown=74)
    both = replace(shares, new_alone=110, first_alone=65, again_alone=65)
    assert ["unproven", "mismatch"] == [judge(rates).verdict for rates in (shares, both)]


def test_p_of_a_place_is_the_smaller_one_at_its_cost() -> None:
    """Two tests are looked at, and what that costs is paid; without answers alone it is paid too."""
    shares = Rates(60, 2_000, 85, 2_000)
    assert EITHER * chance(shares) == place_p(shares)
    telling = replace(shares, new_alone=60, first_alone=20, again_alone=20)
    assert EITHER * alone_p(telling) == place_p(telling)
    assert 1.0 == place_p(Rates(0, 0, 0, 0))


def test_shape_of_its_own_shows_beside_noise() -> None:
    """Values that become null in 1 % of the answers are proven where another 3 % change by themselves."""
    found = judge(Rates(60, 2_000, 80, 2_000), Rates(0, 2_000, 20, 2_000))
    assert ("mismatch", True) == (found.verdict, found.of_shape)


def test_noise_stays_noise_beside_a_shape_that_is_proven() -> None:
    """Values change as often as by themselves; that the place differs more often is the other shape's doing."""
    place, value, null = Rates(60, 2_000, 160, 2_000), Rates(60, 2_000, 62, 2_000), Rates(0, 2_000, 98, 2_000)
    found = [judge(place, value), judge(place, value, [null]), judge(place, null, [value])]
    assert [("mismatch", False), ("noise", True), ("mismatch", False)] == [(one.verdict, one.of_shape) for one in found]


def test_counts_that_come_before_their_pairs_are_bounded() -> None:
    """A difference whose pair isn't counted yet is one pair at least."""
    assert Rates(3, 3, 5, 7) == bounded(Rates(3, 2, 5, 7))


def test_levels_are_in_order() -> None:
    """A place is in doubt before it is proven, and a shape is held to more than its place."""
    assert 0 < SHAPE_LEVEL < LEVEL < DOUBT_LEVEL
