"""What counts as growth: slopes that a step or an outlier doesn't move, and numbers beyond what was there before."""

from __future__ import annotations

import math
import random

import pytest

from bench.growth import (
    COURSE_HEADER,
    LEAST_S,
    MAX_SLOPE_MIB_PER_H,
    MOST_POINTS,
    SPARE,
    Course,
    Verdict,
    find_slope,
    judge,
    judge_memory,
    judge_number,
)
from bench.processes import Held
from bench.soak import judge_gauges

SAMPLE_S = 5


def held(rss_kib: int = 1024, descriptors: int = 10, sockets: int = 2, threads: int = 1) -> Held:
    return Held(rss_kib, rss_kib, threads, descriptors, sockets)


def course(*rss_mib: float, rest: Held | None = None) -> Course:
    """One look each five seconds."""
    looks = [(float(place * SAMPLE_S), held(round(mib * 1024))) for place, mib in enumerate(rss_mib)]
    return Course("worker-1", looks, rest)


def test_slope_of_a_line_is_its_own() -> None:
    """However many points, of which not all are looked at."""
    assert 3.0 == pytest.approx(find_slope([(place, 7 + 3 * place) for place in range(3 * MOST_POINTS)]))


def test_slope_is_not_moved_by_outliers() -> None:
    """One look in five while something large was held, at either end."""
    points = [(float(place), 2.0 * place + (500 if place % 5 == 0 else 0)) for place in range(60)]
    assert 2.0 == pytest.approx(find_slope(points), abs=0.5)


@pytest.mark.parametrize("points", [[], [(1.0, 5.0)]])
def test_slope_of_less_than_two_points_is_none(points: list[tuple[float, float]]) -> None:
    """A process that was seen once did not grow."""
    assert 0.0 == find_slope(points)


def test_memory_that_comes_in_the_first_half_only_is_flat() -> None:
    """Caches fill, and then they are full."""
    filling = course(*(60 + min(place, 60) / 10 for place in range(121)))
    assert Verdict("worker-1, memory", grows=False, figures="+0.0 MiB/h, at most 24") == judge_memory(filling)


def test_memory_with_one_arena_more_in_noise_is_flat() -> None:
    """A megabyte more in the middle of the second half, and some pages to and fro."""
    chance = random.Random(1)
    rss_mib = [60 + (place > 90) + chance.uniform(-0.2, 0.2) for place in range(121)]
    assert False is judge_memory(course(*rss_mib)).grows


@pytest.mark.parametrize("bytes_per_request", [16, 48])
def test_memory_that_each_request_leaves_behind_grows(bytes_per_request: int) -> None:
    """The smallest objects, at 700 requests a second."""
    per_look_mib = 700 * SAMPLE_S * bytes_per_request / 2**20
    leaking = course(*(60 + place * per_look_mib for place in range(121)))
    assert True is judge_memory(leaking).grows
    assert leaking.slope_mib_per_h > MAX_SLOPE_MIB_PER_H


def test_memory_of_a_short_run_is_not_judged() -> None:
    """Whatever its slope is."""
    number = math.floor(2 * LEAST_S / SAMPLE_S) - 1
    assert None is judge_memory(course(*(60 + 10 * place for place in range(number)))).grows


@pytest.mark.parametrize(("after", "grows"), [(2, False), (10 + SPARE, False), (11 + SPARE, True)])
def test_numbers_grow_beyond_what_may_be_spared(after: int, grows: bool) -> None:
    """Fewer than before, some more, and one too many."""
    assert Verdict("it", grows, f"10 → {after}, at most {SPARE} more") == judge_number("it", 10, after)


def test_each_thing_that_is_held_is_judged_apart() -> None:
    """Sockets that came in place of files are growth."""
    seen = course(60.0, 60.0, rest=held(descriptors=12, sockets=12, threads=1))
    assert {"memory": None, "descriptors": False, "sockets": True, "threads": False} == {
        verdict.subject.partition(", ")[2]: verdict.grows for verdict in judge(seen)
    }


def test_process_that_is_gone_is_shown_and_not_judged() -> None:
    """A comparer that was replaced."""
    gone = course(60.0, 61.0)
    assert [] == judge(gone)
    assert ["gone", "gone", "gone"] == gone.cells()[-3:]
    assert len(COURSE_HEADER) == len(gone.cells()) == len(course(60.0, rest=held()).cells())


def test_worker_at_rest_holds_nothing_and_has_as_many_tasks() -> None:
    """One shadow left is growth, and so is a connection to a backend; a task more isn't."""
    before = {"tasks": 1.0, "deadlines": 0.0}
    rest = {"shadows": 1.0, "in_flight": 0.0, "served.legacy.connections": 1.0, "tasks": 2.0, "deadlines": 9.0}
    grown = {verdict.subject for verdict in judge_gauges(before, rest) if verdict.grows}
    assert {"shadows of the worker", "served.legacy.connections of the worker", "deadlines of the worker"} == grown


@pytest.mark.parametrize(("grows", "word"), [(True, "grows"), (False, "flat"), (None, "can't be told")])
def test_verdict_says_it_in_a_word(grows: bool | None, word: str) -> None:
    """And its figures."""
    assert f"it: {word} (1 → 2)" == Verdict("it", grows, "1 → 2").describe()
