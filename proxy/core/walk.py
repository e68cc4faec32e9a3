"""The typed walk over two JSON documents: finds every difference, and in which way each list is to be aligned.

1. 1, 1.0, "1" and true all differ; numbers of one type are equal when they are equal in value.
2. A list with a `keys` rule is aligned by key, one that is `unordered` as a multiset, one of plain values by
   `align_plain`, any other by position.
3. A list whose items only stand in another order is one difference: "reordered".
4. Values that differ are judged by the rules of their place, also where one side has none (`value_rules`).
5. Nothing is skipped in silence: depth and number of differences have limits, and reaching one is told.

Documents come from `document.parse_document` through `prepare.prepare`: nothing ignored is in them any more.
"""

from __future__ import annotations

import marshal
from contextlib import suppress
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from proxy.core.canonical import canonical
from proxy.core.difference import Difference
from proxy.core.document import Repeating, Token, Unreadable
from proxy.core.excerpt import excerpts
from proxy.core.lists import Alignment, align_by_key, align_by_position, align_unordered, is_reordered
from proxy.core.paths import MapKey
from proxy.core.prepare import IGNORED_ITEM
from proxy.core.shape import EXTRA, MISSING, REORDERED, shape_of
from proxy.core.value_rules import ABSENT

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.core.difference import Limits
    from proxy.core.model import CompareRules
    from proxy.core.paths import Concrete

    AlignPlain = Callable[[list[Any], list[Any]], Alignment]

_CONTAINERS = frozenset({dict, list})
_PLAIN = frozenset({str, int, float, bool, type(None)})
# Hardly a record has so many fields that are all records of one kind, or all of one type.
_MIN_RECORDS = 30
_MIN_VALUES = 200
_SCALARS = _PLAIN | {Decimal, Token, type(IGNORED_ITEM)}


class Truncated(Exception):
    """The limit on the number of differences is reached; what was found stands."""


class Walk:
    """One comparison of two documents; `differences` grows as it goes."""

    def __init__(self, rules: CompareRules, limits: Limits, align_plain: AlignPlain) -> None:
        self.differences: list[Difference] = []
        self._rules = rules
        self._limits = limits
        self._align_plain = align_plain
        self._has_one_order = True  # members stand in the same order on both sides, as far as is known

    def compare(self, before: Any, after: Any, path: Concrete = ()) -> None:
        """Find what differs at `path` and below it. Raises Unreadable("depth") and Truncated at the limits."""
        if len(path) > self._limits.max_depth:
            raise Unreadable("depth")
        if before is after:
            return
        if isinstance(before, Repeating) or isinstance(after, Repeating):
            self._repeating(before, after, path)
        elif isinstance(before, dict) and isinstance(after, dict):
            self._objects(before, after, path)
        elif isinstance(before, list) and isinstance(after, list):
            self._lists(before, after, path)
        elif not _is_equal(before, after) and not self._is_accepted(before, after, path):
            self._report(path, shape_of(before, after), before, after)

    def _report(self, path: Concrete, change: str, before: Any, after: Any) -> None:
        if len(self.differences) >= self._limits.max_differences:
            raise Truncated
        self.differences.append(Difference("body", path, change, *excerpts(before, after)))

    def _objects(self, before: dict[str, Any], after: dict[str, Any], path: Concrete) -> None:
        step = MapKey if is_map(before) or is_map(after) else str
        for key, old in before.items():
            if key not in after:
                self._lone(old, ABSENT, (*path, step(key)))
                continue
            new = after[key]
            # Most members are equal plain values: settled here, without a call and a longer path.
            if not (type(old) is type(new) and type(old) in _PLAIN and old == new):
                self.compare(old, new, (*path, step(key)))
        for key, new in after.items():
            if key not in before:
                self._lone(ABSENT, new, (*path, step(key)))

    def _lone(self, before: Any, after: Any, path: Concrete) -> None:
        """What only one side has; the other one is ABSENT."""
        if self._is_accepted(before, after, path):
            return
        if after is ABSENT:
            self._report(path, MISSING, before, None)
        else:
            self._report(path, EXTRA, None, after)

    def _repeating(self, before: Any, after: Any, path: Concrete) -> None:
        """Objects of which at least one has a repeated key: that it is repeated is compared, then the members."""
        if not isinstance(before, (dict, Repeating)) or not isinstance(after, (dict, Repeating)):
            if not self._is_accepted(before, after, path):
                self._report(path, shape_of(before, after), before, after)
            return
        old, new = _earlier(before), _earlier(after)
        for key in sorted(old.keys() | new.keys()):
            if canonical(old.get(key)) != canonical(new.get(key)):
                change = (
                    "key repeated" if key not in old else "key not repeated" if key not in new else "repeated values"
                )
                self._report((*path, key), change, old.get(key), new.get(key))
        self.compare(_members(before), _members(after), path)

    def _lists(self, before: list[Any], after: list[Any], path: Concrete) -> None:
        is_unordered = any(rule.matches(path) for rule in self._rules.unordered)
        member = next((name for rule, name in self._rules.keys if rule.matches(path)), None)
        if member is not None:
            alignment = align_by_key(before, after, member)
            if alignment.reordered and not is_unordered:
                self._report(path, REORDERED, _member_values(before, member), _member_values(after, member))
            self._aligned(before, after, alignment, path)
        elif is_unordered:
            self._aligned(before, after, align_unordered(before, after), path)
        else:
            self._ordered(before, after, path)

    def _ordered(self, before: list[Any], after: list[Any], path: Concrete) -> None:
        """A list without rules: order matters, but that alone is one difference."""
        if not (_is_plain(before) and _is_plain(after)) or self._judges_items(path):
            self._by_position(before, after, path)
        elif _is_equal_plain(before, after):
            return
        elif is_reordered(before, after):
            self._report(path, REORDERED, before, after)
        else:
            self._aligned(before, after, self._align_plain(before, after), path)

    def _by_position(self, before: list[Any], after: list[Any], path: Concrete) -> None:
        """The n-th with the n-th. When a second item differs, and only then, a look at the order pays."""
        first, differing = len(self.differences), 0
        for index, (old, new) in enumerate(zip(before, after, strict=False)):
            if self._is_same(old, new):
                continue
            found = len(self.differences)
            self.compare(old, new, (*path, index))
            differing += len(self.differences) > found
            if differing == 2 and len(self.differences) > found and is_reordered(before, after):
                del self.differences[first:]
                self._report(path, REORDERED, before, after)
                return
        alignment = align_by_position(before, after)
        self._aligned(before, after, Alignment((), alignment.missing, alignment.extra), path)

    def _aligned(self, before: list[Any], after: list[Any], alignment: Alignment, path: Concrete) -> None:
        for old, new in alignment.pairs:
            if before[old] is IGNORED_ITEM:
                self._extra(after, new, path)
            elif after[new] is IGNORED_ITEM:
                self._missing(before, old, path)
            elif not self._is_same(before[old], after[new]):
                self.compare(before[old], after[new], (*path, old))
        for old in alignment.missing:
            self._missing(before, old, path)
        for new in alignment.extra:
            self._extra(after, new, path)

    def _missing(self, before: list[Any], index: int, path: Concrete) -> None:
        if before[index] is not IGNORED_ITEM:
            self._lone(before[index], ABSENT, (*path, index))

    def _extra(self, after: list[Any], index: int, path: Concrete) -> None:
        if after[index] is not IGNORED_ITEM:
            self._lone(ABSENT, after[index], (*path, index))

    def _is_same(self, before: Any, after: Any) -> bool:
        """Whether two containers are equal in every type and value: found in C, several times faster than by a walk.

        False settles nothing.
        """
        if before is after:
            return True
        # For `==` 1, 1.0 and True are one: it only finds most of those that differ, at next to no cost.
        if type(before) not in _CONTAINERS or before != after:
            return False
        if self._has_one_order:
            with suppress(ValueError):  # it holds what JSON can't: `document.Token` and the like
                # Format 2 has no references: equal items are equal bytes whatever else refers to their parts.
                if marshal.dumps(before, 2) == marshal.dumps(after, 2):
                    return True
            self._has_one_order = False
        return canonical(before) == canonical(after)

    def _judges_items(self, path: Concrete) -> bool:
        """Whether a rule judges the items of a list, so that they can't be aligned by exact equality."""
        return any(place.matches((*path, 0)) for place, _ in self._rules.values)

    def _is_accepted(self, before: Any, after: Any, path: Concrete) -> bool:
        """Whether a rule says that these values, which differ, count as equal."""
        return any(rule.accepts(before, after) for place, rule in self._rules.values if place.matches(path))


def is_map(members: dict[str, Any]) -> bool:
    """Whether the names are data: so many members that are all records of one kind, or values of one type.

    Records have fewer, of several kinds; what is wrong here costs no more than that their places are told as one.
    """
    if len(members) < _MIN_RECORDS:
        return False
    values = [*members.values()]
    if all(type(value) is dict for value in values):
        common = set(values[0]).intersection(*values)
        return bool(common) and len(common) * 2 >= max(map(len, values))
    return len(values) >= _MIN_VALUES and len({*map(type, values)}) == 1


def _is_equal(before: Any, after: Any) -> bool:
    """Whether two values that aren't both objects or both lists are equal."""
    return type(before) is type(after) and type(before) in _SCALARS and bool(before == after)


def _is_equal_plain(before: list[Any], after: list[Any]) -> bool:
    return before == after and [*map(type, before)] == [*map(type, after)]


def _is_plain(items: list[Any]) -> bool:
    return _SCALARS.issuperset(map(type, items))


def _earlier(value: Any) -> dict[str, Any]:
    return value.earlier if isinstance(value, Repeating) else {}


def _members(value: Any) -> dict[str, Any]:
    members: dict[str, Any] = value.members if isinstance(value, Repeating) else value
    return members


def _member_values(items: list[Any], member: str) -> list[Any]:
    return [_members(item).get(member) for item in items if isinstance(item, (dict, Repeating))]
