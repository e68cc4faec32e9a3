"""Which characters a body's bytes are, as browsers find it out (WHATWG's encoding standard), if they are any.

1. A byte order mark wins; then JSON is UTF-8; then what the header declares; then what the text says of itself.
2. Text of which nothing is known is UTF-8 where it is valid, and otherwise windows-1252, as for browsers.
3. Only codecs that write back what they read are used, because a masked text must be written again (law 6).
4. A name that nobody knows declares nothing, as for browsers: such a text is UTF-8, or none.
5. Bytes that no text has make it none, whatever is declared: a picture under text/plain is bytes. A text that is only
   not in its charset is a broken one (`is_broken_text`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proxy.core.content_type import ContentType

CHARSET = "@charset"
"""The place of the difference in which bytes two texts are written."""
# WHATWG's labels in use, and Python's codecs. All hold ASCII as it is, so that a secret is seen even where the label is
# wrong: of UTF-16 only a byte order mark is believed. iso-8859-1 is read as it is written, not as windows-1252: it has
# all 256 bytes, and to compare them is all we do.
_CODECS = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "us-ascii": "cp1252",
    "ascii": "cp1252",
    "iso-8859-1": "latin-1",
    "iso8859-1": "latin-1",
    "iso_8859-1": "latin-1",
    "latin1": "latin-1",
    "iso-8859-2": "iso8859-2",
    "iso-8859-5": "iso8859-5",
    "iso-8859-7": "iso8859-7",
    "iso-8859-9": "cp1254",
    "iso-8859-15": "iso8859-15",
    **{f"{name}{page}": f"cp{page}" for page in range(1250, 1259) for name in ("windows-", "cp", "x-cp")},
    "koi8-r": "koi8-r",
    "koi8-u": "koi8-u",
    "shift_jis": "shift_jis",
    "shift-jis": "shift_jis",
    "sjis": "shift_jis",
    "x-sjis": "shift_jis",
    "windows-31j": "cp932",
    "euc-jp": "euc_jp",
    "euc-kr": "euc_kr",
    "gbk": "gbk",
    "gb2312": "gbk",
    "gb18030": "gb18030",
    "big5": "big5",
}
# What has other letters for ASCII's bytes, or other bytes for its letters: read as UTF-8, a secret would be missed.
_NO_ASCII = re.compile(r"(?:x-|cs)?(?:utf[-_]?(?:7|16|32)|ucs|unicode|ebcdic|ibm|cp[-_]?\d|hz|iso[-_]?2022|scsu|bocu)")
# UTF-16's mark is the beginning of that of UTF-32, with whose NULs no text in UTF-16 goes on.
_MARKS = (
    *((b"\xef\xbb\xbf", "utf-8"), (b"\x00\x00\xfe\xff", "utf-32-be"), (b"\xff\xfe\x00\x00", "utf-32-le")),
    *((b"\xfe\xff", "utf-16-be"), (b"\xff\xfe", "utf-16-le")),
)
_UNICODE = frozenset({"utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"})
# What people call them, where Python says it otherwise.
_NAMES = {"cp1252": "windows-1252", "latin-1": "iso-8859-1"}

# What a text says of itself: HTML in its first 1024 bytes (HTML §13.2.3.2), XML in its first line (XML 1.0 §4.3.3).
_SAID_BYTES = 1_024
_SAID_IN_HTML = re.compile(rb"<meta\s[^>]*?charset\s*=\s*[\"']?([\w.:\-]+)", re.IGNORECASE)
_SAID_IN_XML = re.compile(rb"<\?xml\s[^>]*?encoding\s*=\s*[\"']([\w.:\-]+)", re.IGNORECASE)

# Eight bytes of ASCII, or more, beside each other are no UTF-16 of any language with spaces.
_ASCII = re.compile(rb"[\t\n\r\x20-\x7e]{8}")
# WHATWG's MIME sniffing §3, "binary data byte".
_BINARY = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")


@dataclass(frozen=True, slots=True)
class Text:
    """A body's characters, a byte order mark with them, and Python's codec that writes them again."""

    characters: str
    codec: str


def read_text(content_type: ContentType, body: bytes) -> Text | None:
    """The body as characters, or None where it isn't a text: by its type, its charset, or its bytes."""
    if not content_type.is_text:
        return None
    for codec in _codecs(content_type, body):
        characters = _decoded(body, codec)
        if characters is not None:
            return Text(characters, codec)
    return None


def text_of(content_type: ContentType, body: bytes) -> str | None:
    """The body's characters, or None where it isn't a text."""
    text = read_text(content_type, body)
    return None if text is None else text.characters


def is_broken_text(content_type: ContentType, body: bytes) -> bool:
    """Whether the body is none only because its bytes aren't of the charset that its type names, or always has."""
    names_one = content_type.charset or not (content_type.essence == "" or content_type.essence.startswith("text/"))
    is_meant = content_type.is_text and (content_type.is_json or bool(names_one))
    return is_meant and _BINARY.search(body) is None and read_text(content_type, body) is None


def charset_of(content_type: ContentType, body: bytes) -> tuple[str, bool]:
    """The charset of a text, by its name, and whether a mark says it; "" where all charsets write the text alike."""
    has_mark = any(body.startswith(mark) for mark, _ in _MARKS)
    text = None if body.isascii() else read_text(content_type, body)
    return "" if text is None else _NAMES.get(text.codec, text.codec), has_mark


def said_charset(content_type: ContentType, body: bytes) -> bytes:
    """What a page or XML says of itself, in lower case; b"" where it says nothing, or is neither."""
    said = _said(body) if content_type.is_markup else None
    return b"" if said is None else said[1].lower()


def _codecs(content_type: ContentType, body: bytes) -> Iterator[str]:
    """Codecs to try, in order."""
    mark = next((codec for mark, codec in _MARKS if body.startswith(mark)), None)
    if mark is not None:
        yield mark
    elif content_type.is_json:
        yield "utf-8"  # whatever the charset parameter says (RFC 8259 §8.1, §11)
    elif content_type.charset:
        codec = _CODECS.get(content_type.charset, "" if _NO_ASCII.match(content_type.charset) else "utf-8")
        yield from (codec,) if codec else ()
    else:
        yield from _undeclared_codecs(content_type, body)


def _said(body: bytes) -> re.Match[bytes] | None:
    return _SAID_IN_HTML.search(body, 0, _SAID_BYTES) or _SAID_IN_XML.match(body, 0, _SAID_BYTES)


def _undeclared_codecs(content_type: ContentType, body: bytes) -> Iterator[str]:
    if content_type.is_markup:
        said = _said(body)
        codec = None if said is None else _CODECS.get(said[1].decode("ascii", "replace").lower())
        if codec is not None and codec not in _UNICODE:  # said in ASCII, it isn't UTF-16
            yield codec
    yield "utf-8"
    if content_type.essence == "" or content_type.essence.startswith("text/"):
        yield "cp1252"


def _decoded(body: bytes, codec: str) -> str | None:
    if codec not in _UNICODE and _BINARY.search(body) is not None:
        return None
    try:
        characters = body.decode(codec)
    except UnicodeDecodeError:
        return None
    if codec.startswith("utf-16") and not _is_utf16(body, codec):
        return None
    if "\x00" in characters or (codec not in _UNICODE and characters.encode(codec, "replace") != body):
        return None  # NUL marks bytes that only claim to be text, for git and grep too
    return characters


def _is_utf16(body: bytes, codec: str) -> bool:
    """Whether the mark can be believed. Read in the wrong way, secrets would be Chinese to who masks them (law 6).

    Longer texts in Chinese fail too, by chance: they are bytes then.
    """
    zeros = body[0::2].count(0), body[1::2].count(0)
    has_order = zeros[0] >= zeros[1] if codec == "utf-16-be" else zeros[1] >= zeros[0]
    return has_order and _ASCII.search(body) is None
