"""Content codings undone within bounds: gzip, deflate and br, as they were applied (RFC 9110 §8.4).

A coding that can't be undone in full is told by its reason; a part of a body is no body.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import brotli  # type: ignore[import-untyped]  # the package has no type hints

if TYPE_CHECKING:
    from collections.abc import Callable


def decoded(body: bytes, content_encoding: str, max_bytes: int) -> bytes | str:
    """The body without its content codings (RFC 9110 §8.4: applied in the order listed, so undone from the last).

    A str is the reason why there is none: "encoding" for a coding that is unknown, broken or cut short, "size"
    when the result would be over `max_bytes`. Memory stays within a few times `max_bytes` whatever comes in.
    """
    for coding in reversed([coding.strip().lower() for coding in content_encoding.split(",")]):
        if coding in {"", "identity"} or not body:
            continue
        undo = _CODINGS.get(coding)
        if undo is None:
            return "encoding"
        result = _undone(undo, body, max_bytes)
        if isinstance(result, str):
            return result
        body = result
    return body if len(body) <= max_bytes else "size"


def _undone(undo: Callable[[bytes, int], bytes | None], body: bytes, max_bytes: int) -> bytes | str:
    try:
        result = undo(body, max_bytes)
    except (zlib.error, brotli.error):
        return "encoding"
    if result is None:
        return "encoding"
    return result if len(result) <= max_bytes else "size"


def _gunzip(body: bytes, max_bytes: int) -> bytes | None:
    """All members of a gzip file (RFC 1952 §2.2), at most one byte more than the limit; None if cut short."""
    parts: list[bytes] = []
    room = max_bytes + 1
    while body and room > 0:
        member = zlib.decompressobj(wbits=31)
        part = member.decompress(body, room)
        room -= len(part)
        parts.append(part)
        if not member.eof:
            return b"".join(parts) if room <= 0 else None
        body = member.unused_data.lstrip(b"\x00")  # padding, which gzip(1) accepts too
    return b"".join(parts)


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
}
