"""Bodies of several parts."""

from __future__ import annotations

import json
from typing import Any

from proxy.core.model import ImageRule
from tests.core.corpus.row import Sent, body, differs, equal, gives_up, header, sent
from tests.core.photos import encoded, make_photo

MIXED = "multipart/mixed; boundary=x"
JSON = "content-type: application/json"
OCTETS = "content-type: application/octet-stream"
PHOTO = make_photo()


def parts(*given: tuple[Any, ...], boundary: str = "x", kind: str = "mixed", end: str = "--") -> Sent:
    """Each part: its lines, and its content last, which is written as JSON unless it is str or bytes."""
    lines = b""
    for *fields, content in given:
        data = (
            content if isinstance(content, bytes) else content.encode() if isinstance(content, str) else _json(content)
        )
        lines += f"--{boundary}\r\n".encode() + b"".join(f"{field}\r\n".encode() for field in fields) + b"\r\n"
        lines += data + b"\r\n"
    return sent(lines + f"--{boundary}{end}\r\n".encode(), f'multipart/{kind}; boundary="{boundary}"')


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def field(name: str, value: str) -> tuple[str, str]:
    return f'Content-Disposition: form-data; name="{name}"', value


def deep(levels: int, text: str) -> Sent:
    inner = sent(text, "text/plain")
    for level in range(levels):
        inner = parts((f"content-type: {inner.headers[0][1]}", inner.body), boundary=f"b{level}")
    return inner


ROWS = (
    equal("multipart: another boundary", parts(("a",)), parts(("a",), boundary="=_0a:9")),
    equal(
        "multipart: what stands around the parts", parts(("a",)), sent(b"Hi\r\n--x\r\n\r\na\r\n--x-- \r\nbye", MIXED)
    ),
    equal(
        "multipart: names in another case and order",
        parts((JSON, "x-a: 1", {"a": 1})),
        parts(("X-A: 1", "Content-Type: application/json; charset=utf-8", {"a": 1})),
    ),
    equal("multipart: a document written otherwise", parts((JSON, '{"a": 1, "b": 2}')), parts((JSON, '{"b":2,"a":1}'))),
    equal("multipart: bytes", parts((OCTETS, b"\0\1")), parts((OCTETS, b"\0\1"), boundary="y")),
    equal(
        "multipart: a rule for each part",
        parts((JSON, {"at": 1}), (JSON, {"at": 2})),
        parts((JSON, {"at": 3}), (JSON, {"at": 4})),
        ignore=("$[*].at",),
    ),
    equal("multipart: a rule for one part", parts((JSON, {"at": 1})), parts((JSON, {"at": 3})), ignore=("$[0]",)),
    equal("multipart: a rule at any depth", parts((JSON, {"at": 1})), parts((JSON, {"at": 3})), ignore=("$..at",)),
    equal(
        "multipart: a rule for a part's header", parts(("x-a: 1", "")), parts(("x-a: 2", "")), ignore=('$[*]["@x-a"]',)
    ),
    equal(
        "multipart: numbers within a tolerance",
        parts((JSON, {"n": 1.0})),
        parts((JSON, {"n": 1.1})),
        tolerance={"$[*].n": 0.2},
    ),
    equal(
        "multipart: a picture by another encoder",
        parts(("content-type: image/jpeg", encoded(PHOTO, quality=90))),
        parts(("content-type: image/jpeg", encoded(PHOTO, quality=70))),
        images=ImageRule(),
    ),
    differs(
        "multipart: a picture upside down",
        parts(("content-type: image/jpeg", encoded(PHOTO, quality=90))),
        parts(("content-type: image/jpeg", encoded(PHOTO.rotate(180), quality=90))),
        body('$[*]["@look"]', "looks different"),
        images=ImageRule(),
    ),
    differs(
        "multipart: a value",
        parts((JSON, {"a": 1}), (JSON, {"a": 2})),
        parts((JSON, {"a": 1}), (JSON, {"a": "2"})),
        body("$[*].a", "number→numeric string"),
    ),
    differs("multipart: a line", parts(("a\nb",)), parts(("a\nc",)), body("$[*]", "line value")),
    differs("multipart: bytes that differ", parts((OCTETS, b"\0\1")), parts((OCTETS, b"\0\2")), body("$[*]", "bytes")),
    differs(
        "multipart: another kind of part",
        parts((JSON, {"a": 1})),
        parts(("content-type: text/plain", "no")),
        body("$[*]", "body json→text"),
    ),
    differs(
        "multipart: a header",
        parts(("content-range: bytes 0-1/9", "ab")),
        parts(("content-range: bytes 0-1/8", "ab")),
        body('$[*]["@content-range"]', "value"),
    ),
    differs(
        "multipart: a header that is missing", parts(("x-a: 1", "ab")), parts(("ab",)), body('$[*]["@x-a"]', "missing")
    ),
    differs(
        "multipart: a part that is missing",
        parts(("a",), ("b",), ("c",)),
        parts(("a",), ("c",)),
        body("$[*]", "missing"),
    ),
    differs("multipart: a part too many", parts(("a",)), parts(("a",), ("b",)), body("$[*]", "extra")),
    differs("multipart: another order", parts(("a",), ("b",)), parts(("b",), ("a",)), body("$", "reordered")),
    differs(
        "multipart: another kind of multipart",
        parts(("a",)),
        parts(("a",), kind="related"),
        header("content-type", "value"),
    ),
    differs("multipart: without an end", parts(("a",)), parts(("a",), end=""), body("$", "body multipart→bytes")),
    differs("multipart: both without an end", parts(("a",), end=""), parts(("b",), end=""), body("$", "bytes")),
    differs(
        "multipart: no boundary",
        sent(b"--x\r\n\r\na\r\n--x--", "multipart/mixed"),
        sent(b"--x\r\n\r\nb\r\n--x--", "multipart/mixed"),
        body("$", "bytes"),
    ),
    differs(
        "multipart: a line without a colon", parts(("nonsense", "a")), parts(("nonsense", "b")), body("$", "bytes")
    ),
    differs(
        "multipart: became a document",
        parts(("a",)),
        sent({"a": 1}, "application/json"),
        body("$", "body multipart→json"),
    ),
    differs(
        "multipart: a form's field",
        parts(field("a", "1"), kind="form-data"),
        parts(field("a", "x"), kind="form-data"),
        body("$[*]", "line value"),
    ),
    differs(
        "multipart: a form's secret",
        parts(field("password", "one"), kind="form-data"),
        parts(field("password", "two"), kind="form-data"),
        body("$[*]", "line value"),
    ),
    differs("multipart: in multipart", deep(2, "a"), deep(2, "b"), body("$[*][*]", "line value")),
    differs("multipart: in multipart without end", deep(6, "a"), deep(6, "b"), body("$[*][*][*]", "bytes")),
    differs(
        "multipart: base64",
        parts(("content-transfer-encoding: base64", "YQ==")),
        parts(("content-transfer-encoding: base64", "YR==")),
        body("$[*]", "bytes"),
    ),
    differs("multipart: very many parts", parts(*[("a",)] * 300), parts(*[("a",)] * 299, ("b",)), body("$", "bytes")),
    gives_up("multipart: over the limit", parts(("a" * 100_000,)), parts(("a" * 100_001,)), "size"),
    gives_up(
        "multipart: a document that is nested too deeply",
        parts((JSON, "[" * 300 + "]" * 300)),
        parts((JSON, "[" * 301 + "]" * 301)),
        "depth",
    ),
)
