"""Whether the rules of a route find a place in answers at all: one that never does is stale, or was mistyped. Pure.

A rule is named as people write it: `ignore: $.at`, `tolerance: header:x-cost`. What it found is remembered, so that a
rule is looked for only until it is found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.core.bodies.read import read_body
from proxy.core.document import Unreadable
from proxy.core.picture import PLACES
from proxy.core.prepare import has_place

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from proxy.core.evidence import Answer
    from proxy.core.model import CompareRules
    from proxy.core.paths import Path

_DOCUMENTS = frozenset({"json", "ndjson", "events", "form"})
# In one pair of so many: to look for a rule, both bodies are read once more.
LOOK_EVERY = 4


class RuleWatch:
    """Looks for the places of one route's rules until each was found once."""

    def __init__(self, rules: CompareRules) -> None:
        self._paths = dict(_paths(rules))
        self._headers = dict(_headers(rules))
        self._passed = 0

    def look(self, control: Answer, candidate: Answer) -> frozenset[str] | None:
        """The rules found for the first time; None where this pair was not looked at."""
        self._passed += 1
        if not (self._paths or self._headers) or self._passed % LOOK_EVERY:
            return None
        found = frozenset(self._found_by(control)) | frozenset(self._found_by(candidate))
        for name in found:
            self._paths.pop(name, None)
            self._headers.pop(name, None)
        return found

    def _found_by(self, answer: Answer) -> Iterator[str]:
        names = {name for name, _ in answer.headers}
        yield from (rule for rule, header in self._headers.items() if header in names)
        yield from _met(self._paths, answer)


def rule_names(rules: CompareRules) -> tuple[str, ...]:
    """Every rule that has a place, in the order of the rules."""
    return (*(name for name, _ in _paths(rules)), *(name for name, _ in _headers(rules)))


def _met(paths: Mapping[str, Path], answer: Answer) -> Iterator[str]:
    """The rules whose path leads somewhere in the body; in pages, XML and parts nobody looks, and all count as met."""
    if answer.picture is not None:
        yield from (name for name, path in paths.items() if any(path.matches((place,)) for place in PLACES))
    if not paths or not answer.body:
        return
    try:
        body = read_body(answer.content_type, answer.body)
    except (Unreadable, RecursionError):
        return
    if body.kind in {"html", "xml", "multipart"}:
        yield from paths
    elif body.kind in _DOCUMENTS:
        yield from (name for name, path in paths.items() if has_place(body.value, path))


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
