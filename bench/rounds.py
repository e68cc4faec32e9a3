"""The rounds: every contender once per round, alone, then the next round in the opposite order.

A machine that slows down or gets a noisy neighbour then hits all contenders alike; the median drops a bad round.
A contender that fails is not tried again, and costs the others nothing.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING

from bench.certificate import make_certificate
from bench.children import ContenderFailed
from bench.contenders.contender import Place
from bench.cores import read_ticks
from bench.fetch import fetch
from bench.origin import choose_answer, running_origins
from bench.results import Row, Sample, make_row
from bench.session import read_session_ticks
from bench.wrk import PATH, run_wrk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bench.contenders.contender import Contender, Target
    from bench.cores import Cores
    from bench.scenarios import Scenario
    from bench.wrk import Load

    Tell = Callable[[str], None]


@dataclass(slots=True)
class Rounds:
    """A series of runs under way: what was sampled, and why a contender has no (more) samples, by its name."""

    scenario: Scenario
    load: Load
    cores: Cores
    tell: Tell
    samples: list[Sample] = field(default_factory=list)
    absences: dict[str, str] = field(default_factory=dict)

    def run(self, contenders: Sequence[Contender], rounds: int) -> tuple[Row, ...]:
        """One row per contender, in their order."""
        self._note_missing(contenders)
        with tempfile.TemporaryDirectory(prefix="changeover-bench-") as name:
            folder = Path(name)
            certificate = make_certificate(folder) if self.scenario.tls else None
            with running_origins(self.cores.origin, folder, self.scenario, certificate) as origins:
                for number, contender in order_runs(contenders, rounds):
                    own_folder = folder / f"{contender.name}-{number}"
                    place = Place(self.cores.proxy, own_folder, origins, self.scenario, certificate)
                    self._take_sample(contender, number, place)
        return tuple(make_row(each, self.samples, self.absences.get(each.name, "")) for each in contenders)

    def _note_missing(self, contenders: Sequence[Contender]) -> None:
        for contender in contenders:
            missing = contender.find_missing()
            if missing:
                self.absences[contender.name] = missing
                self.tell(f"{contender.name}: absent: {missing}")

    def _take_sample(self, contender: Contender, number: int, place: Place) -> None:
        if contender.name in self.absences:
            return
        place.folder.mkdir()
        try:
            with contender.start(place) as target:
                sample = measure(contender.name, target, place, self.load, self.cores)
        except (ContenderFailed, OSError, HTTPException) as failure:
            self.absences[contender.name] = f"failed: {failure}"
            self.tell(f"{contender.name}: failed: {failure}")
            return
        self.samples.append(sample)
        self.tell(f"round {number}  {contender.name:<20} {sample.outcome.requests_per_s:>9,.0f} requests/s")


def order_runs(contenders: Sequence[Contender], rounds: int) -> Iterator[tuple[int, Contender]]:
    """(round number from 1, contender), every second round backwards."""
    for number in range(1, rounds + 1):
        for contender in contenders if number % 2 else reversed(contenders):
            yield number, contender


def measure(name: str, target: Target, place: Place, load: Load, cores: Cores) -> Sample:
    """One run after a warm-up; `ContenderFailed` when the contender doesn't pass the origin's answer on."""
    check_answer(target.port, place)
    run_wrk(target.port, load, load.warm_up_seconds, cores.load)
    served_before, mirrored_before = place.origins.settled_counts()
    own_before, ticks_before = _read_own_ticks(target), read_ticks(cores.proxy)
    outcome = run_wrk(target.port, load, load.seconds, cores.load)
    own, ticks = _read_own_ticks(target) - own_before, read_ticks(cores.proxy)
    served, mirrored = place.origins.settled_counts()
    return Sample(
        contender=name,
        outcome=outcome,
        served=served - served_before,
        mirrored=mirrored - mirrored_before,
        busy=ticks.busy_since(ticks_before),
        foreign=ticks.foreign_since(ticks_before, own) if cores.is_proxy_alone else 0.0,
        evidence=target.read_evidence(),
    )


def _read_own_ticks(target: Target) -> int:
    return read_session_ticks(target.session) if target.session is not None else 0


def check_answer(port: int, place: Place) -> None:
    """`ContenderFailed` unless the port answers as the serving origin does."""
    status, body = fetch(port, PATH, place.authority)
    if (status, body) != (200, choose_answer(place.scenario).expected.encode()):
        raise ContenderFailed(f"the answer through port {port} is not the origin's: {status} {body[:200]!r}")
