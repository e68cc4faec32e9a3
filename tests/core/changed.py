"""Documents and single changes to them, each with the finding that it must give. New values occur nowhere else."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from proxy.core.canonical import canonical
from proxy.core.paths import Concrete
from tests.core.answers import names, plain_values

NEW = "fresh value number "  # in no generated document
# Lists of which no two items are equal: which of two equal items is gone, nobody can say.
documents = st.recursive(
    plain_values,
    lambda inner: st.one_of(
        st.lists(inner, max_size=5, unique_by=canonical),
        st.lists(plain_values, max_size=5, unique_by=canonical),
        st.dictionaries(names, inner, max_size=5),
    ),
    max_leaves=20,
)
Change = tuple[Any, Concrete, str]
Way = Callable[[st.DrawFn, Any, int], Change]
PLAIN = (str, int, float, bool, type(None))


def places(value: Any, path: Concrete = ()) -> list[Concrete]:
    """Every place in the document, the root among them."""
    found = [path]
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return found + [place for part, member in members for place in places(member, (*path, part))]


def value_at(value: Any, path: Concrete) -> Any:
    for part in path:
        value = value[part]
    return value


def replaced(value: Any, path: Concrete, new: Any) -> Any:
    """A copy of the document with another value at one place."""
    if not path:
        return new
    changed = copy.deepcopy(value)
    value_at(changed, path[:-1])[path[-1]] = new
    return changed


def is_below(path: Concrete, above: Concrete) -> bool:
    """At or below it."""
    return path[: len(above)] == above


@st.composite
def changed(draw: st.DrawFn, document: Any, number: int = 0) -> Change:
    """The document with one thing changed, where that is found, and as what: "type" stands for any "a→b"."""
    path = draw(st.sampled_from(places(document)))
    value = value_at(document, path)
    ways: list[Way] = [_other_value, _other_type]
    if isinstance(value, dict):
        ways += [_extra_member, *([_missing_member] if value else [])]
    if isinstance(value, list):
        ways += [_extra_item, *([_missing_item] if value else []), *([_moved] if len(value) > 1 else [])]
    new, place, shape = draw(st.sampled_from(ways))(draw, value, number)
    return replaced(document, path, new), (*path, *place), shape


def _other_value(draw: st.DrawFn, value: Any, number: int) -> Change:
    """Of the same type where it has others."""
    if isinstance(value, bool):
        return not value, (), "value"
    if isinstance(value, int):
        return 10**40 + number + draw(st.integers(0, 9)) * 100, (), "value"
    if isinstance(value, float):
        return 1.5e300 + number * 1e299, (), "value"
    if isinstance(value, str) and value:
        return f"{NEW}{number}", (), "value"
    return _other_type(draw, value, number)


def _other_type(draw: st.DrawFn, value: Any, number: int) -> Change:
    others = [f"{NEW}{number}", {NEW: number}, [{NEW: number}], 10**40 + number, None if number == 0 else True]
    new = draw(st.sampled_from([other for other in others if type(other) is not type(value)]))
    return new, (), "type"


def _extra_member(_: st.DrawFn, value: Any, number: int) -> Change:
    return {**value, f"{NEW}{number}": 1}, (f"{NEW}{number}",), "extra"


def _missing_member(draw: st.DrawFn, value: Any, _: int) -> Change:
    gone = draw(st.sampled_from(sorted(value)))
    return {key: member for key, member in value.items() if key != gone}, (gone,), "missing"


def _extra_item(draw: st.DrawFn, value: Any, number: int) -> Change:
    """Anywhere among plain values; else at the end, because others are compared by position."""
    index = draw(st.integers(0, len(value))) if all(isinstance(item, PLAIN) for item in value) else len(value)
    return [*value[:index], f"{NEW}{number}", *value[index:]], (index,), "extra"


def _missing_item(draw: st.DrawFn, value: Any, _: int) -> Change:
    is_plain = all(isinstance(item, PLAIN) for item in value)
    index = draw(st.integers(0, len(value) - 1)) if is_plain else len(value) - 1
    return [*value[:index], *value[index + 1 :]], (index,), "missing"


def _moved(draw: st.DrawFn, value: Any, _: int) -> Change:
    """To another place: all between them move on, and it is one finding for the list."""
    items = list(value)
    index, step = draw(st.integers(0, len(items) - 1)), draw(st.integers(1, len(items) - 1))
    items.insert((index + step) % len(items), items.pop(index))
    return items, (), "reordered"
