"""Raw requests, each with the rule that it tests, the status the user gets and the request the backend gets.

A vector is what goes over the wire, byte for byte; nothing here helps a message to be valid. What is refused ends the
connection. How each one is played is the runner's business (`test_request_vectors`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Limits:
    """What a request may have: bytes of its first line, bytes of its fields, and how many fields.

    Below `piecemeal_bytes`, what drips is only looked at when a line ends.
    """

    line_bytes: int
    head_bytes: int
    fields: int
    piecemeal_bytes: int


CLOSED = None  # the status of a request that its sender broke off: no answer, or 400 at most (RFC 9112 §8)


@dataclass(frozen=True, slots=True)
class Arrival:
    """The request that the backend gets: to the last byte of its head, but for what is made up anew for each request.

    `fields` are the lines that pass as they came, and then the framing, which the proxy writes. `behind` are the lines
    that it writes at the very end. `version` is the user's.
    """

    start: bytes
    fields: tuple[bytes, ...] = ()
    host: bytes = b"a"
    body: bytes = b""
    behind: tuple[bytes, ...] = ()
    version: bytes = b"1.1"

    @property
    def head(self) -> bytes:
        """The whole head, with an asterisk for each value that is made up (docs/headers.md)."""
        shown = (b"x-forwarded-host: " + self.host,) if self.host else ()
        parameter = b';host="%b"' % self.host if self.host else b""
        return _head(
            self.start,
            b"host: " + self.host,
            *self.fields,
            b"x-forwarded-for: 127.0.0.1",
            b"x-forwarded-proto: http",
            *shown,
            b"forwarded: for=127.0.0.1%b;proto=http" % parameter,
            b"via: %b changeover" % self.version,
            b"x-request-id: *",
            b"traceparent: *",
            *self.behind,
        )


@dataclass(frozen=True, slots=True)
class RequestVector:
    """What a user sends, and what comes of it.

    `rule` is the source of the rule. `arrives` is None where no whole request may reach the backend; `may_begin` says
    that its head may have gone out before the fault was seen. `closes`: the connection ends after the answer.
    `is_cut`: the user closes its side after the bytes. `is_bare`: it isn't known to be HTTP/1.x, so that any form of
    refusal will do. `may_continue`: an interim 100 may come first. `limits` are those it is played under, where they
    aren't the proxy's own.
    """

    name: str
    rule: str
    data: bytes
    status: int | None
    arrives: Arrival | None
    closes: bool = False
    may_begin: bool = False
    is_cut: bool = False
    is_bare: bool = False
    may_continue: bool = False
    limits: Limits | None = None

    @property
    def method(self) -> str:
        return self.data.lstrip(b"\r\n").partition(b" ")[0].decode("latin-1")


HOST = b"Host: a"
GET = b"GET / HTTP/1.1"
POST = b"POST / HTTP/1.1"
CHUNKED = b"Transfer-Encoding: chunked"
FIVE = b"5\r\nhello\r\n0\r\n\r\n"  # "hello" in one chunk
LENGTH_5 = b"content-length: 5"  # as the proxy writes it
IN_CHUNKS = b"transfer-encoding: chunked"

MESSAGE = "RFC 9112 §2.2"
VERSION = "RFC 9112 §2.3"
LINE = "RFC 9112 §3"
METHOD = "RFC 9112 §3.1"
TARGET = "RFC 9112 §3.2"
ORIGIN = "RFC 9112 §3.2.1"
ABSOLUTE = "RFC 9112 §3.2.2"
AUTHORITY = "RFC 9112 §3.2.3"
ASTERISK = "RFC 9112 §3.2.4"
FIELD = "RFC 9112 §5"
FIELD_LINE = "RFC 9112 §5.1"
FOLD = "RFC 9112 §5.2"
CODING = "RFC 9112 §6.1"
BODY_LENGTH = "RFC 9112 §6.3"
CHUNK = "RFC 9112 §7.1"
EXTENSION = "RFC 9112 §7.1.1"
TRAILER = "RFC 9112 §7.1.2"
INCOMPLETE = "RFC 9112 §8"
PERSISTENCE = "RFC 9112 §9.3"
PROTOCOL_VERSION = "RFC 9110 §2.5"
HTTP_URI = "RFC 9110 §4.2.1"
NAME = "RFC 9110 §5.1"
ORDER = "RFC 9110 §5.3"
LIMIT = "RFC 9110 §5.4"
VALUE = "RFC 9110 §5.5"
TRAILER_FIELD = "RFC 9110 §6.5.1"
HOST_FIELD = "RFC 9110 §7.2"
CONNECTION = "RFC 9110 §7.6.1"
MAX_FORWARDS = "RFC 9110 §7.6.2"
UPGRADE = "RFC 9110 §7.8"
LENGTH = "RFC 9110 §8.6"
METHODS = "RFC 9110 §9.1"
EXPECT = "RFC 9110 §10.1.1"
TE_FIELD = "RFC 9110 §10.1.4"
NO_TUNNEL = "RFC 9110 §9.3.6"
NO_TRACE = "RFC 9110 §9.3.8"
URI_TOO_LONG = "RFC 9110 §15.5.15"
TOO_LARGE = "RFC 6585 §5"
HANDSHAKE = "RFC 6455 §4.1"
UNDERSCORE = "RFC 3875 §4.1.18"  # why names with one are ambiguous: "_" and "-" become the same variable
LAW_1 = "law 1"  # the mark of a shadow is ours to set


# --- ways to write a row ---
def _head(*lines: bytes) -> bytes:
    return b"\r\n".join(lines) + b"\r\n\r\n"


def _refused(name: str, rule: str, status: int, data: bytes, **more: Any) -> RequestVector:
    """Nothing reaches the backend, and the connection ends."""
    return RequestVector(name, rule, data, status, None, closes=True, **more)


def _torn(name: str, rule: str, body: bytes, *fields: bytes) -> RequestVector:
    """A chunked upload whose body turns out to be malformed: the backend never gets a whole request."""
    return _refused(name, rule, 400, _head(POST, HOST, CHUNKED, *fields) + body, may_begin=True)


def _bad_extension(name: str, extension: bytes) -> RequestVector:
    return _torn(f"chunk extension {name}", EXTENSION, b"5%b\r\nhello\r\n0\r\n\r\n" % extension)


def _cut(name: str, data: bytes, *, may_begin: bool = False) -> RequestVector:
    return RequestVector(name, INCOMPLETE, data, CLOSED, None, closes=True, is_cut=True, may_begin=may_begin)


def _passed(
    name: str,
    rule: str,
    data: bytes,
    start: bytes = GET,
    *fields: bytes,
    body: bytes = b"",
    host: bytes = b"a",
    behind: tuple[bytes, ...] = (),
    **more: Any,
) -> RequestVector:
    version = b"1.0" if b" HTTP/1.0\r\n" in data else b"1.1"
    return RequestVector(name, rule, data, 200, Arrival(start, fields, host, body, behind, version), **more)


def _upload(name: str, rule: str, *fields: bytes, body: bytes = FIVE) -> RequestVector:
    """A chunked upload of "hello" that passes."""
    return _passed(name, rule, _head(POST, HOST, *fields) + body, POST, IN_CHUNKS, body=b"hello")


def _target(name: str, target: bytes) -> RequestVector:
    """A target in origin form that passes as it is."""
    start = b"GET %b HTTP/1.1" % target
    return _passed(f"target {name}", ORIGIN, _head(start, HOST), start)


def _bad_target(name: str, target: bytes, rule: str = TARGET, method: bytes = b"GET") -> RequestVector:
    return _refused(f"target {name}", rule, 400, _head(b"%b %b HTTP/1.1" % (method, target), HOST))


def _method(name: str, method: bytes) -> RequestVector:
    start = b"%b / HTTP/1.1" % method
    return _passed(f"method {name}", METHODS, _head(start, HOST), start)


def _bad_method(name: str, method: bytes) -> RequestVector:
    return _refused(f"method {name}", METHOD, 400, _head(b"%b / HTTP/1.1" % method, HOST))


def _version(name: str, version: bytes, status: int) -> RequestVector:
    return _refused(
        f"version {name}", PROTOCOL_VERSION if status == 505 else VERSION, status, _head(b"GET / " + version, HOST)
    )


def _host(name: str, value: bytes) -> RequestVector:
    return _passed(f"host {name}", HOST_FIELD, _head(GET, b"Host: " + value), host=value)


def _bad_host(name: str, value: bytes) -> RequestVector:
    return _refused(f"host {name}", TARGET, 400, _head(GET, b"Host: " + value))


def _bad_field(name: str, rule: str, *lines: bytes) -> RequestVector:
    return _refused(f"field {name}", rule, 400, _head(GET, HOST, *lines))


def _bad_length(name: str, *values: bytes) -> RequestVector:
    lines = [b"Content-Length: " + value for value in values]
    return _refused(f"length {name}", LENGTH, 400, _head(POST, HOST, *lines) + b"hello")


def _bad_coding(name: str, status: int, *values: bytes, rule: str = CODING) -> RequestVector:
    lines = [b"Transfer-Encoding: " + value for value in values]
    return _refused(f"coding {name}", rule, status, _head(POST, HOST, *lines) + FIVE)


def _named_by_connection(name: bytes) -> RequestVector:
    data = _head(GET, HOST, b"Connection: keep-alive, " + name)
    return _refused(f"connection names {name.decode()}", CONNECTION, 400, data)


def _own_field(name: bytes, value: bytes, rule: str = CONNECTION) -> RequestVector:
    """A field of the connection itself, which stays on it."""
    data = _head(GET, HOST, name + b": " + value)
    return _passed(f"{name.decode()} is stripped", rule, data)


# --- the rows ---
MESSAGES = (
    _passed("plain GET", ORIGIN, _head(GET, HOST)),
    _passed("empty line before it", MESSAGE, b"\r\n" + _head(GET, HOST)),
    _passed(
        "empty line after a body",
        MESSAGE,
        _head(POST, HOST, b"Content-Length: 5") + b"hello\r\n",
        POST,
        LENGTH_5,
        body=b"hello",
    ),
    _refused("two empty lines before it", MESSAGE, 400, b"\r\n\r\n" + _head(GET, HOST)),
    _refused("100 empty lines before it", MESSAGE, 400, b"\r\n" * 100 + _head(GET, HOST)),
    _refused("empty lines alone", MESSAGE, 400, b"\r\n\r\n", is_bare=True),
    _refused("CR before an empty line", MESSAGE, 400, b"\r\r\n" + _head(GET, HOST)),
    _refused("space before it", MESSAGE, 400, b" " + _head(GET, HOST)),
    _refused("bare LF before it", MESSAGE, 400, b"\n" + _head(GET, HOST)),
    _refused("bare LF after the request line", MESSAGE, 400, b"GET / HTTP/1.1\nHost: a\r\n\r\n"),
    _refused("bare LF after a field", MESSAGE, 400, b"GET / HTTP/1.1\r\nHost: a\nX-A: 1\r\n\r\n"),
    _refused("bare LF for the end", MESSAGE, 400, b"GET / HTTP/1.1\r\nHost: a\r\n\n"),
    _refused("bare LF everywhere", MESSAGE, 400, b"GET / HTTP/1.1\nHost: a\n\n"),
    _refused("bare CR after the request line", MESSAGE, 400, b"GET / HTTP/1.1\rHost: a\r\n\r\n"),
    _refused("bare CR after a field", MESSAGE, 400, b"GET / HTTP/1.1\r\nHost: a\rX-A: 1\r\n\r\n"),
    _refused("CR before a line end", MESSAGE, 400, _head(GET, HOST, b"X-A: 1\r")),
    _refused("TLS", LINE, 400, b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\r\n\r\n", is_bare=True),
    _cut("cut in the request line", b"GET / HT"),
    _cut("cut in the head", b"GET / HTTP/1.1\r\nHost: a\r\n"),
    _cut("cut in a body", _head(POST, HOST, b"Content-Length: 10") + b"hello", may_begin=True),
    _cut("cut in a chunk", _head(POST, HOST, CHUNKED) + b"a\r\nhello", may_begin=True),
    _cut("cut before the last chunk", _head(POST, HOST, CHUNKED) + b"5\r\nhello\r\n", may_begin=True),
    _cut("cut before the last line end", _head(POST, HOST, CHUNKED) + b"5\r\nhello\r\n0\r\n", may_begin=True),
)

VERSIONS = (
    _passed("1.0 without host", PERSISTENCE, _head(b"GET / HTTP/1.0"), host=b"", closes=True),
    _passed("1.0 with host", PERSISTENCE, _head(b"GET / HTTP/1.0", HOST), closes=True),
    _passed(
        "1.0 with a body",
        PERSISTENCE,
        _head(b"POST / HTTP/1.0", HOST, b"Content-Length: 5") + b"hello",
        POST,
        LENGTH_5,
        body=b"hello",
        closes=True,
    ),
    _passed("1.1 with close", PERSISTENCE, _head(GET, HOST, b"Connection: close"), closes=True),
    _refused("0.9", VERSION, 400, b"GET /\r\n", is_bare=True),
    _refused("0.9 with fields", VERSION, 400, _head(b"GET /", HOST), is_bare=True),
    _version("2.0", b"HTTP/2.0", 505),
    _version("3.0", b"HTTP/3.0", 505),
    _version("1.2", b"HTTP/1.2", 505),
    _refused("HTTP/2 preface", PROTOCOL_VERSION, 505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    _version("1.10", b"HTTP/1.10", 400),
    _version("01.1", b"HTTP/01.1", 400),
    _version("1", b"HTTP/1", 400),
    _version("1.", b"HTTP/1.", 400),
    _version("with a letter", b"HTTP/1.x", 400),
    _version("with a comma", b"HTTP/1,1", 400),
    _version("in lower case", b"http/1.1", 400),
    _version("of another protocol", b"HTTPS/1.1", 400),
    _version("with a space behind", b"HTTP/1.1 ", 400),
    _version("with a tab behind", b"HTTP/1.1\t", 400),
    _version("with a space inside", b"HTTP/ 1.1", 400),
    _version("with two spaces before", b" HTTP/1.1", 400),
)

METHOD_ROWS = (
    _method("PROPFIND", b"PROPFIND"),
    _method("PURGE", b"PURGE"),
    _method("M-SEARCH", b"M-SEARCH"),
    _method("in lower case", b"get"),
    _method("in mixed case", b"Get"),
    _method("of odd characters", b"X!#$"),
    _method("of all odd characters", b"!#$%&'*+-.^_`|~09"),
    _method("of 32 letters", b"ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF"),
    _method("of one letter", b"Q"),
    _passed("method HEAD", METHODS, _head(b"HEAD / HTTP/1.1", HOST), b"HEAD / HTTP/1.1"),
    _passed("method DELETE", METHODS, _head(b"DELETE /1 HTTP/1.1", HOST), b"DELETE /1 HTTP/1.1"),
    _refused("method CONNECT", NO_TUNNEL, 405, _head(b"CONNECT a:443 HTTP/1.1", b"Host: a:443")),
    _refused("method TRACE", NO_TRACE, 405, _head(b"TRACE / HTTP/1.1", HOST)),
    _bad_method("with a parenthesis", b"G(T"),
    _bad_method("with an at sign", b"G@T"),
    _bad_method("with a quote", b'G"T'),
    _bad_method("with a colon", b"GET:"),
    _bad_method("with NUL", b"G\x00T"),
    _bad_method("with a control character", b"G\x01T"),
    _bad_method("with a tab", b"GET\t"),
    _bad_method("not in ASCII", b"GE\xe9T"),
    _refused("two spaces after the method", LINE, 400, _head(b"GET  / HTTP/1.1", HOST)),
    _refused("tab after the method", LINE, 400, _head(b"GET\t/ HTTP/1.1", HOST)),
    _refused("method alone", LINE, 400, _head(b"GET", HOST), is_bare=True),
)

TARGETS = (
    _target("with two slashes", b"//a//b"),
    _target("like another authority", b"//evil.example/"),
    _target("with dots", b"/a/../b/./c"),
    _target("with encoded dots", b"/%2e%2E/a"),
    _target("with an encoded slash", b"/a%2fb%2Fc"),
    _target("with a malformed escape", b"/%zz%"),
    _target("with an escaped NUL", b"/%00"),
    _target("with parameters", b"/a;p=1;q"),
    _target("with an empty query", b"/?"),
    _target("with two question marks", b"/?a?b"),
    _target("with an address for a query", b"/?u=http://evil.example/"),
    _target("with characters that need escapes", b'/|{}"<>^`'),
    _target("with a backslash", b"/a\\b"),
    _target("with a colon and an at sign", b"/a:b@c"),
    _passed("target * of OPTIONS", ASTERISK, _head(b"OPTIONS * HTTP/1.1", HOST), b"OPTIONS * HTTP/1.1"),
    _passed("target / of OPTIONS", ASTERISK, _head(b"OPTIONS / HTTP/1.1", HOST), b"OPTIONS / HTTP/1.1"),
    _passed("absolute form", ABSOLUTE, _head(b"GET http://a/b?c HTTP/1.1", HOST), b"GET /b?c HTTP/1.1"),
    _passed("absolute form without a path", ABSOLUTE, _head(b"GET http://a HTTP/1.1", HOST)),
    _passed("absolute form, query only", ABSOLUTE, _head(b"GET http://a?c HTTP/1.1", HOST), b"GET /?c HTTP/1.1"),
    _passed("absolute form in capitals", ABSOLUTE, _head(b"GET HTTP://A/B HTTP/1.1", HOST), b"GET /B HTTP/1.1"),
    _passed(
        "absolute form with a port",
        ABSOLUTE,
        _head(b"GET http://a:81/b HTTP/1.1", b"Host: a:81"),
        b"GET /b HTTP/1.1",
        host=b"a:81",
    ),
    _passed(
        "absolute form, path untouched",
        ABSOLUTE,
        _head(b"GET http://a//b/../%2f? HTTP/1.1", HOST),
        b"GET //b/../%2f? HTTP/1.1",
    ),
    _passed(
        "absolute form of OPTIONS without a path",
        ASTERISK,
        _head(b"OPTIONS http://a HTTP/1.1", HOST),
        b"OPTIONS * HTTP/1.1",
    ),
    _bad_target("of another authority", b"http://evil.example/", ABSOLUTE),
    _bad_target("with a guessed port", b"http://a:80/", ABSOLUTE),
    _refused("target without the port of Host", ABSOLUTE, 400, _head(b"GET http://a/ HTTP/1.1", b"Host: a:80")),
    _bad_target("with userinfo", b"http://u@a/", ABSOLUTE),
    _bad_target("with an empty authority", b"http:///b", HTTP_URI),
    _bad_target("with one slash after the scheme", b"http:/a/b"),
    _bad_target("with a fragment in absolute form", b"http://a/#f"),
    _bad_target("* of GET", b"*", ASTERISK),
    _bad_target("* and more", b"*/a", ASTERISK, b"OPTIONS"),
    _bad_target("in authority form", b"a:443", AUTHORITY),
    _bad_target("in authority form, no port", b"a"),
    _bad_target("that continues the authority", b"@evil.com/"),
    _bad_target("that is a port", b":80/"),
    _bad_target("without a slash", b"a/b"),
    _bad_target("that is a query", b"?a"),
    _bad_target("that is a backslash", b"\\a"),
    _bad_target("with a space", b"/a b"),
    _bad_target("with a tab", b"/a\tb"),
    _bad_target("with NUL", b"/a\x00b"),
    _bad_target("with a control character", b"/a\x01b"),
    _bad_target("with DEL", b"/a\x7fb"),
    _bad_target("with a bare CR", b"/a\rb"),
    _bad_target("not in ASCII", b"/caf\xc3\xa9"),
    _bad_target("with a fragment", b"/a#f", ORIGIN),
    _bad_target("empty", b""),
)

HOSTS = (
    _host("with a port", b"a:8080"),
    _host("in mixed case", b"Shop.Example"),
    _host("in IPv4", b"127.0.0.1:80"),
    _host("in IPv6", b"[::1]"),
    _host("in IPv6 with a port", b"[2001:db8::1]:8080"),
    _host("with underscore and hyphen", b"my_shop-1.example"),
    _refused("host missing", TARGET, 400, _head(GET)),
    _refused("host missing beside others", TARGET, 400, _head(GET, b"X-A: 1")),
    _refused("host twice", TARGET, 400, _head(GET, HOST, b"Host: b")),
    _refused("host twice alike", TARGET, 400, _head(GET, HOST, HOST)),
    _refused("host twice in other cases", TARGET, 400, _head(GET, HOST, b"hOST: b")),
    _refused("host twice in 1.0", TARGET, 400, _head(b"GET / HTTP/1.0", HOST, HOST)),
    _refused("host malformed in 1.0", TARGET, 400, _head(b"GET / HTTP/1.0", b"Host: a@b")),
    _bad_host("empty", b""),
    _bad_host("of spaces", b"   "),
    _bad_host("with userinfo", b"a@b"),
    _bad_host("with a space", b"a b"),
    _bad_host("with a path", b"a/b"),
    _bad_host("with a query", b"a?b"),
    _bad_host("with a fragment", b"a#b"),
    _bad_host("with a comma", b"a, b"),
    _bad_host("with a backslash", b"a\\b"),
    _bad_host("with a scheme", b"http://a"),
    _bad_host("with a named port", b"a:http"),
    _bad_host("with a negative port", b"a:-1"),
    _bad_host("with a port too high", b"a:65536"),
    _bad_host("with two ports", b"a:80:80"),
    _bad_host("of a port alone", b":80"),
    _bad_host("in IPv6 without brackets", b"::1"),
    _bad_host("in IPv6 without an end", b"[::1"),
    _bad_host("in IPv6 with more behind", b"[::1]a"),
    _bad_host("in IPv6 of no digits", b"[zz]"),
    _bad_host("not in ASCII", b"caf\xe9"),
)

FIELDS = (
    _passed(
        "fields in order with duplicates",
        ORDER,
        _head(GET, b"X-B: 1", HOST, b"x-a: 2", b"X-B: 3", b"X-a: 4"),
        GET,
        b"X-B: 1",
        b"x-a: 2",
        b"X-B: 3",
        b"X-a: 4",
    ),
    _passed("field names as spelled", NAME, _head(GET, b"hOsT: a", b"X-iD: 1"), GET, b"X-iD: 1"),
    _passed(
        "two cookie lines", ORDER, _head(GET, HOST, b"Cookie: a=1", b"Cookie: b=2"), GET, b"Cookie: a=1", b"Cookie: b=2"
    ),
    _passed("field empty", VALUE, _head(GET, HOST, b"X-A:", b"X-B: "), GET, b"X-A:", b"X-B: "),
    _passed("field without space", FIELD_LINE, _head(GET, b"Host:a", b"X-A:1"), GET, b"X-A:1"),
    _passed("field between spaces", FIELD_LINE, _head(GET, HOST, b"X-A: \t 1 \t "), GET, b"X-A: \t 1 \t "),
    _passed("field with tab and spaces", VALUE, _head(GET, HOST, b"X-A: a\tb  c"), GET, b"X-A: a\tb  c"),
    _passed("field with obs-text", VALUE, _head(GET, HOST, b"X-A: caf\xe9 \x80\xff"), GET, b"X-A: caf\xe9 \x80\xff"),
    _passed("field with colons", VALUE, _head(GET, HOST, b"X-A: a: b::"), GET, b"X-A: a: b::"),
    _passed("field name of odd characters", NAME, _head(GET, HOST, b"!#$%&'*+-.^`|~9: 1"), GET, b"!#$%&'*+-.^`|~9: 1"),
    _passed("name with underscore", UNDERSCORE, _head(GET, HOST, b"X_User: 1", b"X-B: 2"), GET, b"X-B: 2"),
    _passed("length with underscore", UNDERSCORE, _head(GET, HOST, b"Content_Length: 5")),
    _passed(
        "coding with underscore",
        UNDERSCORE,
        _head(POST, HOST, b"Transfer_Encoding: chunked", b"Content-Length: 5") + b"hello",
        POST,
        LENGTH_5,
        body=b"hello",
    ),
    _bad_field("with a space before the colon", FIELD_LINE, b"X-A : 1"),
    _bad_field("with a tab before the colon", FIELD_LINE, b"X-A\t: 1"),
    _refused("host with a space before the colon", FIELD_LINE, 400, _head(GET, b"Host : a")),
    _refused(
        "length with a space before the colon", FIELD_LINE, 400, _head(POST, HOST, b"Content-Length : 5") + b"hello"
    ),
    _refused(
        "coding with a space before the colon",
        FIELD_LINE,
        400,
        _head(POST, HOST, b"Transfer-Encoding : chunked") + FIVE,
    ),
    _bad_field("folded with a space", FOLD, b"X-A: 1", b" 2"),
    _bad_field("folded with a tab", FOLD, b"X-A: 1", b"\t2"),
    _bad_field("folded empty", FOLD, b"X-A:", b" 2"),
    _bad_field("of a space alone", FOLD, b"X-A: 1", b" "),
    _refused("coding folded", FOLD, 400, _head(POST, HOST, b"Transfer-Encoding:", b" chunked") + FIVE),
    _refused("space before the first field", MESSAGE, 400, _head(GET, b" Host: a")),
    _refused("space before the first field of two", MESSAGE, 400, _head(GET, b" X-A: 1", HOST)),
    _bad_field("with a bare CR in its value", VALUE, b"X-A: a\rb"),
    _bad_field("with a bare CR in its name", NAME, b"X\rA: 1"),
    _bad_field("with NUL in its value", VALUE, b"X-A: a\x00b"),
    _bad_field("with NUL in its name", NAME, b"X\x00A: 1"),
    _bad_field("with control character 1", VALUE, b"X-A: a\x01b"),
    _bad_field("with control character 31", VALUE, b"X-A: a\x1fb"),
    _bad_field("with a vertical tab", VALUE, b"X-A: a\x0bb"),
    _bad_field("with DEL", VALUE, b"X-A: a\x7fb"),
    _bad_field("with a control character in its name", NAME, b"X\x01A: 1"),
    _bad_field("without a name", NAME, b": 1"),
    _bad_field("without a colon", FIELD_LINE, b"X-A"),
    _bad_field("with a space in its name", NAME, b"X A: 1"),
    _bad_field("with a slash in its name", NAME, b"X/A: 1"),
    _bad_field("with a parenthesis in its name", NAME, b"X(A): 1"),
    _bad_field("with a quoted name", NAME, b'"X": 1'),
    _bad_field("with a name not in ASCII", NAME, b"X-\xe9: 1"),
)

LENGTHS = (
    _passed("POST of nothing", LENGTH, _head(POST, HOST, b"Content-Length: 0"), POST, b"content-length: 0"),
    _passed("POST without a length", BODY_LENGTH, _head(POST, HOST), POST),
    _passed(
        "POST with a length",
        BODY_LENGTH,
        _head(POST, HOST, b"Content-Length: 5") + b"hello",
        POST,
        LENGTH_5,
        body=b"hello",
    ),
    _passed(
        "GET with a body",
        BODY_LENGTH,
        _head(GET, HOST, b"Content-Length: 5") + b"hello",
        GET,
        LENGTH_5,
        body=b"hello",
    ),
    _passed(
        "body that looks like a request",
        BODY_LENGTH,
        _head(POST, HOST, b"Content-Length: 38") + b"GET /evil HTTP/1.1\r\nHost: evil.com\r\n\r\n",
        POST,
        b"content-length: 38",
        body=b"GET /evil HTTP/1.1\r\nHost: evil.com\r\n\r\n",
    ),
    _passed(
        "length between spaces",
        FIELD_LINE,
        _head(POST, HOST, b"Content-Length: \t5 ") + b"hello",
        POST,
        LENGTH_5,
        body=b"hello",
    ),
    _refused("length, then coding", BODY_LENGTH, 400, _head(POST, HOST, b"Content-Length: 5", CHUNKED) + FIVE),
    _refused("coding, then length", BODY_LENGTH, 400, _head(POST, HOST, CHUNKED, b"Content-Length: 15") + FIVE),
    _refused("length 0 and coding", BODY_LENGTH, 400, _head(POST, HOST, b"Content-Length: 0", CHUNKED) + FIVE),
    _refused("length and coding of GET", BODY_LENGTH, 400, _head(GET, HOST, b"Content-Length: 5", CHUNKED) + FIVE),
    _bad_length("twice, differing", b"5", b"6"),
    _bad_length("twice, alike", b"5", b"5"),
    _bad_length("as a list, alike", b"5, 5"),
    _bad_length("as a list, differing", b"5,6"),
    _bad_length("with a comma behind", b"5,"),
    _bad_length("negative", b"-5"),
    _bad_length("with a plus sign", b"+5"),
    _bad_length("in hex", b"0x5"),
    _bad_length("in letters", b"five"),
    _bad_length("with a fraction", b"5.0"),
    _bad_length("with an exponent", b"5e0"),
    _bad_length("with an underscore", b"0_5"),
    _bad_length("of two numbers", b"5 5"),
    _bad_length("empty", b""),
    _bad_length("quoted", b'"5"'),
    _bad_length("with a vertical tab", b"\x0b5"),
    _bad_length("in other digits", "５".encode()),
    _bad_length("in a Latin-1 digit", b"\xb2"),
    _bad_length("beyond 64 bits", b"18446744073709551621"),
    _bad_length("of 100 digits", b"9" * 100),
)

CODINGS = (
    _upload("chunked", CHUNK, CHUNKED),
    _upload("chunked in capitals", CODING, b"Transfer-Encoding: CHUNKED"),
    _upload("chunked between spaces", FIELD_LINE, b"Transfer-Encoding:  \tchunked \t"),
    _upload("chunked, name in capitals", CODING, b"TRANSFER-ENCODING: chunked"),
    _passed("chunked GET", CHUNK, _head(GET, HOST, CHUNKED) + FIVE, GET, IN_CHUNKS, body=b"hello"),
    _bad_coding("gzip", 501, b"gzip"),
    _bad_coding("x-gzip", 501, b"x-gzip"),
    _bad_coding("deflate", 501, b"deflate"),
    _bad_coding("compress", 501, b"compress"),
    _bad_coding("identity", 501, b"identity"),
    _bad_coding("gzip, chunked", 501, b"gzip, chunked"),
    _bad_coding("chunked, gzip", 400, b"chunked, gzip", rule=BODY_LENGTH),
    _bad_coding("chunked twice in a list", 400, b"chunked, chunked"),
    _bad_coding("chunked twice in two lines", 400, b"chunked", b"chunked"),
    _bad_coding("gzip and chunked in two lines", 501, b"gzip", b"chunked"),
    _bad_coding("with a comma behind", 400, b"chunked,"),
    _bad_coding("with a comma before", 400, b",chunked"),
    _bad_coding("with a vertical tab", 400, b"\x0bchunked", rule=VALUE),
    _bad_coding("with a form feed", 400, b"chunked\x0c", rule=VALUE),
    _bad_coding("with NUL", 400, b"chunked\x00", rule=VALUE),
    _bad_coding("with a letter before", 400, b"xchunked"),
    _bad_coding("with a letter behind", 400, b"chunkedx"),
    _bad_coding("with a parameter", 400, b"chunked;a=1"),
    _bad_coding("quoted", 400, b'"chunked"'),
    _bad_coding("with a no-break space", 400, b"\xa0chunked"),
    _bad_coding("empty", 400, b""),
    _bad_coding("unknown", 400, b"cow"),
    _refused("coding in 1.0", CODING, 400, _head(b"POST / HTTP/1.0", HOST, CHUNKED) + FIVE),
    _refused(
        "coding and length in 1.0", CODING, 400, _head(b"POST / HTTP/1.0", HOST, CHUNKED, b"Content-Length: 5") + FIVE
    ),
)

CHUNKS = (
    _upload("chunks of several sizes", CHUNK, CHUNKED, body=b"1\r\nh\r\n3\r\nell\r\n1\r\no\r\n0\r\n\r\n"),
    _passed(
        "chunk size in both cases",
        CHUNK,
        _head(POST, HOST, CHUNKED) + b"a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n",
        POST,
        IN_CHUNKS,
        body=b"01234567890123456789",
    ),
    _upload("chunk size with zeros", CHUNK, CHUNKED, body=b"0005\r\nhello\r\n000\r\n\r\n"),
    _upload("chunk size of 16 digits", CHUNK, CHUNKED, body=b"0000000000000005\r\nhello\r\n0\r\n\r\n"),
    _passed("chunks of nothing", CHUNK, _head(POST, HOST, CHUNKED) + b"0\r\n\r\n", POST, IN_CHUNKS),
    _passed(
        "chunk of line ends",
        CHUNK,
        _head(POST, HOST, CHUNKED) + b"9\r\n\r\n0\r\n\r\n\r\n\r\n0\r\n\r\n",
        POST,
        IN_CHUNKS,
        body=b"\r\n0\r\n\r\n\r\n",
    ),
    _upload("chunk extension", EXTENSION, CHUNKED, body=b"5;a=b\r\nhello\r\n0;c\r\n\r\n"),
    _upload("chunk extension, quoted", EXTENSION, CHUNKED, body=b'5;a="q;\\" r"\r\nhello\r\n0\r\n\r\n'),
    _upload("chunk extension between spaces", EXTENSION, CHUNKED, body=b"5 ; a\t = b ;c\r\nhello\r\n0\t;d\r\n\r\n"),
    _upload("chunk extension, quoted empty", EXTENSION, CHUNKED, body=b'5;a="";b="\xe9\t"\r\nhello\r\n0\r\n\r\n'),
    _upload("chunk extension of 200 bytes", EXTENSION, CHUNKED, body=b"5;a=%b\r\nhello\r\n0\r\n\r\n" % (b"b" * 197)),
    _passed(
        "trailers",
        TRAILER_FIELD,
        _head(POST, HOST, CHUNKED, b"Trailer: X-Sum") + b"5\r\nhello\r\n0\r\nX-Sum: 1\r\nHost: evil\r\n\r\n",
        POST,
        IN_CHUNKS,
        body=b"hello",
    ),
    _passed(
        "trailers that speak of framing",
        TRAILER_FIELD,
        _head(POST, HOST, CHUNKED) + b"5\r\nhello\r\n0\r\nContent-Length: 3\r\nAuthorization: x\r\n\r\n",
        POST,
        IN_CHUNKS,
        body=b"hello",
    ),
    _torn("chunk size missing", CHUNK, b"\r\nhello\r\n0\r\n\r\n"),
    _torn("chunk size missing before an extension", CHUNK, b";a=b\r\nhello\r\n0\r\n\r\n"),
    _torn("chunk size with 0x", CHUNK, b"0x5\r\nhello\r\n0\r\n\r\n"),
    _torn("chunk size with a plus sign", CHUNK, b"+5\r\nhello\r\n0\r\n\r\n"),
    _torn("chunk size negative", CHUNK, b"-1\r\nhello\r\n0\r\n\r\n"),
    _torn("chunk size with a space before", CHUNK, b" 5\r\nhello\r\n0\r\n\r\n"),
    _torn("chunk size with a space behind", CHUNK, b"5 \r\nhello\r\n0\r\n\r\n"),
    _torn("chunk size with an underscore", CHUNK, b"0_5\r\nhello\r\n0\r\n\r\n"),
    _torn("chunk size of no digits", CHUNK, b"g\r\nhello\r\n0\r\n\r\n"),
    _torn("chunk size with NUL", CHUNK, b"5\x00\r\nhello\r\n0\r\n\r\n"),
    _torn("chunk size of 17 digits", CHUNK, b"00000000000000005\r\nhello\r\n0\r\n\r\n"),
    _torn("chunk size beyond 64 bits", CHUNK, b"10000000000000005\r\nhello\r\n0\r\n\r\n"),
    _torn("chunk size that a comma follows", CHUNK, b"5,5\r\nhello\r\n0\r\n\r\n"),
    _torn("chunk size ended by a bare LF", CHUNK, b"5\nhello\r\n0\r\n\r\n"),
    _torn("chunk size ended by a bare CR", CHUNK, b"5\rhello\r\n0\r\n\r\n"),
    _torn("second chunk size malformed", CHUNK, b"5\r\nhello\r\nzz\r\n0\r\n\r\n"),
    _bad_extension("without a name", b";"),
    _bad_extension("without names", b";;;"),
    _bad_extension("without name and value", b";="),
    _bad_extension("without a value", b";a="),
    _bad_extension("of a lonely quote", b';a="'),
    _bad_extension("of an open quote", b';a="x'),
    _bad_extension("of a quote escaped at its end", b';a="x\\"'),
    _bad_extension("of two words", b";a b"),
    _bad_extension("with a value of two words", b";a=b c"),
    _bad_extension("with more behind a quote", b';a="b"c'),
    _bad_extension("in parentheses", b";()"),
    _bad_extension("not in ASCII", b";\xff\xfe"),
    _bad_extension("with a comma", b";a,b"),
    _bad_extension("with a space behind", b";a=b "),
    _bad_extension("with a semicolon behind", b";a=b;"),
    _bad_extension("without a semicolon", b" a=b"),
    _torn("last chunk's extension without a name", EXTENSION, b"5\r\nhello\r\n0;\r\n\r\n"),
    _torn("last chunk size with a space behind", CHUNK, b"5\r\nhello\r\n0 \r\n\r\n"),
    _torn("chunk extension ended by a bare LF", EXTENSION, b"5;a\nhello\r\n0\r\n\r\n"),
    _torn("chunk extension with a bare CR", EXTENSION, b"5;a\rb\r\nhello\r\n0\r\n\r\n"),
    _torn("chunk extension with NUL", EXTENSION, b"5;a=\x00\r\nhello\r\n0\r\n\r\n"),
    _torn("chunk extension with a control character", EXTENSION, b'5;a="\x01"\r\nhello\r\n0\r\n\r\n'),
    _torn("chunk extension of 300 bytes", EXTENSION, b"5;a=%b\r\nhello\r\n0\r\n\r\n" % (b"b" * 297)),
    _torn("last chunk's extension with a bare LF", EXTENSION, b"5\r\nhello\r\n0;a\n\r\n"),
    _torn("chunk without a line end", CHUNK, b"5\r\nhello0\r\n\r\n"),
    _torn("chunk ended by other bytes", CHUNK, b"5\r\nhelloXX0\r\n\r\n"),
    _torn("chunk ended by two LF", CHUNK, b"5\r\nhello\n\n0\r\n\r\n"),
    _torn("chunk ended by a bare LF", CHUNK, b"5\r\nhello\n0\r\n\r\n"),
    _torn("chunk ended by a bare CR", CHUNK, b"5\r\nhello\r0\r\n\r\n"),
    _torn("chunk longer than its size", CHUNK, b"3\r\nhello\r\n0\r\n\r\n"),
    _torn("last chunk ended by a bare LF", CHUNK, b"5\r\nhello\r\n0\n\r\n"),
    _torn("chunks ended by a bare LF", CHUNK, b"5\r\nhello\r\n0\r\n\n"),
    _torn("chunks ended by a bare CR", CHUNK, b"5\r\nhello\r\n0\r\n\rX"),
    _torn("trailer without a colon", TRAILER, b"5\r\nhello\r\n0\r\nX-Sum\r\n\r\n"),
    _torn("trailer with a space before the colon", TRAILER, b"5\r\nhello\r\n0\r\nX-Sum : 1\r\n\r\n"),
    _torn("trailer with NUL", TRAILER, b"5\r\nhello\r\n0\r\nX-Sum: \x00\r\n\r\n"),
    _torn("trailer folded", TRAILER, b"5\r\nhello\r\n0\r\nX-Sum: 1\r\n 2\r\n\r\n"),
    _torn("trailer ended by a bare LF", TRAILER, b"5\r\nhello\r\n0\r\nX-Sum: 1\n\r\n"),
)


def _limits(limits: Limits, prefix: str = "") -> tuple[RequestVector, ...]:
    """What each limit allows, and what is a little more, or much."""
    line, head, number = limits.line_bytes, limits.head_bytes, limits.fields
    own = limits if prefix else None
    around = len(b"GET / HTTP/1.1")

    def padded(size: int) -> bytes:
        """So many bytes of a field section, Host and the empty line included."""
        return b"X-A: " + b"b" * (size - len(_head(HOST, b"X-A: ")))

    def passed(name: str, rule: str, start: bytes, *fields: bytes) -> RequestVector:
        return _passed(prefix + name, rule, _head(start, HOST, *fields), start, *fields, limits=own)

    def refused(name: str, rule: str, status: int, data: bytes) -> RequestVector:
        return _refused(prefix + name, rule, status, data, limits=own)

    def of_line(size: int, method: bytes = b"GET") -> bytes:
        return b"%b /%b HTTP/1.1" % (method, b"a" * (size - around + 3 - len(method)))

    return (
        passed("target of a long line", ORIGIN, of_line(line - line // 8)),
        passed("line as long as it may be", ORIGIN, of_line(line)),
        refused("line a byte too long", LINE, 414, _head(of_line(line + 1), HOST)),
        refused("line a byte too long by its method", LINE, 414, _head(of_line(line + 1, b"M" * 20), HOST)),
        refused("target far too long", URI_TOO_LONG, 414, _head(of_line(line * 2), HOST)),
        refused("target without an end", URI_TOO_LONG, 414, b"GET /" + b"a" * (line + 100)),
        refused("method too long", LINE, 414, _head(b"M" * (line + 100) + b" / HTTP/1.1", HOST)),
        refused("method far too long", LINE, 414, _head(b"M" * (line * 7) + b" / HTTP/1.1", HOST)),
        refused("method without an end", LINE, 414, b"M" * (line + 100)),
        passed("field that is long", LIMIT, GET, padded(head - head // 8)),
        passed("fields as long as they may be", LIMIT, GET, padded(head - 2)),
        refused("fields a byte too long", TOO_LARGE, 431, _head(GET, HOST, padded(head - 1))),
        refused("field far too long", TOO_LARGE, 431, _head(GET, HOST, padded(head + head // 8))),
        refused("field name too long", TOO_LARGE, 431, _head(GET, HOST, b"X" * (head + head // 8) + b": 1")),
        refused("fields too long", TOO_LARGE, 431, _head(GET, HOST, *[b"X-A: " + b"b" * (head // 8)] * 8)),
        refused("field without an end", TOO_LARGE, 431, _head(GET, HOST)[:-2] + b"X-A: " + b"b" * (head + head // 8)),
        passed("as many fields as there may be", LIMIT, GET, *[b"X-A: 1"] * (number - 1)),
        refused("a field too many", TOO_LARGE, 431, _head(GET, HOST, *[b"X-A: 1"] * number)),
    )


LIMITS = _limits(Limits(8_192, 65_536, 100, 2_048))
# The same under limits so low that each is cut at every byte.
LOW_LIMITS = _limits(Limits(64, 256, 20, 16), "under low limits, ")

EXPECTATIONS = (
    _passed(
        "100-continue",
        EXPECT,
        _head(POST, HOST, b"Expect: 100-continue", b"Content-Length: 5") + b"hello",
        POST,
        LENGTH_5,
        body=b"hello",
        may_continue=True,
    ),
    _passed(
        "100-continue in capitals",
        EXPECT,
        _head(POST, HOST, b"Expect: 100-CONTINUE", b"Content-Length: 5") + b"hello",
        POST,
        LENGTH_5,
        body=b"hello",
        may_continue=True,
    ),
    _passed(
        "100-continue of chunks",
        EXPECT,
        _head(POST, HOST, b"Expect: 100-continue", CHUNKED) + FIVE,
        POST,
        IN_CHUNKS,
        body=b"hello",
        may_continue=True,
    ),
    _passed(
        "100-continue in 1.0",
        EXPECT,
        _head(b"POST / HTTP/1.0", HOST, b"Expect: 100-continue", b"Content-Length: 5") + b"hello",
        POST,
        LENGTH_5,
        body=b"hello",
        closes=True,
    ),
    _refused("another expectation", EXPECT, 417, _head(POST, HOST, b"Expect: tea", b"Content-Length: 5") + b"hello"),
    _refused("another expectation of GET", EXPECT, 417, _head(GET, HOST, b"Expect: 200-ok")),
    _refused("100-continue and another", EXPECT, 417, _head(GET, HOST, b"Expect: 100-continue, tea")),
    _refused(
        "another expectation in a second line", EXPECT, 417, _head(GET, HOST, b"Expect: 100-continue", b"Expect: tea")
    ),
)

_OPTIONS = b"OPTIONS / HTTP/1.1"

HOPS = (
    RequestVector("forwards spent", MAX_FORWARDS, _head(_OPTIONS, HOST, b"Max-Forwards: 0"), 200, None),
    RequestVector(
        "forwards of * spent", MAX_FORWARDS, _head(b"OPTIONS * HTTP/1.1", HOST, b"Max-Forwards: 0"), 200, None
    ),
    _passed(
        "forwards left", MAX_FORWARDS, _head(_OPTIONS, HOST, b"Max-Forwards: 3"), _OPTIONS, behind=(b"max-forwards: 2",)
    ),
    _passed(
        "last forward", MAX_FORWARDS, _head(_OPTIONS, HOST, b"Max-Forwards: 1"), _OPTIONS, behind=(b"max-forwards: 0",)
    ),
    _passed("forwards of GET", MAX_FORWARDS, _head(GET, HOST, b"Max-Forwards: 0"), behind=(b"max-forwards: 0",)),
    _passed(
        "malformed forwards of GET", MAX_FORWARDS, _head(GET, HOST, b"Max-Forwards: x"), behind=(b"max-forwards: x",)
    ),
    _refused("forwards in letters", MAX_FORWARDS, 400, _head(_OPTIONS, HOST, b"Max-Forwards: x")),
    _refused("forwards negative", MAX_FORWARDS, 400, _head(_OPTIONS, HOST, b"Max-Forwards: -1")),
    _refused("forwards empty", MAX_FORWARDS, 400, _head(_OPTIONS, HOST, b"Max-Forwards:")),
    _refused("forwards twice", MAX_FORWARDS, 400, _head(_OPTIONS, HOST, b"Max-Forwards: 1", b"Max-Forwards: 0")),
    _passed(
        "h2c",
        UPGRADE,
        _head(GET, HOST, b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQ"),
    ),
    _passed(
        "h2c, settings unnamed",
        UPGRADE,
        _head(GET, HOST, b"Connection: Upgrade", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQ"),
    ),
    _passed(
        "h2c with a body",
        UPGRADE,
        _head(POST, HOST, b"Connection: Upgrade", b"Upgrade: h2c", b"Content-Length: 5") + b"hello",
        POST,
        LENGTH_5,
        body=b"hello",
    ),
    _own_field(b"Upgrade", b"foo/2", UPGRADE),
    _own_field(b"Keep-Alive", b"timeout=5"),
    _own_field(b"Proxy-Connection", b"keep-alive"),
    _own_field(b"TE", b"trailers"),
    _own_field(b"Connection", b"keep-alive"),
    _own_field(b"Trailer", b"X-Sum", TRAILER_FIELD),
    _passed(
        "trailers taken",
        TE_FIELD,
        _head(GET, HOST, b"Connection: TE", b"TE: trailers"),
        GET,
        b"te: trailers",
        b"connection: TE",
    ),
    _passed(
        "trailers taken among other codings",
        TE_FIELD,
        _head(POST, HOST, b"TE: gzip;q=0.5 , TRAILERS", b"Connection: keep-alive, te", b"Content-Length: 5") + b"hello",
        POST,
        b"te: trailers",
        b"connection: TE",
        LENGTH_5,
        body=b"hello",
    ),
    _passed(
        "other codings taken",
        TE_FIELD,
        _head(GET, HOST, b"Connection: TE", b"TE: gzip, trailers;q=1"),
    ),
    _passed("TE named and missing", TE_FIELD, _head(GET, HOST, b"Connection: TE")),
    _passed(
        "trailers taken by 1.0",
        TE_FIELD,
        _head(b"GET / HTTP/1.0", HOST, b"Connection: TE", b"TE: trailers"),
        closes=True,
    ),
    _passed(
        "connection names forwards",
        CONNECTION,
        _head(_OPTIONS, HOST, b"Connection: max-forwards", b"Max-Forwards: 0"),
        _OPTIONS,
    ),
    _passed(
        "connection names a proxy's own",
        CONNECTION,
        _head(
            GET,
            HOST,
            b"Via: 1.1 evil",
            b"Connection: via, tracestate, traceparent",
            b"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            b"tracestate: a=b",
        ),
    ),
    _own_field(b"X-Changeover-Shadow", b"1", LAW_1),
    _passed(
        "connection names fields",
        CONNECTION,
        _head(GET, HOST, b"X-Mine: 1", b"Connection: x-mine , X-Other", b"x-other: 2", b"X-Kept: 3"),
        GET,
        b"X-Kept: 3",
    ),
    _passed(
        "two connection lines",
        CONNECTION,
        _head(GET, HOST, b"Connection: x-a", b"X-A: 1", b"X-B: 2", b"Connection: x-b"),
    ),
    _passed(
        "connection names what is not there",
        CONNECTION,
        _head(GET, HOST, b"Connection: ,, x-a ,", b"X-B: 2"),
        GET,
        b"X-B: 2",
    ),
    _named_by_connection(b"host"),
    _named_by_connection(b"Cookie"),
    _named_by_connection(b"AUTHORIZATION"),
    _named_by_connection(b"content-length"),
    _named_by_connection(b"x-forwarded-for"),
    _named_by_connection(b"X-Forwarded-Proto"),
    _named_by_connection(b"x-forwarded-host"),
    _named_by_connection(b"Forwarded"),
    _refused(
        "second connection line names cookie",
        CONNECTION,
        400,
        _head(GET, HOST, b"Connection: close", b"Cookie: a=1", b"Connection: cookie"),
    ),
)

_ASKING = (b"Connection: Upgrade", b"Upgrade: websocket")
_KEY = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
_THIRTEEN = b"Sec-WebSocket-Version: 13"
_SWITCHED = (b"connection: Upgrade", b"upgrade: websocket")
_EVIL = b"POST /admin HTTP/1.1\r\nHost: internal\r\nX-Forwarded-For: 127.0.0.1\r\nX-Changeover-Shadow: 1\r\n\r\n"


def _handshake(name: str, *lines: bytes, behind: bytes = b"") -> RequestVector:
    """One that reaches the backend as such. It answers without switching: what follows is nobody's."""
    data = _head(GET, HOST, *lines)
    return _passed(f"websocket {name}", HANDSHAKE, data + behind, GET, _KEY, _THIRTEEN, behind=_SWITCHED, closes=True)


def _no_handshake(name: str, *lines: bytes, start: bytes = GET, body: bytes = b"", **more: Any) -> RequestVector:
    """One that isn't, or isn't sound: an ordinary request, as h2c's is (RFC 9110 §7.8)."""
    framing = {b"Content-Length: 0": b"content-length: 0", b"Content-Length: 5": LENGTH_5, CHUNKED: IN_CHUNKS}
    left = more.pop("left", [line for line in lines if line.startswith(b"Sec-")])
    return _passed(
        f"no websocket {name}",
        more.pop("rule", HANDSHAKE),
        _head(start, HOST, *lines) + body,
        start.replace(b"1.0", b"1.1"),
        *left,
        *[framing[line] for line in lines if line in framing],
        body=b"hello" if body else b"",
        **more,
    )


WEBSOCKETS = (
    _handshake("alone", *_ASKING, _KEY, _THIRTEEN),
    _handshake("in other cases", b"CONNECTION: keep-alive, UPGRADE", b"uPGRADE: WebSocket", _KEY, _THIRTEEN),
    _handshake("among other offers", b"Connection: upgrade", b"Upgrade: foo/2 , websocket", _KEY, _THIRTEEN),
    _handshake("with a request behind", *_ASKING, _KEY, _THIRTEEN, behind=_EVIL),
    _handshake("with frames behind", *_ASKING, _KEY, _THIRTEEN, behind=b"\x81\x85\x01\x02\x03\x04igohn"),
    _no_handshake("without a key", *_ASKING, _THIRTEEN),
    _no_handshake("with two keys", *_ASKING, _KEY, _KEY, _THIRTEEN),
    _no_handshake("with a short key", *_ASKING, b"Sec-WebSocket-Key: dGhlIHNhbXBsZQ==", _THIRTEEN),
    _no_handshake("with a key of no Base64", *_ASKING, b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZ!==", _THIRTEEN),
    _no_handshake(
        "with a key named by connection",
        b"Connection: Upgrade, Sec-WebSocket-Key",
        *_ASKING,
        _KEY,
        _THIRTEEN,
        left=(_THIRTEEN,),
    ),
    _no_handshake("without a version", *_ASKING, _KEY),
    _no_handshake("with a version in letters", *_ASKING, _KEY, b"Sec-WebSocket-Version: x"),
    _no_handshake("without Connection", b"Upgrade: websocket", _KEY, _THIRTEEN),
    _no_handshake("without Upgrade", b"Connection: Upgrade", _KEY, _THIRTEEN),
    _no_handshake("of another protocol", b"Connection: Upgrade", b"Upgrade: websocket2", _KEY, _THIRTEEN),
    _no_handshake("by POST", *_ASKING, _KEY, _THIRTEEN, start=POST),
    _no_handshake("with length 0", *_ASKING, _KEY, _THIRTEEN, b"Content-Length: 0"),
    _no_handshake("with a body", *_ASKING, _KEY, _THIRTEEN, b"Content-Length: 5", body=b"hello"),
    _no_handshake("by POST with a body", *_ASKING, _KEY, _THIRTEEN, b"Content-Length: 5", start=POST, body=b"hello"),
    _no_handshake("with chunks", *_ASKING, _KEY, _THIRTEEN, CHUNKED, body=FIVE),
    _no_handshake("in 1.0", *_ASKING, _KEY, _THIRTEEN, start=b"GET / HTTP/1.0", rule=UPGRADE, closes=True),
)

REQUESTS: tuple[RequestVector, ...] = (
    *MESSAGES,
    *VERSIONS,
    *METHOD_ROWS,
    *TARGETS,
    *HOSTS,
    *FIELDS,
    *LENGTHS,
    *CODINGS,
    *CHUNKS,
    *LIMITS,
    *LOW_LIMITS,
    *EXPECTATIONS,
    *HOPS,
    *WEBSOCKETS,
)
