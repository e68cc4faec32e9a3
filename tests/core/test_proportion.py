"""Wilson's interval against published values, and how many more trials prove a share."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.proportion import CONFIDENCE, Interval, Z, is_proven, trials_until_proven, wilson_interval


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        # Newcombe, Statistics in Medicine 17 (1998), table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_interval_is_as_published(successes: int, trials: int, low: float, high: float):
    """Four figures of the paper that compares the methods."""
    interval = wilson_interval(successes, trials)
    assert (low, high) == (round(interval.low, 4), round(interval.high, 4))


def test_interval_agrees_with_another_implementation():
    """25 of 100 at z = 1.96, as the Rust crate bpci documents it."""
    interval = wilson_interval(25, 100, z=1.96)
    assert (0.1754509400372426, 0.3430464637007583) == pytest.approx((interval.low, interval.high), abs=1e-12)


def test_z_is_the_quantile_of_the_confidence():
    """2.5 % of the normal distribution lie above Z."""
    from statistics import NormalDist

    assert NormalDist().inv_cdf((1 + CONFIDENCE) / 2) == pytest.approx(Z, abs=1e-12)


def test_nothing_is_known_without_trials():
    """The share may be anything."""
    assert Interval(0.0, 1.0) == wilson_interval(0, 0)


@pytest.mark.parametrize(("successes", "trials"), [(-1, 5), (6, 5), (0, -1)])
def test_impossible_counts_are_refused(successes: int, trials: int):
    """More successes than trials would be a fault of the caller."""
    with pytest.raises(ValueError, match="successes of"):
        wilson_interval(successes, trials)


@pytest.mark.parametrize("target", [0.0, 1.0, -1.0, 99.9])
def test_a_target_that_can_not_be_proven_is_refused(target: float):
    """100 % takes infinitely many trials."""
    with pytest.raises(ValueError, match="target"):
        trials_until_proven(1, 1, target)


COUNTS = st.integers(0, 10**7).flatmap(lambda trials: st.tuples(st.integers(0, trials), st.just(trials)))


@given(COUNTS)
def test_interval_holds_the_measured_share(counts: tuple[int, int]):
    """It lies within 0 and 1, around what was measured."""
    successes, trials = counts
    interval = wilson_interval(successes, trials)
    assert 0 <= interval.low <= interval.high <= 1
    assert trials == 0 or interval.low - 1e-9 <= successes / trials <= interval.high + 1e-9


@pytest.mark.parametrize(
    ("mismatches", "target", "expected"), [(0, 0.999, 3_838), (0, 0.99, 381), (0, 0.5, 4), (1, 0.999, 5_661)]
)
def test_trials_until_proven_from_nothing(mismatches: int, target: float, expected: int):
    """Without a failure it is z²·t / (1 - t); a failure makes it more."""
    assert expected == mismatches + trials_until_proven(0, mismatches, target)


@given(COUNTS, st.sampled_from([0.5, 0.9, 0.99, 0.999, 0.9999]))
def test_trials_until_proven_are_enough_and_not_one_too_many(counts: tuple[int, int], target: float):
    """With them it is proven, with one less it is not."""
    successes, trials = counts
    more = trials_until_proven(successes, trials, target)
    assert is_proven(successes + more, trials + more, target)
    assert more == 0 or not is_proven(successes + more - 1, trials + more - 1, target)
