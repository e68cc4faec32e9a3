"""How often noise is taken for a mismatch, and how soon a mismatch is found beside noise: `python -m bench.noise`.

Requests are drawn as docs/comparing.md says, RUNS runs of each case, and the verdict of `proxy.core.noise` is looked at
every LOOK_EVERY pairs, as control does. The same seed makes the same table. Pure: no proxy, no store.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from proxy.core.noise import Rates, judge

if TYPE_CHECKING:
    from collections.abc import Iterator

SEED, RUNS, LOOK_EVERY = 20_261_123, 200, 100
MARKS = (2_000, 5_000, 10_000)
FAULTS = {
    "none": (0.0, False),
    "1 %, another value": (0.01, False),
    "1 %, a shape of its own": (0.01, True),
    "3 %, another value": (0.03, False),
}


@dataclass(frozen=True, slots=True)
class Case:
    """`noise`: share of the pairs of legacy with itself that differ, half of it by each of its answers.

    `fault`: share of new's answers that are wrong beside that, with a shape of their own or the noise's. `runs_share`:
    of the requests that legacy is asked twice.
    """

    noise: float
    fault: float
    has_own_shape: bool
    runs_share: float


@dataclass(slots=True)
class _Counts:
    self_shown: int = 0
    self_pairs: int = 0
    new_shown: int = 0
    new_pairs: int = 0
    both_shown: int = 0

    def rates(self) -> Rates:
        return Rates(self.self_shown, self.self_pairs, self.new_shown, self.new_pairs, self.both_shown)


def looks(case: Case, chance: random.Random, pairs: int) -> Iterator[tuple[int, str]]:
    """The number of pairs so far, and the verdict then."""
    odd = 1 - (1 - case.noise) ** 0.5
    place, faults = _Counts(), _Counts()
    draw = chance.random
    for number in range(1, pairs + 1):
        is_first_odd = draw() < odd
        is_wrong = draw() < case.fault
        is_different = is_first_odd or draw() < odd or is_wrong
        place.new_pairs += 1
        place.new_shown += is_different
        faults.new_shown += is_wrong
        if draw() < case.runs_share:
            is_noisy = is_first_odd or draw() < odd
            place.self_pairs += 1
            place.self_shown += is_noisy
            place.both_shown += is_noisy and is_different
        if number % LOOK_EVERY == 0:
            faults.new_pairs, faults.self_pairs = place.new_pairs, place.self_pairs
            yield number, judge(place.rates(), faults.rates() if case.has_own_shape else None).verdict


def measure(case: Case, chance: random.Random) -> list[tuple[float, float]]:
    """For each of MARKS: the share of runs that were once a mismatch until then, and that of those called noise."""
    found, noise = Counter[int](), Counter[int]()
    for _ in range(RUNS):
        is_found = False
        for number, verdict in looks(case, chance, MARKS[-1]):
            is_found = is_found or verdict == "mismatch"
            if number in MARKS:
                found[number] += is_found
                noise[number] += verdict == "noise"
    return [(found[mark] / RUNS, noise[mark] / RUNS) for mark in MARKS]


def main() -> None:
    """Prints the table of docs/comparing.md."""
    print("| noise | fault of new | asked twice |", " | ".join(f"{mark:,} pairs" for mark in MARKS), "|")
    print("|---:|---|---:|" + "---:|" * len(MARKS))
    chance = random.Random(SEED)
    for noise in (0.03, 0.3):
        for name, (fault, has_own_shape) in FAULTS.items():
            for share in (1.0, 0.5, 0.2, 0.05):
                row = measure(Case(noise, fault, has_own_shape, share), chance)
                cells = " | ".join(f"{found * 100:g} % ({called * 100:.0f} %)" for found, called in row)
                print(f"| {noise * 100:g} % | {name} | {share * 100:g} % | {cells} |", flush=True)


if __name__ == "__main__":
    main()
