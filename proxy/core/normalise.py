"""Bodies made comparable: content codings undone, and bytes read as JSON, as text, or left as bytes.

`decoded` and `may_travel` are the worker's part: an answer's body leaves the worker only decoded and only when it
is text, because nothing else can be masked. `read_body` is the comparer's part. Headers are in `compared_headers`.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import brotli  # type: ignore[import-untyped]  # the package has no type hints

from proxy.core.content_type import ContentType, parse_content_type, text_of
from proxy.core.document import Unreadable, parse_document

if TYPE_CHECKING:
    from collections.abc import Callable

Kind = Literal["empty", "json", "text", "bytes"]
# Each member of a gzip file copies what is left of its piece: with the whole body as one piece, fifty thousand members
# in a megabyte stalled users' requests for 150 ms.
_PIECE_BYTES = 8192
_ZEROS = re.compile(rb"\x00*")
# More than anybody needs; a head has room for thousands, each of which may unpack to `max_bytes` once more. curl
# stops at 5 (CVE-2023-23916).
_MAX_CODINGS = 5


@dataclass(frozen=True, slots=True)
class Body:
    """A body as it is compared: a parsed document, a str, or bytes; `value` is None where it is empty."""

    kind: Kind
    value: Any


def read_body(content_type: str, body: bytes) -> Body:
    """The body as JSON where it is declared or found to be, else as text, else as bytes.

    Raises document.Unreadable for JSON that is nested too deeply to be parsed.
    """
    if not body:
        return Body("empty", None)
    declared = parse_content_type(content_type)
    text = text_of(declared, body)
    if text is None:
        return Body("bytes", body)
    if declared.is_json or (declared.may_be_json and _looks_like_json(text)):
        try:
            return Body("json", parse_document(text.removeprefix("\ufeff")))
        except ValueError:
            return Body("text", text)
    return Body("text", text)


def _looks_like_json(text: str) -> bool:
    return text.lstrip("\ufeff \t\r\n")[:1] in {"{", "["}


def may_travel(content_type: str, body: bytes) -> bool:
    """Whether the decoded body may leave the worker: it is empty, or text through and through (law 6)."""
    return not body or text_of(parse_content_type(content_type), body) is not None


def decoded(body: bytes, content_encoding: str, max_bytes: int) -> bytes | str:
    """The body without its content codings (RFC 9110 §8.4: applied in the order listed, so undone from the last).

    A str is the reason why there is none: "encoding" for a coding that is unknown, broken or cut short, "size"
    when the result would be over `max_bytes`. Memory stays within a few times `max_bytes` whatever comes in.
    """
    codings = [coding.strip().lower() for coding in content_encoding.split(",")]
    if len(codings) > _MAX_CODINGS:
        return "encoding"
    for coding in reversed(codings):
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
    room, position, member = max_bytes + 1, 0, zlib.decompressobj(wbits=31)
    while position < len(body) and room > 0:
        if member.eof:
            member = zlib.decompressobj(wbits=31)
        piece = body[position : position + _PIECE_BYTES]
        part = member.decompress(piece, room)
        room -= len(part)
        parts.append(part)
        position += len(piece) - len(member.unused_data)
        if member.eof:
            position = _end_of_padding(body, position)
    return b"".join(parts) if member.eof or room <= 0 else None


def _end_of_padding(body: bytes, position: int) -> int:
    """Behind the zeros that may follow a member, which gzip(1) accepts too."""
    zeros = _ZEROS.match(body, position)
    return zeros.end() if zeros else position


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

__all__ = ["Body", "ContentType", "Kind", "Unreadable", "decoded", "may_travel", "read_body"]
