"""Bytes: what nobody looks into."""

from __future__ import annotations

from tests.core.corpus.row import body, differs, equal, gives_up, header, sent

OCTETS = "application/octet-stream"
FILE = bytes(range(256)) * 20

ROWS = (
    equal("bytes: same", sent(FILE, OCTETS, ("x-a", "1")), sent(FILE, OCTETS, ("x-a", "1"), ("date", "now"))),
    differs("bytes: one changed", sent(FILE, OCTETS), sent(FILE[:500] + b"!" + FILE[501:], OCTETS), body("$", "bytes")),
    differs("bytes: cut short", sent(FILE, OCTETS), sent(FILE[:-1], OCTETS), body("$", "bytes")),
    differs("bytes: longer", sent(FILE, OCTETS), sent(FILE + b"!", OCTETS), body("$", "bytes")),
    differs("bytes: vanished", sent(FILE, OCTETS), sent(b"", OCTETS), body("$", "body bytes→empty")),
    differs("bytes: became a text", sent(FILE, OCTETS), sent("not found", "text/plain"), body("$", "body bytes→text")),
    differs(
        "bytes: same under another name",
        sent(FILE, OCTETS),
        sent(FILE, "application/zip"),
        header("content-type", "value"),
    ),
    differs("bytes: over the limit", sent(FILE * 30, OCTETS), sent(FILE * 30 + b"!", OCTETS), body("$", "bytes")),
    differs("bytes: text under their type", sent("a", OCTETS), sent("b", OCTETS), body("$", "bytes")),
    differs(
        "bytes: several parts",
        sent("--x\r\n\r\na", "multipart/mixed; boundary=x"),
        sent("--x\r\n\r\nb", "multipart/mixed; boundary=x"),
        body("$", "bytes"),
    ),
    differs(
        "bytes: protocol buffers",
        sent(b"\x08\x01", "application/grpc"),
        sent(b"\x08\x02", "application/grpc"),
        body("$", "bytes"),
    ),
    gives_up(
        "bytes: text over the limit", sent("a" * 120_000, "text/plain"), sent("a" * 120_001, "text/plain"), "size"
    ),
    equal("bytes: equal text over the limit", sent("a" * 120_000, "text/plain"), sent("a" * 120_000, "text/plain")),
    gives_up(
        "bytes: document over the limit",
        sent([0] * 60_000, "application/json"),
        sent([1] * 60_000, "application/json"),
        "size",
    ),
)
