"""Whether the rules of a route find a place in answers at all: one that never does is stale, or was mistyped. Pure.

A rule is named as people write it: `ignore: $.at`, `tolerance: header:x-cost`. What it found is remembered, so that a
rule is looked for only until it is found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.core.bodies.html import DOCTYPE, Page
from proxy.core.bodies.read import read_body
from proxy.core.bodies.tree import has_place as has_place_in_tree
from proxy.core.bodies.xml import STYLE_SHEET, parse_page, parse_xml
from proxy.core.charset import CHARSET
from proxy.core.document import Unreadable, parse_document
from proxy.core.picture import PLACES
from proxy.core.prepare import has_place

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from proxy.core.bodies.body import Body
    from proxy.core.bodies.element import Element
    from proxy.core.evidence import Answer
    from proxy.core.model import CompareRules
    from proxy.core.paths import Path

_DOCUMENTS = frozenset({"json", "ndjson", "events", "form"})
# In one pair of so many: to look for a rule, both bodies are read once more.
LOOK_EVERY = 4
# 100,000 characters of a page take 35 ms to be looked through, beside 60 ms and more to be compared.
_MAX_TREE_CHARS = 200_000


class RuleWatch:
    """Looks for the places of one route's rules until each was found once."""

    def __init__(self, rules: CompareRules) -> None:
        self._paths = dict(_paths(rules))
        self._headers = dict(_headers(rules))
        self._passed = 0

    def look(self, control: Answer, candidate: Answer) -> frozenset[str] | None:
        """The rules found for the first time; None where this pair was not looked at, or has no body to look into."""
        self._passed += 1
        if not (self._paths or self._headers) or self._passed % LOOK_EVERY:
            return None
        sides = [(answer, _body_of(answer) if self._paths else None) for answer in (control, candidate)]
        if self._paths and all(body is None and answer.picture is None for answer, body in sides):
            return None
        found = frozenset(name for side in sides for name in self._found_by(*side))
        for name in found:
            self._paths.pop(name, None)
            self._headers.pop(name, None)
        return found

    def _found_by(self, answer: Answer, body: Body | None) -> Iterator[str]:
        names = {name for name, _ in answer.headers}
        yield from (rule for rule, header in self._headers.items() if header in names)
        if answer.picture is not None:
            yield from (name for name, path in self._paths.items() if any(path.matches((place,)) for place in PLACES))
        if body is not None:
            yield from _met(self._paths, body)


def rule_names(rules: CompareRules) -> tuple[str, ...]:
    """Every rule that has a place, in the order of the rules."""
    return (*(name for name, _ in _paths(rules)), *(name for name, _ in _headers(rules)))


def _body_of(answer: Answer) -> Body | None:
    """The body; None where there is none, it was not kept, or nobody can read it: rules were not tried there."""
    if not answer.body:
        return None
    try:
        return read_body(answer.content_type, answer.body)
    except (Unreadable, RecursionError):
        return None


def _met(paths: Mapping[str, Path], body: Body) -> Iterator[str]:
    """The rules whose path leads somewhere in the body; in parts nobody looks, and all count as met."""
    yield from (name for name, path in paths.items() if path.matches((CHARSET,)))
    if body.kind == "multipart":
        yield from paths
    elif body.kind in {"html", "xml"}:
        yield from _met_in_tree(paths, body)
    elif body.kind in _DOCUMENTS:
        yield from (name for name, path in paths.items() if has_place(body.value, path))


def _met_in_tree(paths: Mapping[str, Path], body: Body) -> Iterable[str]:
    """All count as met where the tree can't be read, or would take too long."""
    text = body.value.text if isinstance(body.value, Page) else body.value
    if len(text) > _MAX_TREE_CHARS:
        return paths
    try:
        root = parse_page(body.value) if isinstance(body.value, Page) else parse_xml(text)
        return paths if root is None else [name for name, path in paths.items() if _is_in_tree(root, path)]
    except (Unreadable, RecursionError):
        return paths


def _is_in_tree(root: Element, path: Path) -> bool:
    """In the tree, or before it, which isn't looked for."""
    is_before = path.matches((DOCTYPE,)) or path.matches((STYLE_SHEET,))
    return is_before or has_place_in_tree(root, [path], _is_in_json)


def _is_in_json(text: str, path: Path) -> bool:
    try:
        return has_place(parse_document(text), path)
    except ValueError:
        return False


def _paths(rules: CompareRules) -> Iterator[tuple[str, Path]]:
    yield from ((f"ignore: {path}", path) for path in rules.ignore)
    yield from ((f"unordered: {path}", path) for path in rules.unordered)
    yield from ((f"keys: {path}", path) for path, _ in rules.keys)
    yield from ((f"{rule.kind}: {path}", path) for path, rule in rules.values)


def _headers(rules: CompareRules) -> Iterator[tuple[str, str]]:
    """Rule -> the header's name; the parts of a cookie are not looked for, only its header."""
    for place in sorted(rules.ignore_headers):
        yield f"ignore: header:{place}", place.partition(".")[0]
    for place, rule in rules.header_values:
        yield f"{rule.kind}: header:{place}", place.partition(".")[0]
