"""Text: lines, charsets, and what is no text although it says so."""

from __future__ import annotations

import gzip

from tests.core.corpus.row import Row, Sent, body, differs, equal, header, sent

PLAIN = "text/plain"
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
LONG = "word " * 5_000


def plain(text: str | bytes) -> Sent:
    return sent(text, PLAIN)


def changed(name: str, before: str | bytes, after: str | bytes, *shapes: str) -> Row:
    return differs(f"text: {name}", plain(before), plain(after), *(body("$", shape) for shape in shapes))


LINES = (
    changed("line changed", "a\nb\nc", "a\nx\nc", "line value"),
    changed("line inserted", "a\nc", "a\nb\nc", "line extra"),
    changed("line removed", "a\nb\nc", "a\nc", "line missing"),
    changed("last line end", "a\n", "a", "line missing"),
    changed("line ends", "a\nb\n", "a\r\nb\r\n", "line white space"),
    changed("numbers", "3 unread", "4 unread", "line numbers"),
    changed("escaped", "a & b", "a &amp; b", "line html-escaped"),
    changed("letter case", "Hello", "hello", "line letter case"),
    changed("white space", "a  b", "a b", "line white space"),
    changed("unicode form", "\u00e9", "e\u0301", "line unicode form"),
    changed("date", "2026-01-02T03:04:05Z", "2026-01-02 03:04:05", "line datetime format"),
    changed("three faults", "a &\n1\nz\n", "a &amp;\n2\nz\nq\n", "line html-escaped", "line numbers", "line extra"),
    changed("a thousand lines with one fault", "a & b\n" * 1_000, "a &amp; b\n" * 1_000, "line html-escaped"),
    changed("end of a long line", f"{LONG}a", f"{LONG}b", "line value"),
    changed("broken JSON", "{a: x}", "{a: y}", "line value"),
    changed("a number", "1", "2", "line numbers"),
    differs("text: table", sent("id,n\n1,x\n", "text/csv"), sent("id,n\n1,y\n", "text/csv"), body("$", "line value")),
    differs(
        "text: style sheet", sent("a { b: c }", "text/css"), sent("a { b: d }", "text/css"), body("$", "line value")
    ),
    differs(
        "text: script",
        sent("f(1);\ng();", "application/javascript"),
        sent("f(1);\nh();", "application/javascript"),
        body("$", "line value"),
    ),
    differs("text: YAML", sent("a: x", "application/yaml"), sent("a: y", "application/yaml"), body("$", "line value")),
    differs("text: undeclared", sent("a"), sent("b"), body("$", "line value")),
    equal("text: masked values are still equal", plain("password: one"), plain("password: one")),
    changed("masked values still differ", "password: one", "password: two", "line value"),
)

CHARSETS = (
    differs(
        "charset: UTF-8 instead of Latin-1",
        sent("é".encode("latin-1"), "text/plain; charset=iso-8859-1"),
        sent("é", "text/plain; charset=utf-8"),
        header("content-type.charset", "value"),
    ),
    differs(
        "charset: lost in between",
        sent("é", "text/plain; charset=utf-8"),
        sent("Ã©", "text/plain; charset=utf-8"),
        body("$", "line value"),
    ),
    equal("charset: undeclared windows-1252 and UTF-8", plain("prix: 3 €".encode("cp1252")), plain("prix: 3 €")),
    changed("undeclared windows-1252", "prix: € un".encode("cp1252"), "prix: € deux".encode("cp1252"), "line value"),
    equal("charset: UTF-16 by its mark", plain("\ufeffé".encode("utf-16-le")), plain("\ufeffé".encode("utf-16-be"))),
    equal(
        "charset: JSON in UTF-16",
        sent("\ufeff[1]".encode("utf-16-le"), "application/json"),
        sent("[1]", "application/json"),
    ),
    equal(
        "charset: mark against the header",
        sent("\ufeffé", "text/plain; charset=iso-8859-1"),
        sent("\ufeffé", "text/plain; charset=iso-8859-1"),
    ),
    changed("mark missing", "\ufeffa", "a", "line value"),
    differs(
        "charset: broken UTF-8",
        sent("é", "text/plain; charset=utf-8"),
        sent(b"\xe9", "text/plain; charset=utf-8"),
        body("$", "body text→bytes"),
    ),
    differs(
        "charset: unknown",
        sent(b"a", "text/plain; charset=klingon"),
        sent(b"b", "text/plain; charset=klingon"),
        body("$", "bytes"),
    ),
)

LIES = (
    differs(
        "lies: JSON that is a page",
        sent("[1]", "application/json"),
        sent("<!doctype html><h1>Oops", "application/json"),
        body("$", "body json→html"),
    ),
    differs(
        "lies: JSON that is a text",
        sent("[1]", "application/json"),
        sent("upstream timed out", "application/json"),
        body("$", "body json→text"),
    ),
    differs(
        "lies: JSON that is gzip",
        sent("[1]", "application/json"),
        sent(gzip.compress(b"[1]"), "application/json"),
        body("$", "body json→bytes"),
    ),
    differs(
        "lies: JSON that is gzip on both sides",
        sent(gzip.compress(b"[1]"), "application/json"),
        sent(gzip.compress(b"[2]"), "application/json"),
        body("$", "bytes"),
    ),
    differs("lies: text that is a picture", plain("a"), plain(PNG), body("$", "body text→bytes")),
    differs("lies: text that is a picture on both sides", plain(PNG), plain(PNG + b"!"), body("$", "bytes")),
    differs("lies: text that is gzip", plain("a"), plain(gzip.compress(b"a")), body("$", "body text→bytes")),
    differs("lies: text that is JSON", plain('{"a": 1}'), plain('{"a": 2}'), body("$.a", "value")),
    differs(
        "lies: a page that is JSON",
        sent("<p>", "text/html"),
        sent("[1]", "application/json"),
        body("$", "body html→json"),
    ),
    differs(
        "lies: broken JSON on one side",
        sent('{"a": 1}', "application/json"),
        sent('{"a": 1', "application/json"),
        body("$", "body json→text"),
    ),
    differs("lies: NUL in a text", plain("ab"), plain(b"a\x00b"), body("$", "body text→bytes")),
    differs(
        "lies: two types",
        sent("[1]", "application/json", ("content-type", "text/html")),
        sent("[2]", "application/json", ("content-type", "text/html")),
        body("$[*]", "value"),
    ),
    differs("lies: a type that is none", sent("[1]", ";;=,"), sent("[2]", ";;=,"), body("$[*]", "value")),
)

ROWS = (*LINES, *CHARSETS, *LIES)
