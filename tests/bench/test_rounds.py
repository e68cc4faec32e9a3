"""The order of runs, what a failing contender costs, and a whole measurement over real sockets."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from bench.children import ContenderFailed, find_program
from bench.contenders import CONTENDERS, select_contenders
from bench.contenders.contender import Contender, Place, Target
from bench.contenders.direct import DIRECT
from bench.cores import assign_cores, available_cores
from bench.rounds import Rounds, order_runs
from bench.scenarios import CORE
from bench.wrk import Load

needs_tools = pytest.mark.skipif(
    not all(map(find_program, ("wrk", "nginx", "taskset"))), reason="needs wrk, nginx and taskset"
)


def make_contender(
    name: str, start: Callable[[Place], AbstractContextManager[Target]], *, missing: str | None = None
) -> Contender:
    return Contender(name, name, name, "pass", lambda: missing, lambda: name, start)


def refuse_to_start(_place: Place) -> AbstractContextManager[Target]:
    raise ContenderFailed("port taken")


def test_order_turns_around_every_second_round() -> None:
    """No contender always follows the same other one."""
    first, second = CONTENDERS[:2]
    expected = [(1, first), (1, second), (2, second), (2, first), (3, first), (3, second)]
    assert expected == list(order_runs((first, second), 3))


@needs_tools
def test_rounds_measure_what_they_can_and_say_why_they_could_not_do_the_rest() -> None:
    """A missing and a failing contender become rows without samples; nginx mirrors every request."""
    told: list[str] = []
    rounds = Rounds(CORE, Load(connections=2, seconds=1), assign_cores(available_cores()), told.append)
    missing = make_contender("missing", refuse_to_start, missing="apt-get install missing")
    failing = make_contender("failing", refuse_to_start)
    mirror = select_contenders(("nginx-mirror",))
    rows = {row.name: row for row in rounds.run((DIRECT, missing, failing, *mirror), 1)}
    assert (rows["missing"].absence, rows["missing"].samples) == ("apt-get install missing", ())
    assert (rows["failing"].absence, rows["failing"].samples) == ("failed: port taken", ())
    assert [rows["direct"].errors, rows["nginx-mirror"].errors] == [0, 0]
    assert sum(sample.mirrored for sample in rows["direct"].samples) == 0
    assert 0.99 < (rows["nginx-mirror"].mirrored_ratio or 0) <= 1.01
    assert len(told) == 4
