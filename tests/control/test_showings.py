"""Showings: each pair adds to its places once, both pairs of a noise run together."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from proxy.control.outcome import Alone, Outcome
from proxy.control.showings import shown_by
from proxy.core.evidence import Verdict
from proxy.core.signature import Signature, place_id
from proxy.store import Shown

VALUE = Signature("aaaaaaaaaaaa", "feeds", "body", "$.a", "value")
NULL = Signature("bbbbbbbbbbbb", "feeds", "body", "$.a", "number→null")
OTHER = Signature("cccccccccccc", "feeds", "body", "$.b", "value")


def outcome(kind: Any, *signatures: Signature) -> Outcome:
    return Outcome("feeds", kind, Verdict.MISMATCH, signatures=signatures)


def test_pair_counts_once_at_a_place_whatever_its_shapes():
    """Two shapes at one place are two signatures and one place."""
    shown = Shown("feeds", 0, 1)
    expected = {VALUE.id: shown, NULL.id: shown, place_id(VALUE): shown}
    assert expected == shown_by(outcome("candidate", VALUE, NULL))


def test_pair_without_differences_shows_nothing():
    """Its counter says that it was compared."""
    assert {} == shown_by(Outcome("feeds", "noise", Verdict.MATCH))


def test_pairs_of_a_noise_run_are_joined():
    """What both show is said, and what one shows alone is not."""
    run = replace(outcome("candidate", VALUE), again=outcome("noise", VALUE, OTHER))
    assert {
        VALUE.id: Shown("feeds", 1, 1, 1),
        place_id(VALUE): Shown("feeds", 1, 1, 1),
        OTHER.id: Shown("feeds", 1, 0),
        place_id(OTHER): Shown("feeds", 1, 0),
    } == shown_by(run)


def test_answers_alone_are_counted_at_their_places():
    """Whose answer differed from the other two is said of places, never of a shape."""
    alone = Alone(frozenset({place_id(VALUE)}), frozenset(), frozenset({place_id(OTHER)}))
    run = replace(outcome("candidate", VALUE), again=outcome("noise", OTHER), alone=alone)
    found = shown_by(run)
    assert Shown("feeds", 0, 1, new_alone=1) == found[place_id(VALUE)]
    assert Shown("feeds", 1, 0, again_alone=1) == found[place_id(OTHER)]
    assert Shown("feeds", 0, 1) == found[VALUE.id]
