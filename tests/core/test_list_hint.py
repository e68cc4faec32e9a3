"""Which lists call for a rule: records that moved and have a member to pair them by, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.core.compare import compare
from proxy.core.list_hint import list_hint
from tests.core.answers import make_answer, make_rules

OLD: list[dict[str, Any]] = [{"id": n, "name": f"n{n}", "rank": n, "at": 1} for n in range(6)]
NEW_FIRST = [{"id": 99, "name": "new", "rank": 9, "at": 1}, *OLD]
BY_ID = 'keys: {"$.items": "id"}'


def hinted(before: Any, after: Any, *, is_reordered: bool = False, **rules: Any) -> str | None:
    """The rule for the first difference that is found."""
    made = make_rules(**rules)
    differences = compare(make_answer(before), make_answer(after), made).differences
    found = list_hint(before, after, [each.path for each in differences], made, is_reordered=is_reordered)
    return None if found is None else found.rule


@pytest.mark.parametrize(
    ("before", "after", "rules", "expected"),
    [
        (OLD, NEW_FIRST, {}, BY_ID),
        (OLD, OLD[1:], {}, BY_ID),
        (OLD, NEW_FIRST, {"keys": {"$.items": "id"}}, None),
        (OLD, NEW_FIRST, {"unordered": ("$..items",)}, None),
        (OLD, [{**each, "name": "x"} for each in OLD], {}, None),  # nothing moved: they differ themselves
        (OLD, [{**each, "id": each["id"] + 50} for each in OLD], {}, None),  # another page altogether
        (OLD, [{**each, "id": 1} for each in OLD[1:]], {}, None),  # no key
        (OLD, [{**each, "at": 2.5} for each in [*OLD[3:], *OLD[:3]]], {}, BY_ID),
        ([{"sku": "a", "n": 1}, {"sku": "b", "n": 2}], [{"sku": "b", "n": 3}], {}, 'keys: {"$.items": "sku"}'),
        ([{"userId": "a"}, {"userId": "b"}], [{"userId": "b"}], {}, 'keys: {"$.items": "userId"}'),
        ([{"name": "a"}, {"name": "b"}], [{"name": "b"}], {}, None),
        ([1, 2, 3], [2, 3], {}, None),
        ([], OLD, {}, None),
    ],
)
def test_list_hint_is_for_records_that_moved(before: Any, after: Any, rules: Any, expected: str | None):
    """By a member that names each record once on either side."""
    assert expected == hinted({"items": before}, {"items": after}, **rules)


def test_list_hint_names_the_outermost_list_with_every_name_that_is_an_id_left_open():
    """What is in a record that is paired wrongly says nothing."""
    lists = ([{"id": n, "tags": [{"id": n}, {"id": n + 1}]} for n in numbers] for numbers in (range(4), range(1, 4)))
    before, after = ({"users": {"1042": {"items": items}}} for items in lists)
    assert 'keys: {"$.users[*].items": "id"}' == hinted(before, after)


def test_list_hint_for_a_list_in_another_order_is_that_order_means_nothing():
    """Once, unless a rule says how to align it."""
    before, after = {"items": OLD}, {"items": OLD[::-1]}
    assert 'unordered: ["$.items"]' == hinted(before, after, is_reordered=True)
    assert hinted(before, after, is_reordered=True, keys={"$.items": "id"}) is None


def test_what_the_hint_says_leaves_what_really_differs():
    """Seven records that differ from their neighbours become the one that is new."""
    found = compare(make_answer({"items": OLD}), make_answer({"items": NEW_FIRST}), make_rules(keys={"$.items": "id"}))
    assert [("extra", ("items", 0))] == [(each.change, each.path) for each in found.differences]
