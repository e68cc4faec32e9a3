"""Frames: what goes in comes out, however the bytes are cut; what can't be a frame is refused."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.traffic.frames import (
    Decoder,
    FrameError,
    Kind,
    decode_json,
    decode_numbered,
    encode,
    encode_json,
    encode_numbered,
)

FRAMES = st.lists(st.tuples(st.sampled_from(Kind), st.binary(max_size=300)), max_size=8)


@given(FRAMES, st.lists(st.integers(0, 3000), max_size=6))
def test_frames_come_out_as_they_went_in_however_the_stream_is_cut(frames: list[tuple[Kind, bytes]], cuts: list[int]):
    """Any split of the bytes gives the same frames in the same order."""
    stream = b"".join(encode(kind, payload) for kind, payload in frames)
    edges = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    decoder = Decoder()
    found: list[tuple[Kind, bytes]] = []
    for start, end in itertools.pairwise(edges):
        found += decoder.feed(stream[start:end])
    assert frames == found


@given(st.integers(0, 2**32 - 1), st.binary(max_size=100))
def test_numbered_frames_keep_number_and_payload(number: int, payload: bytes):
    """A pair's number is apart from its bytes."""
    [(kind, content)] = Decoder().feed(encode_numbered(Kind.PAIR, number, payload))
    assert (Kind.PAIR, (number, payload)) == (kind, decode_numbered(content))


def test_json_frames_keep_their_object():
    """Tallies and rollouts are JSON objects."""
    [(kind, content)] = Decoder().feed(encode_json(Kind.TALLY, {"seq": 1, "ü": [2]}))
    assert (Kind.TALLY, {"seq": 1, "ü": [2]}) == (kind, decode_json(content))


def test_decoder_refuses_a_frame_over_the_limit_before_its_bytes_have_come():
    """A length that can't be doesn't make anybody wait for it, or hold it."""
    with pytest.raises(FrameError, match="11 bytes"):
        list(Decoder(max_payload_bytes=10).feed(encode(Kind.PAIR, b"x" * 11)[:5]))


def test_decoder_refuses_an_unknown_kind():
    """A newer worker's frames aren't guessed at."""
    with pytest.raises(FrameError, match="unknown kind 99"):
        list(Decoder().feed(encode(99, b"")))


@pytest.mark.parametrize("payload", [b"{", b"[]", b"\xff", b'"text"'])
def test_a_payload_that_is_no_json_object_is_refused(payload: bytes):
    """Broken text, other encodings and other values are faults of the link."""
    with pytest.raises(FrameError):
        decode_json(payload)


def test_a_numbered_frame_without_a_number_is_refused():
    """Four bytes are the least."""
    with pytest.raises(FrameError):
        decode_numbered(b"abc")
