"""Outcome: what a comparer found survives its way through the pipe."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.control.outcome import Outcome, decode_outcome, encode_outcome
from proxy.core.evidence import Verdict
from proxy.core.signature import Signature

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
)


@given(OUTCOMES)
def test_outcome_comes_out_of_its_bytes_as_it_went_in(outcome: Outcome):
    """Whatever a comparer says, control reads."""
    assert outcome == decode_outcome(encode_outcome(outcome))


@pytest.mark.parametrize("payload", [b"", b"\0\0\0\x09{}", b"\0\0\0\x02{}", b"\0\0\0\x02[]", b"\0\0\0\x04null"])
def test_outcome_refuses_bytes_that_are_none(payload: bytes):
    """A child that answers nonsense is found out."""
    with pytest.raises(ValueError):  # noqa: PT011  # json's own error is one too
        decode_outcome(payload)
