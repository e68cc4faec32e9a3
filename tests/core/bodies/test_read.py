"""Bodies read by type and by look, and what may leave the worker."""

from __future__ import annotations

import pytest

from proxy.core.bodies.body import Body
from proxy.core.bodies.read import may_travel, read_body


@pytest.mark.parametrize(
    ("content_type", "body", "expected"),
    [
        ("application/json", b"", Body("empty", None)),
        ("application/json", b'{"a": 1}', Body("json", {"a": 1})),
        ("application/json", b"\xef\xbb\xbf[1]", Body("json", [1])),
        ("application/json", b'"a"', Body("json", "a")),
        ("application/json", b"{a}", Body("text", "{a}")),
        ("", b" [1]", Body("json", [1])),
        ("text/plain", b" [1]", Body("text", " [1]")),
        ("text/plain", b"<html>", Body("text", "<html>")),
        ("text/csv", b"<?xml version='1.0'?><a/>", Body("text", "<?xml version='1.0'?><a/>")),
        ("text/plain", b"1", Body("text", "1")),
        ("", b'{"a":1}', Body("json", {"a": 1})),
        ("text/html", b"[1]", Body("text", "[1]")),
        ("image/png", b"[1]", Body("bytes", b"[1]")),
        ("text/plain", b"\xe9", Body("text", "é")),
        ("application/json", b'\xff\xfe"\x00a\x00"\x00', Body("json", "a")),
        ("application/json", b"\x1f\x8b\x08\x00", Body("bytes", b"\x1f\x8b\x08\x00")),
        ("application/json", b"<h1>", Body("text", "<h1>")),
        ("text/plain", b"\x89PNG\r\n\x1a\n", Body("bytes", b"\x89PNG\r\n\x1a\n")),
        ("text/plain; charset=utf-8", b"\xff", Body("broken text", b"\xff")),
    ],
)
def test_body_is_read_by_type_then_by_look(content_type: str, body: bytes, expected: Body):
    """JSON is found where it is declared, or where nothing else is and it parses."""
    assert read_body(content_type, body) == expected


@pytest.mark.parametrize(
    ("content_type", "body", "expected"),
    [
        ("application/json", b"{}", True),
        ("image/png", b"", True),
        ("text/html; charset=windows-1252", b"\x80", True),
        ("image/png", b"\x89PNG", False),
        ("application/octet-stream", b"text", False),
        ("multipart/form-data; boundary=x", b"--x", False),
        ("application/json", b'"\xff"', False),
        ("text/plain; charset=utf-16", "a".encode("utf-16"), True),
        ("text/plain; charset=utf-16", "a".encode("utf-16-le"), False),
        ("text/plain; charset=utf-7", b"a", False),
    ],
)
def test_only_text_may_travel(content_type: str, body: bytes, expected: object):
    """Law 6: what can't be read can't be masked, so it stays in the worker."""
    assert may_travel(content_type, body) is expected
