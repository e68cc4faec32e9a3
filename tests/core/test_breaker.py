"""The circuit breaker, rule by rule; its time is a number that each test chooses."""

from __future__ import annotations

import pytest

from proxy.core.breaker import MAX_COOL_DOWN_S, TRIALS_AT_ONCE, TRIALS_TO_CLOSE, Breaker, State
from proxy.core.model import BreakerRule

RULE = BreakerRule()
TRIAL_TIMEOUT_S = 30.0
CLOSED, HALF_OPEN, OPEN = State.CLOSED, State.HALF_OPEN, State.OPEN


def made(rule: BreakerRule = RULE, now: float = 0.0) -> Breaker:
    return Breaker(rule, TRIAL_TIMEOUT_S, now)


def fail(breaker: Breaker, number: int, now: float) -> None:
    for _ in range(number):
        breaker.failed(now, now)


def opened(rule: BreakerRule = RULE, now: float = 100.0) -> Breaker:
    """A breaker that has been calm for long and opens at `now`."""
    breaker = made(rule)
    fail(breaker, rule.min_requests, now)
    assert breaker.state(now) is OPEN
    return breaker


def succeed(breaker: Breaker, now: float, number: int = TRIALS_TO_CLOSE) -> None:
    """So many trials one after the other, all answered."""
    for _ in range(number):
        assert breaker.may_try(now, is_harmless=True)
        breaker.answered(now, now)


# --- rule 1 ---
def test_breaker_begins_closed() -> None:
    """Nothing is known, so nothing is wrong."""
    breaker = made()
    assert (CLOSED, True) == (breaker.state(0.0), breaker.is_closed)


def test_breaker_opens_at_the_failure_that_makes_too_many() -> None:
    """Half of twenty requests: the tenth failure opens, the ninth doesn't."""
    breaker = made()
    for _ in range(10):
        assert not breaker.answered(1.0, 1.0)
    turned = [breaker.failed(1.0, 1.0) for _ in range(10)]
    assert [False] * 9 + [True] == turned
    assert (OPEN, (10, 20)) == (breaker.state(1.0), breaker.failed_of)


def test_breaker_does_not_judge_by_a_handful_of_requests() -> None:
    """Nineteen failures of nineteen requests say too little; the twentieth says enough."""
    breaker = made()
    fail(breaker, 19, 1.0)
    assert breaker.state(1.0) is CLOSED
    assert breaker.failed(1.0, 1.0)


def test_breaker_bears_a_share_of_failures_below_its_limit() -> None:
    """A third of the requests fails for an hour: it never opens at a half."""
    breaker = made()
    for number in range(36_000):
        now = number / 10
        (breaker.failed if number % 3 == 0 else breaker.answered)(now, now)
    assert breaker.state(3600.0) is CLOSED


def test_breaker_forgets_what_is_older_than_its_window() -> None:
    """Nineteen failures, and one more after the window: one failure of one request."""
    breaker = made()
    fail(breaker, 19, 1.0)
    assert not breaker.failed(11.5, 11.5)


def test_breaker_counts_an_answer_that_broke_off_as_one_failed_request() -> None:
    """Twenty heads came and every body broke off: 100 % of twenty requests, not of forty."""
    breaker = made(BreakerRule(failure_percentage=100))
    for _ in range(20):
        breaker.answered(1.0, 1.0)
    turned = [breaker.failed(1.0, 2.0, was_answered=True) for _ in range(20)]
    assert [False] * 19 + [True] == turned
    assert (20, 20) == breaker.failed_of


# --- rule 2 ---
def test_breaker_lets_nothing_through_for_its_cool_down() -> None:
    """Open for 5 s, and half-open from then on."""
    breaker = opened(now=100.0)
    assert not breaker.may_try(104.99, is_harmless=True)
    assert [OPEN, HALF_OPEN] == [breaker.state(now) for now in (104.99, 105.0)]


def test_breaker_is_open_twice_as_long_each_time_up_to_a_bound() -> None:
    """5, 10, 20, 40, 60, 60 s while its trials fail; 5 s again after a calm window."""
    breaker, now, cool_downs = opened(now=100.0), 100.0, []
    for _ in range(6):
        cool_downs.append(breaker.cool_down_s)
        now += breaker.cool_down_s
        assert breaker.may_try(now, is_harmless=True)
        assert breaker.failed(now, now)
    assert [5.0, 10.0, 20.0, 40.0, MAX_COOL_DOWN_S, MAX_COOL_DOWN_S] == cool_downs

    now += breaker.cool_down_s
    succeed(breaker, now)
    fail(breaker, 20, now + RULE.window_s)
    assert 5.0 == breaker.cool_down_s


def test_breaker_that_opens_right_after_closing_waits_longer() -> None:
    """Closed for less than a window: the cool-down goes on growing."""
    breaker = opened(now=100.0)
    succeed(breaker, 105.0)
    fail(breaker, 20, 114.9)
    assert (OPEN, 10.0) == (breaker.state(114.9), breaker.cool_down_s)


def test_breaker_keeps_a_cool_down_above_the_bound() -> None:
    """Who configures 90 s gets 90 s each time."""
    breaker = opened(BreakerRule(cool_down_s=90.0), now=100.0)
    assert breaker.may_try(190.0, is_harmless=True)
    breaker.failed(190.0, 190.0)
    assert 90.0 == breaker.cool_down_s


# --- rule 3 ---
def test_breaker_lets_a_bounded_number_of_trials_through() -> None:
    """Three at once; the next one when one of them has ended."""
    breaker = opened(now=100.0)
    let = [breaker.may_try(105.0, is_harmless=True) for _ in range(TRIALS_AT_ONCE + 2)]
    assert [True] * TRIALS_AT_ONCE + [False] * 2 == let
    breaker.answered(105.0, 105.1)
    assert [True, False] == [breaker.may_try(105.2, is_harmless=True) for _ in range(2)]


def test_breaker_closes_after_enough_answers() -> None:
    """Five answered trials close it, and nothing of the bad time counts any more."""
    breaker = opened(now=100.0)
    succeed(breaker, 105.0, TRIALS_TO_CLOSE - 1)
    assert breaker.may_try(105.0, is_harmless=True)
    assert breaker.answered(105.0, 106.0)
    assert breaker.state(106.0) is CLOSED
    fail(breaker, 19, 106.0)
    assert breaker.state(106.0) is CLOSED


def test_breaker_that_has_closed_counts_from_nothing() -> None:
    """The requests of the bad time, still within the window, don't dilute what comes after it."""
    breaker = made()
    for _ in range(20):
        breaker.answered(100.0, 100.0)
    fail(breaker, 20, 100.0)
    succeed(breaker, 105.0)
    turned = [breaker.failed(106.0, 106.0) for _ in range(20)]
    assert [False] * 19 + [True] == turned


def test_breaker_opens_again_at_one_failed_trial() -> None:
    """Four answers are forgotten at the failure; the next half-open state begins from nothing."""
    breaker = opened(now=100.0)
    succeed(breaker, 105.0, TRIALS_TO_CLOSE - 1)
    assert breaker.may_try(105.0, is_harmless=True)
    assert breaker.failed(105.0, 106.0)
    assert breaker.state(106.0) is OPEN
    succeed(breaker, 116.0, TRIALS_TO_CLOSE - 1)
    assert breaker.state(116.0) is HALF_OPEN


def test_breaker_opens_again_when_the_answer_of_a_trial_breaks_off() -> None:
    """A head alone is no recovery."""
    breaker = opened(now=100.0)
    succeed(breaker, 105.0, 1)
    assert breaker.failed(105.0, 106.0, was_answered=True)


def test_breaker_that_is_closed_lets_no_trials_through() -> None:
    """Nothing is tried that may simply be asked."""
    assert not made().may_try(0.0, is_harmless=True)


# --- rule 4 ---
def test_breaker_tries_harmless_requests_first() -> None:
    """Others are let through once the half-open state has lasted another cool-down."""
    breaker = opened(now=100.0)
    assert [False, False, True] == [breaker.may_try(now, is_harmless=False) for now in (105.0, 109.9, 110.0)]


# --- rule 5 ---
@pytest.mark.parametrize("has_recovered", [False, True], ids=["half-open", "closed"])
def test_breaker_ignores_outcomes_of_an_earlier_state(has_recovered: bool) -> None:
    """Requests that began before it opened and time out later neither open it again nor end a trial."""
    breaker = opened(now=100.0)
    if has_recovered:
        succeed(breaker, 105.0)
    else:
        assert breaker.may_try(105.0, is_harmless=True)
    state = breaker.state(110.0)
    for _ in range(100):
        assert not breaker.failed(99.0, 110.0)
        assert not breaker.answered(99.0, 110.0)
        breaker.left(99.0)
    assert state is breaker.state(110.0)
    free = 0 if has_recovered else TRIALS_AT_ONCE - 1
    assert free == sum(breaker.may_try(110.0, is_harmless=True) for _ in range(TRIALS_AT_ONCE))


def test_breaker_ignores_what_began_before_it_was_made() -> None:
    """A new rule or a new address begins with a clean record."""
    breaker = made(now=50.0)
    for _ in range(100):
        assert not breaker.failed(49.9, 51.0)


# --- rule 6 ---
def test_breaker_frees_the_place_of_a_trial_whose_user_left() -> None:
    """A user who leaves says nothing of the backend: neither an answer nor a failure."""
    breaker = opened(now=100.0)
    for _ in range(50):
        assert breaker.may_try(105.0, is_harmless=True)
        breaker.left(105.0)
    assert breaker.state(105.0) is HALF_OPEN


def test_breaker_gives_lost_trials_up() -> None:
    """Trials that never end hold their places for the trial timeout and not for ever."""
    breaker = opened(now=100.0)
    for _ in range(TRIALS_AT_ONCE):
        assert breaker.may_try(105.0, is_harmless=True)
    assert not breaker.may_try(134.9, is_harmless=True)
    assert breaker.may_try(135.0, is_harmless=True)


def test_breaker_bears_trials_that_end_after_they_were_given_up() -> None:
    """Their places have been given to others: they free none twice."""
    breaker = opened(now=100.0)
    for _ in range(TRIALS_AT_ONCE):
        assert breaker.may_try(105.0, is_harmless=True)
    assert breaker.may_try(135.0, is_harmless=True)
    for _ in range(TRIALS_AT_ONCE + 1):
        breaker.left(105.0)
    assert TRIALS_AT_ONCE == sum(breaker.may_try(136.0, is_harmless=True) for _ in range(10))


def test_breaker_bears_a_user_who_left_while_it_was_closed() -> None:
    """Only half-open breakers have places to free."""
    breaker = made()
    breaker.left(1.0)
    assert breaker.state(1.0) is CLOSED
