"""Judge: each outcome has one counter, and silenced differences are noise only when nothing else differs."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.control.judge import counters_of, sightings_of
from proxy.control.outcome import Outcome
from proxy.core.evidence import Verdict
from proxy.core.signature import Signature
from proxy.store import Sighting

ONE = Signature("aaaaaaaaaaaa", "feeds", "body", "$.a", "value")
OTHER = Signature("bbbbbbbbbbbb", "feeds", "body", "$.b", "value")
HEADER = Signature("cccccccccccc", "feeds", "header", "x-rand", "value")
STATUS = Signature("dddddddddddd", "feeds", "status", "status", "200→500")
KIND = Signature("eeeeeeeeeeee", "feeds", "body", "$", "body json→text")
PART_KIND = Signature("ffffffffffff", "feeds", "body", "$[*]", "body json→text")


def outcome(verdict: Verdict, **fields: Any) -> Outcome:
    return Outcome(**{"route": "feeds", "kind": "candidate", "verdict": verdict, **fields})


@pytest.mark.parametrize(
    ("found", "silenced", "counters"),
    [
        (outcome(Verdict.MATCH), (), ["match"]),
        (outcome(Verdict.MISMATCH, signatures=(ONE, OTHER)), (), ["mismatch"]),
        (outcome(Verdict.MISMATCH, signatures=(ONE, OTHER)), (ONE.id,), ["mismatch"]),
        (outcome(Verdict.MISMATCH, signatures=(ONE, OTHER)), (ONE.id, OTHER.id), ["noise"]),
        (outcome(Verdict.MISMATCH), (ONE.id,), ["mismatch"]),
        (outcome(Verdict.GAVE_UP, reason="time"), (), ["skipped.gave_up.time"]),
        (outcome(Verdict.SKIPPED, reason="comparer_busy"), (), ["skipped.comparer_busy"]),
        (outcome(Verdict.MATCH, kind="noise"), (), ["self_matches"]),
        (outcome(Verdict.MISMATCH, kind="noise", signatures=(ONE,)), (ONE.id,), ["self_mismatches"]),
        (outcome(Verdict.MISMATCH, kind="noise", signatures=(STATUS,), reason="size"), (), ["self_mismatches"]),
        (outcome(Verdict.GAVE_UP, kind="noise", reason="time"), (), ["self_skipped.gave_up.time"]),
        (outcome(Verdict.SKIPPED, kind="noise", reason="comparer_busy"), (), ["self_skipped.comparer_busy"]),
    ],
)
def test_counters_follow_from_the_outcome(found, silenced, counters):
    """What was not compared is never a match, and noise runs stay out of the coverage (laws 5 and 10)."""
    assert counters == counters_of(found, silenced)


@pytest.mark.parametrize("reason", ["entities", "encoding", "size", "truncated"])
def test_silenced_difference_makes_no_match_of_what_was_not_compared(reason):
    """The noisy header is out of the way, and nothing is known of the body: given up, never noise (law 10)."""
    found = outcome(Verdict.MISMATCH, signatures=(HEADER,), reason=reason)
    assert [f"skipped.gave_up.{reason}"] == counters_of(found, (HEADER.id,))


def test_silenced_difference_beside_a_body_that_needs_an_extra_is_skipped():
    """With the reason that the pair has where nothing else differs."""
    found = outcome(Verdict.MISMATCH, signatures=(HEADER,), reason="no_xml")
    assert ["skipped.no_xml"] == counters_of(found, (HEADER.id,))


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (outcome(Verdict.MISMATCH, signatures=(HEADER,), reason="size"), "size"),
        (outcome(Verdict.MISMATCH, signatures=(ONE,), has_more=True), "unlisted"),
        (outcome(Verdict.MISMATCH, signatures=(ONE,), has_more=True, reason="truncated"), "truncated"),
        (outcome(Verdict.MISMATCH, signatures=(STATUS,)), "status"),
        (outcome(Verdict.MISMATCH, signatures=(HEADER, KIND)), "kind"),
        (outcome(Verdict.MISMATCH, signatures=(ONE, PART_KIND)), "kind"),
    ],
)
def test_mismatch_that_was_compared_in_part_says_why(found, reason):
    """It is a mismatch whatever the rest holds, but the rest was not looked at: counted with its reason (law 5)."""
    assert ["mismatch", f"partly.{reason}"] == counters_of(found, (ONE.id,))


@pytest.mark.parametrize(("signature", "reason"), [(STATUS, "status"), (KIND, "kind")])
def test_silenced_status_or_kind_is_noise_compared_in_part(signature, reason):
    """Somebody decided that this difference doesn't matter; that nothing below it was compared is told."""
    assert ["noise", f"partly.{reason}"] == counters_of(
        outcome(Verdict.MISMATCH, signatures=(signature,)), (signature.id,)
    )


def test_sightings_carry_the_example_where_it_is_due():
    """Each signature is sighted once; only those that asked for an example get it."""
    found = outcome(Verdict.MISMATCH, signatures=(ONE, OTHER), example=b"{}", example_for=frozenset({OTHER.id}))
    assert [Sighting(ONE, 9.0), Sighting(OTHER, 9.0, example=b"{}")] == sightings_of(found, 9.0)
