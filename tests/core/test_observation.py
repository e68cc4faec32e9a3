"""Answers as they may leave the worker: masked, or represented by what says nothing of them."""

from __future__ import annotations

import gzip
import zlib
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from proxy.core.mask import Masker
from proxy.core.model import Redaction
from proxy.core.observation import Observation

if TYPE_CHECKING:
    from proxy.core.evidence import Answer

MASKER = Masker(Redaction(), b"k" * 16)
MAX_BYTES = 1_000
PNG = b"\x89PNG\r\n\x1a\n\x00" + bytes(range(100))


def observe(wire: bytes, content_type: str, coding: str = "") -> Answer:
    return Observation(MASKER, MAX_BYTES).answer(200, fields(content_type, coding), wire, 5)


def fields(content_type: str, coding: str = "") -> tuple[tuple[str, str], ...]:
    return (("content-type", content_type), *((("content-encoding", coding),) if coding else ()))


def digest(body: bytes) -> str:
    return sha256(body).hexdigest()


def test_text_travels_decoded_and_masked():
    """Length and digest are those of the wire."""
    wire = gzip.compress(b'{"password": "hunter2", "a": 1}')
    found = observe(wire, "application/json", "gzip")
    assert found.body is not None
    assert (b"hunter2" in found.body, b'"a": 1' in found.body) == (False, True)
    assert (found.length, found.digest, found.elapsed_us) == (len(wire), digest(wire), 5)
    assert (found.content_length, found.content_digest) == (0, "")


def test_field_lines_are_masked_and_codings_on_two_lines_are_both_undone():
    """RFC 9110 §5.3: two lines of a list are one list."""
    wire = zlib.compress(gzip.compress(b"a"))
    lines = (("content-type", "text/plain"), ("content-encoding", "gzip"), ("content-encoding", "deflate"))
    found = Observation(MASKER, MAX_BYTES).answer(200, (*lines, ("authorization", "Bearer abc")), wire)
    assert found.body == b"a"
    assert found.headers[:3] == lines
    assert found.headers[3][1].startswith("Bearer masked:string:")


@pytest.mark.parametrize(
    ("wire", "coding", "expected"),
    [
        (PNG, "", (0, "", "bytes")),
        (PNG, "identity", (0, "", "bytes")),
        (gzip.compress(PNG), "gzip", (len(PNG), digest(PNG), "bytes")),
        (gzip.compress(PNG)[:-9], "gzip", (0, "", "encoding")),
        (gzip.compress(PNG * 10), "gzip", (0, "", "size")),
        (PNG * 10, "", (0, "", "size")),
    ],
)
def test_bytes_stay_and_are_known_by_their_digests(wire: bytes, coding: str, expected: tuple[int, str, str]):
    """On the wire, and without codings where these could be undone; and why they stay is told."""
    found = observe(wire, "image/png", coding)
    assert (found.body, found.length, found.digest) == (None, len(wire), digest(wire))
    assert (found.content_length, found.content_digest, found.unkept) == expected


def test_text_that_grows_too_large_by_its_marks_stays():
    """The comparer has the same limit."""
    many = b"&".join([b"pin=1"] * 150)
    found = observe(many, "application/x-www-form-urlencoded")
    assert (found.body, found.unkept) == (None, "size")


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ((PNG, ""), (PNG[:20] + b"!" + PNG[21:], ""), 20),
        ((PNG, ""), (PNG[:30], ""), 30),
        ((gzip.compress(PNG), "gzip"), (zlib.compress(PNG[:40] + b"!"), "deflate"), 40),
        ((PNG * 10, ""), (PNG * 10 + b"!", ""), len(PNG) * 10),
        ((gzip.compress(PNG), "gzip"), (PNG, ""), None),
        ((gzip.compress(PNG)[:-9], "gzip"), (PNG, ""), None),
    ],
)
def test_first_difference_is_that_of_the_contents(
    one: tuple[bytes, str], other: tuple[bytes, str], expected: int | None
):
    """None where they are equal, or one isn't known."""
    seen = Observation(MASKER, MAX_BYTES)
    for wire, coding in (one, other):
        seen.answer(200, fields("image/png", coding), wire)
    assert seen.first_difference() == expected


def test_first_difference_is_not_told_of_bodies_that_travel():
    """The comparer has them, and says more."""
    seen = Observation(MASKER, MAX_BYTES)
    seen.answer(200, fields("text/plain"), b"a")
    seen.answer(200, fields("image/png"), PNG)
    assert seen.first_difference() is None
