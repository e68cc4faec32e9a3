"""What an outcome counts as: the names of its counters, and the sightings that go to the store. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.control.outcome import hidden_by
from proxy.core.evidence import NOT_INSTALLED, Verdict
from proxy.store.values import Sighting

if TYPE_CHECKING:
    from collections.abc import Container

    from proxy.control.outcome import Outcome


def counters_of(outcome: Outcome, silenced: Container[str]) -> list[str]:
    """The counters of core/evidence: the verdict's, and one more where the pair was compared in part only.

    A pair whose every difference is silenced is `noise`, not `mismatch`; where beside them something could not be
    compared, it has been given up: nothing is known of it (law 10).
    """
    if outcome.kind == "noise":
        return [_of_noise_run(outcome)]
    if outcome.verdict != Verdict.MISMATCH:
        return [_of_gap(outcome.verdict, outcome.reason)]
    if not _are_silenced(outcome, silenced):
        counter = Verdict.MISMATCH.value
    elif outcome.reason:
        return [_of_gap(Verdict.SKIPPED if outcome.reason in NOT_INSTALLED else Verdict.GAVE_UP, outcome.reason)]
    else:
        counter = Verdict.NOISE.value
    unseen = hidden_by(outcome)
    return [counter, f"partly.{unseen}"] if unseen else [counter]


def _of_gap(verdict: Verdict, reason: str) -> str:
    if verdict == Verdict.GAVE_UP:
        return f"skipped.gave_up.{reason}"
    return f"skipped.{reason}" if verdict == Verdict.SKIPPED else verdict.value


def _of_noise_run(outcome: Outcome) -> str:
    """Legacy asked twice says nothing of new: these are counters of their own, outside of the coverage."""
    if outcome.verdict == Verdict.MATCH:
        return "self_matches"
    if outcome.verdict == Verdict.MISMATCH:
        return "self_mismatches"
    return f"self_{_of_gap(outcome.verdict, outcome.reason)}"


def _are_silenced(outcome: Outcome, silenced: Container[str]) -> bool:
    if outcome.has_more or not outcome.signatures:
        return False
    return all(signature.id in silenced for signature in outcome.signatures)


def sightings_of(outcome: Outcome, at: float) -> list[Sighting]:
    """One sighting for each signature, with the example where it is meant for it."""
    versions = (outcome.version,) if outcome.version else ()
    return [
        Sighting(
            signature,
            at,
            example=outcome.example if signature.id in outcome.example_for else None,
            versions=versions,
        )
        for signature in outcome.signatures
    ]
