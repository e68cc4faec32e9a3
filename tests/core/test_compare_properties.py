"""Comparison over generated documents: equal is equal, nothing that differs is missed, giving up is told (law 10)."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from proxy.core.canonical import canonical
from proxy.core.compare import Limits, compare
from proxy.core.document import parse_document
from proxy.core.evidence import Verdict
from proxy.core.model import CompareRules
from proxy.core.paths import write
from proxy.core.signature import sign
from tests.core.answers import changes, documents, make_answer, make_rules, names, plain_values
from tests.core.changed import places, replaced, value_at

RULES = CompareRules()


def numbers_as_text(value: Any) -> str:
    """Equal for documents of equal meaning: -0.0 and 0.0 are one number."""
    return canonical(json.loads(json.dumps(value), parse_float=lambda text: float(text) + 0.0))


@st.composite
def mutated(draw: st.DrawFn) -> tuple[Any, Any]:
    """A document, and the same with one thing changed: a value, a type, a thing gone, a thing more, a thing moved."""
    document = draw(documents)
    path = draw(st.sampled_from(places(document)))
    value = value_at(document, path)
    change = draw(st.sampled_from(["value", "type", "extra", "missing", "moved"]))
    if change == "value":
        return document, replaced(document, path, draw(documents))
    if change == "type":
        return document, replaced(document, path, draw(st.sampled_from([str(value), [value], {"a": value}, None])))
    if isinstance(value, dict):
        other = dict(value)
        if change == "extra" or not other:
            other[draw(names)] = draw(plain_values)
        else:
            del other[draw(st.sampled_from(sorted(other)))]
        return document, replaced(document, path, other)
    assume(isinstance(value, list))
    return document, replaced(document, path, draw(mutated_list(value, change)))


@st.composite
def mutated_list(draw: st.DrawFn, value: list[Any], change: str) -> list[Any]:
    items = list(value)
    index = draw(st.integers(0, len(items)))
    if change == "extra" or not items:
        items.insert(index, draw(plain_values))
    elif change == "missing":
        del items[index - 1]
    else:
        items = draw(st.permutations(items))
    return items


@given(documents, st.booleans(), st.sampled_from([None, 1, "\t"]))
def test_document_matches_itself_however_it_is_written(document: Any, is_ascii: bool, indent: Any):
    """Order of members, escapes and white space mean nothing."""
    turned = json.loads(json.dumps(document), object_pairs_hook=lambda pairs: dict(reversed(pairs)))
    rewritten = json.dumps(turned, ensure_ascii=is_ascii, indent=indent).encode()
    found = compare(make_answer(document), make_answer(rewritten), RULES)
    assert (found.verdict, found.differences) == (Verdict.MATCH, ())


@given(mutated())
def test_any_single_change_is_found(pair: tuple[Any, Any]):
    """Whatever was changed and wherever: there is a difference; where nothing was, there is none."""
    before, after = pair
    assert (changes(before, after) != []) == (numbers_as_text(before) != numbers_as_text(after))


@given(documents, documents)
def test_differences_are_the_same_from_both_sides(before: Any, after: Any):
    """Exchanging the sides exchanges what is missing and what is extra, and finds as many differences."""
    there, back = changes(before, after), changes(after, before)
    swapped = {"missing": "extra", "extra": "missing"}
    assert len(there) == len(back)
    there_lone = sorted(swapped[change] for _, change in there if change in swapped)
    assert there_lone == sorted(change for _, change in back if change in swapped)


@given(st.data())
def test_ignored_place_never_hides_a_difference_elsewhere(data: st.DataObject):
    """A change that isn't at or below the ignored place is found with the rule as without it."""
    document = data.draw(documents)
    found = places(document)
    ignored = data.draw(st.sampled_from(found))
    outside = [place for place in found if place[: len(ignored)] != ignored]
    assume(outside)
    after = replaced(document, data.draw(st.sampled_from(outside)), "changed, and by nothing else of this form")
    assert changes(document, after, make_rules(ignore=(write(ignored),))) != []


@given(st.data())
def test_ignored_place_hides_all_that_is_in_it(data: st.DataObject):
    """A change at or below the ignored place is never reported."""
    document = data.draw(documents)
    found = places(document)
    ignored = data.draw(st.sampled_from(found))
    inside = data.draw(st.sampled_from([place for place in found if place[: len(ignored)] == ignored]))
    after = replaced(document, inside, data.draw(documents))
    assert changes(document, after, make_rules(ignore=(write(ignored),))) == []


@given(documents, documents, st.integers(0, 3), st.integers(0, 40), st.integers(0, 3), st.integers(0, 3))
def test_giving_up_is_never_a_match(
    before: Any, after: Any, max_depth: int, max_bytes: int, max_differences: int, max_diff_passes: int
):
    """Law 10: with any limits, documents that differ are not called equal, and a gap has its reason."""
    assume(numbers_as_text(before) != numbers_as_text(after))
    limits = Limits(max_depth, max_bytes, max_differences, max_diff_passes=max_diff_passes)
    found = compare(make_answer(before), make_answer(after), RULES, limits)
    assert found.verdict in {Verdict.MISMATCH, Verdict.GAVE_UP}
    assert (found.verdict == Verdict.MISMATCH) == bool(found.differences)
    assert found.reason != "" or found.verdict == Verdict.MISMATCH


@given(st.binary(max_size=40), st.binary(max_size=40), st.sampled_from(["", "application/json", "text/html", "a/b"]))
def test_bodies_of_any_bytes_get_a_verdict(before: bytes, after: bytes, content_type: str):
    """Nothing that a backend may send makes the comparer fail, and other bytes match only as equal JSON."""
    found = compare(make_answer(before, content_type), make_answer(after, content_type), RULES)
    assert (found.verdict, found.reason) in {(Verdict.MATCH, ""), (Verdict.MISMATCH, ""), (Verdict.MISMATCH, "charset")}
    if found.verdict == Verdict.MATCH and before != after:
        assert meaning(before) == meaning(after)


def meaning(body: bytes) -> str:
    return canonical(parse_document(body.decode("utf-8-sig")))


@given(st.lists(documents, max_size=6), st.randoms(use_true_random=False))
def test_unordered_list_matches_in_any_order_and_counts(items: list[Any], random: Any):
    """Any order is equal; one item more never is, also when it is there already."""
    shuffled = random.sample(items, len(items))
    rules = make_rules(unordered=("$.t",))
    assert changes({"t": items}, {"t": shuffled}, rules) == []
    more = [*shuffled, random.choice(items) if items else 1]
    assert [change for _, change in changes({"t": items}, {"t": more}, rules)] == ["extra"]


@given(st.lists(st.integers(0, 20), unique=True, max_size=8), st.randoms(use_true_random=False))
def test_keyed_list_in_another_order_is_one_difference(keys: list[int], random: Any):
    """Order is one difference, or none with `unordered`; a missing item is one more and nothing else."""
    items = [{"id": key, "text": str(key)} for key in keys]
    shuffled = random.sample(items, len(items))
    expected = [("$", "reordered")] if shuffled != items else []
    assert changes(items, shuffled, make_rules(keys={"$": "id"})) == expected
    if items:
        found = changes(items, shuffled[1:], make_rules(keys={"$": "id"}, unordered=("$",)))
        assert [change for _, change in found] == ["missing"]


@given(documents, documents)
def test_values_never_enter_a_signature(before: Any, after: Any):
    """A signature is made of place and shape: without its values a difference has the same one."""
    found = compare(make_answer({"v": before}), make_answer({"v": after}), RULES)
    for difference in found.differences:
        signature = sign("r", difference)
        assert signature == sign("r", type(difference)("body", difference.path, difference.change, None, None))
