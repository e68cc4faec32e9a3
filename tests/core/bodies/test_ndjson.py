"""Lines of JSON and JSON text sequences as lists of records."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.bodies.body import Body
from proxy.core.bodies.read import read_body
from proxy.core.document import parse_document
from tests.core.answers import documents

if TYPE_CHECKING:
    from collections.abc import Callable

NDJSON = "application/x-ndjson"
SEQUENCE = "application/json-seq"


@pytest.mark.parametrize(
    ("content_type", "body", "expected"),
    [
        (NDJSON, b'{"a":1}\n{"a":2}\n', [{"a": 1}, {"a": 2}]),
        ("application/jsonl; charset=utf-8", b'{"a":1}\r\n\r\n[2]', [{"a": 1}, [2]]),
        (NDJSON, b"\xef\xbb\xbf1\ntrue\nnull\n", [1, True, None]),
        (NDJSON, b"\n", []),
        (NDJSON, b'{"a":1}\n{"a":', [{"a": 1}, '{"a":']),
        (NDJSON, b'"x"\nx\n"\\u0078"', ['"x"', "x", '"x"']),
        (NDJSON, '{"a":"\u2028"}\n1'.encode(), [{"a": "\u2028"}, 1]),
        (SEQUENCE, b'\x1e{"a":\n1}\n\x1e2\n', [{"a": 1}, 2]),
        (SEQUENCE, b"\x1e12\n\x1e34", [12, "34 (cut short)"]),
        (SEQUENCE, b"\x1e[1]\x1e\x1e[2", [[1], "[2"]),
        (SEQUENCE, b"x\x1e[1]\n", ["x", [1]]),
        ("application/geo+json-seq", b"[1]\n[2]\n", [[1], [2]]),
    ],
)
def test_records_are_read_one_by_one(content_type: str, body: bytes, expected: list[Any]):
    """A broken record is its text, which no other record is equal to, and the others are still read."""
    assert read_body(content_type, body) == Body("ndjson", expected)


@pytest.mark.parametrize(
    ("content_type", "body", "expected"),
    [
        ("application/json", b'{"a":1}\n{"a":2}\n', Body("ndjson", [{"a": 1}, {"a": 2}])),
        ("application/stream+json", b"[1]\n[2]\n[3", Body("ndjson", [[1], [2], "[3"])),
        ("", b'{"a":1}\n{"a":2}', Body("ndjson", [{"a": 1}, {"a": 2}])),
        ("text/plain", b'{"a":1}\n{"a":2}', Body("text", '{"a":1}\n{"a":2}')),
        ("", b'{"a":1}\nand more', Body("text", '{"a":1}\nand more')),
        ("", b"1\n2", Body("text", "1\n2")),
        ("text/html", b"[1]\n[2]", Body("text", "[1]\n[2]")),
        (NDJSON, b"<h1>\noops", Body("text", "<h1>\noops")),
        (NDJSON, b'{\n"a": 1}', Body("json", {"a": 1})),
    ],
)
def test_records_are_told_from_documents_and_texts(content_type: str, body: bytes, expected: Body):
    """Lines that are each an object or a list are records, whatever they are called; a page is none."""
    assert read_body(content_type, body) == expected


@pytest.mark.parametrize(
    ("content_type", "write"),
    [
        (NDJSON, lambda record: f"{record}\n"),
        (NDJSON, lambda record: f" {record}\r\n\n"),
        (SEQUENCE, lambda record: f"\x1e{record}\n"),
    ],
)
@given(records=st.lists(documents.filter(lambda document: not isinstance(document, str)), min_size=1, max_size=5))
def test_what_was_written_is_read(records: list[Any], content_type: str, write: Callable[[str], str]):
    """Any documents, in any of the notations, come back as they would alone."""
    body = "".join(write(json.dumps(record)) for record in records)
    found = read_body(content_type, body.encode())
    assert found.kind == "ndjson"
    assert json.dumps([parse_document(json.dumps(record)) for record in records]) == json.dumps(found.value)
