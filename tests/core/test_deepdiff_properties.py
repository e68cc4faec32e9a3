"""Narrowing loses nothing: the walk finds what DeepDiff finds on whole documents, or more, and this says what."""

from __future__ import annotations

from typing import Any

import pytest
from deepdiff import DeepDiff
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.canonical import canonical
from proxy.core.paths import Concrete, parse
from tests.core.answers import changes
from tests.core.changed import is_below, value_at

# Of one type each, because DeepDiff matches list items by `==`, and without "__" in front, which it skips.
deepdiff_documents = st.recursive(
    st.one_of(st.integers(0, 3), st.sampled_from([10, 20])),
    lambda inner: st.one_of(st.lists(inner, max_size=6), st.dictionaries(st.sampled_from("abc"), inner, max_size=4)),
    max_leaves=20,
)


@given(deepdiff_documents, deepdiff_documents)
def test_findings_are_those_of_deepdiff_on_the_whole_document(before: Any, after: Any):
    """Without list rules: the same places and kinds, but that a list in another order is one finding."""
    ours = [(path_of(text), change) for text, change in changes(before, after)]
    reordered = [path for path, change in ours if change == "reordered"]
    expected = {
        found for found in deepdiff_findings(before, after) if not any(is_below(found[0], path) for path in reordered)
    }
    assert {(path, kind_of(change)) for path, change in ours if change != "reordered"} == expected
    for path in reordered:
        assert sorted(map(canonical, value_at(before, path))) == sorted(map(canonical, value_at(after, path)))
        assert value_at(before, path) != value_at(after, path)


@pytest.mark.parametrize(
    ("before", "after", "expected", "of_deepdiff"),
    [
        ([1, 5], [1.0, 5], [("$[0]", "integer→float")], set()),
        ([1, 5], [True, 5], [("$[0]", "number→boolean")], set()),
        ([0.0, 5], [False, 5], [("$[0]", "number→boolean")], set()),
        ({"a": 1}, {"a": 1.0}, [("$.a", "integer→float")], {(("a",), "type")}),
        ({"__a": 1}, {"__a": 2}, [("$.__a", "value")], set()),
        ([1, 2, 3], [3, 1, 2], [("$", "reordered")], {((2,), "missing"), ((0,), "extra")}),
        ([{"a": 1}, {"a": 2}], [{"a": 2}, {"a": 1}], [("$", "reordered")], {((0, "a"), "value"), ((1, "a"), "value")}),
    ],
)
def test_findings_are_stricter_or_fewer_than_those_of_deepdiff(
    before: Any, after: Any, expected: list[tuple[str, str]], of_deepdiff: set[tuple[Concrete, str]]
):
    """Types count inside lists too, no member is private to Python, and another order is one fault.

    DeepDiff matches items of lists by `==`, for which 1, 1.0 and True are one, and so hides what a strict client of
    new would trip over; it skips members that begin with `__`; and it tells a moved item as two or more changes.
    """
    assert expected == changes(before, after)
    assert of_deepdiff == deepdiff_findings(before, after)


def path_of(text: str) -> Concrete:
    return tuple(step for step in parse(text).steps if isinstance(step, (str, int)))


def kind_of(change: str) -> str:
    if change in {"missing", "extra"}:
        return change
    return "type" if "→" in change else "value"


def deepdiff_findings(before: Any, after: Any) -> set[tuple[Concrete, str]]:
    kinds = {
        "type_changes": "type",
        "values_changed": "value",
        "dictionary_item_added": "extra",
        "iterable_item_added": "extra",
        "dictionary_item_removed": "missing",
        "iterable_item_removed": "missing",
    }
    found = DeepDiff(before, after, view="tree", threshold_to_diff_deeper=0)
    return {
        (tuple(level.path(output_format="list", use_t2=kinds[report] == "extra")), kinds[report])
        for report, levels in found.items()
        for level in levels
    }
