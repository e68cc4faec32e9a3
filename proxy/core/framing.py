"""Where the body of a message ends (RFC 9112 §6 and §7): the rules on Content-Length and Transfer-Encoding, and chunks.

Both are read as strictly as may be, because a body whose end two parties see differently is how one request is smuggled
inside another. What a message is framed with on one side of the proxy says nothing about the other side.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from proxy.errors import RequestRefused

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_CHUNK_LINE_BYTES = 272  # 16 digits and 256 bytes of extension; nobody uses them, and nginx drops them as well
MAX_TRAILER_BYTES = 8192
_MAX_DIGITS = 18  # of a length: an exabyte less one byte

_LENGTH = re.compile(rb"[0-9]{1,%d}" % _MAX_DIGITS)
_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_QUOTED = rb'"(?:[\t\x20\x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*+"'  # RFC 9110 §5.6.4
_SPACE = rb"[ \t]*+"  # BWS: before and after each sign of an extension
_EXTENSION = (
    _SPACE + rb";" + _SPACE + _TOKEN + rb"(?:" + _SPACE + rb"=" + _SPACE + rb"(?:" + _TOKEN + rb"|" + _QUOTED + rb"))?"
)
_SIZE_AND_EXTENSIONS = rb"([0-9A-Fa-f]{1,16})(?:" + _EXTENSION + rb")*+"  # RFC 9112 §7.1.1
_CHUNK_LINE = re.compile(_SIZE_AND_EXTENSIONS + rb"\r\n")
_PADDED_CHUNK_LINE = re.compile(_SIZE_AND_EXTENSIONS + _SPACE + rb"\r\n")
_TRAILERS = re.compile(rb"((?:" + _TOKEN + rb":[\t\x20-\x7e\x80-\xff]*+\r\n)*+)\r\n")
_PARTIAL_CHUNK_LINE = re.compile(rb"(?:[0-9A-Fa-f]{1,16}" + _SPACE + rb"(?:;[\t\x20-\x7e\x80-\xff]*+)?\r?)?")
_BARE = re.compile(rb"(?<!\r)\n|\r(?!\n|\Z)|\x00")
_KNOWN_CODINGS = frozenset({b"gzip", b"x-gzip", b"deflate", b"compress", b"x-compress", b"identity", b"br", b"zstd"})

LAST_CHUNK = b"0\r\n\r\n"


def chunk(piece: bytes) -> bytes:
    """A piece, which is not empty, as one chunk."""
    return b"%x\r\n%b\r\n" % (len(piece), piece)


def request_framing(handled: Mapping[bytes, Sequence[bytes]], *, is_1_0: bool) -> tuple[int | None, bool]:
    """A request's length, None without one, and whether its body is chunked (RFC 9112 §6.3). Raises RequestRefused.

    `handled` has the values of `content-length` and `transfer-encoding`, where the request has them.
    """
    lengths, codings = handled.get(b"content-length"), handled.get(b"transfer-encoding")
    if codings is not None:
        if lengths is not None:
            raise RequestRefused(400, "the request has both Content-Length and Transfer-Encoding; send one")
        _check_coding(codings, is_1_0=is_1_0)
        return None, True
    if lengths is None:
        return None, False
    if len(lengths) > 1 or not _LENGTH.fullmatch(lengths[0]):
        raise RequestRefused(400, "Content-Length must be one whole number (RFC 9112 §6.3)")
    return int(lengths[0]), False


def _check_coding(codings: Sequence[bytes], *, is_1_0: bool) -> None:
    coding = b",".join(codings).lower()
    if is_1_0:
        raise RequestRefused(400, "Transfer-Encoding is not part of HTTP/1.0 (RFC 9112 §6.1)")
    if coding == b"chunked":
        return
    names = [name.strip(b" \t") for name in coding.split(b",")]
    if _KNOWN_CODINGS.issuperset(names[:-1]) and (names[-1] == b"chunked" or names[-1] in _KNOWN_CODINGS):
        raise RequestRefused(501, "Transfer-Encoding other than chunked is not implemented")
    raise RequestRefused(400, "Transfer-Encoding must be chunked, once (RFC 9112 §6.1)")


def answer_length(value: bytes) -> int:
    """The length that an answer's Content-Length says. Raises ValueError where it is malformed."""
    value = value.strip(b" \t")
    if not _LENGTH.fullmatch(value):
        raise ValueError(f"its Content-Length {value[:40]!r} is malformed")
    return int(value)


class Malformed(ValueError):  # between the decoder and whose body it decodes; each answers it in its own way
    """A chunked body that isn't one."""


class Chunked:
    """Decodes a chunked body as it comes in. `is_whole` once its end was read; `trailers` are its field lines then.

    `may_pad`: spaces between a size and its line's end are not minded. Old servers fill up their sizes with them, and
    nobody reads such a line in another way.
    """

    def __init__(self, *, may_pad: bool = False) -> None:
        self._line = _PADDED_CHUNK_LINE if may_pad else _CHUNK_LINE
        self.is_whole = False
        self.trailers = b""
        self._data = b""
        self._left = 0  # of the chunk under way, with its CRLF
        self._is_last = False

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """The body's bytes among `data`, and, once it `is_whole`, what follows it. Raises Malformed."""
        pieces: list[bytes] = []
        data = self._data + data if self._data else data
        at = 0
        while not self.is_whole:
            if self._is_last:
                at = self._read_trailers(data, at)
                break
            if self._left:
                taken = self._take(data, at, pieces)
                if not taken:
                    break
                at += taken
            else:
                line = self._read_line(data, at)
                if not line:
                    break
                at += line
        if self.is_whole:
            self._data = b""
            return b"".join(pieces), data[at:]
        self._data = data[at:]
        return b"".join(pieces), b""

    def _read_line(self, data: bytes, at: int) -> int:
        """The length of the chunk line at `at`; 0 if it hasn't come whole."""
        found = self._line.match(data, at)
        if found is None:
            line = data[at : at + MAX_CHUNK_LINE_BYTES]
            if len(line) == MAX_CHUNK_LINE_BYTES or not _PARTIAL_CHUNK_LINE.fullmatch(line):
                raise Malformed(f"the chunk size {line[:20]!r} is malformed")
            return 0
        length = found.end() - at
        if length > MAX_CHUNK_LINE_BYTES:
            raise Malformed(f"a chunk extension is over {MAX_CHUNK_LINE_BYTES} bytes")
        size = int(found[1], 16)
        self._left = size + 2 if size else 0
        self._is_last = not size
        return length

    def _take(self, data: bytes, at: int, pieces: list[bytes]) -> int:
        """Takes of the chunk under way what is there; returns how many bytes were used."""
        content = min(self._left - 2, len(data) - at)
        if content:
            pieces.append(data[at : at + content])
            self._left -= content
            return content
        ending = data[at : at + 2]
        if ending == b"\r\n":
            self._left = 0
            return 2
        if not b"\r\n".startswith(ending):
            raise Malformed("a chunk doesn't end where its size says")
        return 0

    def _read_trailers(self, data: bytes, at: int) -> int:
        found = _TRAILERS.match(data, at)
        if found is None:
            rest = data[at : at + MAX_TRAILER_BYTES + 4]
            if b"\r\n\r\n" in rest or len(rest) > MAX_TRAILER_BYTES or _BARE.search(rest):
                raise Malformed("the trailer section is malformed or too long")
            return at
        self.trailers = found[1]
        self.is_whole = True
        return found.end()
