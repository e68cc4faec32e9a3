"""Secrets masked inside JSON text without writing the rest of it again.

The standard parser reads the text once and says which names there are. Then only the places are visited that may
hold a secret: the values of secret names, and strings with a character in them that is part of every secret of some
kind. Only these characters change, and what comes out is valid JSON again.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from proxy.core.canonical import canonical
from proxy.core.document import Unreadable, parse_document
from proxy.core.edits import edited
from proxy.core.mark import is_mark
from proxy.core.mask_beside import may_have, values_beside
from proxy.core.mask_markup import has_secret_tags
from proxy.core.mask_names import named_signs
from proxy.core.secret_values import cards, suspects

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from proxy.core.edits import Edit
    from proxy.core.secret_names import SecretNames

_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"')
_COLON = re.compile(r"\s*+:\s*+")
# Characters in strings that must be decoded before anything can be seen: escaped letters, digits, and what tokens and
# URLs consist of; percent-encoded ones; HTML entities.
_ESCAPED = re.compile(r"\\u00[2-7]")
_PERCENT = re.compile(r"%(?:2[0-9ABDEabde]|[3-7])")
_ENTITY = re.compile(r"&(?:quot|apos|lt|#)")
_TAG = re.compile(r"<")
# JSON in a string, as queues and logs have it.
_NESTED = (re.compile(r"\{(?<=\"\{)"), re.compile(r"\[(?<=\"\[)"))
_ANY_ESCAPED = re.compile(r"\\u")
_FIRST = itemgetter(0)
_decoder = json.JSONDecoder(parse_float=str, parse_int=str)


def mask_json(text: str, names: SecretNames, mark: Callable[..., str], inside: Callable[[str], str]) -> str | None:
    """The document with its secrets masked; `text` itself where it has none; None where it isn't JSON.

    `inside` masks the decoded content of a string.
    """
    keys = _keys_in(text)
    if keys is None:
        return None
    return _Document(text, names, mark, inside).masked(keys)


def may_hold(text: str, names: SecretNames) -> bool:
    """Whether there may be a secret in JSON that stands somewhere in the text. Cheaper than looking for the JSON."""
    return (
        next(suspects(text), None) is not None
        or next(named_signs(text, names), None) is not None
        or "\\u" in text
        or any(pattern.search(text) is not None for pattern in (_PERCENT, _ENTITY))
        or has_secret_tags(text, names)
        or next(cards(text), None) is not None
    )


def _keys_in(text: str) -> set[str] | None:
    """All member names, unescaped, or None where the text isn't JSON. Nothing else is built: that is the fast way."""
    keys: set[str] = set()
    update = keys.update

    def members(pairs: list[tuple[str, Any]]) -> None:
        update(map(_FIRST, pairs))

    try:
        json.loads(text.removeprefix("\ufeff"), object_pairs_hook=members, parse_int=_no_number, parse_float=_no_number)
    except (ValueError, RecursionError):
        return None
    return keys


def _no_number(_text: str) -> None:
    """Numbers are of no interest here, and integers of over 4,300 digits would be refused."""


class _Document:
    """One valid JSON text, and what is to be changed in it."""

    def __init__(self, text: str, names: SecretNames, mark: Callable[..., str], inside: Callable[[str], str]) -> None:
        self._text = text
        self._names = names
        self._mark = mark
        self._inside = inside
        self._edits: list[Edit] = []
        self._spans: tuple[list[int], list[int]] | None = None

    def masked(self, keys: set[str]) -> str:
        """`keys` are the names of all members, unescaped."""
        secret_keys = [key for key in keys if self._names.has(key)]
        for key in secret_keys:
            self._mask_members(key)
        if may_have(self._text, keys, self._names):
            for start, end in values_beside(self._text, self._names):
                self._mask_value(start, end)
        self._visit_strings(sorted(self._suspects(is_any_key_secret=bool(secret_keys))))
        return edited(self._text, self._edits)

    def _mask_members(self, key: str) -> None:
        """Every member of this name that is written in one of the usual ways; `_visit_strings` finds the others."""
        for written in {f'"{key}"', json.dumps(key), json.dumps(key, ensure_ascii=False)}:
            at = self._text.find(written)
            while at >= 0:
                end = at + len(written)
                self._mask_member(end)
                at = self._text.find(written, end)

    def _mask_member(self, key_end: int) -> None:
        """The value after a key that ends there; nothing where no colon follows."""
        colon = _COLON.match(self._text, key_end)
        if colon is not None:
            start = colon.end()
            self._mask_value(start, self._value_end(start))

    def _mask_value(self, start: int, end: int) -> None:
        replacement = self._marked(self._text[start:end])
        if replacement is not None:
            self._edits.append((start, end, replacement))

    def _value_end(self, start: int) -> int:
        found = _STRING.match(self._text, start)
        return found.end() if found is not None else _decoder.raw_decode(self._text, start)[1]

    def _marked(self, written: str) -> str | None:
        """A value's mark as JSON. null, true, false and "" are no secrets."""
        first = written[0]
        if first == '"':
            value = json.loads(written) if "\\" in written else written[1:-1]
            return None if is_mark(value) else f'"{self._mark(value)}"'
        if first in "ntf":
            return None
        kind = "object" if first == "{" else "list" if first == "[" else "number"
        return f'"{self._mark(_canonical(written), kind)}"'

    def _suspects(self, *, is_any_key_secret: bool) -> Iterator[int]:
        """Indexes at which something may be part of a secret that stands in a string."""
        text, names = self._text, self._names
        yield from suspects(text)
        for at, _ in named_signs(text, names, is_json=True):
            yield at
        escaped = _ANY_ESCAPED if is_any_key_secret else _ESCAPED
        patterns = [escaped] if "\\u" in text else []
        patterns += [_PERCENT] if "%" in text else []
        patterns += [_ENTITY] if "&" in text else []
        patterns += _NESTED if '\\"' in text else ()
        if has_secret_tags(text, names):
            patterns.append(_TAG)
        for pattern in patterns:
            for found in pattern.finditer(text):
                yield found.start()
        for start, end in cards(text):
            if self._is_in_string(start):
                yield start
            elif text[start - 1 : start] not in {"-", "+"} and text[end : end + 1] not in {"e", "E"}:
                self._edits.append((start, end, f'"{self._mark(text[start:end], "card")}"'))

    def _visit_strings(self, places: list[int]) -> None:
        """Masks the strings around these indexes, each once."""
        done = 0
        for at in places:
            span = self._string_around(at) if at >= done else None
            if span is not None:
                self._visit_string(*span)
                done = span[1]

    def _string_around(self, at: int) -> tuple[int, int] | None:
        start = self._text.rfind('"', 0, at)
        while start > 0 and self._is_escaped(start):
            start = self._text.rfind('"', 0, start)
        found = _STRING.match(self._text, start) if start >= 0 else None
        return found.span() if found is not None and found.end() > at else None

    def _is_escaped(self, at: int) -> bool:
        backslashes = 0
        while backslashes < at and self._text[at - 1 - backslashes] == "\\":
            backslashes += 1
        return backslashes % 2 == 1

    def _visit_string(self, start: int, end: int) -> None:
        written = self._text[start:end]
        value = json.loads(written) if "\\" in written else written[1:-1]
        if "\\" in written and self._names.has(value):
            self._mask_member(end)
        masked = self._inside(value)
        if masked != value:
            self._edits.append((start, end, json.dumps(masked, ensure_ascii="\\u" in written)))

    def _is_in_string(self, at: int) -> bool:
        if self._spans is None:
            spans = [found.span() for found in _STRING.finditer(self._text)]
            self._spans = [start for start, _ in spans], [end for _, end in spans]
        starts, ends = self._spans
        index = bisect_right(starts, at) - 1
        return index >= 0 and at < ends[index]


def _canonical(written: str) -> str:
    """One text for all ways to write a value: order of members, white space and number forms mean nothing."""
    try:
        return canonical(parse_document(written))
    except (Unreadable, ValueError, RecursionError):
        return written
