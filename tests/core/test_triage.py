"""The state of a signature: decisions, their end, and what the evidence adds."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.triage import (
    MIN_PAIRS_SINCE,
    MIN_QUIET_S,
    StoredState,
    Track,
    expected_sightings,
    state_after_sighting,
    state_at,
)

SEEN_AT = 1_000_000.0
LATER = SEEN_AT + MIN_QUIET_S


def make_track(stored: StoredState = "new", until: float | None = None, count: int = 10, compared: int = 100) -> Track:
    return Track(stored, until, count, SEEN_AT, compared)


tracks = st.builds(
    make_track,
    stored=st.sampled_from(["new", "known", "ignored", "noise", "regressed"]),
    until=st.none() | st.floats(SEEN_AT - 1000, SEEN_AT + 1000),
    count=st.integers(1, 10**6),
    compared=st.integers(0, 10**6),
)


@pytest.mark.parametrize("stored", ["new", "known", "regressed"])
def test_state_becomes_fixed_when_five_sightings_should_have_come(stored: StoredState) -> None:
    """A signature in one of ten pairs is fixed after fifty pairs without it, and not one pair earlier."""
    track = make_track(stored, count=10, compared=100)
    assert [stored, "fixed"] == [state_at(track, 149, LATER), state_at(track, 150, LATER)]


@pytest.mark.parametrize("stored", ["ignored", "noise"])
def test_state_that_silences_never_becomes_fixed(stored: StoredState) -> None:
    """What people silenced stays silenced, however long it is not seen."""
    assert stored == state_at(make_track(stored), 10**9, LATER)


def test_state_of_a_rare_signature_waits_for_more_pairs() -> None:
    """One sighting in 1,000 pairs needs 5,000 more: before that its absence says nothing."""
    track = make_track(count=1, compared=1000)
    assert ["new", "fixed"] == [state_at(track, 5999, LATER), state_at(track, 6000, LATER)]


def test_state_of_a_constant_signature_needs_the_minimum_of_pairs() -> None:
    """A signature in every pair would be fixed after five; the rule asks for fifty."""
    track = make_track(count=100, compared=100)
    at_limit = 100 + MIN_PAIRS_SINCE
    assert ["new", "fixed"] == [state_at(track, at_limit - 1, LATER), state_at(track, at_limit, LATER)]


def test_state_is_not_fixed_while_sightings_may_still_be_on_their_way() -> None:
    """Counters arrive before the comparer's findings, so that a minute must pass first."""
    assert "new" == state_at(make_track(), 10**6, LATER - 0.001)


def test_state_is_new_again_when_the_decision_ends() -> None:
    """An ignored signature is shown again from `until` on."""
    track = make_track("ignored", until=LATER)
    assert ["ignored", "new"] == [state_at(track, 100, LATER - 1), state_at(track, 100, LATER)]


@pytest.mark.parametrize(
    ("stored", "is_decided", "judged", "state"),
    [
        ("new", False, "mismatch", "new"),
        ("new", False, "noise", "noise"),
        ("new", False, "unproven", "unproven"),
        ("regressed", False, "noise", "noise"),
        ("regressed", False, "unproven", "unproven"),
        ("new", True, "noise", "new"),
        ("known", True, "noise", "known"),
        ("ignored", True, "unproven", "ignored"),
        ("noise", True, "mismatch", "noise"),
    ],
)
def test_state_follows_noise_runs_where_nobody_decided(stored, is_decided, judged, state) -> None:
    """Counts make noise of what is open, and say that it is unproven; they overrule nobody."""
    track = replace(make_track(stored), is_decided=is_decided)
    assert state == state_at(track, 100, SEEN_AT, judged)


def test_state_of_noise_never_becomes_fixed() -> None:
    """What legacy does by itself isn't mended by new; an unproven one may be gone."""
    later = [state_at(make_track(), 10**6, LATER, judged) for judged in ("noise", "unproven")]
    assert ["noise", "fixed"] == later


def test_state_is_judged_again_when_the_decision_ends() -> None:
    """From `until` on the counts have their say."""
    track = replace(make_track("known", until=LATER), is_decided=True)
    assert ["known", "noise"] == [state_at(track, 100, at, "noise") for at in (LATER - 1, LATER)]


def test_sighting_of_a_fixed_signature_is_a_regression() -> None:
    """What was gone and comes back is marked, so that somebody looks."""
    assert "regressed" == state_after_sighting(make_track("known"), 150, LATER)


def test_sighting_of_a_signature_that_is_there_changes_nothing() -> None:
    """Further sightings leave the decision alone."""
    assert "known" == state_after_sighting(make_track("known"), 149, LATER)


def test_expected_sightings_count_each_pair_once() -> None:
    """A signature met several times in each pair is expected once per pair, not more often."""
    assert math.isclose(7, expected_sightings(make_track(count=300, compared=100), 307 - 200))


def test_expected_sightings_are_none_when_counters_lag_behind() -> None:
    """A total below the one at the last sighting means no pairs since."""
    assert expected_sightings(make_track(compared=100), 50) == 0


@given(tracks, st.integers(0, 10**7), st.integers(0, 10**7), st.floats(SEEN_AT, SEEN_AT + 10**6))
def test_state_once_fixed_stays_fixed_as_pairs_come_in(track: Track, first: int, more: int, now: float) -> None:
    """Without a sighting more evidence never takes `fixed` back."""
    if state_at(track, first, now) == "fixed":
        assert "fixed" == state_at(track, first + more, now + 1)


@given(tracks, st.integers(0, 10**7), st.floats(SEEN_AT, SEEN_AT + 10**6))
def test_state_fixed_means_a_chance_below_one_percent_of_being_there(track: Track, compared: int, now: float) -> None:
    """The chance that all pairs since missed a signature of the same share is below 0.7 %."""
    if state_at(track, compared, now) == "fixed":
        share = min(track.count / max(track.compared_at_last_seen, 1), 1.0)
        assert (1 - share) ** (compared - track.compared_at_last_seen) <= math.exp(-5)
