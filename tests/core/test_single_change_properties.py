"""One change is one difference at its exact place, whatever else is in the document, also under rules for others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import example, given
from hypothesis import strategies as st

from proxy.core.canonical import canonical
from proxy.core.paths import Concrete, write
from tests.core.answers import changes, make_rules, plain_values
from tests.core.changed import changed, documents

if TYPE_CHECKING:
    from proxy.core.model import CompareRules

cases = documents.flatmap(lambda document: st.tuples(st.just(document), changed(document)))


def found(before: Any, after: Any, rules: CompareRules | None = None) -> list[tuple[str, str]]:
    """(path, shape), with the shapes that only describe a value, or a type, more closely as "value" and "type"."""
    return [(path, general(shape)) for path, shape in changes(before, after, rules)]


def general(shape: str) -> str:
    if "→" in shape:
        return "type"
    return shape if shape in {"missing", "extra", "reordered"} else "value"


@given(cases)
def test_single_change_is_one_difference_at_its_place(case: tuple[Any, tuple[Any, Concrete, str]]):
    """Another value, another type, a thing gone, a thing more, an item moved: its path, its kind, and nothing else."""
    before, (after, path, shape) = case
    assert [(write(path), shape)] == found(before, after)


@given(cases, st.lists(plain_values, max_size=5), st.lists(documents, max_size=5), st.randoms(use_true_random=False))
def test_single_change_is_one_difference_under_rules_for_other_places(
    case: tuple[Any, tuple[Any, Concrete, str]], tags: list[Any], values: list[Any], chance: Any
):
    """Beside it lists in another order match by their rules, and ignored and tolerated values differ."""
    before, (after, path, shape) = case
    rows = [{"id": number, "v": value} for number, value in enumerate(values)]
    old = {"changed": before, "tags": tags, "rows": rows, "at": 1, "score": 1.0}
    new = {
        "changed": after,
        "tags": chance.sample(tags, len(tags)),
        "rows": chance.sample(rows, len(rows)),
        "at": [2],
        "score": 1.04,
    }
    rules = make_rules(
        ignore=("$.at",), unordered=("$.tags", "$.rows"), keys={"$.rows": "id"}, tolerance={"$.score": 0.05}
    )
    assert [(write(("changed", *path)), shape)] == found(old, new, rules)


@given(st.lists(documents, min_size=1, max_size=5), st.data())
def test_single_change_in_a_keyed_item_is_one_difference_wherever_the_item_stands(
    values: list[Any], data: st.DataObject
):
    """Named by the index that the item has in control's answer."""
    index = data.draw(st.integers(0, len(values) - 1))
    after, path, shape = data.draw(changed(values[index]))
    rows = [{"id": number, "v": value} for number, value in enumerate(values)]
    other = [*rows[:index], {"id": index, "v": after}, *rows[index + 1 :]]
    data.draw(st.randoms(use_true_random=False)).shuffle(other)
    rules = make_rules(keys={"$": "id"}, unordered=("$[*].none",))
    here = [each for each in found(rows, other, rules) if each != ("$", "reordered")]
    assert [(write((index, "v", *path)), shape)] == here


@given(st.lists(documents, min_size=1, max_size=6), st.data())
def test_missing_and_extra_keyed_items_are_one_difference_each(values: list[Any], data: st.DataObject):
    """Wherever they stood: those behind them don't move on."""
    rows = [{"id": number, "v": value} for number, value in enumerate(values)]
    index = data.draw(st.integers(0, len(rows) - 1))
    fewer = [*rows[:index], *rows[index + 1 :]]
    rules = make_rules(keys={"$": "id"})
    assert [(f"$[{index}]", "missing")] == found(rows, fewer, rules)
    assert [(f"$[{index}]", "extra")] == found(fewer, rows, rules)


small = st.sampled_from([0, 1, 1.0, True, "1", None, [], [1], {"a": 1}])
small_lists = st.lists(small, max_size=4)


@given(small_lists, small_lists)
def test_unordered_lists_match_only_as_equal_multisets(before: list[Any], after: list[Any]):
    """Repetition counts, types do; nested in a document as at its root."""
    is_equal = sorted(map(canonical, before)) == sorted(map(canonical, after))
    assert is_equal == (not changes({"t": before}, {"t": after}, make_rules(unordered=("$.t",))))
    assert is_equal == (not changes([before], [after], make_rules(unordered=("$", "$[*]"))))


@example([(1, 0), (None, 0)], [(None, 0), (1, 0)])
@example([(1, 0), (1, 1)], [(1, 0)])
@given(*[st.lists(st.tuples(st.sampled_from([1, 2, None]), small), max_size=5)] * 2)
def test_keyed_lists_match_only_as_equal_lists_or_multisets(before: list[Any], after: list[Any]):
    """With repeated keys, and without any: never equal by what `keys` overlooks."""
    old, new = ([{"id": key, "v": value} for key, value in items] for items in (before, after))
    is_equal = sorted(map(canonical, old)) == sorted(map(canonical, new))
    assert (canonical(old) == canonical(new)) == (not changes(old, new, make_rules(keys={"$": "id"})))
    assert is_equal == (not changes(old, new, make_rules(keys={"$": "id"}, unordered=("$",))))
