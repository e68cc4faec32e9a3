"""Pairs as bytes, latencies as buckets, and what counters add up to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.evidence import (
    Answer,
    Pair,
    coverage,
    decode_pair,
    encode_pair,
    latency_bucket,
    latency_bucket_middle_us,
    latency_counts,
    latency_quantiles_ms,
    match_rate,
    wholly_compared,
)
from proxy.core.picture import Picture

headers = st.lists(st.tuples(st.text(max_size=5), st.text(max_size=9)), max_size=4).map(tuple)
answers = st.builds(
    Answer,
    status=st.integers(200, 599),
    headers=headers,
    body=st.none() | st.binary(max_size=30),
    length=st.integers(0, 99),
    digest=st.sampled_from(["", "ab" * 32]),
    elapsed_us=st.integers(0, 10**7),
    content_length=st.integers(0, 99),
    content_digest=st.sampled_from(["", "cd" * 32]),
    unkept=st.sampled_from(["", "bytes", "charset", "encoding", "size"]),
    picture=st.none() | st.builds(Picture, format=st.just("png"), looks=st.tuples(st.text(max_size=3))),
)
pairs = st.builds(
    Pair,
    request_id=st.text(max_size=9),
    route=st.just("feeds"),
    kind=st.sampled_from(["candidate", "noise"]),
    served=st.sampled_from(["legacy", "new"]),
    at=st.floats(0, 2e9),
    method=st.just("GET"),
    target=st.text(max_size=20),
    request_headers=headers,
    control=answers,
    candidate=answers,
    first_difference=st.none() | st.integers(0, 99),
    is_other_equal=st.booleans(),
)
pairs |= st.builds(replace, pairs, again=pairs)


@given(pairs)
def test_pair_survives_its_encoding(pair: Any):
    """A pair decodes to what it was, an absent body apart from an empty one."""
    assert pair == decode_pair(encode_pair(pair))


@given(st.binary(max_size=60))
def test_bytes_that_are_no_pair_are_refused(data: bytes):
    """Anything else raises ValueError, never another error."""
    with pytest.raises(ValueError, match=r"."):
        decode_pair(data)


@given(st.integers(0, 2**40))
def test_latency_bucket_is_close(elapsed_us: int):
    """A bucket's middle is at most 6.25 % away from any duration in it."""
    middle = latency_bucket_middle_us(latency_bucket(elapsed_us))
    assert abs(middle - elapsed_us) <= elapsed_us * 0.0625


@given(st.integers(0, 2**40), st.integers(0, 2**40))
def test_latency_buckets_keep_the_order(one: int, other: int):
    """A longer duration is never in a lower bucket."""
    low, high = sorted((one, other))
    assert latency_bucket(low) <= latency_bucket(high)


def test_quantiles_come_from_the_buckets():
    """Of 100 answers from 1 to 100 ms, the quantiles are near 50, 95 and 99 ms; without data there are none."""
    buckets: dict[int, int] = {}
    for milliseconds in range(1, 101):
        bucket = latency_bucket(milliseconds * 1000)
        buckets[bucket] = buckets.get(bucket, 0) + 1
    found = latency_quantiles_ms(buckets)
    assert [True] * 3 == [
        value is not None and abs(value - near) <= near * 0.08 for value, near in zip(found, (50, 95, 99), strict=True)
    ]
    assert [None, None, None] == latency_quantiles_ms({})


def test_coverage_counts_what_should_have_been_compared():
    """Lost pairs lower the coverage; gaps that the operator chose are shown and don't."""
    counts = {"match": 6, "mismatch": 1, "noise": 1, "skipped.shadow_failed.connect": 2, "skipped.method": 50}
    found = coverage(counts)
    assert (8, 10, 0.8) == (found.compared, found.expected, found.ratio)
    assert {"method": 50, "shadow_failed.connect": 2} == dict(found.skipped)


def test_pairs_compared_in_part_are_compared_but_not_wholly():
    """They count in the coverage, as differences of any pair do, and could not have shown every difference."""
    counts = {"match": 6, "mismatch": 4, "partly.size": 1, "partly.status": 2, "skipped.timeout": 2}
    found = coverage(counts)
    assert (10, 12, {"size": 1, "status": 2}) == (found.compared, found.expected, found.partly)
    assert 7 == wholly_compared(counts)


def test_no_evidence_is_no_rate():
    """Nothing compared is neither a match nor a failure."""
    assert (None, None) == (match_rate({}), coverage({}).ratio)
    assert match_rate({"match": 2, "noise": 1, "mismatch": 1}) == 0.75


def test_latency_counts_are_one_sides():
    """The counters of one side, by bucket."""
    assert {12: 3} == latency_counts({"latency.legacy.12": 3, "latency.new.5": 1, "match": 9}, "legacy")
