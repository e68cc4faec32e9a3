"""Text: lines, charsets, and what is no text although it says so."""

from __future__ import annotations

import gzip

from tests.core.corpus.row import Row, Sent, body, differs, equal, header, sent

PLAIN = "text/plain"
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
LONG = "word " * 5_000
CHARSET = '$["@charset"]'
PAGES = "<!doctype html><p a=1 b=2>x", "<!doctype html><p b=2 a=1>x</p>"


def plain(text: str | bytes) -> Sent:
    return sent(text, PLAIN)


def changed(name: str, before: str | bytes, after: str | bytes, *shapes: str, path: str = "$") -> Row:
    return differs(f"text: {name}", plain(before), plain(after), *(body(path, shape) for shape in shapes))


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

DECLARED = (
    changed("that looks like JSON is text", '{"a": 1}', '{"a":1}', "line value"),
    changed("that looks like a page is text", *PAGES, "line value"),
    changed("that looks like XML is text", "<?xml version='1.0'?><a/>", "<?xml version='1.0'?><a></a>", "line value"),
    changed("that looks like lines of JSON is text", '{"a": 1}\n{"a": 2}', '{"a":1}\n{"a": 2}', "line value"),
    equal("text: without a type it is what it looks like", sent('{"a": 1}'), sent('{"a":1}')),
    differs(
        "text: beside JSON it is JSON",
        plain('{"a": 1, "b": 2}'),
        sent('{"b":3,"a":1}', "application/json"),
        header("content-type", "value"),
        body("$.b", "value"),
    ),
    differs(
        "text: JSON under the type of pages beside JSON",
        sent('{"a": 1}', "text/html"),
        sent('{"a":1}', "application/json"),
        header("content-type", "value"),
    ),
    differs(
        "text: beside a page it is a page",
        plain(PAGES[0]),
        sent(PAGES[1], "text/html"),
        header("content-type", "value"),
    ),
    differs("text: beside JSON but none", plain("a: 1"), sent([1], "application/json"), body("$", "body text→json")),
    equal("text: declared JSON that is a page", *(sent(text, "application/json") for text in PAGES)),
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
    changed(
        "undeclared windows-1252, now UTF-8",
        "prix: 3 €".encode("cp1252"),
        "prix: 3 €",
        "charset windows-1252→utf-8",
        path=CHARSET,
    ),
    equal(
        "charset: undeclared and ignored",
        plain("prix: 3 €".encode("cp1252")),
        plain("prix: 3 €"),
        ignore=(CHARSET,),
    ),
    equal("charset: undeclared and all of it ASCII", plain("a"), plain("a")),
    differs(
        "charset: a page's own word",
        sent("<meta charset=latin1><p>é".encode("latin-1"), "text/html"),
        sent("<meta charset=utf-8><p>é", "text/html"),
        body('$.html.head.meta["@charset"]', "value"),
    ),
    equal(
        "charset: XML's own word",
        sent('<?xml version="1.0" encoding="iso-8859-1"?><a>é</a>'.encode("latin-1"), "text/xml"),
        sent('<?xml version="1.0" encoding="utf-8"?><a>é</a>', "text/xml"),
    ),
    equal("charset: XML's mark", sent("\ufeff<a>é</a>".encode("utf-16-le"), "text/xml"), sent("<a>é</a>", "text/xml")),
    differs(
        "charset: UTF-32 by its mark",
        sent("\ufeffé".encode("utf-32-le"), "text/plain; charset=utf-32"),
        sent("é", "text/plain; charset=utf-8"),
        header("content-type.charset", "value"),
    ),
    differs(
        "charset: unknown on one side",
        sent("é", "text/plain; charset=klingon"),
        sent("é", "text/plain; charset=utf-8"),
        header("content-type.charset", "value"),
    ),
    differs(
        "charset: unknown on both sides",
        sent("é a", "text/plain; charset=utf8mb4"),
        sent("é b", "text/plain; charset=utf8mb4"),
        body("$", "line value"),
    ),
    changed("undeclared windows-1252", "prix: € un".encode("cp1252"), "prix: € deux".encode("cp1252"), "line value"),
    changed(
        "UTF-16 by its mark",
        "\ufeffé".encode("utf-16-le"),
        "\ufeffé".encode("utf-16-be"),
        "charset utf-16-le with a mark→utf-16-be with a mark",
        path=CHARSET,
    ),
    differs(
        "charset: JSON in UTF-16",
        sent("\ufeff[1]".encode("utf-16-le"), "application/json"),
        sent("[1]", "application/json"),
        body(CHARSET, "charset utf-16-le with a mark→utf-8"),
    ),
    equal(
        "charset: mark against the header",
        sent("\ufeffé", "text/plain; charset=iso-8859-1"),
        sent("\ufeffé", "text/plain; charset=iso-8859-1"),
    ),
    changed("mark missing", "\ufeffa", "a", "charset utf-8 with a mark→utf-8", path=CHARSET),
    differs(
        "charset: broken UTF-8",
        sent("é", "text/plain; charset=utf-8"),
        sent(b"\xe9", "text/plain; charset=utf-8"),
        body("$", "body text→broken text"),
    ),
    differs(
        "charset: JSON in Latin-1",
        sent(b'{"a": "\xe9"}', "application/json"),
        sent({"a": "é"}, "application/json"),
        body("$", "body broken text→json"),
    ),
    *(
        differs(
            f"charset: {name} on both sides",
            sent(control, content_type),
            sent(candidate, content_type),
            body("$", "bytes"),
            reason="charset",
        )
        for name, content_type, control, candidate in (
            ("broken UTF-8", "text/plain; charset=utf-8", b"\xe9 1", b"\xe9 2"),
            ("JSON in Latin-1", "application/json", b'{"a": "\xe9", "b": 1}', b'{"a": "\xe9", "b": 2}'),
            ("unknown and no UTF-8", "text/plain; charset=klingon", b"\xe9 1", b"\xe9 2"),
            ("one without ASCII", "text/plain; charset=cp037", b"\x81", b"\x82"),
            ("one that hides ASCII", "text/plain; charset=utf-7", b"+AGE-", b"+AGI-"),
        )
    ),
    equal(
        "charset: broken UTF-8 that is the same, coded or not",
        sent(b"\xe9", "text/plain; charset=utf-8", ("vary", "a")),
        sent(b"\xe9", "text/plain; charset=utf-8", ("vary", "A")),
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

ROWS = (*LINES, *DECLARED, *CHARSETS, *LIES)
