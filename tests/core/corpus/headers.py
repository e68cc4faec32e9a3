"""Status and headers."""

from __future__ import annotations

from tests.core.corpus.row import Row, Sent, body, differs, equal, header, sent, status

BODY = ("[1]", "application/json")
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
UUID = "0b1c9d1e-8f3a-4d65-9a55-6a1f0c2b7e11"


def lines(*headers: tuple[str, str]) -> Sent:
    return sent(*BODY, *headers)


def line(name: str, value: str) -> Sent:
    return lines((name, value))


def same(name: str, field: str, before: str, after: str) -> Row:
    return equal(f"headers: {name}", line(field, before), line(field, after))


def other(name: str, field: str, before: str, after: str, path: str = "", shape: str = "value") -> Row:
    return differs(f"headers: {name}", line(field, before), line(field, after), header(path or field, shape))


STATUS = (
    differs(
        "status: an error page is one fault", sent(*BODY), sent("<h1>Oops", "text/html", status=500), status("200→500")
    ),
    differs("status: redirect became answer", sent(status=302), sent(*BODY), status("302→200")),
    differs("status: created became fine", sent(*BODY, status=201), sent(*BODY), status("201→200")),
    equal("status: no body on either side", sent(status=204), sent(status=204)),
    equal("status: same error", sent(*BODY, status=404), sent("[ 1 ]", BODY[1], status=404)),
    differs("status: body vanished", sent(*BODY), sent(b"", BODY[1]), body("$", "body json→empty")),
)

HEADERS = (
    equal("headers: in another order", lines(("x-a", "1"), ("x-b", "2")), lines(("x-b", "2"), ("x-a", "1"))),
    equal("headers: two lines are one list", lines(("x-a", "1"), ("x-a", "2")), line("x-a", "1, 2")),
    differs(
        "headers: order within one name", lines(("x-a", "1"), ("x-a", "2")), line("x-a", "2, 1"), header("x-a", "value")
    ),
    differs("headers: missing", line("x-a", "1"), lines(), header("x-a", "missing")),
    differs("headers: extra", lines(), line("x-frame-options", "DENY"), header("x-frame-options", "extra")),
    other("changed", "x-a", "1", "2"),
    same("date", "date", "Mon, 23 Nov 2026 10:00:00 GMT", "Mon, 23 Nov 2026 10:00:01 GMT"),
    same("server", "server", "nginx", "uvicorn"),
    same("request id", "x-request-id", "1", "2"),
    same("tag of a version", "etag", '"a"', 'W/"b"'),
    differs("headers: tag of a version missing", line("etag", '"a"'), lines(), header("etag", "missing")),
    same("set of names", "vary", "Accept, Accept-Encoding", "accept-encoding,accept"),
    other("set of names grew", "vary", "Accept", "Accept, Cookie"),
    same("cache directives in any order", "cache-control", "no-store, max-age=0", "max-age=0,no-store"),
    other("cache directive changed", "cache-control", "max-age=60", "max-age=600"),
    same("own host in a location", "location", "https://reader.example/a?b=1", "/a?b=1"),
    other("address of new in a location", "location", "/login", "http://127.0.0.1:24302/login"),
    other("own host and address of new", "location", "https://reader.example/a", "http://127.0.0.1:24302/a"),
    same("each its own address in a location", "location", "http://127.0.0.1:24301/a", "http://127.0.0.1:24302/a"),
    other(
        "both the address of legacy in a location", "location", "http://127.0.0.1:24301/a", "http://127.0.0.1:24301/b"
    ),
    other("new sends to legacy's address", "location", "http://127.0.0.1:24302/a", "http://127.0.0.1:24301/a"),
    other("scheme of a location downgraded", "location", "https://reader.example/a", "http://reader.example/a"),
    other("address of new as content-location", "content-location", "/a", "http://127.0.0.1:24302/a"),
    other("other host in a location", "location", "https://reader.example/a", "https://evil.example/a"),
    other("other path in a location", "location", "/a", "/b"),
    same("nonce of a policy", "content-security-policy", "script-src 'nonce-abc1'", "script-src 'nonce-xyz2'"),
    other("policy changed", "content-security-policy", "script-src 'self'", "script-src *"),
    same("value of a cookie", "set-cookie", "session=aaaa; Path=/", "session=bbbb; Path=/"),
    same("attributes in another order", "set-cookie", "a=1; Path=/; HttpOnly", "a=1; httponly; path=/"),
    other("cookie emptied", "set-cookie", "session=a", "session=", "set-cookie.session"),
    other("token became null", "set-cookie", f"session={JWT}", "session=null", "set-cookie.session"),
    other("token became undefined", "set-cookie", "session=abc", "session=undefined", "set-cookie.session"),
    other("uuid became a number", "set-cookie", f"session={UUID}", "session=12", "set-cookie.session"),
    same("another token of the same form", "set-cookie", f"session={JWT}", f"session={JWT}x"),
    other(
        "cookie is no longer deleted",
        "set-cookie",
        "s=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
        "s=1; Expires=Thu, 01 Jan 2037 00:00:00 GMT",
        "set-cookie.s.expires",
    ),
    same(
        "cookie that ends some seconds later",
        "set-cookie",
        "s=1; Expires=Fri, 01 Jan 2037 00:00:00 GMT",
        "s=1; Expires=Fri, 01-Jan-2037 00:00:09 GMT",
    ),
    other("expired became fresh", "expires", "0", "Thu, 01 Jan 2037 00:00:00 GMT"),
    same("fresh for some seconds more", "expires", "Thu, 01 Jan 2037 00:00:00 GMT", "Thu, 01 Jan 2037 00:00:02 GMT"),
    same("expired in two ways", "expires", "0", "Thu, 01 Jan 1970 00:00:00 GMT"),
    other("a day to wait for a second", "retry-after", "1", "86400"),
    equal(
        "headers: time to wait as a date",
        lines(("date", "Mon, 23 Nov 2026 10:00:00 GMT"), ("retry-after", "120")),
        lines(("date", "Mon, 23 Nov 2026 10:00:05 GMT"), ("retry-after", "Mon, 23 Nov 2026 10:02:05 GMT")),
    ),
    other("cookie attribute missing", "set-cookie", "s=1; Secure", "s=1", "set-cookie.s.secure", "missing"),
    other("cookie attribute changed", "set-cookie", "s=1; SameSite=Lax", "s=1; SameSite=None", "set-cookie.s.samesite"),
    differs(
        "headers: cookie missing",
        lines(("set-cookie", "a=1"), ("set-cookie", "b=1; Secure")),
        line("set-cookie", "a=1"),
        header("set-cookie.b", "missing"),
    ),
    equal("headers: ignored", line("x-a", "1"), line("x-a", "2"), ignore_headers=("x-a",)),
    equal(
        "headers: cookie's attribute ignored",
        line("set-cookie", "s=1; Secure"),
        line("set-cookie", "s=1"),
        ignore_headers=("set-cookie.s.secure",),
    ),
    differs(
        "headers: and body",
        sent("[1]", BODY[1], ("x-a", "1")),
        sent("[2]", BODY[1], ("x-a", "2")),
        header("x-a", "value"),
        body("$[*]", "value"),
    ),
    differs(
        "headers: media type of an equal body",
        sent("a", "text/plain"),
        sent("a", "text/html"),
        header("content-type", "value"),
    ),
    differs(
        "headers: profile of a media type",
        sent("[1]", 'application/ld+json; profile="https://a.example/v1"'),
        sent("[1]", 'application/ld+json; profile="https://a.example/v2"'),
        header("content-type.profile", "value"),
    ),
    differs(
        "headers: version of a media type missing",
        sent("[1]", "application/vnd.shop+json; version=2"),
        sent("[1]", "application/vnd.shop+json"),
        header("content-type.version", "missing"),
    ),
    equal(
        "headers: parameter of a media type in quotes",
        sent("a", 'text/plain; Format="flowed"; charset=utf-8'),
        sent("a", "text/plain;charset=UTF-8;format=flowed"),
    ),
    differs(
        "headers: length of what HEAD asks for",
        sent(b"", "application/zip", ("content-length", "900")),
        sent(b"", "application/zip", ("content-length", "90")),
        header("content-length", "value"),
    ),
    equal(
        "headers: length of a document that HEAD asks for",
        sent(b"", BODY[1], ("content-length", "900")),
        sent(b"", BODY[1], ("content-length", "901")),
    ),
    equal("headers: no length", sent(b"", "application/zip", ("content-length", "0")), sent(b"", "application/zip")),
    differs(
        "headers: charset",
        sent("a", "text/plain; charset=utf-8"),
        sent("a", "text/plain"),
        header("content-type.charset", "missing"),
    ),
    equal(
        "headers: length of the same content",
        sent("[1]", BODY[1], ("content-length", "3")),
        sent("[1 ]", BODY[1], ("content-length", "4")),
    ),
    equal("headers: masked credentials are still equal", line("x-api-key", "k1"), line("x-api-key", "k1")),
    other("masked credentials still differ", "x-api-key", "k1", "k2"),
)

ROWS = (*STATUS, *HEADERS)
