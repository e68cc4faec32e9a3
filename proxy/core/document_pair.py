"""Two JSON documents parsed side by side: what is written alike at the same place is parsed once, and is one object.

Two answers to one request are mostly the same text. Parsing takes most of the time of a comparison, and what both hold
as one object needs no walk: with one field of 125 kB changed, this halves the one and saves nearly all of the other.

Only the outermost objects, and lists of objects or lists in them, are taken apart here; all else is left to the
standard parser. Whatever isn't plain (a fault, a repeated key) goes to `parse_document` altogether, so that it has one
meaning.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from json.decoder import scanstring  # type: ignore[attr-defined]  # typeshed lacks it
from typing import Any

from proxy.core.document import Repeating, members_of, parse_document, scan

_SPACE = re.compile(r"[ \t\n\r]*")
_OPENED = re.compile(r"[\[{][ \t\n\r]*")
_LIST_OF_CONTAINERS = re.compile(r"\[[ \t\n\r]*[\[{]")
_AFTER_KEY = re.compile(r"[ \t\n\r]*:[ \t\n\r]*")
_AFTER_ITEM = re.compile(r"[ \t\n\r]*(?:,[ \t\n\r]*|[\]}])")
_MAX_DEPTH = 4
# Taking apart an object of many short members takes longer than it saves: so many, and characters of each.
_MANY_MEMBERS, _SHORT_CHARS = 64, 40
_GOES_ON = frozenset("0123456789.eE+-")  # what could follow a number and be part of it


@dataclass(frozen=True, slots=True)
class Documents:
    """Both documents; `shared` are the identities of the objects and lists that stand in both, at the same place."""

    before: Any
    after: Any
    shared: frozenset[int] = field(default=frozenset())


class _Odd(ValueError):
    """Not for here."""


def parse_documents(before: str, after: str) -> Documents:
    """As `parse_document` of each, and raises what it does."""
    try:
        pair = _Pair(before, after)
        return Documents(*pair.documents(), frozenset(pair.shared))
    except (ValueError, IndexError, StopIteration, RecursionError):
        return Documents(parse_document(before), parse_document(after))


class _Pair:
    """Two texts. Places in them go in pairs, of one in each."""

    def __init__(self, before: str, after: str) -> None:
        self._texts = before, after
        self.shared: set[int] = set()

    def documents(self) -> tuple[Any, Any]:
        one, other = self._texts
        old, new, i, j = self._value(_space(one, 0), _space(other, 0), 0, is_same_place=True)
        if _space(one, i) != len(one) or _space(other, j) != len(other):
            raise _Odd
        return old, new

    def _value(self, i: int, j: int, depth: int, *, is_same_place: bool) -> tuple[Any, Any, int, int]:
        """The values that begin at `i` and `j`, and where they end."""
        one, other = self._texts
        if is_same_place and depth < _MAX_DEPTH and one[i] == other[j]:
            if one[i] == "{":
                return self._objects(i, j, depth)
            if _LIST_OF_CONTAINERS.match(one, i) and _LIST_OF_CONTAINERS.match(other, j):
                return self._lists(i, j)
        return self._whole(i, j, is_same_place=is_same_place)

    def _whole(self, i: int, j: int, *, is_same_place: bool) -> tuple[Any, Any, int, int]:
        """By the standard parser; only once, where both are written alike."""
        one, other = self._texts
        old, end = scan(one, i)
        other_end = j + end - i
        if is_same_place and other.startswith(one[i:end], j) and other[other_end : other_end + 1] not in _GOES_ON:
            if isinstance(old, (dict, list, Repeating)):
                self.shared.add(id(old))
            return old, old, end, other_end
        new, other_end = scan(other, j)
        return old, new, end, other_end

    def _objects(self, i: int, j: int, depth: int) -> tuple[Any, Any, int, int]:
        one, other = self._texts
        sides: tuple[list[tuple[str, Any]], list[tuple[str, Any]]] = ([], [])
        begin = i = _opened(one, i)
        j = _opened(other, j)
        has_more, has_more_there = one[i] != "}", other[j] != "}"
        while has_more and has_more_there:
            if len(sides[0]) == _MANY_MEMBERS and i - begin < _MANY_MEMBERS * _SHORT_CHARS:
                raise _Odd
            key, i = _key(one, i)
            key_there, j = _key(other, j)
            old, new, i, j = self._value(i, j, depth + 1, is_same_place=key == key_there)
            sides[0].append((key, old))
            sides[1].append((key_there, new))
            has_more, i = _after_item(one, i, "}")
            has_more_there, j = _after_item(other, j, "}")
        i = i if not has_more and sides[0] else self._rest_of_members(sides[0], one, i)
        j = j if not has_more_there and sides[1] else self._rest_of_members(sides[1], other, j)
        return _plain(sides[0]), _plain(sides[1]), i, j

    @staticmethod
    def _rest_of_members(pairs: list[tuple[str, Any]], text: str, i: int) -> int:
        if text[i] == "}" and not pairs:
            return i + 1
        has_more = True
        while has_more:
            key, i = _key(text, i)
            value, i = scan(text, i)
            pairs.append((key, value))
            has_more, i = _after_item(text, i, "}")
        return i

    def _lists(self, i: int, j: int) -> tuple[Any, Any, int, int]:
        """Of objects or lists, with at least one item each."""
        one, other = self._texts
        old_items: list[Any] = []
        new_items: list[Any] = []
        i, j = _opened(one, i), _opened(other, j)
        has_more = has_more_there = True
        while has_more and has_more_there:
            old, new, i, j = self._whole(i, j, is_same_place=True)
            old_items.append(old)
            new_items.append(new)
            has_more, i = _after_item(one, i, "]")
            has_more_there, j = _after_item(other, j, "]")
        i = _rest_of_items(old_items, one, i) if has_more else i
        j = _rest_of_items(new_items, other, j) if has_more_there else j
        return old_items, new_items, i, j


def _rest_of_items(items: list[Any], text: str, i: int) -> int:
    has_more = True
    while has_more:
        value, i = scan(text, i)
        items.append(value)
        has_more, i = _after_item(text, i, "]")
    return i


def _space(text: str, i: int) -> int:
    found = _SPACE.match(text, i)
    return i if found is None else found.end()


def _opened(text: str, i: int) -> int:
    """Where the first item stands, or the end."""
    found = _OPENED.match(text, i)
    if found is None:
        raise _Odd
    return found.end()


def _key(text: str, i: int) -> tuple[str, int]:
    """A member's name, and where its value stands."""
    if text[i] != '"':
        raise _Odd
    key, end = scanstring(text, i + 1, True)  # strict, as the standard parser is
    found = _AFTER_KEY.match(text, end)
    if found is None:
        raise _Odd
    return key, found.end()


def _after_item(text: str, i: int, end: str) -> tuple[bool, int]:
    """Whether another item follows, and where it stands; or where its container has ended."""
    found = _AFTER_ITEM.match(text, i)
    if found is None:
        raise _Odd
    last = found.end()
    if text[last - 1] == end and "," not in found[0]:
        return False, last
    if "," not in found[0]:
        raise _Odd
    return True, last


def _plain(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = members_of(pairs)
    if isinstance(members, Repeating):
        raise _Odd
    return members
