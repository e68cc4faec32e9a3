"""Trees of elements, as HTML and XML make them, and what differs between two of them.

1. A tree is compared from its root down: an element's attributes, then its children in their order.
2. Which children belong together is found in `siblings`. What is left is missing or extra as a whole: one difference,
   however much is in it.
3. Children that only stand in another order are one difference, "reordered", at their element, however many they are.
4. A place is written like one of a JSON document: labels from the root down, `@name` for an attribute and `#text` for a
   text: `$.html.body["ul#feed"].li.a["@href"]`. Siblings of one label share a place.
5. What rules ignore is taken out of both trees before anything is compared.
6. `unordered` takes an element's children in any order; `keys` pairs them by an attribute.
7. Elements that are written alike are equal. Of the others only what is asked for is read: most of two pages is the
   same, and to read it all takes fifty times as long as to parse it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from proxy.core.bodies.element import TEXT, Element, local_name_of, namespace_of, text_of
from proxy.core.bodies.siblings import differing_runs, partners, without_equal
from proxy.core.difference import Difference
from proxy.core.excerpt import excerpts
from proxy.core.shape import EXTRA, MISSING, NAMESPACE, REORDERED, shape_of_text
from proxy.core.value_rules import ABSENT
from proxy.core.walk import Truncated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from proxy.core.bodies.element import Node
    from proxy.core.difference import Limits
    from proxy.core.model import CompareRules
    from proxy.core.paths import Concrete, Path

    CompareJson = Callable[[str, str, Concrete], list[Difference] | None]


class _Pruned:
    """An element without what rules ignore below it."""

    def __init__(self, whole: Element, rules: CompareRules, path: Concrete) -> None:
        self._whole = whole
        self._rules = rules
        self._path = path

    def label(self) -> str:
        return self._whole.label

    def attributes(self) -> dict[str, str]:
        return {name: text for name, text in self._whole.attributes.items() if not self._ignores(f"@{name}")}

    def children(self) -> Iterator[Node]:
        text = ""  # texts that only what is ignored parts are one
        for child in self._whole.children:
            if isinstance(child, str):
                if not self._ignores(TEXT):
                    text += child.lstrip(" ") if text.endswith(" ") else child
            elif not self._ignores(child.label):
                if text:
                    yield text
                    text = ""
                yield Element(child.name, _Pruned(child, self._rules, (*self._path, child.label)))
        if text:
            yield text

    def is_json(self) -> bool:
        return self._whole.source.is_json()

    def written(self) -> str:
        return self._whole.written  # compared among siblings only, of which the same is ignored

    def _ignores(self, name: str) -> bool:
        return self._rules.ignores((*self._path, name))


class TreeWalk:
    """One comparison of two trees; `differences` grows as it goes.

    `compare_json` compares the texts of elements that hold JSON, and returns None where one isn't.
    """

    def __init__(self, rules: CompareRules, limits: Limits, compare_json: CompareJson) -> None:
        self.differences: list[Difference] = []
        self._rules = rules
        self._limits = limits
        self._compare_json = compare_json
        self._namespaces: set[tuple[str, str]] = set()  # of which it was told that one became the other

    def compare(self, before: Element, after: Element) -> None:
        """Find what differs. Raises Truncated at the limit."""
        if local_name_of(before) != local_name_of(after):
            self._report((), f"{before.label}→{after.label}", before.label, after.label)
            return
        path = (before.label,)
        if self._rules.ignores(path):
            return
        if self._rules.ignore:
            before, after = (Element(one.name, _Pruned(one, self._rules, path)) for one in (before, after))
        self._elements(before, after, path)

    def _elements(self, before: Element, after: Element, path: Concrete) -> None:
        if before.written == after.written:
            return
        self._compare_namespaces(namespace_of(before), namespace_of(after), path)
        for name in dict.fromkeys([*before.attributes, *after.attributes]):
            self._values(before.attributes.get(name), after.attributes.get(name), (*path, f"@{name}"))
        if before.source.is_json() and after.source.is_json() and self._are_documents(before, after, path):
            return
        self._children(before.children, after.children, path)

    def _compare_namespaces(self, before: str, after: str, path: Concrete) -> None:
        """That one became another is told once, where it is met first: all below mostly follows."""
        if before != after and (before, after) not in self._namespaces:
            self._namespaces.add((before, after))
            self._report(path, NAMESPACE, before, after)

    def _are_documents(self, before: Element, after: Element, path: Concrete) -> bool:
        """Whether both hold JSON; then its differences are found."""
        found = self._compare_json(text_of(before), text_of(after), path)
        for difference in found or ():
            self._add(difference)
        return found is not None

    def _children(self, before: tuple[Node, ...], after: tuple[Node, ...], path: Concrete) -> None:
        is_any_order = any(place.matches(path) for place in self._rules.unordered)
        key = next((member.removeprefix("@") for place, member in self._rules.keys if place.matches(path)), None)
        if is_any_order:  # two of one key may have changed places, too
            before, after = without_equal(before, after)
        if key is not None:
            self._keyed(before, after, path, key, is_any_order=is_any_order)
            return
        if is_any_order:
            self._siblings(before, after, path)
            return
        runs, has_moved = differing_runs(before, after)
        if has_moved:
            self._report(path, REORDERED, [*map(_shown, before)], [*map(_shown, after)])
        for old, new in runs:
            self._siblings(old, new, path)

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
        self._siblings(*without_equal(*rest), path)

    def _siblings(self, before: tuple[Node, ...], after: tuple[Node, ...], path: Concrete) -> None:
        """Children of which none is equal."""
        pairs = partners(before, after)
        for index, node in enumerate(before):
            if index in pairs:
                self._pair(node, after[pairs[index]], path)
            else:
                self._lone(node, path, is_missing=True)
        taken = {*pairs.values()}
        for index, node in enumerate(after):
            if index not in taken:
                self._lone(node, path, is_missing=False)

    def _pair(self, before: Node, after: Node, path: Concrete) -> None:
        if not isinstance(before, str) and not isinstance(after, str):
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
    names = [*(f"@{name}" for name in element.attributes), *([TEXT] if text_of(element) else [])]
    if any(not rest.steps for path in below for name in names for rest in path.below(name)):
        return True
    if element.source.is_json() and any(read_json(text_of(element), path) for path in below):
        return True
    return bool(below) and any(
        has_place(child, below, read_json) for child in element.children if isinstance(child, Element)
    )


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
