"""Records masked one by one: what changes, and that all else stays as it was."""

from __future__ import annotations

import re

import pytest

from proxy.core.mask import Masker
from proxy.core.model import Redaction

MASKER = Masker(Redaction(), b"k" * 16)
MARK = re.compile(r"masked:[a-z]+:[0-9a-f]{12}")


def masked(content_type: str, text: str) -> str:
    """With M in the place of each mark."""
    return MARK.sub("M", MASKER.body(content_type, text.encode()).decode())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": 1}\n{"a" : 2}\n', '{"a": 1}\n{"a" : 2}\n'),
        ('{"pin": "1"}\r\n{"a":"\\n"}\r\n\r\n', '{"pin": "M"}\r\n{"a":"\\n"}\r\n\r\n'),
        ('{"pin": 1}\n\n[2]', '{"pin": "M"}\n\n[2]'),
        ('["a"\n"b"]\n', '["a"\n"b"]\n'),
        ('{"pin": {"a": 1}}\n{"pin": "x', '{"pin": "M"}\n{"pin": "M'),
        ('"pin=x"\n1\n', '"pin=M"\n1\n'),
        ("4111111111111111\n", '"M"\n'),
        ("pin: x\n", "pin: M\n"),
        ("", ""),
    ],
)
def test_lines_are_masked_as_the_documents_they_are(text: str, expected: str):
    """Line ends, blank lines and number forms stay; broken lines are texts."""
    assert masked("application/x-ndjson", text) == expected


def test_sequences_are_masked_record_by_record():
    """RFC 7464's separators stay."""
    text = '\x1e{"pin": "1"}\n\x1e{"pin":\n"2"}\n\x1e3\n'
    assert masked("application/json-seq", text) == '\x1e{"pin": "M"}\n\x1e{"pin":\n"M"}\n\x1e3\n'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('data: {"a": 1}\n\n: x\n\n', 'data: {"a": 1}\n\n: x\n\n'),
        ('id: 1\ndata: {"pin": "x"}\n\n', 'id: 1\ndata: {"pin": "M"}\n\n'),
        ('data: {"pin":\nid: 1\ndata: "x"}\n\n', 'data: {"pin": "M"}\nid: 1\n\n'),
        ('data:{"a":\r\ndata:1}\r\n\r\ndata', 'data: {"a": 1}\r\n\r\ndata'),
        ("data: a\ndata: pin=x\rdata\r\r", "data: a\ndata: pin=M\ndata: \n\r"),
        ('data: "pin\\u003dx"\n\n', 'data: "pin=M"\n\n'),
        ("data: a\ndata: b\n\n", "data: a\ndata: b\n\n"),
    ],
)
def test_data_of_an_event_is_masked_as_one_text(text: str, expected: str):
    """A document in one line; a text in as many lines as it has."""
    assert masked("text/event-stream", text) == expected
