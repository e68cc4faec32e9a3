"""Judge: each outcome has one counter, and silenced differences are noise only when nothing else differs."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.control.judge import counter_of, sightings_of
from proxy.control.outcome import Outcome
from proxy.core.evidence import Verdict
from proxy.core.signature import Signature
from proxy.store import Sighting

ONE = Signature("aaaaaaaaaaaa", "feeds", "body", "$.a", "value")
OTHER = Signature("bbbbbbbbbbbb", "feeds", "body", "$.b", "value")


def outcome(verdict: Verdict, **fields: Any) -> Outcome:
    return Outcome(**{"route": "feeds", "kind": "candidate", "verdict": verdict, **fields})


@pytest.mark.parametrize(
    ("found", "silenced", "counter"),
    [
        (outcome(Verdict.MATCH), (), "match"),
        (outcome(Verdict.MISMATCH, signatures=(ONE, OTHER)), (), "mismatch"),
        (outcome(Verdict.MISMATCH, signatures=(ONE, OTHER)), (ONE.id,), "mismatch"),
        (outcome(Verdict.MISMATCH, signatures=(ONE, OTHER)), (ONE.id, OTHER.id), "noise"),
        (outcome(Verdict.MISMATCH), (ONE.id,), "mismatch"),
        (outcome(Verdict.MISMATCH, signatures=(ONE,), has_more=True), (ONE.id,), "mismatch"),
        (outcome(Verdict.GAVE_UP, reason="time"), (), "skipped.gave_up.time"),
        (outcome(Verdict.SKIPPED, reason="comparer_busy"), (), "skipped.comparer_busy"),
        (outcome(Verdict.MATCH, kind="noise"), (), "self_matches"),
        (outcome(Verdict.MISMATCH, kind="noise", signatures=(ONE,)), (ONE.id,), "self_mismatches"),
        (outcome(Verdict.GAVE_UP, kind="noise", reason="time"), (), "self_gave_up"),
    ],
)
def test_counter_follows_from_the_outcome(found, silenced, counter):
    """What was not compared is never a match, and noise runs stay out of the coverage (laws 5 and 10)."""
    assert counter == counter_of(found, silenced)


def test_sightings_carry_the_example_where_it_is_due():
    """Each signature is sighted once; only those that asked for an example get it."""
    found = outcome(Verdict.MISMATCH, signatures=(ONE, OTHER), example=b"{}", example_for=frozenset({OTHER.id}))
    assert [Sighting(ONE, 9.0), Sighting(OTHER, 9.0, example=b"{}")] == sightings_of(found, 9.0)
