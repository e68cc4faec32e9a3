"""Showings: each pair adds to its places once, and the two pairs of one request are told to belong together."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.control import showings as showings_module
from proxy.control.outcome import Outcome
from proxy.control.showings import Showings
from proxy.core.evidence import Verdict
from proxy.core.signature import Signature, place_id
from proxy.store import Shown

VALUE = Signature("aaaaaaaaaaaa", "feeds", "body", "$.a", "value")
NULL = Signature("bbbbbbbbbbbb", "feeds", "body", "$.a", "number→null")
OTHER = Signature("cccccccccccc", "feeds", "body", "$.b", "value")


def outcome(kind: Any, *signatures: Signature, request_id: str = "r-1") -> Outcome:
    return Outcome("feeds", kind, Verdict.MISMATCH, signatures=signatures, request_id=request_id)


def test_pair_counts_once_at_a_place_whatever_its_shapes():
    """Two shapes at one place are two signatures and one place."""
    shown = Shown("feeds", 0, 1)
    expected = {VALUE.id: shown, NULL.id: shown, place_id(VALUE): shown}
    assert expected == Showings().of(outcome("candidate", VALUE, NULL))


def test_pair_without_differences_shows_nothing():
    """Its counter says that it was compared."""
    assert {} == Showings().of(Outcome("feeds", "noise", Verdict.MATCH))


@pytest.mark.parametrize(("first", "second"), [("candidate", "noise"), ("noise", "candidate")])
def test_pairs_of_one_request_are_joined_in_any_order(first: str, second: str):
    """What both show is said with the second one, and what one shows alone is not."""
    showings = Showings()
    showings.of(outcome("noise", OTHER, request_id="r-0"))  # from now on the route's pairs are remembered
    assert {0} == {shown.both for shown in showings.of(outcome(first, VALUE)).values()}
    found = showings.of(outcome(second, VALUE, OTHER))
    assert {VALUE.id: 1, place_id(VALUE): 1, OTHER.id: 0, place_id(OTHER): 0} == {
        id_: shown.both for id_, shown in found.items()
    }
    assert {0} == {shown.both for shown in showings.of(outcome(first, VALUE)).values()}


def test_pairs_of_other_requests_or_of_one_kind_are_not_joined():
    """Only legacy's first answer makes two pairs belong together."""
    showings = Showings()
    for found in (
        showings.of(outcome("noise", VALUE)),
        showings.of(outcome("candidate", VALUE, request_id="r-2")),
        showings.of(outcome("noise", VALUE)),
    ):
        assert {0} == {shown.both for shown in found.values()}


def test_pairs_that_wait_are_bounded(monkeypatch: pytest.MonkeyPatch):
    """The oldest is forgotten: its partner was equal, or is lost."""
    monkeypatch.setattr(showings_module, "MAX_WAITING", 2)
    showings = Showings()
    for number in range(3):
        showings.of(outcome("noise", VALUE, request_id=f"r-{number}"))
    both = [showings.of(outcome("candidate", VALUE, request_id=f"r-{number}"))[VALUE.id].both for number in (1, 2, 0)]
    assert [1, 1, 0] == both
