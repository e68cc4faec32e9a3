"""How a shadow side that fails is asked less, and how soon it is asked as before."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.traffic.pace import Pace
from tests.traffic.stage import QUICK, SHADOWED, staged
from tests.traffic.wire import chunked, hang, ok, reset, run

if TYPE_CHECKING:
    from collections.abc import Callable

MOST = 64
HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


def begun(pace: Pace, now: float, wanted: int = 1000) -> int:
    """How many of as many as want to may begin at once."""
    for number in range(wanted):
        if pace.refusal(now) is not None:
            return number
        pace.begin(now)
    return wanted


def fail_all(pace: Pace, began_at: float, now: float) -> None:
    for _ in range(pace.open):
        pace.leave()
        pace.failed(began_at, now, "why")


def test_pace_has_all_places_for_a_side_of_which_nothing_is_known() -> None:
    """As many at once as the settings say, and no more until one has ended."""
    pace = Pace(MOST)
    assert (MOST, 0) == (begun(pace, 1.0), begun(pace, 2.0))
    pace.leave()
    assert 1 == begun(pace, 2.0)


def test_pace_is_halved_once_by_those_that_fail_together() -> None:
    """Sixty-four time-outs of one moment are one piece of news."""
    pace = Pace(MOST)
    begun(pace, 1.0)
    fail_all(pace, 1.0, 3.0)
    assert MOST // 2 == sum(begun(pace, 3.0 + step / 10) for step in range(40))


def test_pace_is_one_at_a_time_with_ever_longer_rests_where_all_fail() -> None:
    """A side that fails at once is asked some ten times in the first seconds, and every two seconds from then on."""
    pace, at = Pace(MOST), []
    for now in (step / 1000 for step in range(60_000)):
        if pace.refusal(now) is None:
            pace.begin(now)
            pace.leave()
            pace.failed(now, now + 0.0005, "why")
            at.append(now)
    pauses = [later - earlier for earlier, later in itertools.pairwise(at)]
    assert [2.0] * 10 == [pytest.approx(pause, abs=0.01) for pause in pauses[-10:]]
    assert sorted(pauses) == pytest.approx(pauses, abs=0.01)
    assert 30 <= len(at) <= 50


def test_pace_has_fewer_under_way_where_answers_are_large() -> None:
    """Four megabytes in all, one in any case; small answers make it as it was."""
    pace = Pace(MOST)
    for size, most in ((100, MOST), (2**20, 4), (2**23, 1), (2**16, 1)):
        pace.begin(1.0)
        pace.leave()
        pace.answered(0.01, size)
        assert most == begun(pace, 2.0)
        for _ in range(most):
            pace.leave()
    for _ in range(600):
        pace.answered(0.01, 100)
    assert MOST == begun(pace, 3.0)


def test_pace_rests_ever_longer_where_answers_are_too_large_to_be_compared() -> None:
    """From the third in a row on, with one at a time; one that can be compared ends it."""
    pace, at = Pace(MOST), list[float]()
    for now in (1.0 + step / 1000 for step in range(20_000)):
        if pace.refusal(now) is None:
            pace.begin(now)
            assert (pace.refusal(now) == "shed") == (len(at) >= 3)
            pace.was_too_large(now)
            pace.leave()
            at.append(now)
    assert [0.001, 0.001, 1.0, 2.0, 2.0] == [pytest.approx(b - a, abs=0.002) for a, b in itertools.pairwise(at[:6])]
    now = at[-1] + 2.1
    pace.begin(now)
    pace.leave()
    pace.was_comparable()
    assert MOST == begun(pace, now)


def test_pace_is_what_it_was_as_many_answers_later() -> None:
    """One answer ends the rests; each gives a place."""
    pace = Pace(MOST)
    for now in map(float, range(1, 100)):
        if pace.refusal(now) is None:
            pace.begin(now)
            pace.leave()
            pace.failed(now, now + 0.5, "why")
    now = 200.0
    for _ in range(MOST):
        now += 0.01
        assert pace.refusal(now) is None
        pace.begin(now)
        pace.leave()
        pace.answered(0.001, 100)
    assert MOST == sum(begun(pace, now + step / 1000) for step in range(1, 10))


def test_pace_spreads_those_that_take_long() -> None:
    """Answers that take five seconds: their places are not taken all at once when they come free all at once."""
    pace = Pace(MOST)
    begun(pace, 1.0)
    for _ in range(MOST):
        pace.leave()
        pace.answered(5.0, 100)
    at_once = [begun(pace, 6.0 + step / 100) for step in range(500)]
    assert MOST // 32 == max(at_once)
    assert MOST == sum(at_once)


def test_pace_does_not_hold_up_what_is_fast() -> None:
    """Bursts find their places where answers take a millisecond, one in a hundred of them two seconds."""
    pace, refused = Pace(100), 0
    for burst in range(500):
        now = 1.0 + burst / 100
        refused += 10 - begun(pace, now, 10)
        for number in range(pace.open):
            pace.leave()
            if burst % 10 == 0 and number == 0:
                pace.failed(now - 2.0, now, "why")
            else:
                pace.answered(0.001, 100)
    assert 0 == refused


@given(
    most=st.integers(1, 40),
    events=st.lists(st.tuples(st.floats(0, 3), st.sampled_from(["begin", "answered", "failed", "left"])), max_size=200),
)
def test_pace_keeps_its_bounds_and_always_asks_again(most: int, events: list[tuple[float, str]]) -> None:
    """Whatever happens: never more than the most at a time, and whoever has none under way begins soon."""
    pace, now, begun_at = Pace(most), 0.0, list[float]()
    for after, event in events:
        now += after
        if event == "begin":
            if pace.refusal(now) is None:
                pace.begin(now)
                begun_at.append(now)
        elif begun_at:
            began = begun_at.pop(0)
            pace.leave()
            if event == "answered":
                pace.answered(now - began, 100)
            elif event == "failed":
                pace.failed(began, now, "why")
        assert len(begun_at) == pace.open <= most
    while begun_at:
        begun_at.pop()
        pace.leave()
    longest_s = sum(after for after, _ in events)
    assert pace.refusal(now + 2.0 + longest_s) is None


# --- with a side that is really that way ---------------------------------------------------------------------
async def drip(asked: Any) -> None:
    await asked.write(HEAD + chunked(b"."))
    await asked.wait_left()


@pytest.mark.parametrize("behave", [hang, drip, reset], ids=["hanging", "dripping", "resetting"])
def test_side_that_fails_is_asked_seldom_and_as_before_once_it_answers(behave: Callable[..., Any]) -> None:
    """Most of what would have failed is shed; users see nothing of it, and nothing is lost."""
    rule = SHADOWED.__class__(SHADOWED.millipercent, timeout_s=0.1)

    async def scenario() -> None:
        async with staged(
            ok(b"a"), behave, shadow=rule, timeouts=QUICK, percent=0, settings={"shadow_concurrency": 8}
        ) as stage:
            for _ in range(300):
                assert b"a" == (await stage.ask()).body
            asked = len(stage.new.asked)
            stage.new.behave = ok(b"a")
            matches = 0
            while matches < 50:
                await stage.ask()
                matches = stage.counts()["match"]
            counts = await stage.check_nothing_lost()
            assert 0 < asked < 100 < sum(count for name, count in counts.items() if name.startswith("skipped."))

    run(scenario())
