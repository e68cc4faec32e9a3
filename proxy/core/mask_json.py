"""Secrets masked inside JSON text without parsing it into values and writing it again.

The text is checked by the standard parser once, then scanned string by string, which never loses step with the
quotes. Only the characters of secret values change, and what comes out is valid JSON again.
"""

from __future__ import annotations

import json
import re
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from proxy.core.mask_text import mask_queries, mask_values

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.core.secret_names import SecretNames

# A string, and where it is a member's name also the colon, and the value where that is a string. Possessive, so linear.
_CONTENT = r'[^"\\]*+(?:\\.[^"\\]*+)*+'
_TOKEN = re.compile(rf'"(?P<key>{_CONTENT})"(?:\s*+(?P<colon>:)\s*+(?P<value>"{_CONTENT}")?+)?+')
# JSON in a string, as queues and logs have it: the content begins with a bracket and holds escaped quotes.
_NESTED = re.compile(r'"(?:\\[nrt]|\s)*+[{\[]')
# Characters that need no escape are escaped: letters, digits, and what tokens and URLs consist of.
_ESCAPED = re.compile(r"\\u00[2-7]|\\/")
_MAX_NESTED = 3
_FIRST = itemgetter(0)
_decoder = json.JSONDecoder()


def mask_json(text: str, names: SecretNames, mark: Callable[..., str], nested: int = 0) -> str | None:
    """The document with its secrets masked; `text` itself where it has none; None where it isn't JSON."""
    keys = _keys_in(text)
    if keys is None:
        return None
    # Most documents hold no secret, and then the scan isn't needed.
    looks_inside = _has_hidden_text(text)
    masked = text
    if looks_inside or any(map(names.has, keys)):
        masked = _Scan(text, names, mark, nested, looks_inside=looks_inside).masked()
    return mask_queries(mask_values(masked, mark), names, mark)


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


def _has_hidden_text(text: str) -> bool:
    """Whether strings must be unescaped before secrets in them can be seen."""
    if "\\" not in text:
        return False
    return _ESCAPED.search(text) is not None or ('\\"' in text and _NESTED.search(text) is not None)


class _Scan:
    """One pass over one document that holds something to mask, or may."""

    def __init__(
        self, text: str, names: SecretNames, mark: Callable[..., str], nested: int, *, looks_inside: bool
    ) -> None:
        self._text = text
        self._names = names
        self._mark = mark
        self._nested = nested
        self._looks_inside = looks_inside

    def masked(self) -> str:
        parts: list[str] = []
        copied = 0
        for found in _TOKEN.finditer(self._text):
            if found.start() < copied:
                continue  # inside a list or an object that is masked as a whole
            span = self._replacement(found)
            if span is not None:
                start, end, replacement = span
                parts += (self._text[copied:start], replacement)
                copied = end
        return "".join((*parts, self._text[copied:])) if parts else self._text

    def _replacement(self, found: re.Match[str]) -> tuple[int, int, str] | None:
        """What to put in the place of which characters, for one member or string."""
        is_member = found["colon"] is not None
        if is_member and self._names.has(_unescaped(found["key"])):
            return self._secret(found.end() if found["value"] is None else found.start("value"))
        raw = found["value"] if is_member else found[0]
        if raw is None or not self._looks_inside or "\\" not in raw:
            return None
        inner = self._inside(json.loads(raw))
        end = found.end()
        return None if inner is None else (end - len(raw), end, json.dumps(inner))

    def _secret(self, start: int) -> tuple[int, int, str] | None:
        """The whole value that begins at `start`. null, true, false and "" are no secrets."""
        value, end = _value_at(self._text, start)
        if value is None or isinstance(value, bool) or value == "":
            return None
        if isinstance(value, str):
            return start, end, f'"{self._mark(value)}"'
        if isinstance(value, (dict, list)):
            # Sorted, because the order of members doesn't make another secret.
            kind = "object" if isinstance(value, dict) else "list"
            return start, end, f'"{self._mark(json.dumps(value, sort_keys=True), kind)}"'
        return start, end, f'"{self._mark(self._text[start:end], "number")}"'

    def _inside(self, value: str) -> str | None:
        """A string's content masked, or None where it holds no secret."""
        if value.lstrip()[:1] in {"{", "["} and self._nested < _MAX_NESTED:
            document = mask_json(value, self._names, self._mark, self._nested + 1)
            if document is not None:
                return document if document != value else None
        masked = mask_queries(mask_values(value, self._mark), self._names, self._mark)
        return masked if masked != value else None


def _value_at(text: str, start: int) -> tuple[Any, int]:
    try:
        return _decoder.raw_decode(text, start)
    except ValueError:  # an integer of over 4,300 digits, alone or inside
        return json.JSONDecoder(parse_int=float).raw_decode(text, start)


def _unescaped(key: str) -> str:
    if "\\" not in key:
        return key
    unescaped: str = json.loads(f'"{key}"')
    return unescaped
