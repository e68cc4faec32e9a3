"""Which children of two elements belong together: equal ones in their order, then those that look most alike.

1. Children that are equal belong together where their order is the same on both sides. Between them lie *runs*.
2. In a run a child belongs to one of its name with which it shares words that no other one has; where there are none,
   the n-th to the n-th.
3. A child that is left over, and whose equal is left over elsewhere, was moved.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from difflib import SequenceMatcher
from itertools import pairwise
from typing import TYPE_CHECKING

from proxy.core.bodies.element import TEXT, Element, digest_of, name_of, written_of
from proxy.core.text_lines import common_ends

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence

    from proxy.core.bodies.element import Node

Run = tuple[tuple["Node", ...], tuple["Node", ...]]
"""Children that lie between equal ones, of both sides."""
# Quadratic, at worst: above it, nodes are aligned by those that are there once.
_MAX_ALIGNED = 400
_WORD = re.compile(r"\w+")


def unequal_parts(before: Sequence[Hashable], after: Sequence[Hashable]) -> Iterator[tuple[slice, slice]]:
    """The runs that lie between equal nodes. Very many are aligned by those that are there once ("patience diff")."""
    start, old_end, new_end = common_ends(before, after)
    old, new = before[start:old_end], after[start:new_end]
    if max(len(old), len(new)) <= _MAX_ALIGNED:
        yield from _aligned_parts(old, new, start, start)
        return
    old_from = new_from = 0
    for old_to, new_to in (*_in_order(_found_once(old, new)), (len(old), len(new))):
        part = old[old_from:old_to], new[new_from:new_to]
        align = _aligned_parts if max(map(len, part)) <= _MAX_ALIGNED else _unequal_places
        yield from align(*part, start + old_from, start + new_from)
        old_from, new_from = old_to + 1, new_to + 1


def _aligned_parts(
    old: Sequence[Hashable], new: Sequence[Hashable], old_start: int, new_start: int
) -> Iterator[tuple[slice, slice]]:
    for kind, old_from, old_to, new_from, new_to in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind != "equal":
            yield slice(old_start + old_from, old_start + old_to), slice(new_start + new_from, new_start + new_to)


def _found_once(old: Sequence[Hashable], new: Sequence[Hashable]) -> Iterator[tuple[int, int]]:
    """Where those stand that each side has once."""
    numbers = Counter(old), Counter(new)
    places = {node: index for index, node in enumerate(new)}
    yield from ((index, places[node]) for index, node in enumerate(old) if numbers[0][node] == numbers[1][node] == 1)


def _in_order(pairs: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """As many of the pairs as have one order on both sides. They come in the order of the first side."""
    ends: list[int] = []  # of the best series of each length, the second index of its last pair
    last: list[tuple[tuple[int, int], int]] = []  # each pair, and the length of the best series that it ends
    for pair in pairs:
        length = bisect_left(ends, pair[1])
        ends[length : length + 1] = [pair[1]]
        last.append((pair, length))
    found: list[tuple[int, int]] = []
    wanted = len(ends) - 1
    for pair, length in reversed(last):
        if length == wanted and (not found or pair[1] < found[-1][1]):
            found.append(pair)
            wanted -= 1
    return found[::-1]


def _unequal_places(
    old: Sequence[Hashable], new: Sequence[Hashable], old_start: int, new_start: int
) -> Iterator[tuple[slice, slice]]:
    """As `_aligned_parts`, place by place; all of it where there are more on one side."""
    if len(old) != len(new):
        yield slice(old_start, old_start + len(old)), slice(new_start, new_start + len(new))
        return
    begin = None
    for index, (one, other) in enumerate(zip((*old, None), (*new, None), strict=True)):
        if one != other and begin is None:
            begin = index
        elif one == other and begin is not None:
            yield slice(old_start + begin, old_start + index), slice(new_start + begin, new_start + index)
            begin = None


def differing_runs(before: tuple[Node, ...], after: tuple[Node, ...]) -> tuple[list[Run], bool]:
    """The runs that lie between equal children, and whether some children, left out of them, only moved.

    Digests are made of as few as possible, because they need all that is in an element.
    """
    runs = _runs(before, after, written_of)
    if _have_partners(runs):
        return runs, False
    runs = [unequal for old, new in runs for unequal in _runs(old, new, digest_of)]
    if not _may_belong_together(runs):
        return runs, False
    runs = _runs(before, after, digest_of)
    old, new = (Counter(digest_of(node) for run in runs for node in run[side]) for side in (0, 1))
    return ([], bool(runs)) if old == new else _without_moved(runs)


def _may_belong_together(runs: list[Run]) -> bool:
    """Whether a child without a partner in its run may have one in another: if all is compared, and not its writing."""
    lone: tuple[set[str], set[str]] = set(), set()
    for old, new in runs:
        names = Counter(map(name_of, old)), Counter(map(name_of, new))
        lone[0].update(names[0] - names[1])
        lone[1].update(names[1] - names[0])
    moved = ({digest_of(node) for run in runs for node in run[side]} for side in (0, 1))
    return not (lone[0].isdisjoint(lone[1]) and set.isdisjoint(*moved))


def _without_moved(runs: list[Run]) -> tuple[list[Run], bool]:
    """The runs without elements that one has too many of and another too few; whether there were any."""
    spare: tuple[Counter[str | bytes], Counter[str | bytes]] = Counter(), Counter()
    for run in runs:
        for side, names in enumerate(_too_many(run)):
            spare[side].update(digest_of(node) for node in run[side] if name_of(node) in names)
    moved = spare[0] & spare[1]
    if not moved:
        return runs, False
    left = [moved.copy(), moved]
    kept: list[Run] = []
    for run in runs:
        too_many = _too_many(run)
        old, new = (_without(run[side], left[side], too_many[side]) for side in (0, 1))
        kept.append((old, new))
    return kept, True


def _too_many(run: Run) -> tuple[set[str], set[str]]:
    """The names of the elements of which there are more on this side of a run than on the other."""
    old, new = (Counter(name_of(node) for node in nodes if isinstance(node, Element)) for nodes in run)
    return {*(old - new)}, {*(new - old)}


def _runs(before: tuple[Node, ...], after: tuple[Node, ...], key: Callable[[Node], Hashable]) -> list[Run]:
    parts = unequal_parts([*map(key, before)], [*map(key, after)])
    return [(before[old], after[new]) for old, new in parts]


def _have_partners(runs: list[Run]) -> bool:
    """Whether each child is an element that can only belong to the one in its place: no other one looks like it."""
    if any(len(old) != len(new) for old, new in runs):
        return False
    old, new = ([node for run in runs for node in run[side] if isinstance(node, Element)] for side in (0, 1))
    if len(old) < sum(len(run[0]) for run in runs):
        return False
    return any(
        looks == [*map(look, new)] and len({*looks}) == len(looks)
        for look in (name_of, _look)
        for looks in [[*map(look, old)]]
    )


def _look(element: Element) -> Hashable:
    return element.name, element.label, frozenset(element.attributes.items())


def without_equal(before: tuple[Node, ...], after: tuple[Node, ...]) -> tuple[tuple[Node, ...], tuple[Node, ...]]:
    """Both without those that have an equal one on the other side, wherever it stands."""
    common = Counter(map(digest_of, before)) & Counter(map(digest_of, after))
    return _without(before, common.copy()), _without(after, common)


def _without(nodes: tuple[Node, ...], taken: Counter[str | bytes], names: set[str] | None = None) -> tuple[Node, ...]:
    """The nodes without those that are taken, as often as it says; only of these names, where there are any."""
    kept: list[Node] = []
    for node in nodes:
        digest = digest_of(node)
        if taken[digest] > 0 and (names is None or name_of(node) in names):
            taken[digest] -= 1
        else:
            kept.append(node)
    return tuple(kept)


def partners(before: tuple[Node, ...], after: tuple[Node, ...]) -> dict[int, int]:
    """Of the children of a run, none of them equal: index of one -> index of the one that it belongs to."""
    old, new = _by_name(before), _by_name(after)
    groups = [(old[name], new[name]) for name in old if name in new]
    if len(groups) < min(len(old), len(new)):  # in another namespace a label is still one
        labels = [
            {_label(nodes[places[0]]): places for name, places in mine.items() if name not in others}
            for nodes, mine, others in ((before, old, new), (after, new, old))
        ]
        groups += [(labels[0][label], labels[1][label]) for label in labels[0] if label in labels[1]]
    return {one: other for mine, others in groups for one, other in _pairs(before, mine, after, others)}


def _by_name(nodes: Iterable[Node]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for index, node in enumerate(nodes):
        found.setdefault(name_of(node), []).append(index)
    return found


def _label(node: Node) -> str:
    return TEXT if isinstance(node, str) else node.label


def _pairs(
    before: tuple[Node, ...], mine: list[int], after: tuple[Node, ...], others: list[int]
) -> Iterator[tuple[int, int]]:
    """Of the nodes there, all of one name, those that look alike, and between them the n-th with the n-th."""
    is_clear = len(mine) == len(others) == 1 or isinstance(before[mine[0]], str)
    alike = [] if is_clear else _alike([before[index] for index in mine], [after[index] for index in others])
    old_from = new_from = 0
    for old_to, new_to in (*alike, (len(mine), len(others))):
        yield from zip(mine[old_from:old_to], others[new_from:new_to], strict=False)
        yield from zip(mine[old_to : old_to + 1], others[new_to : new_to + 1], strict=False)
        old_from, new_from = old_to + 1, new_to + 1


def _alike(old: list[Node], new: list[Node]) -> list[tuple[int, int]]:
    """Pairs that share most of the words that only one on each side has, as far as they have one order."""
    words, others = _own_words(old), _own_words(new)
    shared: Counter[tuple[int, int]] = Counter()
    for word in words.keys() & others.keys():
        shared[words[word], others[word]] += 1 if word.isdigit() else 2  # numbers count places, too
    best: dict[int, int] = {}
    taken: set[int] = set()
    for (one, other), _ in sorted(shared.items(), key=lambda each: (-each[1], each[0])):
        if one not in best and other not in taken:
            best[one] = other
            taken.add(other)
    return _in_order(sorted(best.items()))


def _own_words(nodes: list[Node]) -> dict[str, int]:
    """Each word, and each two in a row, that only one of the nodes has -> its index."""
    found: dict[str, int] = {}
    common: set[str] = set()
    for index, node in enumerate(nodes):
        words = _WORD.findall(written_of(node))
        for word in {*words, *map(" ".join, pairwise(words))}:
            if found.setdefault(word, index) != index:
                common.add(word)
    for word in common:
        del found[word]
    return found
