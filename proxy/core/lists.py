"""Which item of one list belongs to which item of the other: by key, as a multiset, or by position.

Pure alignment, linear in the lists' lengths. What the aligned items hold is the walk's business.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from proxy.core.canonical import canonical
from proxy.core.document import Repeating
from proxy.core.prepare import IGNORED_ITEM

if TYPE_CHECKING:
    from collections.abc import Sequence

_ABSENT = object()


@dataclass(frozen=True, slots=True)
class Alignment:
    """Indexes into both lists: pairs that belong together, and what is left on each side.

    `reordered` says that the pairs stand in another order on the candidate's side.
    """

    pairs: tuple[tuple[int, int], ...]
    missing: tuple[int, ...]
    extra: tuple[int, ...]
    reordered: bool = False


def align_by_key(before: Sequence[Any], after: Sequence[Any], member: str) -> Alignment:
    """Items with the same key belong together, the n-th of a repeated key with the n-th.

    Ignored items belong to none. What has no partner on either side is paired by position where one of the two has no
    key at all: a key that got lost is a lost member, not a lost item.
    """
    old, new = _keys(before, member), _keys(after, member)
    where: defaultdict[str, list[int]] = defaultdict(list)
    for index in reversed(range(len(new))):
        key = new[index]
        if key is not None:
            where[key].append(index)
    pairs, lone = [], []
    for index, key in enumerate(old):
        if key is not None and where[key]:
            pairs.append((index, where[key].pop()))
        elif before[index] is not IGNORED_ITEM:
            lone.append(index)
    taken = {partner for _, partner in pairs}
    spare = [index for index in range(len(new)) if index not in taken and after[index] is not IGNORED_ITEM]
    by_position, lone, spare = _pair_keyless(lone, spare, old, new)
    # Where items are gone or new, those without a key may have been paired across the others by chance.
    reordered = _is_crossed(pairs if lone or spare else sorted(pairs + by_position))
    return Alignment(tuple(pairs + by_position), tuple(lone), tuple(spare), reordered)


def _is_crossed(pairs: list[tuple[int, int]]) -> bool:
    return any(first[1] > second[1] for first, second in pairwise(pairs))


def _pair_keyless(
    lone: list[int], spare: list[int], old: list[str | None], new: list[str | None]
) -> tuple[list[tuple[int, int]], list[int], list[int]]:
    """Pair leftovers of which at least one has no key; returns the pairs and what is still left on each side."""
    if not any(old[index] is None for index in lone) and not any(new[index] is None for index in spare):
        return [], lone, spare
    count = min(len(lone), len(spare))
    return list(zip(lone, spare, strict=False)), lone[count:], spare[count:]


def align_unordered(before: Sequence[Any], after: Sequence[Any]) -> Alignment:
    """Equal items belong together, as often as they occur; the others in the order in which they stand."""
    old, new = [canonical(item) for item in before], [canonical(item) for item in after]
    lone, spare = _unmatched(old, Counter(new)), _unmatched(new, Counter(old))
    count = min(len(lone), len(spare))
    return Alignment(tuple(zip(lone, spare, strict=False)), tuple(lone[count:]), tuple(spare[count:]))


def _unmatched(texts: list[str], partners: Counter[str]) -> list[int]:
    """The indexes of items that have no equal partner left."""
    lone = []
    for index, text in enumerate(texts):
        if partners[text] > 0:
            partners[text] -= 1
        else:
            lone.append(index)
    return lone


def align_by_position(before: Sequence[Any], after: Sequence[Any]) -> Alignment:
    """The n-th with the n-th."""
    count = min(len(before), len(after))
    pairs = tuple((index, index) for index in range(count))
    return Alignment(pairs, tuple(range(count, len(before))), tuple(range(count, len(after))))


def is_reordered(before: Sequence[Any], after: Sequence[Any]) -> bool:
    """Whether both lists, which differ, hold the same items as often, so that only their order can differ."""
    if len(before) != len(after) or len(before) < 2:
        return False
    return Counter(map(canonical, before)) == Counter(map(canonical, after))


def _keys(items: Sequence[Any], member: str) -> list[str | None]:
    return [_key(item, member) for item in items]


def _key(item: Any, member: str) -> str | None:
    """The item's key as text, or None. 1, 1.0 and "1" are one key: that its type changed is found in the item."""
    members = item.members if isinstance(item, Repeating) else item
    value = members.get(member, _ABSENT) if isinstance(members, dict) else _ABSENT
    if value is _ABSENT or value is None:
        return None
    if isinstance(value, str):
        return value
    return canonical(int(value) if isinstance(value, float) and value.is_integer() else value)
