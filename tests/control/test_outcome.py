"""Outcome: what a comparer found survives its way through the pipe."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.control.outcome import Alone, Outcome, decode_outcome, encode_outcome, without_finding
from proxy.core.evidence import Verdict
from proxy.core.signature import Signature
from tests.control.pairs import make_pair

# Member names of foreign JSON may be anything, lone surrogates included.
TEXTS = st.text(st.characters(exclude_categories=()), max_size=20)
SIGNATURES = st.builds(
    Signature, id=TEXTS, route=TEXTS, kind=st.sampled_from(["status", "header", "body"]), path=TEXTS, shape=TEXTS
)
OUTCOMES = st.builds(
    Outcome,
    route=TEXTS,
    kind=st.sampled_from(["candidate", "noise"]),
    verdict=st.sampled_from(Verdict),
    reason=TEXTS,
    signatures=st.lists(SIGNATURES, max_size=4).map(tuple),
    example=st.none() | st.binary(min_size=1, max_size=100),
    example_for=st.frozensets(TEXTS, max_size=3),
    has_more=st.booleans(),
    request_id=TEXTS,
    alone=st.builds(Alone, *[st.frozensets(TEXTS, max_size=3)] * 3),
)
OUTCOMES |= st.builds(replace, OUTCOMES, again=OUTCOMES)


@given(OUTCOMES)
def test_outcome_comes_out_of_its_bytes_as_it_went_in(outcome: Outcome):
    """Whatever a comparer says, control reads."""
    assert outcome == decode_outcome(encode_outcome(outcome))


NONE = [struct.pack("!II", size, 0) + text for size, text in ((9, b"{}"), (2, b"{}"), (2, b"[]"), (4, b"null"))]


@pytest.mark.parametrize("payload", [b"", *NONE])
def test_outcome_refuses_bytes_that_are_none(payload: bytes):
    """A child that answers nonsense is found out."""
    with pytest.raises(ValueError):  # noqa: PT011  # json's own error is one too
        decode_outcome(payload)


def test_outcome_without_finding_is_that_of_both_pairs():
    """What came together is a gap together, each for itself (law 5)."""
    pair = make_pair({"a": 1}, {"a": 2})
    run = replace(pair, again=replace(pair, kind="noise"))
    found = without_finding(run, Verdict.GAVE_UP, "time")
    assert [("candidate", "time"), ("noise", "time")] == [(each.kind, each.reason) for each in found.both]
