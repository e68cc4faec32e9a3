"""Documents made ready: ignored places gone, unordered lists in one order, everything else as it was."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from proxy.core.document import Repeating, parse_document
from proxy.core.paths import parse
from proxy.core.prepare import IGNORED_ITEM, mark_ignored, prepare
from tests.core.answers import make_rules


@pytest.mark.parametrize(
    ("rules", "document", "expected"),
    [
        (["$.a"], {"a": [1], "b": 2}, {"a": "-", "b": 2}),
        (["$.items[*].etag"], {"items": [{"etag": 1}, {"id": 2}]}, {"items": [{"etag": "-"}, {"id": 2}]}),
        (["$..a"], {"a": {"a": 1}, "b": [{"a": 2}]}, {"a": "-", "b": [{"a": "-"}]}),
        (["$.items[1]", "$.items[9]"], {"items": [1, 2, 3]}, {"items": [1, "-", 3]}),
        (["$.b", "$"], {"b": 1}, "-"),
        ([], {"a": 1}, {"a": 1}),
        (["$.a"], "text", "text"),
    ],
)
def test_mark_stands_where_something_is_ignored(rules: list[str], document: Any, expected: Any) -> None:
    """For people: nothing goes, and items stay where they are."""
    assert expected == mark_ignored(document, map(parse, rules), "-")


@pytest.mark.parametrize(
    ("rule", "document", "expected"),
    [
        ("$.a", {"a": 1, "b": 2}, {"b": 2}),
        ("$.a.b", {"a": {"b": 1, "c": 2}}, {"a": {"c": 2}}),
        ("$.items[*].etag", {"items": [{"etag": 1, "id": 1}, {"id": 2}]}, {"items": [{"id": 1}, {"id": 2}]}),
        ("$..etag", {"etag": 1, "a": [{"etag": 2, "b": {"etag": 3}}]}, {"a": [{"b": {}}]}),
        ("$..a", {"a": {"a": 1}, "b": 2}, {"b": 2}),
        ("$.items[1]", {"items": [1, 2, 3]}, {"items": [1, IGNORED_ITEM, 3]}),
        ("$.items[2]", {"items": [1, 2, 3]}, {"items": [1, 2]}),
        ("$.items[*]", {"items": [1, 2, 3]}, {"items": []}),
        ("$.a[*]", {"a": {"x": 1}}, {"a": {}}),
        ("$.a.b", {"a": [1], "b": 2}, {"a": [1], "b": 2}),
        ("$[0]", {"0": 1}, {"0": 1}),
        ("$.a", 1, 1),
        ("$", {"a": 1}, None),
    ],
)
def test_ignored_places_are_taken_out(rule: str, document: Any, expected: Any):
    """The place goes with all below it; an item leaves its index to itself, and the end of a list closes up."""
    assert prepare(document, make_rules(ignore=(rule,))) == expected


def test_ignored_member_goes_with_its_repetitions():
    """A repeated key under an ignore rule is not reported as repeated."""
    document = prepare(parse_document('{"a":1,"a":2,"b":3}'), make_rules(ignore=("$.a",)))
    assert isinstance(document, Repeating)
    assert (document.members, document.earlier) == ({"b": 3}, {})


def test_ignored_places_are_found_below_repeated_keys():
    """`..` goes through objects with repeated keys too."""
    document = prepare(parse_document('{"a":{"x":1},"b":0,"b":1}'), make_rules(ignore=("$..x",)))
    assert document.members == {"a": {}, "b": 1}


def test_ignored_member_of_all_values_of_a_repeated_key():
    """Each value of the key is searched, as if it were the only one."""
    document = prepare(parse_document('{"a":{"x":1},"a":[{"x":2},{"y":3}]}'), make_rules(ignore=("$..x",)))
    assert (document.members, document.earlier) == ({"a": [{}, {"y": 3}]}, {"a": [{}]})


def test_path_of_many_depths_visits_each_place_once():
    """As many ways lead to a place as there are choices of levels: none but the first may be gone."""
    document: Any = {"a": 1}
    for _ in range(150):
        document = {"a": document}
    rules = make_rules(ignore=("$" + "..a" * 20 + "..z",), unordered=("$" + "..a" * 20,))
    assert prepare(copy.deepcopy(document), rules) == document


@pytest.mark.parametrize(
    ("rules", "document", "expected"),
    [
        (("$.t",), {"t": [3, 1, 2]}, {"t": [1, 2, 3]}),
        (("$",), [2, 1], [1, 2]),
        (("$.a", "$.a[*].t"), {"a": [{"t": [9, 1]}, {"t": [8, 2]}]}, {"a": [{"t": [1, 9]}, {"t": [2, 8]}]}),
        (("$.t",), {"t": {"b": 1}}, {"t": {"b": 1}}),
        (("$.x",), {"t": [2, 1]}, {"t": [2, 1]}),
    ],
)
def test_unordered_lists_are_put_in_one_order(rules: tuple[str, ...], document: Any, expected: Any):
    """Inner lists first, so that equal items end up in the same place."""
    assert prepare(document, make_rules(unordered=rules)) == expected


def test_ignored_items_leave_an_unordered_list():
    """Without an order there is no index to keep."""
    document = prepare({"t": [3, 2, 1]}, make_rules(ignore=("$.t[0]",), unordered=("$.t",)))
    assert document == {"t": [1, 2]}
