"""Trees of elements, as HTML and XML make them, and what differs between two of them.

1. A tree is compared from its root down: an element's attributes, then its children in their order.
2. Children that are equal belong together; of the others those with the same label, in the order in which they stand.
   What is left is missing or extra as a whole: one difference, however much is in it.
3. Children that only stand in another order are one difference, "reordered", at their element.
4. A place is written like one of a JSON document: labels from the root down, `@name` for an attribute and `#text` for a
   text: `$.html.body["ul#feed"].li.a["@href"]`. Siblings of one label share a place.
5. What rules ignore is taken out of both trees before anything is compared.
6. `unordered` takes an element's children in any order; `keys` pairs them by an attribute.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from proxy.core.difference import Difference
from proxy.core.document import Unreadable
from proxy.core.excerpt import excerpts
from proxy.core.shape import EXTRA, MISSING, REORDERED, shape_of_text
from proxy.core.text_lines import common_ends
from proxy.core.value_rules import ABSENT
from proxy.core.walk import Truncated

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence

    from proxy.core.difference import Limits
    from proxy.core.model import CompareRules
    from proxy.core.paths import Concrete, Path

    CompareJson = Callable[[str, str, Concrete], list[Difference] | None]

TEXT = "#text"
# Quadratic, at worst: above it, siblings that differ are aligned by their labels alone.
_MAX_ALIGNED = 400


@dataclass(frozen=True, slots=True)
class Element:
    """`name` is compared, `label` is what a path says, `digest` is of all that is in it. `is_json`: so is its text."""

    name: str
    label: str
    attributes: dict[str, str]
    children: tuple[Element | str, ...]
    is_json: bool = False
    digest: bytes = field(init=False, compare=False)

    def __post_init__(self) -> None:
        own = sha256(self.name.encode("utf-8", "surrogatepass"))
        parts = [text for item in sorted(self.attributes.items()) for text in item]
        for part in (*(text.encode("utf-8", "surrogatepass") for text in parts), b"", *map(_digest, self.children)):
            own.update(len(part).to_bytes(8, "big") + part)
        object.__setattr__(self, "digest", own.digest())


Node = Element | str


class TreeWalk:
    """One comparison of two trees; `differences` grows as it goes.

    `compare_json` compares the texts of elements that hold JSON, and returns None where one isn't.
    """

    def __init__(self, rules: CompareRules, limits: Limits, compare_json: CompareJson) -> None:
        self.differences: list[Difference] = []
        self._rules = rules
        self._limits = limits
        self._compare_json = compare_json

    def compare(self, before: Element, after: Element) -> None:
        """Find what differs. Raises Truncated at the limit."""
        if before.name != after.name:
            self._report((), f"{before.label}→{after.label}", before.label, after.label)
            return
        path = (before.label,)
        old, new = self._pruned(before, path), self._pruned(after, path)
        if old is not None and new is not None:
            self._elements(old, new, path)

    # --- what is ignored ---
    def _pruned(self, element: Element, path: Concrete) -> Element | None:
        """The element without ignored places; None where it is one itself."""
        if not self._rules.ignore:
            return element
        if self._rules.ignores(path):
            return None
        attributes = {
            name: text for name, text in element.attributes.items() if not self._rules.ignores((*path, f"@{name}"))
        }
        children = [child for each in element.children for child in self._kept(each, path)]
        return Element(element.name, element.label, attributes, tuple(children), element.is_json)

    def _kept(self, child: Node, path: Concrete) -> Iterator[Node]:
        if isinstance(child, str):
            if not self._rules.ignores((*path, TEXT)):
                yield child
        elif (kept := self._pruned(child, (*path, child.label))) is not None:
            yield kept

    # --- the walk ---
    def _elements(self, before: Element, after: Element, path: Concrete) -> None:
        if before.digest == after.digest:
            return
        for name in dict.fromkeys([*before.attributes, *after.attributes]):
            self._values(before.attributes.get(name), after.attributes.get(name), (*path, f"@{name}"))
        if before.is_json and after.is_json and self._are_documents(before, after, path):
            return
        self._children(before.children, after.children, path)

    def _are_documents(self, before: Element, after: Element, path: Concrete) -> bool:
        """Whether both hold JSON; then its differences are found."""
        found = self._compare_json(_text_of(before), _text_of(after), path)
        for difference in found or ():
            self._add(difference)
        return found is not None

    def _children(self, before: tuple[Node, ...], after: tuple[Node, ...], path: Concrete) -> None:
        old, new = [*map(_digest, before)], [*map(_digest, after)]
        if old == new:
            return
        is_any_order = any(place.matches(path) for place in self._rules.unordered)
        key = next((member.removeprefix("@") for place, member in self._rules.keys if place.matches(path)), None)
        if is_any_order:  # two of one key may have changed places, too
            before, after = _without_equal(before, after)
        if key is not None:
            self._keyed(before, after, path, key, is_any_order=is_any_order)
            return
        if is_any_order:
            self._siblings(before, after, path)
            return
        if Counter(old) == Counter(new):
            self._report(path, REORDERED, [*map(_shown, before)], [*map(_shown, after)])
            return
        for old_part, new_part in unequal_parts(old, new):
            self._siblings(before[old_part], after[new_part], path)

    def _keyed(
        self, before: tuple[Node, ...], after: tuple[Node, ...], path: Concrete, key: str, *, is_any_order: bool
    ) -> None:
        """Children that belong together by an attribute; those without it as other siblings."""
        old, new = _by_key(before, key), _by_key(after, key)
        pairs = [pair for value in old for pair in zip(old[value], new.get(value, ()), strict=False)]
        if not is_any_order and not _is_in_order([other for _, other in sorted(pairs)]):
            self._report(path, REORDERED, [*map(_shown, before)], [*map(_shown, after)])
        for mine, other in pairs:
            self._pair(before[mine], after[other], path)
        for nodes, indexes, is_missing in (
            (before, {mine for mine, _ in pairs}, True),
            (after, {other for _, other in pairs}, False),
        ):
            for index, node in enumerate(nodes):
                if index not in indexes and _key_of(node, key) is not None:
                    self._lone(node, path, is_missing=is_missing)
        rest = (tuple(node for node in nodes if _key_of(node, key) is None) for nodes in (before, after))
        self._siblings(*_without_equal(*rest), path)

    def _siblings(self, before: tuple[Node, ...], after: tuple[Node, ...], path: Concrete) -> None:
        """Children of which none is equal: the n-th of a label with the n-th of it."""
        spare: dict[str, list[Node]] = {}
        for node in after:
            spare.setdefault(_name(node), []).append(node)
        for node in before:
            partners = spare.get(_name(node))
            if partners:
                self._pair(node, partners.pop(0), path)
            else:
                self._lone(node, path, is_missing=True)
        for nodes in spare.values():
            for node in nodes:
                self._lone(node, path, is_missing=False)

    def _pair(self, before: Node, after: Node, path: Concrete) -> None:
        if isinstance(before, Element) and isinstance(after, Element):
            self._elements(before, after, (*path, before.label))
        elif isinstance(before, str) and isinstance(after, str):
            self._values(before, after, (*path, TEXT))

    def _lone(self, node: Node, path: Concrete, *, is_missing: bool) -> None:
        place = (*path, TEXT if isinstance(node, str) else node.label)
        if isinstance(node, str):
            self._values(node if is_missing else None, None if is_missing else node, place)
        elif is_missing:
            self._report(place, MISSING, _shown(node), None)
        else:
            self._report(place, EXTRA, None, _shown(node))

    def _values(self, before: str | None, after: str | None, path: Concrete) -> None:
        """Two texts, or attributes' values; None where one side has none."""
        if before == after or self._is_accepted(before, after, path):
            return
        if before is None:
            self._report(path, EXTRA, None, after)
        elif after is None:
            self._report(path, MISSING, before, None)
        else:
            self._report(path, shape_of_text(before, after), before, after)

    def _is_accepted(self, before: str | None, after: str | None, path: Concrete) -> bool:
        old, new = (ABSENT if text is None else text for text in (before, after))
        return any(rule.accepts(old, new) for place, rule in self._rules.values if place.matches(path))

    def _report(self, path: Concrete, change: str, before: Any, after: Any) -> None:
        self._add(Difference("body", path, change, *excerpts(before, after)))

    def _add(self, difference: Difference) -> None:
        if len(self.differences) >= self._limits.max_differences:
            raise Truncated
        self.differences.append(difference)


def has_place(element: Element, paths: Iterable[Path], read_json: Callable[[str, Path], bool]) -> bool:
    """Whether one of the paths leads somewhere in the tree; they begin above the element.

    `read_json` says whether a path leads somewhere in a JSON text.
    """
    below = {rest for path in paths for rest in path.below(element.label)}
    if any(not path.steps for path in below):
        return True
    names = [*(f"@{name}" for name in element.attributes), *([TEXT] if _text_of(element) else [])]
    if any(not rest.steps for path in below for name in names for rest in path.below(name)):
        return True
    if element.is_json and any(read_json(_text_of(element), path) for path in below):
        return True
    return bool(below) and any(
        has_place(child, below, read_json) for child in element.children if isinstance(child, Element)
    )


def read_markup(text: str) -> str:
    """The text itself: it is parsed when it is compared. Raises ValueError for what has no tag."""
    if "<" not in text:
        raise ValueError("no tag")
    return text


def check_depth(depth: int, limits_depth: int) -> None:
    """Raises Unreadable("depth") where an element is nested more deeply than that."""
    if depth > limits_depth:
        raise Unreadable("depth")


def unequal_parts(before: Sequence[Hashable], after: Sequence[Hashable]) -> Iterator[tuple[slice, slice]]:
    """The runs that lie between equal nodes; of very many that differ, all between the equal ends."""
    start, old_end, new_end = common_ends(before, after)
    old, new = before[start:old_end], after[start:new_end]
    if max(len(old), len(new)) > _MAX_ALIGNED:
        yield slice(start, old_end), slice(start, new_end)
        return
    for kind, old_from, old_to, new_from, new_to in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind != "equal":
            yield slice(start + old_from, start + old_to), slice(start + new_from, start + new_to)


def _without_equal(before: tuple[Node, ...], after: tuple[Node, ...]) -> tuple[tuple[Node, ...], tuple[Node, ...]]:
    """Both without those that have an equal one on the other side, wherever it stands."""
    common = Counter(map(_digest, before)) & Counter(map(_digest, after))
    return _without(before, common.copy()), _without(after, common)


def _without(nodes: tuple[Node, ...], common: Counter[bytes]) -> tuple[Node, ...]:
    kept: list[Node] = []
    for node in nodes:
        digest = _digest(node)
        if common[digest] > 0:
            common[digest] -= 1
        else:
            kept.append(node)
    return tuple(kept)


def _key_of(node: Node, key: str) -> str | None:
    """Elements of different names are never one, whatever their key is."""
    if isinstance(node, str) or key not in node.attributes:
        return None
    return f"{node.name}\0{node.attributes[key]}"


def _by_key(nodes: tuple[Node, ...], key: str) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for index, node in enumerate(nodes):
        if (value := _key_of(node, key)) is not None:
            found.setdefault(value, []).append(index)
    return found


def _is_in_order(indexes: list[int]) -> bool:
    return indexes == sorted(indexes)


def _name(node: Node) -> str:
    """What two nodes share that may be one: elements of one name and label."""
    return TEXT if isinstance(node, str) else f"{node.name}\0{node.label}"


def _digest(node: Node) -> bytes:
    return b"#" + node.encode("utf-8", "surrogatepass") if isinstance(node, str) else node.digest


def _text_of(element: Element) -> str:
    return "".join(child for child in element.children if isinstance(child, str))


def _shown(node: Node) -> str:
    """The node for a report: its markup, more or less."""
    if isinstance(node, str):
        return node
    attributes = "".join(f' {name}="{text}"' for name, text in node.attributes.items())
    return f"<{node.label}{attributes}>{''.join(_few(map(_shown, node.children)))}"


def _few(texts: Iterable[str], room: int = 400) -> Iterator[str]:
    for text in texts:
        if room <= 0:
            return
        yield text
        room -= len(text)
