"""What the head of an HTTP/1.1 message may look like, and its parts: the grammar of RFC 9112, and nothing beside it.

1. What doesn't match is refused, never guessed at: whatever two parsers could read differently is one request to us and
   two to the backend (request smuggling).
2. One match reads a whole head; possessive repeats (`*+`) make its time linear in the head's length.
3. Field lines stay bytes as they came, case and spaces included; only names are lowered, where they are compared.
4. Why a head didn't match is found out afterwards, by `explain`, for who sent it.
"""

from __future__ import annotations

import re

from proxy.errors import RequestRefused

RawHeaders = list[tuple[bytes, bytes]]

MAX_LINE_BYTES = 8192  # of method, target and version; nginx and Apache: 8 KiB
MAX_HEAD_BYTES = 65_536  # of all field lines; Envoy 60 KiB, HAProxy 16, Apache 100 lines of 8
MAX_FIELDS = 100  # Apache, Envoy, HAProxy (101)

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"  # RFC 9110 §5.6.2
_LINE = _TOKEN + rb":[\t\x20-\x7e\x80-\xff]*+\r\n"  # RFC 9112 §5: no space before the colon, no folding; RFC 9110 §5.5
_FIELDS = rb"((?:" + _LINE + rb")*+)\r\n"
_TARGET = rb"[\x21\x22\x24-\x7e]++"  # visible ASCII, and no fragment (RFC 9112 §3.2); else the client must encode it

REQUEST = re.compile(rb"(" + _TOKEN + rb") (" + _TARGET + rb") HTTP/1\.([01])\r\n" + _FIELDS)
"""Groups: method, target, minor version, field lines (each with its CRLF)."""

ANSWER = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9][0-9])( [\t\x20-\x7e\x80-\xff]*+)?\r\n" + _FIELDS)
"""Groups: minor version, status, reason phrase with the space before it, field lines."""

_REQUEST_LINE = re.compile(rb"(" + _TOKEN + rb") (" + _TARGET + rb") HTTP/([0-9])\.([0-9])")
_FIELD_LINE = re.compile(_LINE)
_BEGIN = re.compile(rb"\r?|" + _TOKEN + rb"(?: [\x21-\x7e]*+(?: [\x21-\x7e]*+\r?)?)?")
_LEAST_STATUS_LINE = b"HTTP/1.1 200"
_ODD = re.compile(rb"(?<!\r)\n|\r(?!\n|\Z)|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")  # in no line of a head
_FOLD = re.compile(rb"[ \t]*\r\n[ \t]+")
_SPACE_BEFORE_COLON = re.compile(rb"(\r\n" + _TOKEN + rb")[ \t]++:")


def fields_of(lines: bytes) -> RawHeaders:
    """(name in lower case, value without the space around it) of each field line, in order."""
    split = [line.partition(b":") for line in lines.split(b"\r\n")[:-1]]
    return [(name.lower(), value.strip(b" \t")) for name, _, value in split]


def is_possible(begin: bytes) -> bool:
    """Whether bytes without a line end yet may become a request line: what can't need not be waited for."""
    return _BEGIN.fullmatch(begin) is not None


def is_possible_answer(begin: bytes, seen: int = 0) -> bool:
    """Whether bytes without an empty line may become an answer's head, mended maybe; `seen` of them were before."""
    line, is_whole, _ = begin.partition(b"\r\n")
    if not is_whole:
        line += _LEAST_STATUS_LINE[len(line) :]
        line = line.removesuffix(b"\r")
    return ANSWER.match(line + b"\r\n\r\n") is not None and _ODD.search(begin, max(0, seen - 1)) is None


def check_size(head_bytes: int, line_bytes: int, fields: int) -> None:
    """Raises RequestRefused above the limits; also of a head that hasn't ended yet."""
    if line_bytes > MAX_LINE_BYTES:
        raise RequestRefused(414, f"the request line is over {MAX_LINE_BYTES} bytes; send a shorter one")
    if head_bytes - line_bytes > MAX_HEAD_BYTES:
        raise RequestRefused(431, f"the header fields are over {MAX_HEAD_BYTES} bytes; send fewer or smaller ones")
    if fields > MAX_FIELDS:
        raise RequestRefused(431, f"the request has more than {MAX_FIELDS} header fields; send fewer")


def explain(head: bytes) -> RequestRefused:
    """Why a whole head, up to its empty line or to where it goes wrong, is not `REQUEST`."""
    line, _, fields = head.partition(b"\r\n")
    found = _REQUEST_LINE.fullmatch(line)
    if found is None:
        return _explain_line(line)
    major, minor = found[3], found[4]
    if (major, minor) not in {(b"1", b"0"), (b"1", b"1")}:
        status = 400 if major == b"0" else 505  # RFC 9110 §15.6.6
        return RequestRefused(status, f"HTTP/{major.decode()}.{minor.decode()} is not served here; use HTTP/1.1")
    end = 0
    while wrong := _FIELD_LINE.match(fields, end):
        end = wrong.end()
    return RequestRefused(400, f"the header field {_shown(fields[end:])} is malformed (RFC 9112 §5)")


def _explain_line(line: bytes) -> RequestRefused:
    words = line.split(b" ")
    if len(words) == 2:
        return RequestRefused(400, "HTTP/0.9 is not served here; use HTTP/1.1")
    if len(words) == 3 and _REQUEST_LINE.fullmatch(words[0] + b" / " + words[2]):
        return RequestRefused(400, f"the target {_shown(words[1])} holds what must be percent-encoded (RFC 9112 §3.2)")
    return RequestRefused(400, f"the request line {_shown(line)} is malformed (RFC 9112 §3)")


def _shown(text: bytes) -> str:
    """The beginning of a line, safe to be printed."""
    return repr(text.partition(b"\n")[0][:40])[1:]


def mend_answer(head: bytes) -> bytes:
    """A head of an answer without what a proxy has to mend: folded lines and space before a colon (RFC 9112 §5)."""
    return _SPACE_BEFORE_COLON.sub(rb"\1:", _FOLD.sub(b" ", head.removesuffix(b"\r\n\r\n")) + b"\r\n\r\n")
