"""A YAML text keeps the places and the exact text of its values."""

from decimal import Decimal

import pytest

from proxy.config.source import Source, compose


def source_of(text: str) -> Source:
    source = compose(text)
    assert source is not None
    return source


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("off", "off"), ("no", "no"), ("on", "on"), ("22:30", "22:30"), ("2024-01-01", "2024-01-01"),
        ("true", True), ("False", False), ("010", 10), ("-5", -5), ("5.10", Decimal("5.10")), ("1e3", Decimal("1e3")),
        ("1_000", "1_000"), ("0x1f", "0x1f"), ("0o17", "0o17"), (".inf", ".inf"), (".nan", ".nan"),
        ("'5'", "5"), ("!!str 5", "5"), ("!!int x", "x"), ("[a, 1]", ["a", 1]), ("{a: {b: 1}}", {"a": {"b": 1}}),
        ("{4: x, true: y, null: z}", {"4": "x", "true": "y", "null": "z"}),
    ],
)  # fmt: skip
def test_scalar_is_read_by_yaml_1_2(written: str, value: object) -> None:
    """No Norway problem, no sexagesimals, no dates; numbers are exact; keys are text."""
    read = source_of(f"key: {written}").value["key"]

    assert (type(value), value) == (type(read), read)


def test_yaml_1_1_is_read_as_1_2() -> None:
    """A directive doesn't bring `off` as a boolean back."""
    assert {"a": "off"} == source_of("%YAML 1.1\n---\na: off\n").value


def test_anchor_may_be_used_again() -> None:
    """YAML 1.2 §7.1: an alias means the last anchor of its name."""
    assert {"a": 1, "b": 2, "c": 2} == source_of("a: &x 1\nb: &x 2\nc: *x\n").value


def test_positions_are_those_of_the_text() -> None:
    """Lines and columns count from 1, in characters; a place that isn't there has that of the nearest above it."""
    source = source_of("# c\né: {b: [x, 😀, y]}\n")

    assert [(2, 15), (2, 15), (2, 4), (2, 5), (2, 1)] == [
        source.position(("é", "b", 2)),
        source.position(("é", "b", 2, "deeper")),
        source.position(("é", "missing")),
        source.key_position(("é", "b")),
        source.key_position(()),
    ]


def test_empty_text_has_no_source() -> None:
    """Nothing, blanks and comments are no document."""
    assert [None, None, None] == [compose(""), compose(" \n"), compose("# nothing")]
