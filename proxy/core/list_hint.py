"""The list rule that would say more of a difference than comparing by position does, where its documents call for one.

A record that is new at the top of a list makes every other one differ from its neighbour: that is what a list without
rules means, as for DeepDiff, and is not for the comparer to guess at. This says to whoever looks at the differences
that the records have a member to pair them by. Pure.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from proxy.core.lists import Alignment, align_by_key
from proxy.core.paths import EACH, Path
from proxy.core.signature import PLACEHOLDER, general_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from proxy.core.model import CompareRules
    from proxy.core.paths import Concrete

MAX_ITEMS = 2_000  # of a list are looked at; bodies of examples are bounded, this bounds what they cost
_USUAL_KEYS = ("id", "_id", "uuid", "guid", "key", "code", "slug", "sku")


@dataclass(frozen=True, slots=True)
class ListHint:
    """A rule for the list at `place`: pair its items by `member`, or where that is "" take them in any order."""

    place: str
    member: str

    @property
    def rule(self) -> str:
        """As a line of a route's `compare`."""
        place = json.dumps(self.place, ensure_ascii=False)
        return f"keys: {{{place}: {json.dumps(self.member)}}}" if self.member else f"unordered: [{place}]"


def list_hint(
    before: Any, after: Any, places: Iterable[Concrete], rules: CompareRules, *, is_reordered: bool
) -> ListHint | None:
    """The hint for the first of the differing `places` that has one; None where rules say already how to align.

    The outermost list counts: what is below one that is paired wrongly says nothing. `is_reordered`: the places are
    lists of which only the order differs.
    """
    for place in places:
        if is_reordered:
            return None if _is_ruled(place, rules) else ListHint(_general(place), "")
        for length in _lists_above(place):
            above = place[:length]
            if _is_ruled(above, rules):
                break
            if member := _member(_at(before, above), _at(after, above)):
                return ListHint(_general(above), member)
    return None


def _lists_above(place: Concrete) -> Iterator[int]:
    return (length for length, step in enumerate(place) if isinstance(step, int))


def _is_ruled(place: Concrete, rules: CompareRules) -> bool:
    return any(rule.matches(place) for rule in (*rules.unordered, *(path for path, _ in rules.keys)))


def _general(place: Concrete) -> str:
    steps = (EACH if isinstance(step, int) or general_name(step) == PLACEHOLDER else step for step in place)
    return str(Path(tuple(steps)))


def _at(document: Any, place: Concrete) -> Any:
    for step in place:
        try:
            document = document[step]
        except (KeyError, IndexError, TypeError):
            return None
    return document


def _member(before: Any, after: Any) -> str:
    """The member by which records moved: in all of them, each value once on a side, half of them on both; or ""."""
    for member in _candidates(before, after):
        alignment = align_by_key(before, after, member)
        is_shared = len(alignment.pairs) * 2 >= min(len(before), len(after))
        if is_shared:  # a member by which nothing has moved pairs as the position does: then that is right
            return member if _has_moved(alignment) else ""
    return ""


def _has_moved(alignment: Alignment) -> bool:
    return any(old != new for old, new in alignment.pairs)


def _candidates(before: Any, after: Any) -> list[str]:
    """Names that may be keys, the usual ones first, then what ends like one."""
    if not (_are_records(before) and _are_records(after)):
        return []
    common = set(before[0]).intersection(*before, *after)
    names = [name for name in before[0] if name in common and _is_unique(before, name) and _is_unique(after, name)]
    usual = [name for name in _USUAL_KEYS if name in names]
    return usual + [name for name in names if name not in usual and name.lower().endswith(("id", "key", "code"))]


def _are_records(items: Any) -> bool:
    is_list = isinstance(items, list) and 0 < len(items) <= MAX_ITEMS
    return is_list and all(isinstance(item, dict) for item in items)


def _is_unique(items: list[dict[str, Any]], name: str) -> bool:
    values = [item[name] for item in items]
    is_plain = all(isinstance(value, (str, int)) and not isinstance(value, bool) for value in values)
    return is_plain and len({*map(str, values)}) == len(values)
