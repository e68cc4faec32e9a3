"""Raw answers of a backend, each with the rule that it tests, what the user gets, and what becomes of the connection.

A vector is what goes over the wire, byte for byte. Before its first byte has gone out, a bad answer is a 502; after it,
an end that can't be taken for a clean one. How each one is played is the runner's business (`test_answer_vectors`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Framing = Literal["length", "chunked", "close", "none", "any"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What an answer may have: bytes of its head, and how many fields."""

    head_bytes: int
    fields: int


@dataclass(frozen=True, slots=True)
class Passed:
    """The answer that the user gets, whole.

    `start` is its first line without space at the end. `fields` are all its lines "Name: value" in order, but those of
    its framing (Connection, Content-Length, Transfer-Encoding): none is added. `framing` says how its body ends; "any",
    where there is no body and it makes no difference. `trailer` are the field lines after a chunked body.
    """

    start: bytes = b"HTTP/1.1 200 OK"
    body: bytes = b"hello"
    framing: Framing = "length"
    fields: tuple[bytes, ...] = ()
    trailer: bytes = b""
    length: int | None = None  # what Content-Length says, where that isn't the body's

    @property
    def content_length(self) -> bytes:
        return b"%d" % (len(self.body) if self.length is None else self.length)


@dataclass(frozen=True, slots=True)
class Failed:
    """A 502; or, where the answer's head was sound, a beginning of `begun` that ends as no whole answer does."""

    begun: bytes | None = None


@dataclass(frozen=True, slots=True)
class AnswerVector:
    """What a backend sends, and what comes of it.

    `rule` is the source of the rule. `method` and `version` are the user's. `extra` are bytes behind the answer, sent
    with its end. `ends`: the backend closes then. `reuses`: the connection serves the next request. `interims` are the
    statuses of interim answers that may reach an HTTP/1.1 user; they need not. `limits` are those it is played under,
    where they aren't the proxy's own.
    """

    name: str
    rule: str
    data: bytes
    outcome: Passed | Failed
    reuses: bool
    method: str = "GET"
    version: str = "1.1"
    extra: bytes = b""
    ends: bool = False
    interims: tuple[int, ...] = ()
    limits: Limits | None = None


OK = b"HTTP/1.1 200 OK"
CHUNKED = b"Transfer-Encoding: chunked"
FIVE = b"Content-Length: 5"
LAST = b"0\r\n\r\n"
HELLO = b"5\r\nhello\r\n" + LAST

MESSAGE = "RFC 9112 §2.1"
LINE_END = "RFC 9112 §2.2"
VERSION = "RFC 9112 §2.3"
STATUS_LINE = "RFC 9112 §4"
FIELD_LINE = "RFC 9112 §5.1"
FOLD = "RFC 9112 §5.2"
CODING = "RFC 9112 §6.1"
BODY_LENGTH = "RFC 9112 §6.3"
CHUNK = "RFC 9112 §7.1"
EXTENSION = "RFC 9112 §7.1.1"
TRAILER = "RFC 9112 §7.1.2"
INCOMPLETE = "RFC 9112 §8"
ASSOCIATION = "RFC 9112 §9.2"
PERSISTENCE = "RFC 9112 §9.3"
NAME = "RFC 9110 §5.1"
ORDER = "RFC 9110 §5.3"
LIMIT = "RFC 9110 §5.4"
VALUE = "RFC 9110 §5.5"
TRAILER_FIELD = "RFC 9110 §6.5.1"
DATE = "RFC 9110 §6.6.1"
CONNECTION = "RFC 9110 §7.6.1"
TRANSFORMATION = "RFC 9110 §7.7"
UPGRADE = "RFC 9110 §7.8"
LENGTH = "RFC 9110 §8.6"
HEAD = "RFC 9110 §9.3.2"
STATUS = "RFC 9110 §15"
INTERIM = "RFC 9110 §15.2"
SWITCHING = "RFC 9110 §15.2.2"
NO_CONTENT = "RFC 9110 §15.3.5"
RESET_CONTENT = "RFC 9110 §15.3.6"
NOT_MODIFIED = "RFC 9110 §15.4.5"
SET_COOKIE = "RFC 6265 §3"
EARLY_HINTS = "RFC 8297 §2"


# --- ways to write a row ---
def _head(*lines: bytes) -> bytes:
    return b"\r\n".join(lines) + b"\r\n\r\n"


def _passed(name: str, rule: str, data: bytes, outcome: Passed | None = None, **more: Any) -> AnswerVector:
    """Unless said otherwise: as a 200 with "hello" and its length, on a connection that is used again."""
    reuses = more.pop("reuses", not more.get("ends", False) and "extra" not in more)
    return AnswerVector(name, rule, data, outcome or Passed(), reuses, **more)


def _failed(name: str, rule: str, data: bytes, **more: Any) -> AnswerVector:
    return AnswerVector(name, rule, data, Failed(), reuses=False, **more)


def _aborted(name: str, rule: str, data: bytes, begun: bytes = b"hello", **more: Any) -> AnswerVector:
    return AnswerVector(name, rule, data, Failed(begun), reuses=False, **more)


def _fields(name: str, rule: str, *lines: bytes, passed: tuple[bytes, ...] | None = None) -> AnswerVector:
    """Field lines of a sound answer, of which `passed` (all, unless said) reach the user."""
    return _passed(name, rule, _head(OK, *lines, FIVE) + b"hello", Passed(fields=lines if passed is None else passed))


def _bad_field(name: str, rule: str, line: bytes) -> AnswerVector:
    return _failed(f"field {name}", rule, _head(OK, line, FIVE) + b"hello")


def _status(name: str, start: bytes, passed: bytes | None = None) -> AnswerVector:
    return _passed(f"status {name}", STATUS, _head(start, FIVE) + b"hello", Passed(start=passed or start))


def _bad_start(name: str, start: bytes, rule: str = STATUS_LINE) -> AnswerVector:
    return _failed(f"start {name}", rule, _head(start, FIVE) + b"hello")


def _bad_length(name: str, *values: bytes) -> AnswerVector:
    return _failed(f"length {name}", LENGTH, _head(OK, *[b"Content-Length: " + value for value in values]) + b"hello")


def _bad_coding(name: str, *values: bytes) -> AnswerVector:
    return _failed(f"coding {name}", CODING, _head(OK, *[b"Transfer-Encoding: " + value for value in values]) + HELLO)


def _chunks(name: str, rule: str, body: bytes, outcome: Passed | None = None, **more: Any) -> AnswerVector:
    return _passed(name, rule, _head(OK, CHUNKED) + body, outcome or Passed(framing="chunked"), **more)


def _bad_chunks(name: str, body: bytes, rule: str = CHUNK, **more: Any) -> AnswerVector:
    return _aborted(name, rule, _head(OK, CHUNKED) + body, **more)


# --- the rows ---
FIELDS = (
    _fields("plain", DATE),
    _fields("date and server", DATE, b"Date: Thu, 01 Jan 1970 00:00:00 GMT", b"Server: legacy"),
    _fields("names as spelled", NAME, b"x-A: 1", b"X-b: 2", b"ETAG: x"),
    _fields("in order with duplicates", ORDER, b"X-B: 1", b"X-A: 2", b"X-B: 3"),
    _fields("two cookies", SET_COOKIE, b"Set-Cookie: a=1; Path=/", b"X-A: 1", b"Set-Cookie: b=2, c"),
    _fields("empty value", VALUE, b"X-A: "),
    _fields("tab, spaces and obs-text", VALUE, b"X-A: a\tb  caf\xe9 \xff"),
    _fields("space before the colon", FIELD_LINE, b"X-A : 1", b"X-B\t: 2", passed=(b"X-A: 1", b"X-B: 2")),
    _passed("space before the length's colon", FIELD_LINE, _head(OK, b"Content-Length : 5") + b"hello"),
    _fields("folded with a space", FOLD, b"X-A: 1\r\n 2", b"X-B: 3", passed=(b"X-A: 1 2", b"X-B: 3")),
    _fields("folded with a tab", FOLD, b"X-A: 1\r\n\t2", passed=(b"X-A: 1 2",)),
    _fields("folded twice", FOLD, b"X-A: 1\r\n 2\r\n 3", passed=(b"X-A: 1 2 3",)),
    _fields("connection's own", CONNECTION, b"Keep-Alive: timeout=5", b"Proxy-Connection: a", b"TE: b", passed=()),
    _fields("upgrade offered", UPGRADE, b"Connection: Upgrade", b"Upgrade: h2c", b"X-A: 1", passed=(b"X-A: 1",)),
    _fields(
        "named by connection",
        CONNECTION,
        b"X-Mine: 1",
        b"Connection: x-mine , X-OTHER",
        b"x-other: 2",
        b"X-Kept: 3",
        passed=(b"X-Kept: 3",),
    ),
    _fields("named by a second connection", CONNECTION, b"Connection: x-a", b"X-B: 1", b"Connection: x-b", passed=()),
    _fields(
        "for all, but named by connection",
        CONNECTION,
        b"Connection: cache-control, Set-Cookie, content-type, vary, X-Mine",
        b"Cache-Control: no-store",
        b"Set-Cookie: a=1",
        b"Content-Type: text/plain",
        b"Vary: *",
        b"X-Mine: 1",
        passed=(b"Cache-Control: no-store", b"Set-Cookie: a=1", b"Content-Type: text/plain", b"Vary: *"),
    ),
    _fields("compressed", TRANSFORMATION, b"Content-Encoding: gzip"),
    _bad_field("with NUL", VALUE, b"X-A: a\x00b"),
    _bad_field("with a bare CR", VALUE, b"X-A: a\rb"),
    _bad_field("with a CR before its end", VALUE, b"X-A: a\r"),
    _bad_field("with a bare CR in its name", NAME, b"X\rA: 1"),
    _bad_field("with NUL in its name", NAME, b"X\x00A: 1"),
    _bad_field("with a space in its name", NAME, b"X A: 1"),
    _bad_field("with a parenthesis in its name", NAME, b"X(A): 1"),
    _bad_field("without a name", NAME, b": 1"),
    _bad_field("without a colon", FIELD_LINE, b"X-A"),
)

STARTS = (
    _status("with another phrase", b"HTTP/1.1 200 Fine, thanks"),
    _status("with a phrase in Latin-1", b"HTTP/1.1 200 D\xe9j\xe0 vu"),
    _status("with a tab in its phrase", b"HTTP/1.1 200 a\tb"),
    _status("with an empty phrase", b"HTTP/1.1 200 ", b"HTTP/1.1 200"),
    _status("without a phrase", b"HTTP/1.1 200"),
    _status("unknown", b"HTTP/1.1 299 Odd"),
    _status("beyond the classes", b"HTTP/1.1 999 Beyond"),
    _status("of a client's error", b"HTTP/1.1 404 Not Found"),
    _status("of a backend's error", b"HTTP/1.1 500 Oh no"),
    _status("502 of its own", b"HTTP/1.1 502 Bad Gateway"),
    _failed("nothing", INCOMPLETE, b"", ends=True),
    _failed("half a status line", INCOMPLETE, b"HTTP/1.1 20", ends=True),
    _failed("half a head", INCOMPLETE, b"HTTP/1.1 200 OK\r\nContent-Le", ends=True),
    _failed("head without its end", INCOMPLETE, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", ends=True),
    _failed("empty line before it", STATUS_LINE, b"\r\n" + _head(OK, FIVE) + b"hello"),
    _failed("two empty lines before it", STATUS_LINE, b"\r\n\r\n" + _head(OK, FIVE) + b"hello"),
    _failed("empty lines and more before it", STATUS_LINE, b"\r\n\r\nevil" + _head(OK, FIVE) + b"hello"),
    _failed("garbage", STATUS_LINE, b"\x00\xfe\xed\r\n\r\n"),
    _failed("garbage without an end", STATUS_LINE, b"\x00\xfe\xed"),
    _failed("bare LF after the status line", LINE_END, b"HTTP/1.1 200 OK\nContent-Length: 5\r\n"),
    _failed("bare LF after a field", LINE_END, b"HTTP/1.1 200 OK\r\nContent-Length: 5\n\r\nhello"),
    _failed("bare LF for the end", LINE_END, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\nhello"),
    _failed("bare LF everywhere", LINE_END, b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello"),
    _failed("bare CR and no end", LINE_END, b"HTTP/1.1 200 OK\r\nX-A: a\rb"),
    _failed("status in letters and no end", STATUS_LINE, b"HTTP/1.1 abc\r\nX-A: 1\r\n"),
    _failed("status in letters and no line end", STATUS_LINE, b"HTTP/1.1 a"),
    _failed("status of two digits and no end", STATUS_LINE, b"HTTP/1.1 20\r"),
    _failed("another version and no end", VERSION, b"HTTP/2"),
    _failed("another protocol and no end", VERSION, b"ICY 2"),
    _failed("NUL and no end", VALUE, b"HTTP/1.1 200 OK\r\nX-A: \x00\r\n"),
    _failed("control character and no end", VALUE, b"HTTP/1.1 200 OK\r\nX-A: \x1b"),
    _failed("HTTP/0.9", VERSION, b"<html>hello</html>", ends=True),
    _failed("HTTP/2 preface", VERSION, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    _failed("HTTP/2 settings", VERSION, b"\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x64", ends=True),
    _failed("a request", STATUS_LINE, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    _failed("SSH", STATUS_LINE, b"SSH-2.0-OpenSSH_9.2p1\r\n", ends=True),
    _bad_start("of two digits", b"HTTP/1.1 20"),
    _bad_start("of four digits", b"HTTP/1.1 2000 OK"),
    _bad_start("below 100", b"HTTP/1.1 099 x"),
    _bad_start("000", b"HTTP/1.1 000 x"),
    _bad_start("negative", b"HTTP/1.1 -200 OK"),
    _bad_start("in letters", b"HTTP/1.1 2OO OK"),
    _bad_start("without a status", b"HTTP/1.1"),
    _bad_start("with a phrase alone", b"HTTP/1.1 OK"),
    _bad_start("with two spaces", b"HTTP/1.1  200 OK"),
    _bad_start("with a tab", b"HTTP/1.1\t200 OK"),
    _bad_start("with NUL in its phrase", b"HTTP/1.1 200 O\x00K"),
    _bad_start("with a bare CR in its phrase", b"HTTP/1.1 200 O\rK"),
    _bad_start("in lower case", b"http/1.1 200 OK", VERSION),
    _bad_start("of HTTP/2", b"HTTP/2 200", VERSION),
    _bad_start("of HTTP/2.0", b"HTTP/2.0 200 OK", VERSION),
    _bad_start("of another protocol", b"ICY 200 OK", VERSION),
)

LENGTHS = (
    _passed("length 0", LENGTH, _head(OK, b"Content-Length: 0"), Passed(body=b"")),
    _passed("length between spaces", LENGTH, _head(OK, b"Content-Length: \t5 ") + b"hello"),
    _passed("body of line ends", BODY_LENGTH, _head(OK, b"Content-Length: 4") + b"\r\n\r\n", Passed(body=b"\r\n\r\n")),
    _aborted("body too short", INCOMPLETE, _head(OK, b"Content-Length: 10") + b"hello", ends=True),
    _aborted("body missing", INCOMPLETE, _head(OK, b"Content-Length: 10"), b"", ends=True),
    _passed("body too long", ASSOCIATION, _head(OK, FIVE) + b"hello", extra=b" world"),
    _passed("body of nothing too long", ASSOCIATION, _head(OK, b"Content-Length: 0"), Passed(body=b""), extra=b"x"),
    _passed(
        "second answer unasked",
        ASSOCIATION,
        _head(OK, FIVE) + b"hello",
        extra=b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
    ),
    _passed("empty line behind", ASSOCIATION, _head(OK, FIVE) + b"hello", extra=b"\r\n"),
    _passed("length, then close", PERSISTENCE, _head(OK, b"Connection: close", FIVE) + b"hello", ends=True),
    _passed("close said, not done", PERSISTENCE, _head(OK, b"Connection: Close", FIVE) + b"hello", reuses=False),
    _failed("length and coding", BODY_LENGTH, _head(OK, FIVE, CHUNKED) + HELLO),
    _failed("coding and length", BODY_LENGTH, _head(OK, CHUNKED, b"Content-Length: 15") + HELLO),
    _failed("length named by connection", CONNECTION, _head(OK, b"Connection: content-length", FIVE) + b"hello"),
    _failed(
        "length named before it", CONNECTION, _head(OK, b"Connection: keep-alive, CONTENT-LENGTH", FIVE) + b"hello"
    ),
    _failed(
        "length named, then close",
        CONNECTION,
        _head(OK, b"Content-Length: 50", b"Connection: content-length") + b"hello",
        ends=True,
    ),
    _failed(
        "length named for 1.0",
        CONNECTION,
        _head(OK, b"Content-Length: 50", b"Connection: content-length") + b"hello",
        ends=True,
        version="1.0",
    ),
    _failed("length named for HEAD", CONNECTION, _head(OK, FIVE, b"Connection: content-length"), method="HEAD"),
    _passed(
        "coding named by connection",
        CONNECTION,
        _head(OK, b"Connection: Transfer-Encoding", CHUNKED) + HELLO,
        Passed(framing="chunked"),
    ),
    _bad_length("twice, differing", b"5", b"6"),
    _bad_length("twice, alike", b"5", b"5"),
    _bad_length("as a list", b"5, 5"),
    _bad_length("with a comma behind", b"5,"),
    _bad_length("negative", b"-5"),
    _bad_length("with a plus sign", b"+5"),
    _bad_length("in hex", b"0x5"),
    _bad_length("in letters", b"five"),
    _bad_length("of two numbers", b"5 5"),
    _bad_length("empty", b""),
    _bad_length("in a Latin-1 digit", b"\xb2"),
    _bad_length("of 40 digits", b"9" * 40),
)

CHUNKS = (
    _chunks("chunked", CHUNK, HELLO),
    _chunks("chunks of several sizes", CHUNK, b"1\r\nh\r\n003\r\nell\r\n1\r\no\r\n" + LAST),
    _chunks(
        "chunk size in both cases",
        CHUNK,
        b"a\r\n0123456789\r\nA\r\n0123456789\r\n" + LAST,
        Passed(body=b"0123456789" * 2, framing="chunked"),
    ),
    _chunks("chunks of nothing", CHUNK, LAST, Passed(body=b"", framing="chunked")),
    _chunks("chunk extensions", EXTENSION, b'5;a=b;c="d;e"\r\nhello\r\n0;f\r\n\r\n'),
    _chunks("chunk extensions between spaces", EXTENSION, b'5 ;a = b\t; c="d"\r\nhello\r\n0 ; e\r\n\r\n'),
    _chunks("chunk sizes padded with spaces", EXTENSION, b"5    \r\nhello\r\n0\t\r\n\r\n"),
    _chunks("chunk extension padded with spaces", EXTENSION, b"5;a=b  \r\nhello\r\n" + LAST),
    _chunks(
        "trailers",
        TRAILER_FIELD,
        b"5\r\nhello\r\n0\r\nX-Sum: 1\r\nX-b: 2\r\n\r\n",
        Passed(framing="chunked", trailer=b"X-Sum: 1\r\nX-b: 2\r\n"),
    ),
    _chunks(
        "trailers that may not be any",
        TRAILER_FIELD,
        b"5\r\nhello\r\n0\r\nX-Sum: 1\r\nContent-Length: 9\r\ntransfer-encoding: chunked\r\nConnection: close\r\n"
        b"Set-Cookie: a=b\r\nHost: evil\r\nCONTENT-TYPE: text/html\r\nCache-Control: no-store\r\nX-b: 2\r\n\r\n",
        Passed(framing="chunked", trailer=b"X-Sum: 1\r\nX-b: 2\r\n"),
    ),
    _chunks(
        "no trailer that may be any",
        TRAILER_FIELD,
        b"5\r\nhello\r\n0\r\nUpgrade: h2c\r\nLocation: /evil\r\n\r\n",
        Passed(framing="chunked"),
    ),
    _passed(
        "trailers announced",
        TRAILER_FIELD,
        _head(OK, b"Trailer: X-Sum", CHUNKED) + b"5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n",
        Passed(framing="chunked", fields=(b"Trailer: X-Sum",), trailer=b"X-Sum: 1\r\n"),
    ),
    _passed(
        "coding in capitals",
        CODING,
        _head(OK, b"TRANSFER-ENCODING: \tChunked ") + HELLO,
        Passed(framing="chunked"),
    ),
    _chunks("chunks, then bytes", ASSOCIATION, HELLO, extra=b"x"),
    _chunks("chunks, then an answer", ASSOCIATION, HELLO, extra=_head(OK, b"Content-Length: 4") + b"evil"),
    _passed(
        "chunks, then close",
        PERSISTENCE,
        _head(OK, CHUNKED, b"Connection: close") + HELLO,
        Passed(framing="chunked"),
        ends=True,
    ),
    _chunks("chunks for 1.0", CODING, HELLO, Passed(framing="close"), version="1.0"),
    _chunks("chunks of nothing for 1.0", CODING, LAST, Passed(body=b"", framing="close"), version="1.0"),
    _chunks(
        "trailers for 1.0",
        TRAILER_FIELD,
        b"5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n",
        Passed(framing="close"),
        version="1.0",
    ),
    _bad_chunks("chunk size missing", b"\r\nhello\r\n" + LAST, begun=b""),
    _bad_chunks("chunk size of no digits", b"zz\r\nhello\r\n" + LAST, begun=b""),
    _bad_chunks("chunk size negative", b"-5\r\nhello\r\n" + LAST, begun=b""),
    _bad_chunks("chunk size with 0x", b"0x5\r\nhello\r\n" + LAST, begun=b""),
    _bad_chunks("chunk size of 17 digits", b"10000000000000005\r\nhello\r\n" + LAST, begun=b""),
    _bad_chunks("chunk size ended by a bare LF", b"5\nhello\r\n" + LAST, begun=b""),
    _bad_chunks("second chunk size malformed", b"5\r\nhello\r\nzz\r\n" + LAST),
    _bad_chunks("chunk without a line end", b"5\r\nhello" + LAST),
    _bad_chunks("chunk ended by other bytes", b"5\r\nhelloXX" + LAST),
    _bad_chunks("chunk longer than its size", b"3\r\nhello\r\n" + LAST, begun=b"hel"),
    _bad_chunks("chunks ended by a bare LF", b"5\r\nhello\r\n0\r\n\n"),
    _bad_chunks("trailer without a colon", b"5\r\nhello\r\n0\r\nX-Sum\r\n\r\n", TRAILER),
    _bad_chunks("trailer with NUL", b"5\r\nhello\r\n0\r\nX-Sum: \x00\r\n\r\n", TRAILER),
    _bad_chunks("chunk size with a space before", b" 5\r\nhello\r\n" + LAST, begun=b""),
    _bad_chunks("chunk size of two words", b"5 5\r\nhello\r\n" + LAST, begun=b""),
    _bad_chunks("chunk extension without a name", b"5;\r\nhello\r\n" + LAST, EXTENSION, begun=b""),
    _bad_chunks("chunk extension without a value", b"5;a=\r\nhello\r\n" + LAST, EXTENSION, begun=b""),
    _bad_chunks("chunk extension of an open quote", b'5;a="x\r\nhello\r\n' + LAST, EXTENSION, begun=b""),
    _bad_chunks("chunk extension of two words", b"5;a b\r\nhello\r\n" + LAST, EXTENSION, begun=b""),
    _bad_chunks("chunk extension with a bare CR", b"5;a\rb\r\nhello\r\n" + LAST, EXTENSION, begun=b""),
    _bad_chunks("closed in a chunk", b"a\r\nhello", INCOMPLETE, ends=True),
    _bad_chunks("closed in a chunk size", b"5\r\nhello\r\n1", INCOMPLETE, ends=True),
    _bad_chunks("closed between chunks", b"5\r\nhello\r\n", INCOMPLETE, ends=True),
    _bad_chunks("closed before the last line end", b"5\r\nhello\r\n0\r\n", INCOMPLETE, ends=True),
    _bad_chunks("closed in a trailer", b"5\r\nhello\r\n0\r\nX-Sum: 1\r\n", INCOMPLETE, ends=True),
    _bad_chunks("closed before the first chunk", b"", INCOMPLETE, begun=b"", ends=True),
    _bad_chunks("malformed for 1.0", b"5\r\nhello\r\nzz\r\n", CHUNK, version="1.0"),
    _bad_chunks("closed in a chunk for 1.0", b"a\r\nhello", INCOMPLETE, ends=True, version="1.0"),
    _bad_coding("gzip", b"gzip"),
    _bad_coding("gzip, chunked", b"gzip, chunked"),
    _bad_coding("chunked, gzip", b"chunked, gzip"),
    _bad_coding("identity", b"identity"),
    _bad_coding("chunked twice in a list", b"chunked, chunked"),
    _bad_coding("chunked twice in two lines", b"chunked", b"chunked"),
    _bad_coding("with a letter before", b"xchunked"),
    _bad_coding("with a comma behind", b"chunked,"),
    _bad_coding("empty", b""),
)

CLOSES = (
    _passed("until close", BODY_LENGTH, _head(OK) + b"hello", Passed(framing="chunked"), ends=True),
    _passed("until close, empty", BODY_LENGTH, _head(OK), Passed(body=b"", framing="chunked"), ends=True),
    _passed(
        "until close, like chunks", BODY_LENGTH, _head(OK) + HELLO, Passed(body=HELLO, framing="chunked"), ends=True
    ),
    _passed(
        "until close for 1.0", BODY_LENGTH, _head(OK) + b"hello", Passed(framing="close"), ends=True, version="1.0"
    ),
    _passed("length for 1.0", BODY_LENGTH, _head(OK, FIVE) + b"hello", version="1.0"),
    _aborted(
        "body too short for 1.0", INCOMPLETE, _head(OK, b"Content-Length: 10") + b"hello", ends=True, version="1.0"
    ),
    _passed("1.0 with a length", VERSION, _head(b"HTTP/1.0 200 OK", FIVE) + b"hello", ends=True),
    _passed("1.0 that stays open", PERSISTENCE, _head(b"HTTP/1.0 200 OK", FIVE) + b"hello", reuses=False),
    _passed("1.0 until close", VERSION, _head(b"HTTP/1.0 200 OK") + b"hello", Passed(framing="chunked"), ends=True),
    _passed(
        "1.0 until close for 1.0",
        VERSION,
        _head(b"HTTP/1.0 200 OK") + b"hello",
        Passed(framing="close"),
        ends=True,
        version="1.0",
    ),
)

_NO_CONTENT = Passed(start=b"HTTP/1.1 204 No Content", body=b"", framing="none")
_NOT_MODIFIED = Passed(start=b"HTTP/1.1 304 Not Modified", body=b"", framing="none", fields=(b"ETag: x",))
_RESET = Passed(start=b"HTTP/1.1 205 Reset Content", body=b"")

BODYLESS = (
    _passed("204", NO_CONTENT, _head(b"HTTP/1.1 204 No Content"), _NO_CONTENT),
    _passed("204 with length 0", LENGTH, _head(b"HTTP/1.1 204 No Content", b"Content-Length: 0"), _NO_CONTENT),
    _passed("204 for 1.0", NO_CONTENT, _head(b"HTTP/1.1 204 No Content"), _NO_CONTENT, version="1.0"),
    _passed("204 with a body", NO_CONTENT, _head(b"HTTP/1.1 204 No Content"), _NO_CONTENT, extra=b"hello"),
    _passed("304", NOT_MODIFIED, _head(b"HTTP/1.1 304 Not Modified", b"ETag: x"), _NOT_MODIFIED),
    _passed(
        "304 with a length",
        LENGTH,
        _head(b"HTTP/1.1 304 Not Modified", b"Content-Length: 1000"),
        Passed(start=b"HTTP/1.1 304 Not Modified", body=b"", length=1000),
    ),
    _passed(
        "304 with a body", NOT_MODIFIED, _head(b"HTTP/1.1 304 Not Modified", b"ETag: x"), _NOT_MODIFIED, extra=b"x"
    ),
    _passed("205", RESET_CONTENT, _head(b"HTTP/1.1 205 Reset Content", b"Content-Length: 0"), _RESET),
    _passed(
        "205 in chunks",
        RESET_CONTENT,
        _head(b"HTTP/1.1 205 Reset Content", CHUNKED) + LAST,
        _RESET,
        reuses=False,  # a chunk may follow
    ),
    _passed(
        "205 with a body",
        RESET_CONTENT,
        _head(b"HTTP/1.1 205 Reset Content", b"X-A: 1", FIVE, b"X-B: 2") + b"hello",
        Passed(start=_RESET.start, body=b"", fields=(b"X-A: 1", b"X-B: 2")),
        reuses=False,
    ),
    _passed("205 with a body in chunks", RESET_CONTENT, _head(_RESET.start, CHUNKED) + HELLO, _RESET, reuses=False),
    _passed("205 with a body until close", RESET_CONTENT, _head(_RESET.start) + b"hello", _RESET, ends=True),
    _passed(
        "205 with an answer behind", RESET_CONTENT, _head(_RESET.start, b"Content-Length: 0"), _RESET, extra=_head(OK)
    ),
    _passed(
        "205 with a body for 1.0",
        RESET_CONTENT,
        _head(_RESET.start, FIVE) + b"hello",
        _RESET,
        reuses=False,
        version="1.0",
    ),
    _passed("205 of HEAD", RESET_CONTENT, _head(_RESET.start), _RESET, method="HEAD", reuses=False),
    _passed("HEAD", HEAD, _head(OK, b"Content-Length: 1000"), Passed(body=b"", length=1000), method="HEAD"),
    _passed("HEAD for 1.0", HEAD, _head(OK, FIVE), Passed(body=b"", length=5), method="HEAD", version="1.0"),
    _passed("HEAD in chunks", HEAD, _head(OK, CHUNKED), Passed(body=b"", framing="any"), method="HEAD"),
    _passed("HEAD without a length", HEAD, _head(OK), Passed(body=b"", framing="any"), method="HEAD"),
    _passed("HEAD with a body", HEAD, _head(OK, FIVE), Passed(body=b"", length=5), method="HEAD", extra=b"hello"),
    _failed("HEAD with two lengths", LENGTH, _head(OK, FIVE, FIVE), method="HEAD"),
    _failed("204 with a malformed length", LENGTH, _head(b"HTTP/1.1 204 No Content", b"Content-Length: x")),
)

_CONTINUE = _head(b"HTTP/1.1 100 Continue")
_HINTS = _head(b"HTTP/1.1 103 Early Hints", b"Link: </a.css>; rel=preload")
_ANSWER = _head(OK, FIVE) + b"hello"

INTERIMS = (
    _passed("100 unasked", INTERIM, _CONTINUE + _ANSWER, interims=(100,)),
    _passed("102", INTERIM, _head(b"HTTP/1.1 102 Processing") + _ANSWER, interims=(102,)),
    _passed("103", EARLY_HINTS, _HINTS + _ANSWER, interims=(103,)),
    _passed("103 twice after 100", EARLY_HINTS, _CONTINUE + _HINTS + _HINTS + _ANSWER, interims=(100, 103)),
    _passed(
        "103 with a length, a coding and a connection's fields",
        INTERIM,
        _head(b"HTTP/1.1 103 Early Hints", b"Connection: close, x-a", b"Content-Length: 7", CHUNKED, b"X-A: 1")
        + _ANSWER,
        interims=(103,),
    ),
    _passed(
        "103 whose connection names its length",
        INTERIM,
        _head(b"HTTP/1.1 103 Early Hints", b"Connection: content-length", FIVE) + _ANSWER,
        interims=(103,),
    ),
    _passed("103 for 1.0", INTERIM, _HINTS + _ANSWER, version="1.0"),
    _passed(
        "103 for HEAD", INTERIM, _HINTS + _head(OK, FIVE), Passed(body=b"", length=5), method="HEAD", interims=(103,)
    ),
    _passed("103 before 204", INTERIM, _HINTS + _head(b"HTTP/1.1 204 No Content"), _NO_CONTENT, interims=(103,)),
    _failed("103 alone", INCOMPLETE, _HINTS, ends=True, interims=(103,)),
    _failed("103, then garbage", STATUS_LINE, _HINTS + b"garbage\r\n\r\n", interims=(103,)),
    _failed("103 with NUL in a field", VALUE, _head(b"HTTP/1.1 103 Early Hints", b"Link: \x00") + _ANSWER),
    _failed(
        "101 unasked", SWITCHING, _head(b"HTTP/1.1 101 Switching Protocols", b"Connection: Upgrade", b"Upgrade: h2c")
    ),
    _failed("101 before an answer", SWITCHING, _head(b"HTTP/1.1 101 Switching Protocols") + _ANSWER),
)


def _limits(limits: Limits, prefix: str = "") -> tuple[AnswerVector, ...]:
    """What each limit allows, and what is a little more, or much."""
    most, number = limits.head_bytes, limits.fields
    own = limits if prefix else None
    early = b"HTTP/1.1 103 Early Hints"

    def padded(size: int, start: bytes = OK, *lines: bytes) -> bytes:
        """A field that makes the head so many bytes long."""
        return b"X-A: " + b"b" * (size - len(_head(start, b"X-A: ", *lines)))

    def passed(name: str, *lines: bytes) -> AnswerVector:
        return _passed(prefix + name, LIMIT, _head(OK, *lines, FIVE) + b"hello", Passed(fields=lines), limits=own)

    def failed(name: str, data: bytes) -> AnswerVector:
        return _failed(prefix + name, LIMIT, data, limits=own)

    return (
        passed("fields as many as there may be", *[b"X-A: %d" % each for each in range(number - 1)]),
        failed("a field too many", _head(OK, *[b"X-A: 1"] * number, FIVE) + b"hello"),
        passed("value that is long", padded(most - most // 8, OK, FIVE)),
        passed("value as long as it may be", padded(most, OK, FIVE)),
        failed("value a byte too long", _head(OK, padded(most + 1, OK, FIVE), FIVE) + b"hello"),
        failed("value too long", _head(OK, padded(most + most // 8), FIVE) + b"hello"),
        failed("fields too long", _head(OK, *[b"X-A: " + b"b" * (most // 8)] * 8, FIVE) + b"hello"),
        failed("value without an end", OK + b"\r\nX-A: " + b"b" * (most + most // 2)),
        failed("fields without an end", OK + b"\r\n" + b"X-A: 1\r\n" * (most // 6)),
        failed("103 a byte too long", _head(early, padded(most + 1, early)) + _ANSWER),
    )


LIMITS = _limits(Limits(65_536, 200))
LOW_LIMITS = _limits(Limits(256, 20), "under low limits, ")  # the same, but that each is cut at every byte

ANSWERS: tuple[AnswerVector, ...] = (
    *FIELDS,
    *STARTS,
    *LENGTHS,
    *CHUNKS,
    *CLOSES,
    *BODYLESS,
    *INTERIMS,
    *LIMITS,
    *LOW_LIMITS,
)
