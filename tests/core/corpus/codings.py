"""Content codings: undone, cut short, lied about, and bombs."""

from __future__ import annotations

import gzip
import zlib

import brotli  # type: ignore[import-untyped]  # the package has no type hints
from backports import zstd

from tests.core.corpus.row import Sent, body, differs, equal, gives_up, header, sent

DOC = b'{"a": 1}'
OTHER = b'{"a": 2}'
FONT = b"\x00\x01\x00\x00" + bytes(range(256)) * 4
BOMB = b'"' + b" " * 5_000_000 + b'"'


def coded(content: bytes, coding: str, content_type: str = "application/json") -> Sent:
    """Sent as packed as the coding says, from the first to the last one named."""
    for name in coding.split(", "):
        content = PACK[name](content)
    return as_sent(content, coding, content_type)


def as_sent(wire: bytes, coding: str, content_type: str = "application/json") -> Sent:
    return sent(wire, content_type, ("content-encoding", coding))


PACK = {"gzip": gzip.compress, "deflate": zlib.compress, "br": brotli.compress, "zstd": zstd.compress}

ROWS = (
    *(equal(f"codings: {name}, white space", coded(DOC, name), coded(b'{"a":1}', name)) for name in PACK),
    *(
        differs(f"codings: {name}, changed", coded(DOC, name), coded(OTHER, name), body("$.a", "value"))
        for name in PACK
    ),
    *(
        gives_up(f"codings: {name} cut short", coded(DOC, name), as_sent(PACK[name](OTHER)[:-3], name), "encoding")
        for name in PACK
    ),
    *(gives_up(f"codings: {name} that isn't", as_sent(DOC, name), as_sent(OTHER, name), "encoding") for name in PACK),
    *(gives_up(f"codings: {name} bomb", coded(DOC, name), coded(BOMB, name), "size") for name in PACK),
    gives_up("codings: bomb in a bomb", coded(DOC, "zstd, gzip"), coded(BOMB, "zstd, gzip"), "size"),
    equal("codings: one in the other", coded(DOC, "br, gzip"), coded(b'{"a":1}', "br, gzip")),
    equal(
        "codings: two members of gzip",
        as_sent(gzip.compress(b'{"a"') + gzip.compress(b": 1}"), "gzip"),
        coded(DOC, "gzip"),
    ),
    equal(
        "codings: two frames of zstd",
        as_sent(zstd.compress(b'{"a"') + zstd.compress(b": 1}"), "zstd"),
        coded(DOC, "zstd"),
    ),
    equal(
        "codings: deflate without its wrapper",
        as_sent(zlib.compress(DOC)[2:-4], "deflate"),
        coded(b'{"a":1}', "deflate"),
    ),
    equal("codings: another level", as_sent(gzip.compress(DOC, 1), "gzip"), as_sent(gzip.compress(DOC, 9), "gzip")),
    differs(
        "codings: not compressed any more",
        coded(DOC, "gzip"),
        sent(b'{"a":1}', "application/json"),
        header("content-encoding", "missing"),
    ),
    equal(
        "codings: whether compressed, ignored",
        coded(DOC, "gzip"),
        sent(b'{"a":1}', "application/json"),
        ignore_headers=("content-encoding",),
    ),
    gives_up("codings: unknown", as_sent(DOC, "compress"), as_sent(OTHER, "compress"), "encoding"),
    equal("codings: unknown, and the same bytes", as_sent(DOC, "compress"), as_sent(DOC, "compress")),
    equal(
        "codings: bytes compressed in another way",
        as_sent(gzip.compress(FONT, 1), "gzip", "font/ttf"),
        as_sent(gzip.compress(FONT, 9), "gzip", "font/ttf"),
    ),
    differs(
        "codings: other compressed bytes",
        coded(FONT, "gzip", "font/ttf"),
        coded(FONT + b"!", "gzip", "font/ttf"),
        body("$", "bytes"),
    ),
    differs(
        "codings: compressed twice without saying so",
        coded(DOC, "gzip"),
        coded(gzip.compress(DOC), "gzip"),
        body("$", "body json→bytes"),
    ),
    equal("codings: empty body", as_sent(b"", "gzip"), as_sent(b"", "gzip")),
)
