"""What a Content-Type says about a body."""

from __future__ import annotations

import pytest

from proxy.core.content_type import ContentType, parse_content_type


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", ContentType("")),
        ("application/json", ContentType("application/json")),
        (' Text/HTML ; Charset="UTF-8"; x=1', ContentType("text/html", "utf-8")),
        ("text/html;;charset=", ContentType("text/html")),
    ],
)
def test_content_type_is_taken_apart(value: str, expected: ContentType):
    """Type and charset come in lower case, whatever the spelling (RFC 9110 §8.3.1)."""
    assert parse_content_type(value) == expected


@pytest.mark.parametrize(
    ("essence", "expected"),
    [
        ("application/x-ndjson", (True, False, False)),
        ("application/ndjson", (True, False, False)),
        ("application/jsonl", (True, False, False)),
        ("application/json-seq", (True, False, False)),
        ("application/geo+json-seq", (True, False, False)),
        ("text/event-stream", (False, True, False)),
        ("application/x-www-form-urlencoded", (False, False, True)),
        ("application/json", (False, False, False)),
        ("text/plain", (False, False, False)),
    ],
)
def test_content_type_knows_forms_of_text(essence: str, expected: tuple[bool, bool, bool]):
    """Records, events, forms: all of them are text, and no single document."""
    found = ContentType(essence)
    assert (found.is_records, found.is_events, found.is_form) == expected
    assert found.is_text
    assert found.is_json == (essence == "application/json")


@pytest.mark.parametrize(
    ("essence", "is_json", "is_text", "may_be_json", "is_markup"),
    [
        ("", False, True, True, False),
        ("application/json", True, True, True, False),
        ("application/problem+json", True, True, True, False),
        ("text/plain", False, True, True, False),
        ("text/html", False, True, False, True),
        ("image/svg+xml", False, True, True, True),
        ("application/x-www-form-urlencoded", False, True, True, False),
        ("application/octet-stream", False, False, True, False),
        ("image/png", False, False, True, False),
        ("multipart/form-data", False, False, True, False),
        ("application/grpc", False, False, True, False),
    ],
)
def test_content_type_knows_its_kind(essence: str, is_json: bool, is_text: bool, may_be_json: bool, is_markup: bool):
    """Only known kinds of text count as text."""
    found = ContentType(essence)
    assert (found.is_json, found.is_text, found.may_be_json, found.is_markup) == (
        is_json,
        is_text,
        may_be_json,
        is_markup,
    )
