"""Which core runs what, and how busy a core was."""

import pytest

from bench.cores import (
    Cores,
    Ticks,
    assign_cores,
    describe_background,
    parse_ticks,
)

STAT = """\
cpu  30 0 30 300 30 0 0 0 0 0
cpu0 10 1 12 100 20 3 4 5 6 7
cpu1 20 0 20 200 10 0 0 0 0 0
intr 1 2 3
"""


@pytest.mark.parametrize(
    ("available", "expected"),
    [
        ((0,), Cores(proxy=(0,), origin=(0,), load=(0,))),
        ((0, 1), Cores(proxy=(0,), origin=(1,), load=(1,))),
        ((2, 5, 7, 9), Cores(proxy=(2,), origin=(5,), load=(7,))),
    ],
)
def test_assignment_gives_the_proxy_a_core_of_its_own_where_there_are_two(
    available: tuple[int, ...], expected: Cores
) -> None:
    """One core: all together; two: proxy alone; three or more: one each for proxy, origins and wrk."""
    assert expected == assign_cores(available)


def test_assignment_gives_each_worker_a_core_and_the_rest_to_the_others() -> None:
    """Where none is left over, origins and load share the workers' cores."""
    assert Cores(proxy=(0, 1), origin=(0, 1), load=(0, 1)) == assign_cores((0, 1), 2)
    assert Cores(proxy=(0, 1), origin=(2,), load=(3,)) == assign_cores((0, 1, 2, 3), 2)


def test_description_admits_a_shared_core() -> None:
    """With a single core the reader is warned."""
    assert assign_cores((0,)).describe() == "everything shares core 0: the numbers say little"


def test_ticks_count_waiting_as_idle_and_guest_time_once() -> None:
    """Idle is idle + iowait; guest times, already part of user and nice, are left out of the total."""
    assert Ticks(idle=120, total=155, programs=23) == parse_ticks(STAT, 0)


def test_ticks_of_an_unknown_core_are_refused() -> None:
    """A core that the kernel doesn't list is an error, not an idle core."""
    with pytest.raises(LookupError, match="core 7"):
        parse_ticks(STAT, 7)


def test_busy_share_is_that_of_the_time_in_between() -> None:
    """Only the difference of two readings counts; no time at all is not busy."""
    early, late = Ticks(idle=100, total=200, programs=90), Ticks(idle=125, total=300, programs=150)
    assert late.busy_since(early) == 0.75
    assert early.busy_since(early) == 0.0


def test_foreign_share_is_what_programs_used_beyond_the_own() -> None:
    """60 ticks of programs, 40 of them one's own, in 100: 20 %; rounding of ticks never makes it negative."""
    early, late = Ticks(idle=100, total=200, programs=90), Ticks(idle=125, total=300, programs=150)
    assert late.foreign_since(early, own=40) == 0.2
    assert late.foreign_since(early, own=61) == 0.0


def test_background_is_called_a_disturbance_above_five_percent() -> None:
    """An idle machine is only described; a busy one comes with what it means for the numbers."""
    assert describe_background(((0, 0.01), (1, 0.02))) == "core 0 1 %, core 1 2 % busy"
    assert describe_background(((0, 0.5),)).endswith("other programs are running, the numbers are low and noisy")
