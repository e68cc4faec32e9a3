"""Content codings undone within bounds."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from typing import TYPE_CHECKING

import brotli  # type: ignore[import-untyped]  # the package has no type hints
import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.codings import decoded

if TYPE_CHECKING:
    from collections.abc import Callable

PACKERS = {"gzip": gzip.compress, "deflate": zlib.compress, "br": brotli.compress, "zstd": zstd.compress}
# A window of 16 MB, twice what RFC 9659 allows for this coding.
WIDE = zstd.compress(
    bytes(range(256)) * 70_000,
    options={zstd.CompressionParameter.window_log: 24, zstd.CompressionParameter.compression_level: 1},
)
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
        ("zstd", zstd.compress(TEXT)),
        ("br, gzip", gzip.compress(brotli.compress(TEXT))),
        ("gzip,,zstd", zstd.compress(gzip.compress(TEXT))),
        ("gzip, identity", gzip.compress(TEXT)),
    ],
)
def test_decoding_undoes_the_codings_from_the_last(coding: str, body: bytes):
    """RFC 9110 §8.4: codings are listed in the order in which they were applied."""
    assert decoded(body, coding, 10_000) == TEXT


def test_decoding_reads_all_members_of_a_gzip_file():
    """RFC 1952 §2.2: a gzip file is a series of members, and zero padding may follow."""
    assert decoded(gzip.compress(b"one,") + gzip.compress(b"two") + b"\x00\x00", "gzip", 100) == b"one,two"


def test_decoding_reads_all_frames_of_a_zstd_body():
    """RFC 8878 §3: frames follow one another, and those with a magic number of their own are skipped."""
    skippable = b"\x50\x2a\x4d\x18\x03\x00\x00\x00abc"
    assert (
        decoded(skippable + zstd.compress(b"one,") + zstd.compress(b"") + zstd.compress(b"two"), "zstd", 7)
        == b"one,two"
    )


@pytest.mark.parametrize(("coding", "pack"), [("gzip", gzip.compress), ("zstd", zstd.compress)])
def test_decoding_many_empty_members_takes_time_in_proportion(coding: str, pack: Callable[[bytes], bytes]):
    """Each of them ends where the next begins: copying the rest each time would take minutes."""
    assert decoded(pack(b"") * 100_000 + pack(b"end"), coding, 10) == b"end"


@pytest.mark.parametrize(("coding", "pack"), PACKERS.items(), ids=PACKERS.keys())
def test_a_bomb_in_a_bomb_takes_bounded_memory(coding: str, pack: Callable[[bytes], bytes]):
    """A hundred MB packed twice are a few hundred bytes; the worker holds a few times its limit, and zstd's window."""
    bomb = gzip.compress(pack(b"\x00" * 100_000_000))
    tracemalloc.start()
    try:
        assert decoded(bomb, f"{coding}, gzip", 1_000_000) == "size"
        assert tracemalloc.get_traced_memory()[1] < 12_000_000
    finally:
        tracemalloc.stop()


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
        ("compress", TEXT),
        ("aes128gcm", TEXT),
        ("zstd", TEXT),
        ("gzip", TEXT),
        ("deflate", TEXT),
        ("br", TEXT),
        ("gzip", gzip.compress(TEXT)[:-9]),
        ("deflate", zlib.compress(TEXT)[:-9]),
        ("br", brotli.compress(TEXT)[:-3]),
        ("zstd", zstd.compress(TEXT)[:-1]),
        ("zstd", zstd.compress(TEXT) + zstd.compress(TEXT)[:7]),
        ("zstd", zstd.compress(TEXT) + b"and more"),
        ("gzip", gzip.compress(TEXT) + b"and more"),
        ("zstd", WIDE),
        ("gzip, gzip", gzip.compress(TEXT)),
        ("gzip, zstd", zstd.compress(gzip.compress(TEXT)[:-1])),
        ("gzip," * 6, TEXT),
    ],
)
def test_decoding_names_a_coding_that_is_unknown_broken_or_cut_short(coding: str, body: bytes):
    """A part of a body is no body."""
    assert decoded(body, coding, 10_000) == "encoding"


@pytest.mark.parametrize(("coding", "pack"), [*PACKERS.items(), ("", bytes)])
def test_decoding_stops_at_the_limit(coding: str, pack: object):
    """A bomb of a few kB must not become megabytes in the worker."""
    bomb = b"\x00" * 5_000_001
    assert callable(pack)
    assert decoded(pack(bomb), coding, 5_000_000) == "size"
    assert decoded(pack(bomb[:-1]), coding, 5_000_000) == bomb[:-1]


@given(st.binary(max_size=300), st.sampled_from(["gzip", "deflate", "br", "zstd", "gzip, br"]))
def test_decoding_never_raises(body: bytes, coding: str):
    """Whatever a backend sends ends as bytes or as a reason."""
    assert isinstance(decoded(body, coding, 1000), (bytes, str))
