"""What holds for a circuit breaker whatever happens to it, and whenever."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from proxy.core.breaker import MAX_COOL_DOWN_S, TRIALS_AT_ONCE, TRIALS_TO_CLOSE, Breaker, State
from proxy.core.model import BreakerRule
from proxy.core.window import BUCKETS

if TYPE_CHECKING:
    from collections.abc import Iterator

TRIAL_TIMEOUT_S = 63.0
RULES = st.builds(
    BreakerRule,
    failure_percentage=st.integers(1, 100),
    window_s=st.floats(0.1, 100),
    min_requests=st.integers(1, 40),
    cool_down_s=st.floats(0.05, 100),
)
COOLED = -1.0  # in place of seconds: until an open breaker is half-open
# Seconds since the last event; what happens, how often at once; which of the requests under way it happens to.
Event = tuple[float, str, int, int]
EVENTS = st.lists(
    st.tuples(
        st.one_of(st.just(0.0), st.just(COOLED), st.floats(0, 0.5), st.floats(0, 70)),
        st.sampled_from(["ask", "ask", "ask unsafe", "answer", "fail", "fail", "leave", "break off"]),
        st.integers(1, 45),
        st.integers(0, 1000),
    ),
    max_size=40,
)


@dataclass
class Play:
    """A breaker and requests that come and end as a worker's do; every trial ends before it is given up."""

    rule: BreakerRule
    now: float = 1000.0
    under_way: list[tuple[float, bool]] = field(default_factory=list)  # when it began, whether it is a trial
    answered: list[float] = field(default_factory=list)  # began
    ended: list[tuple[float, float]] = field(default_factory=list)  # (began, ended): the requests with an outcome

    def __post_init__(self) -> None:
        self.breaker = Breaker(self.rule, TRIAL_TIMEOUT_S, self.now)

    @property
    def trials(self) -> int:
        return sum(is_trial for _, is_trial in self.under_way)

    def ask(self, *, is_harmless: bool = True) -> bool:
        """Whether it was let through."""
        is_closed = self.breaker.is_closed
        is_let = is_closed or self.breaker.may_try(self.now, is_harmless=is_harmless)
        if is_let:
            self.under_way.append((self.now, not is_closed))
        return is_let

    def end(self, event: str, which: int) -> bool:
        """Whether the breaker has turned."""
        if event == "break off":
            if not self.answered:
                return False
            return self.breaker.failed(self.answered.pop(which % len(self.answered)), self.now, was_answered=True)
        if not self.under_way:
            return False
        began, _ = self.under_way.pop(which % len(self.under_way))
        if event == "leave":
            self.breaker.left(began)
            return False
        self.ended.append((began, self.now))
        if event == "answer":
            self.answered.append(began)
            return self.breaker.answered(began, self.now)
        return self.breaker.failed(began, self.now)

    def steps(self, events: list[Event]) -> Iterator[tuple[str, bool, bool]]:
        """After each single event: what it was, whether the breaker has turned by it, and whether it was closed."""
        for wait_s, event, number, which in events:
            self.now = max(self.now, self.breaker._since) if wait_s == COOLED else self.now + wait_s
            for _ in range(number):
                was_closed = self.breaker.is_closed
                yield event, self.step(event, which), was_closed

    def play(self, events: list[Event]) -> None:
        for _ in self.steps(events):
            pass

    def step(self, event: str, which: int) -> bool:
        # What a worker does by its timeouts: no request is under way for as long as that.
        for late in [each for each in self.under_way if self.now - each[0] >= TRIAL_TIMEOUT_S]:
            self.under_way.remove(late)
            self.breaker.left(late[0])
        if event.startswith("ask"):
            self.ask(is_harmless=event == "ask")
            return False
        return self.end(event, which)


@given(RULES, EVENTS)
def test_breaker_never_opens_below_its_minimum(rule: BreakerRule, events: list[Event]) -> None:
    """A closed breaker that opens has had at least so many outcomes within its window."""
    play = Play(rule)
    for _, has_turned, was_closed in play.steps(events):
        if has_turned and was_closed:
            recent = [ended for _, ended in play.ended if play.now - ended <= rule.window_s * 1.001]
            assert rule.min_requests <= len(recent)
            failures, requests = play.breaker.failed_of
            assert failures * 100 >= requests * rule.failure_percentage


@given(RULES, EVENTS)
def test_breaker_never_has_more_trials_than_allowed(rule: BreakerRule, events: list[Event]) -> None:
    """Of the requests that half-open states let through, so many of the present one are under way at most."""
    play, opened_at = Play(rule), 0.0
    for _, has_turned, _ in play.steps(events):
        if not play.breaker.is_closed:
            opened_at = play.now if has_turned else opened_at
            assert sum(is_trial and began >= opened_at for began, is_trial in play.under_way) <= TRIALS_AT_ONCE


@given(RULES, EVENTS)
def test_breaker_lets_nothing_through_while_it_cools_down(rule: BreakerRule, events: list[Event]) -> None:
    """From each opening until its cool-down has passed, no request gets through."""
    play, open_until = Play(rule), 0.0
    for event, has_turned, _ in play.steps(events):
        if has_turned:
            open_until = 0.0 if play.breaker.is_closed else play.now + play.breaker.cool_down_s
        if event.startswith("ask") and play.now < open_until:
            assert not any(began == play.now and is_trial for began, is_trial in play.under_way)


@given(RULES, EVENTS, st.booleans())
def test_breaker_always_closes_after_recovery(rule: BreakerRule, events: list[Event], is_harmless: bool) -> None:
    """Whatever was before, even trials that got lost: a backend that answers from now on has its users back.

    It takes at most two cool-downs, and the time after which lost trials are given up.
    """
    play = Play(rule)
    play.play(events)
    play.under_way.clear()  # all of them lost
    play.now += 2 * max(MAX_COOL_DOWN_S, rule.cool_down_s) + TRIAL_TIMEOUT_S
    for _ in range(TRIALS_TO_CLOSE):
        assert play.ask(is_harmless=is_harmless)
        play.end("answer", len(play.under_way) - 1)
        play.now += 0.001
    assert play.breaker.state(play.now) is State.CLOSED


@given(RULES, EVENTS)
def test_breaker_cool_down_is_bounded(rule: BreakerRule, events: list[Event]) -> None:
    """It is never shorter than configured, and never longer than the bound, unless that is what was configured."""
    play = Play(rule)
    for _ in play.steps(events):
        assert rule.cool_down_s <= play.breaker.cool_down_s <= max(MAX_COOL_DOWN_S, rule.cool_down_s)


@given(RULES, EVENTS)
def test_breaker_is_not_turned_by_what_began_in_another_state(rule: BreakerRule, events: list[Event]) -> None:
    """Requests that were under way when it opened or closed say nothing, however they end."""
    play = Play(rule)
    for _, has_turned, _ in play.steps(events):
        if has_turned:
            late = [began for began, _ in play.under_way if began < play.now]
            turned = [play.breaker.failed(began, play.now) for began in late * 50]
            turned += [play.breaker.answered(began, play.now) for began in late * 50]
            assert not any(turned)


@given(RULES, EVENTS)
def test_breaker_keeps_the_same_few_numbers(rule: BreakerRule, events: list[Event]) -> None:
    """What an event costs is bounded by its ring, however many events there were; what it says is what it did."""
    play = Play(rule)
    since = play.breaker._since
    for _, has_turned, was_closed in play.steps(events):
        for window in (play.breaker._requests, play.breaker._failures):
            assert len(window._past) < BUCKETS
        assert 0 <= play.breaker._trials <= TRIALS_AT_ONCE
        assert has_turned == ((was_closed, since) != (play.breaker.is_closed, play.breaker._since))
        since = play.breaker._since
