"""What an outcome counts as: the name of the counter, and the sightings that go to the store. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.core.evidence import Verdict
from proxy.store.values import Sighting

if TYPE_CHECKING:
    from collections.abc import Container

    from proxy.control.outcome import Outcome


def counter_of(outcome: Outcome, silenced: Container[str]) -> str:
    """The counter of core/evidence. A pair whose every difference is silenced is `noise`, not `mismatch`."""
    if outcome.kind == "noise":
        return _of_noise_run(outcome)
    if outcome.verdict == Verdict.GAVE_UP:
        return f"skipped.gave_up.{outcome.reason}"
    if outcome.verdict == Verdict.SKIPPED:
        return f"skipped.{outcome.reason}"
    if outcome.verdict == Verdict.MISMATCH and _are_silenced(outcome, silenced):
        return Verdict.NOISE.value
    return outcome.verdict.value


def _of_noise_run(outcome: Outcome) -> str:
    """Legacy asked twice says nothing of new: these are counters of their own, outside of the coverage."""
    if outcome.verdict == Verdict.MATCH:
        return "self_matches"
    return "self_mismatches" if outcome.verdict == Verdict.MISMATCH else "self_gave_up"


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
