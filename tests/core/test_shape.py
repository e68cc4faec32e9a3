"""Shapes of change: the documented vocabulary, one word for one kind of fault, never a value."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.document import Token
from proxy.core.shape import shape_of, shape_of_line
from tests.core.answers import documents


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (1, 2, "value"),
        (1.5, 2.5, "value"),
        (True, False, "value"),
        ("a", "b", "value"),
        (1, 1.0, "integer→float"),
        (1.5, 1, "float→integer"),
        (Decimal("1e400"), 1.5, "value"),
        (Decimal("1e1000000"), Decimal("1e1000001"), "value"),
        (Decimal("1e600000"), Decimal("1.5e600000"), "value"),
        (Decimal("1.24e-9999999"), Decimal("1.2e-9999999"), "rounded"),
        (Token("1e99999999999999999999"), 1.5, "value"),
        (Token("1e99999999999999999999"), 1, "float→integer"),
        (Token("9" * 5000), 1, "value"),
        (Token("NaN"), 1.5, "not a number→number"),
        (Token("NaN"), None, "not a number→null"),
        (3, "3", "number→numeric string"),
        (3.5, "3.5", "number→numeric string"),
        (3.5, " 4e1 ", "number→numeric string"),
        ("3", 3, "numeric string→number"),
        (3, "three", "number→string"),
        (3, None, "number→null"),
        (3.5, None, "number→null"),
        ("3", None, "string→null"),
        (None, "3", "null→string"),
        (None, "", "null→empty string"),
        ("", 0, "empty string→number"),
        (3.14159, 3.14, "rounded"),
        (3.149, 3.1, "rounded"),
        (3.1, 3.149, "rounded before"),
        (3.149, 3.5, "value"),
        (0.1, 0.2, "value"),
        (3.0, 3.5, "value"),
        (3.99, 4.0, "rounded"),
        (-3.149, -3.1, "rounded"),
        (3.19, 3.1, "rounded"),
        (0.04, -0.04, "value"),
        (1e300, 1.5, "value"),
        ("The quick brown fox", "The quick brown", "cut short"),
        ("The quick brown fox", "The quick …", "cut short"),
        ("The quick...", "The quick brown fox", "cut short before"),
        ("The quick brown fox", "The", "value"),
        (1, True, "number→boolean"),
        ("true", True, "string→boolean"),
        ([], {}, "list→object"),
        ({}, None, "object→null"),
        ("a", "", "string→empty string"),
        ("", "a", "empty string→string"),
        ("a & b", "a &amp; b", "html-escaped"),
        ("a &amp; <b>", "a &amp;amp; &lt;b&gt;", "html-escaped"),
        ("&lt;b&gt;", "<b>", "html-unescaped"),
        ("a  b\n", "a b", "white space"),
        ("Ann", "ANN", "letter case"),
        ("caf\u00e9", "cafe\u0301", "unicode form"),
        ("2026-01-02T03:04:05Z", "2026-01-02 03:04:05", "datetime format"),
        ("2026-01-02T03:04:05Z", "2026-01-02T04:04:05+01:00", "time zone"),
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05+01:00", "time zone"),
        ("2026-01-02T03:04:05+01:00", "2026-01-02T03:04:05", "time zone"),
        ("2026-01-02T03:04:05Z", "2026-01-02T02:04:05Z", "shifted by hours"),
        ("2026-01-02 03:04:05", "02.01.2026 08:34:05", "shifted by hours"),
        ("2026-01-02T03:00:00Z", "2026-01-02T02:00:00Z", "value"),
        ("2026-01-02T03:04:05Z", "2026-02-02T03:04:05Z", "value"),
        ("2026-01-02T03:04:05.678Z", "2026-01-02T03:04:05Z", "datetime format"),
        ("2026-01-02T03:04:05Z", "Fri, 02 Jan 2026 03:04:05 GMT", "datetime format"),
        ("2026-01-02T03:04:05Z", "02.01.2026 03:04:05", "datetime format"),
        ("2026-01-02", "Jan 2, 2026", "datetime format"),
        (1767323045, "2026-01-02T03:04:05Z", "datetime format"),
        ("2026-01-02T03:04:05Z", 1767323045678, "datetime format"),
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:06Z", "value"),
        ("2026-01-02T03:04:05.1Z", "2026-01-02T03:04:05.2Z", "value"),
        ("2026-13-02", "2026-01-02", "value"),
        ("0001-01-01T00:00:00+23:00", "2026-01-02T00:00:00", "value"),
        ("masked:string:0123456789ab", "masked:number:0123456789ab", "string→number"),
        ("masked:string:0123456789ab", "masked:string:ba9876543210", "value"),
    ],
)
def test_shape_names_the_kind_of_change(before: Any, after: Any, expected: str):
    """Each word of the vocabulary, for the changes that it is meant for."""
    assert shape_of(before, after) == expected


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("3 unread", "14 unread", "numbers"),
        ("<b>3</b>", "<i>3</i>", "value"),
        ("a & 1", "a &amp; 1", "html-escaped"),
    ],
)
def test_shape_of_a_line_tells_changed_numbers(before: str, after: str, expected: str):
    """In a text, a count that is off is another fault than another wording."""
    assert shape_of_line(before, after) == expected


def test_shape_of_a_long_run_of_blanks_is_told_in_linear_time():
    """Looking for the mark of a cut must not try each of a million blanks: it would take days."""
    blanks = " " * 1_000_000
    assert "value" == shape_of(f"a{blanks}b", f"a{blanks}c")
    assert "cut short" == shape_of("some words" + blanks + "end", "some words  …")


@given(documents, documents)
def test_shape_never_fails_and_never_holds_a_value(before: Any, after: Any):
    """Shapes come from a closed vocabulary, whatever the data."""
    types = r"null|boolean|number|integer|float|string|numeric string|empty string|object|list"
    words = "value|html-escaped|html-unescaped|white space|letter case|unicode form|datetime format"
    shape = shape_of(before, after)
    parts = set(shape.split("→"))
    assert parts <= set(f"{types}|{words}".split("|"))


@given(st.integers(-(10**12), 10**12), st.floats(-1e9, 1e9))
def test_numbers_that_became_strings_share_one_shape(whole: int, fraction: float):
    """3 and 3.5 written as strings are one fault; a point in time in disguise isn't a plain number."""
    assert {shape_of(number, str(number)) for number in (whole, fraction)} == {"number→numeric string"}
