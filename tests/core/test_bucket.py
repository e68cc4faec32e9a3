"""The bucket: one formula, for everyone, for ever."""

from __future__ import annotations

from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from proxy.core.bucket import bucket, bucket_of, is_sampled, user_hash


@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=40))
def test_bucket_is_the_documented_formula(salt: str, group: str, key: str):
    """The bucket equals the normative formula for any salt, group and key that can be encoded."""
    text = f"{salt}\0{group}\0{key}".encode("utf-8", "surrogateescape") if _encodes(salt + group + key) else None
    if text is not None:
        assert (int.from_bytes(sha256(text).digest()[:8], "big") * 100_000) >> 64 == bucket(salt, group, key)


def _encodes(text: str) -> bool:
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True


def test_bucket_keeps_known_values():
    """Known keys stay where they are: a change here would move every user of every installation."""
    assert [84_521, 52_893, 12_310] == [bucket("inkzee-2026", "reader", key) for key in ("42", "77", "émile")]


def test_bucket_covers_its_whole_range():
    """The smallest and the largest hash are the first and the last bucket."""
    assert [0, 99_999] == [bucket_of(0), bucket_of(2**64 - 1)]


def test_bucket_hashes_bytes_that_are_not_utf8_as_themselves():
    """A key that was not UTF-8 hashes as the bytes it came as."""
    raw = b"\xff\xfe"
    expected = int.from_bytes(sha256(b"s\0g\0" + raw).digest()[:8], "big")
    assert expected == user_hash("s", "g", raw.decode("utf-8", "surrogateescape"))


def test_bucket_spreads_users_evenly():
    """Of 20,000 keys, 25 % ± 1 are below a quarter of the buckets."""
    below = sum(bucket("inkzee-2026", "reader", f"user-{number}") < 25_000 for number in range(20_000))
    assert 0.24 <= below / 20_000 <= 0.26


def test_sample_is_all_or_nothing_at_its_ends():
    """100 % takes every request, 0 % none."""
    assert [True, False] == [is_sampled("s", "shadow", "r", "id", share) for share in (100_000, 0)]


def test_sample_uses_the_documented_group():
    r"""A shadow sample is the bucket of the request id in the group "shadow\0route"."""
    ids = [f"request-{number}" for number in range(2_000)]
    expected = [bucket("s", "shadow\0feeds", each) < 30_000 for each in ids]
    assert expected == [is_sampled("s", "shadow", "feeds", each, 30_000) for each in ids]
