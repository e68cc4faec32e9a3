"""JSON parsed without losing types, repeated keys, or numbers that a double can't hold."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import pytest

from proxy.core.document import Repeating, Token, Unreadable, parse_document


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", 1),
        ("1.0", 1.0),
        ("1.00", 1.0),
        ("1e2", 100.0),
        ("-0.5", -0.5),
        ("0.1", 0.1),
        ("0.13436424411240122", 0.13436424411240122),
        ("0.10000000000000001", 0.1),
        ("0.100000000000000010", 0.1),
        ("1.00000000000000000000000", 1.0),
        ("true", True),
        ("123456789012345678901234567890", 123456789012345678901234567890),
        ("0.123456789012345678", Decimal("0.123456789012345678")),
        ("1e400", Decimal("1e400")),
        ("1e-400", Decimal("1e-400")),
        ("0." + "0" * 400 + "1", Decimal("0." + "0" * 400 + "1")),
        ("0e-400", 0.0),
        ("NaN", Token("NaN")),
        ("-Infinity", Token("-Infinity")),
        ("1e99999999999999999999", Token("1e99999999999999999999")),
        ("9" * 5000, Token("9" * 5000)),
    ],
)
def test_number_keeps_its_type_and_value(text: str, expected: Any):
    """Integers are exact, floats are doubles, and what a double would round or lose is kept otherwise."""
    found = parse_document(text)
    assert (type(found), found) == (type(expected), expected)


@pytest.mark.parametrize("text", ["-0.0", "-0.000", "-0e5", "-0.0E-400"])
def test_zero_has_no_sign(text: str):
    """-0.0 and 0.0 are equal, so they must not fall apart where items are found by their text."""
    assert "0.0" == repr(parse_document(text))


def test_long_integer_leaves_the_other_numbers_alone():
    """The slow way for integers over 4,300 digits only changes these."""
    assert parse_document(f"[1, {'7' * 4400}, 2.5]") == [1, Token("7" * 4400), 2.5]


def test_repeated_key_keeps_all_of_its_values():
    """Most parsers drop all but the last in silence, and so hide a difference."""
    found = parse_document('{"a": 1, "b": 2, "a": 3, "a": 4}')
    assert isinstance(found, Repeating)
    assert (found.members, found.earlier) == ({"a": 4, "b": 2}, {"a": [1, 3]})


def test_escaped_key_is_the_same_key():
    r"""`a` and `\\u0061` are one name, and one repetition."""
    assert isinstance(parse_document('{"a": 1, "\\u0061": 2}'), Repeating)


def test_lone_surrogate_is_kept():
    """The standard parser reads it, faster ones refuse."""
    assert parse_document('"\\ud800"') == "\ud800"


@pytest.mark.parametrize("text", ["", "{", "[1,]", "{'a': 1}", "nul", "[1] 2", '"\n"'])
def test_what_is_not_json_raises_value_error(text: str):
    """The caller compares it as a text."""
    with pytest.raises(ValueError, match="line 1"):
        parse_document(text)


@pytest.mark.parametrize("depth", [5_000, 100_000])
def test_nesting_without_end_is_unreadable(depth: int):
    """A document of brackets must not end the comparer with a RecursionError."""
    with pytest.raises(Unreadable) as caught:
        parse_document("[" * depth + "]" * depth)
    assert caught.value.reason == "depth"


def test_infinity_by_overflow_stays_apart_from_larger_numbers():
    """As doubles 1e400 and 1e500 are both infinite."""
    assert math.inf not in (parse_document("1e400"), parse_document("1e500"))
    assert parse_document("1e400") != parse_document("1e500")
