"""Values in JSON whose name stands beside them: `{"name": "Authorization", …, "value": S}`, as HAR and settings have
it, and `["X-Api-Key", S]`.

`may_have` says cheaply whether a text may hold one; only then is it walked through, token by token.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from proxy.core.secret_names import SecretNames

Span = tuple[int, int]

_NAMING = frozenset({"name", "key", "field", "header", "param", "parameter", "variable"})
_VALUES = frozenset({"value", "val", "values", "content"})
_TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[{}\[\]:]|[^\s{}\[\]:",]++')
_FIRST_OF_LIST = re.compile(r'\[\s*+("[^"\\]*+(?:\\.[^"\\]*+)*+")\s*+,')


def may_have(text: str, keys: Collection[str], names: SecretNames) -> bool:
    """Whether there may be such a value. `keys` are the names of all members, unescaped."""
    folded = {key.casefold() for key in keys if len(key) <= len("parameter")}
    if not folded.isdisjoint(_NAMING) and not folded.isdisjoint(_VALUES):
        return True
    return any(names.has(_plain(first)) for first in set(_FIRST_OF_LIST.findall(text)))


def values_beside(text: str, names: SecretNames) -> Iterator[Span]:
    """Where these values stand in valid JSON, in no order."""
    inside: list[_Container] = []
    for token in _TOKEN.finditer(text):
        written = token[0]
        if written in {"{", "["}:
            inside.append(_Container(token.start(), is_object=written == "{"))
        elif written in {"}", "]"}:
            done = inside.pop()
            yield from done.secrets(names)
            if inside:
                inside[-1].add((done.start, token.end()), None)
        elif written != ":" and inside:
            inside[-1].add(token.span(), _plain(written) if written[0] == '"' else None)


class _Container:
    """An object or a list that is open: what of it may name a value, and what may be one."""

    __slots__ = ("_is_object", "_key", "_named", "_number", "_values", "start")

    def __init__(self, start: int, *, is_object: bool) -> None:
        self.start = start
        self._is_object = is_object
        self._key: str | None = None
        self._named: list[str] = []
        self._values: list[Span] = []
        self._number = 0  # of a list's items

    def add(self, span: Span, string: str | None) -> None:
        """A member's name, a value, or an item."""
        if not self._is_object:
            self._number += 1
            if self._number == 1 and string is not None:
                self._named.append(string)
            elif self._number == 2:
                self._values.append(span)
        elif self._key is None:
            self._key = "" if string is None else string.casefold()
        else:
            if self._key in _NAMING and string is not None:
                self._named.append(string)
            elif self._key in _VALUES:
                self._values.append(span)
            self._key = None

    def secrets(self, names: SecretNames) -> list[Span]:
        """Of a list only one of two items: more are a list of names, or a row."""
        if not self._is_object and self._number != 2:
            return []
        return self._values if any(map(names.has, self._named)) else []


def _plain(written: str) -> str:
    value: str = json.loads(written, strict=False) if "\\" in written else written[1:-1]
    return value
