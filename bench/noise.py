"""How often noise is taken for a mismatch, and how soon a mismatch is found beside noise: `python -m bench.noise`.

Requests are drawn as docs/comparing.md says, RUNS runs of each case (or as many as the argument says), and the verdict
of `proxy.core.noise` is looked at every LOOK_EVERY pairs, as control does. The same seed makes the same table. Pure: no
proxy, no store.

Without a fault of new, three kinds of noise are drawn, because the tests differ in what they make of them.
"""

from __future__ import annotations

import math
import random
import sys
from bisect import bisect
from collections import Counter
from dataclasses import dataclass, fields, replace
from functools import cache
from itertools import accumulate
from typing import TYPE_CHECKING, Literal

from proxy.core.noise import Rates, judge

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SEED, RUNS, LOOK_EVERY = 20_261_123, 1_000, 100
MARKS = (2_000, 5_000, 10_000)
SHARES = (1.0, 0.5, 0.1, 0.01)
FAULTS = {
    "1 %, another value": (0.01, False),
    "1 %, a shape of its own": (0.01, True),
    "3 %, another value": (0.03, False),
}
Kind = Literal["random", "two", "request"]
KINDS: dict[Kind, str] = {
    "random": "random values",
    "two": "one of two values",
    "request": "random values, of some requests only",
}


@dataclass(frozen=True, slots=True)
class Case:
    """`noise`: share of the pairs of legacy with itself that differ, half of it by each of its answers.

    `kind`: an odd answer is another one each time ("random"), or each time the same ("two"); or all answers to some
    requests are odd, and none to the others ("request"). `fault`: share of new's answers that are wrong beside that,
    with a shape of their own or the noise's. `runs_share`: of the requests that legacy is asked twice.
    """

    noise: float
    fault: float
    has_own_shape: bool
    runs_share: float
    kind: Kind = "random"

    @property
    def odd(self) -> float:
        """The share of odd answers, of each of the three."""
        return (1 - math.sqrt(1 - 2 * self.noise)) / 2 if self.kind == "two" else 1 - math.sqrt(1 - self.noise)

    @property
    def unusual(self) -> float:
        """The share of requests to which an answer is odd or wrong."""
        usual = 1 - self.noise if self.kind == "request" else (1 - self.odd) ** 3
        return 1 - usual * (1 - self.fault)


@dataclass(slots=True)
class _Counts:
    self_shown: int = 0
    self_pairs: int = 0
    new_shown: int = 0
    new_pairs: int = 0
    both_shown: int = 0
    new_alone: int = 0
    first_alone: int = 0
    again_alone: int = 0

    def rates(self) -> Rates:
        return Rates(*(getattr(self, each.name) for each in fields(Rates)))

    def add_run(self, first: int, again: int, new: int) -> None:
        """The three answers of a noise run; equal numbers are equal answers."""
        self.self_pairs += 1
        self.self_shown += first != again
        self.both_shown += again != first != new
        self.new_alone += first == again != new
        self.first_alone += again == new != first
        self.again_alone += first == new != again


def looks(case: Case, chance: random.Random, pairs: int) -> Iterator[tuple[int, str]]:
    """The number of pairs so far, and the verdict then."""
    place, faults = _Counts(), _Counts()
    for number in range(LOOK_EVERY, pairs + 1, LOOK_EVERY):
        unusual = _how_many(LOOK_EVERY, case.unusual, chance)
        place.self_pairs += _how_many(LOOK_EVERY - unusual, case.runs_share, chance)
        place.new_pairs = faults.new_pairs = number
        for first, again, new in (_unusual_answers(case, chance) for _ in range(unusual)):
            place.new_shown += first != new
            faults.new_shown += new == _WRONG
            if chance.random() < case.runs_share:
                place.add_run(first, again, new)
        faults.self_pairs = place.self_pairs
        yield number, judge(place.rates(), faults.rates() if case.has_own_shape else None).verdict


def _how_many(requests: int, share: float, chance: random.Random) -> int:
    """Of so many requests, a number with the binomial distribution."""
    return bisect(_cumulative(requests, share), chance.random())


@cache
def _cumulative(requests: int, share: float) -> list[float]:
    """The chances of 0, of 1 or less, and so on, without the last one, which is 1."""
    chances = (
        math.comb(requests, number) * share**number * (1 - share) ** (requests - number) for number in range(requests)
    )
    return list(accumulate(chances))


_WRONG = -1


def _unusual_answers(case: Case, chance: random.Random) -> tuple[int, int, int]:
    """Legacy's two and new's, of a request to which one at least isn't usual; 0 is what is usual."""
    while True:
        if case.kind == "request":
            first, again, new = (1, 2, 3) if chance.random() < case.noise else (0, 0, 0)
        else:
            names = (1, 1, 1) if case.kind == "two" else (1, 2, 3)
            first, again, new = (name if chance.random() < case.odd else 0 for name in names)
        if chance.random() < case.fault:
            new = _WRONG
        if first or again or new:
            return first, again, new


def measure(case: Case, chance: random.Random, runs: int) -> list[tuple[float, float]]:
    """For each of MARKS: the share of runs that were once a mismatch until then, and that of those called noise."""
    found, noise = Counter[int](), Counter[int]()
    for _ in range(runs):
        is_found = False
        for number, verdict in looks(case, chance, MARKS[-1]):
            is_found = is_found or verdict == "mismatch"
            if number in MARKS:
                found[number] += is_found
                noise[number] += verdict == "noise"
    return [(found[mark] / runs, noise[mark] / runs) for mark in MARKS]


def main(runs: int) -> None:
    """Prints the tables of docs/comparing.md."""
    _print_head("noise", "of what kind")
    for kind, name in KINDS.items():
        for noise in (0.03, 0.3):
            _print_rows(f"| {noise * 100:g} % | {name}", Case(noise, 0.0, False, 1.0, kind), (1.0, 0.1), runs)
    _print_head("noise", "fault of new")
    for noise, shares in ((0.03, SHARES), (0.3, SHARES[:3])):
        for name, (fault, has_own_shape) in FAULTS.items():
            _print_rows(f"| {noise * 100:g} % | {name}", Case(noise, fault, has_own_shape, 1.0), shares, runs)


def _print_head(*names: str) -> None:
    print("\n|", " | ".join([*names, "asked twice", *(f"{mark:,} pairs" for mark in MARKS)]), "|")
    print("|---:|---|---:|" + "---:|" * len(MARKS))


def _print_rows(begin: str, case: Case, shares: Iterable[float], runs: int) -> None:
    for share in shares:
        row = measure(replace(case, runs_share=share), random.Random(f"{SEED} {begin} {share}"), runs)
        cells = " | ".join(f"{found * 100:g} % ({called * 100:.0f} %)" for found, called in row)
        print(f"{begin} | {share * 100:g} % | {cells} |", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else RUNS)
