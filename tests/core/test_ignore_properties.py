"""`ignore` takes out its places and nothing else: with it, the findings are those without it, less those inside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import assume, example, given
from hypothesis import strategies as st

from proxy.core.paths import DEEP, EACH, Concrete, Path, parse
from tests.core.answers import changes, make_rules
from tests.core.changed import changed, documents, is_below, places

if TYPE_CHECKING:
    from proxy.core.paths import Step


@st.composite
def several_changes(draw: st.DrawFn, document: Any, *, has_moves: bool) -> Any:
    """The document with up to four things changed, no list in another order: that is a finding of the whole list.

    Without moves no item of a list comes or goes, so that an index means the same item on both sides.
    """
    for number in range(draw(st.integers(1, 4))):
        after, path, shape = draw(changed(document, number))
        is_move = shape in {"extra", "missing"} and isinstance(path[-1], int)
        document = document if shape == "reordered" or (is_move and not has_moves) else after
    return document


@st.composite
def paths_into(draw: st.DrawFn, *documents: Any, has_indexes: bool) -> Path:
    """A path to a place of one of them, some of its steps given up for `[*]` or `..`."""
    place = draw(st.sampled_from([place for document in documents for place in places(document)]))
    steps: list[Step] = [
        EACH if isinstance(part, int) and not has_indexes else draw(st.sampled_from([part, part, EACH]))
        for part in place
    ]
    if len(steps) > 1 and draw(st.booleans()):
        index = draw(st.integers(0, len(steps) - 1))
        steps[draw(st.integers(0, index)) : index] = [DEEP]
    return Path(tuple(steps))


@st.composite
def changed_under_a_rule(draw: st.DrawFn) -> tuple[Any, Any, Path]:
    """Two documents and what is ignored of them."""
    before, has_indexes = draw(documents), draw(st.booleans())
    after = draw(several_changes(before, has_moves=not has_indexes))
    return before, after, draw(paths_into(before, after, has_indexes=has_indexes))


def concrete(text: str) -> Concrete:
    return tuple(step for step in parse(text).steps if isinstance(step, (str, int)))


def is_inside(text: str, rule: Path) -> bool:
    """At a place of the rule, or below one."""
    place = concrete(text)
    return any(rule.matches(place[:length]) for length in range(len(place) + 1))


def has_reordered(*findings: list[tuple[str, str]]) -> bool:
    """Whether a list is called the same in another order: with or without what is ignored it may be another one."""
    return any(change == "reordered" for found in findings for _, change in found)


cases = changed_under_a_rule()


@example(([1, 2, 3], [1], parse("$[1]")))
@example(([{}], [{}, {"a": 1}, {"a": 2}], parse("$[1]")))
@example(({"a": [1, 2]}, {"a": None}, parse("$..a[*]")))
@given(cases)
def test_findings_under_ignore_are_those_without_it_less_those_inside(case: tuple[Any, Any, Path]):
    """Any rule, any changes: nothing elsewhere is hidden, moved, multiplied or called otherwise."""
    before, after, rule = case
    whole, found = changes(before, after), changes(before, after, make_rules(ignore=(str(rule),)))
    assume(not has_reordered(whole, found))
    expected = [finding for finding in whole if not is_inside(finding[0], rule)]
    assert sorted(expected) == sorted(found)


@given(cases, cases)
def test_two_ignores_take_out_what_each_of_them_does(first: tuple[Any, Any, Path], second: tuple[Any, Any, Path]):
    """Rules don't disturb each other, in whatever order they stand."""
    before, after = ({"a": first[side], "b": second[side]} for side in (0, 1))
    rules = [Path((name, *path.steps)) for name, path in (("a", first[2]), ("b", second[2]))]
    whole = changes(before, after)
    expected = [each for each in whole if not any(is_inside(each[0], rule) for rule in rules)]
    for order in (rules, rules[::-1]):
        found = changes(before, after, make_rules(ignore=tuple(map(str, order))))
        assume(not has_reordered(whole, found))
        assert sorted(expected) == sorted(found)


def test_places_inside_are_inside():
    """The measure of the properties above."""
    assert [True, True, False, False] == [
        is_inside(text, parse("$..a[*]")) for text in ("$.a[1]", "$.b.a.x.y", "$.a", "$")
    ]
    assert is_below(("a", 1), ("a",))
