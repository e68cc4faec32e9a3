"""Content codings undone within bounds: gzip, deflate, br and zstd (RFC 9110 §8.4, RFC 8878).

A coding that can't be undone in full is told by its reason; a part of a body is no body.
"""

from __future__ import annotations

import sys
import zlib
from typing import TYPE_CHECKING, Literal, Protocol

import brotli  # type: ignore[import-untyped]  # the package has no type hints

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from collections.abc import Callable

# As many as curl undoes (CURL_MAX_ENCODE_STACK, after CVE-2023-23916): each layer costs a whole body's time.
_MAX_CODINGS = 5
# RFC 9659 §3: a decoder need not, and a sender must not, use a window of more than 8 MB.
_ZSTD_OPTIONS: dict[int, int] = {zstd.DecompressionParameter.window_log_max: 23}
# What follows a member is copied when it ends: in small pieces, because a body may consist of empty members.
_PIECE_BYTES = 4_096


def decoded(body: bytes, content_encoding: str, max_bytes: int) -> bytes | Literal["encoding", "size"]:
    """The body without its content codings (RFC 9110 §8.4: applied in the order listed, so undone from the last).

    A str is the reason why there is none: "encoding" for a coding that is unknown, broken or cut short, "size"
    when the result, or a layer of it, would be over `max_bytes`. Memory stays within a few times `max_bytes`, and
    the 8 MB of zstd's window, whatever comes in.
    """
    codings = [
        name for coding in content_encoding.split(",") if (name := coding.strip().lower()) not in {"", "identity"}
    ]
    if len(codings) > _MAX_CODINGS:
        return "encoding"
    for coding in reversed(codings):
        undo = _CODINGS.get(coding)
        if not body:
            break
        if undo is None:
            return "encoding"
        result = _undone(undo, body, max_bytes)
        if isinstance(result, str):
            return result
        body = result
    return body if len(body) <= max_bytes else "size"


def _undone(
    undo: Callable[[bytes, int], bytes | None], body: bytes, max_bytes: int
) -> bytes | Literal["encoding", "size"]:
    try:
        result = undo(body, max_bytes)
    except (zlib.error, brotli.error, zstd.ZstdError):
        return "encoding"
    if result is None:
        return "encoding"
    return result if len(result) <= max_bytes else "size"


class _Stream(Protocol):
    """What zlib and zstd have in common."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


def _gunzip(body: bytes, max_bytes: int) -> bytes | None:
    """All members of a gzip file (RFC 1952 §2.2), and zeros after one, which gzip(1) accepts too."""
    return _members(lambda: zlib.decompressobj(wbits=31), body, max_bytes, b"\x00")


def _unzstd(body: bytes, max_bytes: int) -> bytes | None:
    """All frames, skippable ones too (RFC 8878 §3)."""
    return _members(lambda: zstd.ZstdDecompressor(options=_ZSTD_OPTIONS), body, max_bytes)


def _members(begin: Callable[[], _Stream], body: bytes, max_bytes: int, padding: bytes = b"") -> bytes | None:
    """A series of streams as one, at most one byte more than the limit; None if the last one is cut short."""
    parts: list[bytes] = []
    room, at, stream = max_bytes + 1, 0, begin()
    while at < len(body) and room > 0:
        if stream.eof:
            at = _after(body, at, padding)
            if at == len(body):
                break
            stream = begin()
        piece = body[at : at + _PIECE_BYTES]
        parts.append(stream.decompress(piece, room))
        room -= len(parts[-1])
        at += len(piece) - len(stream.unused_data)
    return b"".join(parts) if stream.eof or room <= 0 else None


def _after(body: bytes, at: int, padding: bytes) -> int:
    """The index of the first byte from there on that isn't padding."""
    while at < len(body):
        piece = body[at : at + _PIECE_BYTES]
        rest = piece.lstrip(padding)
        at += len(piece) - len(rest)
        if rest:
            break
    return at


def _inflate(body: bytes, max_bytes: int) -> bytes | None:
    """`deflate` is zlib's format (RFC 9110 §8.4.1.2); some servers send it without zlib's wrapper."""
    try:
        return _inflate_as(zlib.MAX_WBITS, body, max_bytes)
    except zlib.error:
        return _inflate_as(-zlib.MAX_WBITS, body, max_bytes)


def _inflate_as(wbits: int, body: bytes, max_bytes: int) -> bytes | None:
    stream = zlib.decompressobj(wbits=wbits)
    result = stream.decompress(body, max_bytes + 1)
    return result if stream.eof or len(result) > max_bytes else None


def _unbrotli(body: bytes, max_bytes: int) -> bytes | None:
    stream = brotli.Decompressor()
    parts = [stream.process(body, output_buffer_limit=max_bytes + 1)]
    size = len(parts[0])
    while size <= max_bytes and not stream.is_finished():
        if stream.can_accept_more_data():
            return None
        parts.append(stream.process(b"", output_buffer_limit=max_bytes + 1 - size))
        size += len(parts[-1])
    return b"".join(parts)


_CODINGS: dict[str, Callable[[bytes, int], bytes | None]] = {
    "gzip": _gunzip,
    "x-gzip": _gunzip,
    "deflate": _inflate,
    "br": _unbrotli,
    "zstd": _unzstd,
}
