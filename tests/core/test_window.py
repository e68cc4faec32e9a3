"""Counts over a sliding window: what is recent counts, what is older than the span does not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from proxy.core.window import BUCKETS, Window

SPAN_S = 10.0


def test_window_counts_what_is_recent() -> None:
    """Events of the last 9 s of 10 are counted; what is 10 s old and older is not."""
    window = Window(SPAN_S)
    for now in range(30):
        window.add(now)
    assert 10 == window.total(29.0)
    assert 1 == window.total(38.5)
    assert 0 == window.total(39.5)


def test_window_begins_empty_at_any_time() -> None:
    """Nothing has happened before the first event, whatever the clock says."""
    assert 0 == Window(SPAN_S).total(1e9)


def test_window_that_was_cleared_counts_anew() -> None:
    """`clear` forgets past and present."""
    window = Window(SPAN_S)
    for now in (0.0, 5.0, 9.0):
        window.add(now)
    window.clear()
    window.add(9.0)
    assert 1 == window.total(9.0)


@given(
    span_s=st.floats(0.001, 1e4),
    steps=st.lists(st.tuples(st.floats(0, 2), st.integers(0, 3)), max_size=60),
    start=st.floats(0, 1e6),
)
def test_window_is_between_nine_tenths_of_its_span_and_all_of_it(
    span_s: float, steps: list[tuple[float, int]], start: float
) -> None:
    """No event younger than 0.9 spans is missing, none older than the span is counted; steps are in spans."""
    window, now, at = Window(span_s), start, []
    slack = (start + sum(step for step, _ in steps) * span_s) * 1e-12 + span_s * 1e-9  # of adding floats
    for step, number in steps:
        now += step * span_s
        for _ in range(number):
            window.add(now)
            at.append(now)
        least = sum(now - each < span_s * (BUCKETS - 1) / BUCKETS - slack for each in at)
        most = sum(now - each <= span_s + slack for each in at)
        assert least <= window.total(now) <= most
        assert len(window._past) < BUCKETS
