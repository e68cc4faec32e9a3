"""Content codings undone within bounds, bodies read by type and by look, and what may leave the worker."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from functools import partial
from typing import TYPE_CHECKING

import brotli  # type: ignore[import-untyped]  # the package has no type hints
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.normalise import Body, decoded, may_travel, read_body

if TYPE_CHECKING:
    from collections.abc import Callable

TEXT = b"the same bytes as before, " * 40


def deflated_raw(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(body) + packer.flush()


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("", TEXT),
        ("identity", TEXT),
        ("gzip", gzip.compress(TEXT)),
        ("X-GZIP", gzip.compress(TEXT)),
        ("deflate", zlib.compress(TEXT)),
        ("deflate", deflated_raw(TEXT)),
        ("br", brotli.compress(TEXT)),
        ("br, gzip", gzip.compress(brotli.compress(TEXT))),
        ("gzip, identity", gzip.compress(TEXT)),
    ],
)
def test_decoding_undoes_the_codings_from_the_last(coding: str, body: bytes):
    """RFC 9110 §8.4: codings are listed in the order in which they were applied."""
    assert decoded(body, coding, 10_000) == TEXT


def test_decoding_reads_all_members_of_a_gzip_file():
    """RFC 1952 §2.2: a gzip file is a series of members, and zero padding may follow."""
    assert decoded(gzip.compress(b"one,") + gzip.compress(b"two") + b"\x00\x00", "gzip", 100) == b"one,two"


@given(
    st.lists(
        st.tuples(st.sampled_from([0, 1, 300, 8_170, 20_000]), st.sampled_from([0, 1, 9_000])), min_size=1, max_size=5
    ),
    st.integers(0, 9),
)
def test_decoding_reads_members_of_any_length_with_any_padding(members: list[tuple[int, int]], cut: int):
    """Wherever they lie in the pieces that are read at a time; without its last bytes it is no body."""
    content = [bytes(at * 7 % 251 for at in range(length)) for length, _ in members]
    packed = [gzip.compress(part, 0) for part in content]
    body = b"".join(part + bytes(zeros) for part, (_, zeros) in zip(packed, members, strict=True))
    whole = b"".join(content)
    assert decoded(body, "gzip", len(whole)) == whole
    if whole:
        assert decoded(body, "gzip", len(whole) - 1) == "size"
    if cut:
        assert decoded(b"".join(packed)[:-cut], "gzip", len(whole)) == "encoding"


def test_decoding_leaves_an_empty_body_empty():
    """An answer to HEAD names a coding and has no body."""
    assert decoded(b"", "gzip", 100) == b""


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("zstd", TEXT),
        ("gzip", TEXT),
        ("deflate", TEXT),
        ("br", TEXT),
        ("gzip", gzip.compress(TEXT)[:-9]),
        ("deflate", zlib.compress(TEXT)[:-9]),
        ("br", brotli.compress(TEXT)[:-3]),
        ("identity, , identity, , identity, identity", TEXT),
    ],
)
def test_decoding_names_a_coding_that_is_unknown_broken_or_cut_short(coding: str, body: bytes):
    """A part of a body is no body."""
    assert decoded(body, coding, 10_000) == "encoding"


@pytest.mark.parametrize(
    ("coding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress), ("br", brotli.compress), ("", bytes)]
)
def test_decoding_stops_at_the_limit(coding: str, pack: object):
    """A bomb of a few kB must not become megabytes in the worker."""
    bomb = b"\x00" * 5_000_001
    assert callable(pack)
    assert decoded(pack(bomb), coding, 5_000_000) == "size"
    assert decoded(pack(bomb[:-1]), coding, 5_000_000) == bomb[:-1]


@pytest.mark.parametrize(
    ("coding", "pack"),
    [("gzip", gzip.compress), ("deflate", zlib.compress), ("br", partial(brotli.compress, quality=1))],
)
def test_decoding_a_bomb_takes_no_more_memory_than_a_few_times_the_limit(coding: str, pack: Callable[[bytes], bytes]):
    """It is stopped while it unpacks, not measured afterwards."""
    bomb, limit = pack(bytes(50_000_000)), 500_000
    tracemalloc.start()
    try:
        assert decoded(bomb, coding, limit) == "size"
        assert tracemalloc.get_traced_memory()[1] < 8 * limit
    finally:
        tracemalloc.stop()


@given(st.binary(max_size=300), st.sampled_from(["gzip", "deflate", "br", "gzip, br"]))
def test_decoding_never_raises(body: bytes, coding: str):
    """Whatever a backend sends ends as bytes or as a reason."""
    assert isinstance(decoded(body, coding, 1000), (bytes, str))


@pytest.mark.parametrize(
    ("content_type", "body", "expected"),
    [
        ("application/json", b"", Body("empty", None)),
        ("application/json", b'{"a": 1}', Body("json", {"a": 1})),
        ("application/json", b"\xef\xbb\xbf[1]", Body("json", [1])),
        ("application/json", b'"a"', Body("json", "a")),
        ("application/json", b"{a}", Body("text", "{a}")),
        ("text/plain", b" [1]", Body("json", [1])),
        ("text/plain", b"1", Body("text", "1")),
        ("", b'{"a":1}', Body("json", {"a": 1})),
        ("text/html", b"[1]", Body("text", "[1]")),
        ("image/png", b"[1]", Body("bytes", b"[1]")),
        ("text/plain", b"\xff", Body("bytes", b"\xff")),
    ],
)
def test_body_is_read_by_type_then_by_look(content_type: str, body: bytes, expected: Body):
    """JSON is found where it is declared, or where nothing else is and it parses."""
    assert read_body(content_type, body) == expected


@pytest.mark.parametrize(
    ("content_type", "body", "expected"),
    [
        ("application/json", b"{}", True),
        ("image/png", b"", True),
        ("text/html; charset=windows-1252", b"\x80", True),
        ("image/png", b"\x89PNG", False),
        ("application/octet-stream", b"text", False),
        ("multipart/form-data; boundary=x", b"--x", False),
        ("application/json", b'"\xff"', False),
        ("text/plain; charset=utf-16", "a".encode("utf-16"), False),
    ],
)
def test_only_text_may_travel(content_type: str, body: bytes, expected: object):
    """Law 6: what can't be read can't be masked, so it stays in the worker."""
    assert may_travel(content_type, body) is expected
