"""The retry budget: retries are a share of the requests, with a reserve for quiet services."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from proxy.core.budget import RESERVE, SHARE_PERCENT, WINDOW_S, RetryBudget


def spent(budget: RetryBudget, now: float, most: int = 10_000) -> int:
    """How many retries may be made at once, `most` at most."""
    return next((number for number in range(most) if not budget.take(now)), most)


def test_budget_has_a_reserve_for_who_asks_seldom() -> None:
    """Without any request there is the reserve, and then nothing."""
    budget = RetryBudget()
    assert RESERVE == spent(budget, 0.0)
    assert not budget.take(0.1)


def test_budget_grows_with_the_requests() -> None:
    """A fifth of a thousand requests may be retried beside the reserve."""
    budget = RetryBudget()
    for number in range(1000):
        budget.asked(number / 200)
    assert RESERVE + 200 == spent(budget, 5.0)


def test_budget_comes_back_with_time() -> None:
    """What was spent is forgotten after the window, and so are the requests that allowed it."""
    budget = RetryBudget()
    for _ in range(1000):
        budget.asked(0.0)
    spent(budget, 0.0)
    assert RESERVE == spent(budget, WINDOW_S)


@given(st.lists(st.tuples(st.floats(0, 3), st.integers(0, 200), st.integers(0, 200)), max_size=30))
def test_budget_never_lets_through_more_than_its_share(steps: list[tuple[float, int, int]]) -> None:
    """Whenever one is let through, the retries of nine tenths of the window, which are always seen, keep to it."""
    budget, now = RetryBudget(), 0.0
    requests: list[tuple[float, int]] = []
    retries: list[tuple[float, int]] = []
    for step, asked, tried in steps:
        now += step
        for _ in range(asked):
            budget.asked(now)
        requests.append((now, asked))
        retries.append((now, spent(budget, now, tried)))
        if retries[-1][1]:
            recent = sum(number for at, number in retries if now - at < WINDOW_S * 0.89)
            seen = sum(number for at, number in requests if now - at <= WINDOW_S + 0.01)
            assert recent <= RESERVE + seen * SHARE_PERCENT // 100
