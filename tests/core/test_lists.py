"""Items of two lists brought together: by key, as multisets, by position; and told apart from mere reordering."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.canonical import canonical
from proxy.core.document import Token, parse_document
from proxy.core.lists import Alignment, align_by_key, align_by_position, align_unordered, is_reordered
from proxy.core.prepare import IGNORED_ITEM
from tests.core.answers import documents


def items(*keys: Any) -> list[dict[str, Any]]:
    return [{"id": key} for key in keys]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (items(1, 2), items(1, 2), Alignment(((0, 0), (1, 1)), (), ())),
        (items(1, 2), items(2, 1), Alignment(((0, 1), (1, 0)), (), (), reordered=True)),
        (items(1, 2, 3), items(3), Alignment(((2, 0),), (0, 1), ())),
        (items(1), items(1, 1), Alignment(((0, 0),), (), (1,))),
        (items(1, 1), items(1), Alignment(((0, 0),), (1,), ())),
        (items(1, 2), items("1", 2), Alignment(((0, 0), (1, 1)), (), ())),
        (items(1, 2), items(1.0, 2.0), Alignment(((0, 0), (1, 1)), (), ())),
        (items(1), items(1.5), Alignment((), (0,), (0,))),
        ([IGNORED_ITEM, *items(1, 2)], [IGNORED_ITEM, *items(1)], Alignment(((1, 1),), (2,), ())),
        (items(1, 2), [{"x": 1}, {"id": 2}], Alignment(((1, 1), (0, 0)), (), ())),
        (items(1, 2), [{}, {}], Alignment(((0, 0), (1, 1)), (), ())),
        ([*items(1), {}], [{}, *items(1)], Alignment(((0, 1), (1, 0)), (), (), reordered=True)),
        ([*items(1), {}], [{}, *items(1), {}], Alignment(((0, 1), (1, 0)), (), (2,))),
        ([1, None], [None, 1, 2], Alignment(((0, 0), (1, 1)), (), (2,))),
        (items(None), items(None), Alignment(((0, 0),), (), ())),
        (items([1]), items([1]), Alignment(((0, 0),), (), ())),
        ([parse_document('{"id":1,"id":2}')], items(2), Alignment(((0, 0),), (), ())),
    ],
)
def test_keys_align_items_and_count_repetitions(before: list[Any], after: list[Any], expected: Alignment):
    """The n-th item of a key meets the n-th; items that lost their key meet by position."""
    assert align_by_key(before, after, "id") == expected


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([1, 2, 3], [3, 1, 2], Alignment((), (), ())),
        ([1, 1, 2], [1, 2], Alignment((), (1,), ())),
        ([1, 2], [1, 2, 2], Alignment((), (), (2,))),
        ([1, "1", 1.0, True], [True, 1.0, "1", 1], Alignment((), (), ())),
        ([1], [1.0], Alignment(((0, 0),), (), ())),
        ([{"a": 1, "b": 2}], [{"b": 2, "a": 1}], Alignment((), (), ())),
    ],
)
def test_unordered_lists_are_multisets(before: list[Any], after: list[Any], expected: Alignment):
    """Repetition counts, order doesn't, types do."""
    assert align_unordered(before, after) == expected


def test_positions_align_the_rest_away():
    """What has no partner is left on its side."""
    assert align_by_position([1, 2, 3], [1]) == Alignment(((0, 0),), (1, 2), ())
    assert align_by_position([1], [1, 2]) == Alignment(((0, 0),), (), (1,))


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [([1, 2], [2, 1], True), ([1, 1, 2], [1, 2, 2], False), ([1, 2], [2, 1, 1], False), ([1], [2], False)],
)
def test_reordering_needs_the_same_items_as_often(before: list[Any], after: list[Any], expected: object):
    """Only then it is the order that differs."""
    assert is_reordered(before, after) is expected


@given(documents, documents)
def test_canonical_text_is_equal_for_equal_values_only(one: Any, other: Any):
    """The text stands for the value: same text, same value and types, and the other way round."""
    assert (canonical(one) == canonical(other)) == (typed(one) == typed(other))


@given(st.permutations(["a", "b", "c"]))
def test_canonical_text_ignores_the_order_of_members(order: list[str]):
    """JSON objects have no order (RFC 8259 §4)."""
    assert canonical(dict.fromkeys(order, 1)) == '{"a":1,"b":1,"c":1}'


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('{"a":1,"a":2}', '{"a":2}'),
        ('{"a":1,"a":2}', '{"a":3,"a":2}'),
        ("[NaN]", "[Infinity]"),
        ("[NaN]", '["NaN"]'),
        ("[1e400]", "[1e401]"),
        ("[1e1000000]", "[1e1000001]"),
        ("[1e-9999999]", "[2e-9999999]"),
        ("[0.123456789012345678]", "[0.123456789012345679]"),
        ("0." + "123456789" * 4, "0." + "123456789" * 3 + "123456780"),
    ],
)
def test_canonical_text_keeps_unusual_values_apart(one: str, other: str):
    """What Python's json can't write must not fall together."""
    assert canonical(parse_document(one)) != canonical(parse_document(other))


def test_canonical_text_of_unusual_values_is_stable():
    """Equal unusual values have equal texts, in any order of members."""
    one, other = '{"n":1e400,"b":[NaN,{"a":1,"a":2}]}', '{"b":[NaN,{"a":1,"a":2}],"n":1.0e400}'
    assert canonical(parse_document(one)) == canonical(parse_document(other))
    long = "0." + "123456789" * 4
    assert canonical(parse_document(long)) == canonical(parse_document(long + "0"))
    assert canonical(Token("9")) != canonical(9)


def typed(value: Any) -> Any:
    """The value with its types spelled out; -0.0 and 0.0 are two texts of equal numbers, so by repr."""
    if isinstance(value, dict):
        return {key: typed(member) for key, member in value.items()}
    if isinstance(value, list):
        return [typed(item) for item in value]
    return type(value).__name__, repr(value)
