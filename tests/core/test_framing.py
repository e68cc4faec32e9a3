"""Where a body ends. What requests and answers may say of it is tested with their fields, in test_headers."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.framing import LAST_CHUNK, MAX_CHUNK_LINE_BYTES, MAX_TRAILER_BYTES, Chunked, Malformed, chunk


def decode(pieces: list[bytes]) -> tuple[bytes, bytes, Chunked]:
    """The body, what follows it, and the decoder."""
    chunked, body, rest = Chunked(), b"", b""
    for piece in pieces:
        if chunked.is_whole:
            rest += piece
            continue
        here, rest = chunked.feed(piece)
        body += here
    return body, rest, chunked


bodies = st.lists(st.binary(min_size=1, max_size=40), max_size=5)


@given(bodies, st.lists(st.integers(0, 300), max_size=8), st.binary(max_size=10))
def test_chunks_are_decoded_however_they_come(pieces: list[bytes], cuts: list[int], rest: bytes):
    """Whatever the chunks and wherever the packets are cut: the body, and what follows, are found again."""
    data = b"".join(chunk(piece) for piece in pieces) + LAST_CHUNK + rest
    places = sorted({0, *(min(cut, len(data)) for cut in cuts), len(data)})
    body, after, chunked = decode([data[begin:end] for begin, end in pairwise(places)])
    assert (b"".join(pieces), rest, True) == (body, after, chunked.is_whole)


@pytest.mark.parametrize(
    ("data", "body", "trailers"),
    [
        (b"5;a=b\r\nhello\r\n0\r\n\r\n", b"hello", b""),
        (b'5;a="q;r"\r\nhello\r\n0;x\r\n\r\n', b"hello", b""),
        (b'5 ;\ta = "\\"\\\\;\xff" ;b\r\nhello\r\n0\r\n\r\n', b"hello", b""),
        (b"00A\r\n0123456789\r\n000\r\n\r\n", b"0123456789", b""),
        (b"0\r\nX-Sum: 1\r\nB:2\r\n\r\n", b"", b"X-Sum: 1\r\nB:2\r\n"),
    ],
)
def test_chunked_bodies_of_all_kinds(data: bytes, body: bytes, trailers: bytes):
    """Extensions are dropped, trailers kept as they are; byte by byte as well."""
    for pieces in ([data], [data[at : at + 1] for at in range(len(data))]):
        decoded, rest, chunked = decode(pieces)
        assert (body, b"", trailers, True) == (decoded, rest, chunked.trailers, chunked.is_whole)


def test_padded_chunk_sizes_pass_where_they_may():
    """Spaces behind a size, or its extension; nothing else than the grammar has beside."""
    for data in (b"5  \r\nhello\r\n0\t\r\n\r\n", b"5;a=b \r\nhello\r\n0 ;c \r\n\r\n"):
        for pieces in ([data], [data[at : at + 1] for at in range(len(data))]):
            chunked = Chunked(may_pad=True)
            assert b"hello" == b"".join(chunked.feed(piece)[0] for piece in pieces)
            assert chunked.is_whole
    for data in (b" 5\r\n", b"5 5\r\n", b"5;\r\n", b"5;a=\r\n", b"5 \n"):
        with pytest.raises(Malformed):
            Chunked(may_pad=True).feed(data)


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n",
        b"x\r\n",
        b"0x5\r\n",
        b"+5\r\n",
        b"-1\r\n",
        b"5 \r\n",
        b" 5\r\n",
        b"12345678901234567\r\n",
        b"5\nhello\r\n",
        *(b"5;\r\n", b"5;;\r\n", b"5;=\r\n", b"5;a=\r\n", b'5;a="\r\n', b'5;a="x\r\n', b'5;a="x\\"\r\n', b"5;a b\r\n"),
        *(b"5;a=b c\r\n", b'5;a="b"c\r\n', b"5;()\r\n", b"5;\xff\r\n", b"5;a \r\n", b"5;a;\r\n", b"5 a\r\n"),
        b"5;a\x00\r\n",
        b"5;a\rb\r\n",
        b"5;" + b"a" * MAX_CHUNK_LINE_BYTES,
        b"5;" + b"a" * MAX_CHUNK_LINE_BYTES + b"\r\n",
        b"5\r\nhelloX",
        b"5\r\nhello\n",
        b"5\r\nhello\rX",
        b"0\r\nbad name: 1\r\n\r\n",
        b"0\r\nA: 1\nB: 2",
        b"0\r\nA: " + b"a" * MAX_TRAILER_BYTES,
    ],
)
def test_what_is_no_chunk_is_refused_at_once(data: bytes):
    """As soon as the wrong byte is there, in one piece or in single bytes."""
    for pieces in ([data], [data[at : at + 1] for at in range(len(data))]):
        with pytest.raises(Malformed):
            decode(pieces)
