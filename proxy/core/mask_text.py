"""Secrets masked in a decoded text of any kind: a string of a JSON document, a header value, a page, a log.

1. What is written in another notation inside the text (JSON, percent encoding, HTML entities) is read, masked as a
   text of its own, and written again only where it held a secret.
2. Then names, markup and values are looked for in what stands there.
3. What is wrapped in more notations than `_MAX_NESTED` is masked as a whole: nobody has looked inside.
"""

from __future__ import annotations

import html
import json
import re
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from proxy.core.edits import edited
from proxy.core.mark import is_mark
from proxy.core.mask_json import mask_json, may_hold
from proxy.core.mask_markup import mask_markup
from proxy.core.mask_names import mask_pairs
from proxy.core.secret_values import mask_values

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.core.edits import Edit
    from proxy.core.mark import Mark
    from proxy.core.secret_names import SecretNames

_MAX_NESTED = 4
# Words, types and short numbers, as most headers and parameters have them: nothing to look for.
_PLAIN = re.compile(r"[a-z\-/,*]{0,60}|[0-9]{1,12}|[a-z]{1,20}[0-9]{1,6}")
# Neither a name in front of a value, nor anything to decode: only the look is left.
_NO_NOTATION = re.compile(r"[^=:%&<{\[\"]*+")
# Percent-encoded characters that can be part of a secret or of a name: all of ASCII but comma, slash and controls.
_PERCENT = re.compile(r"%(?:2[0-9ABDEabde]|[3-7])")
_PERCENT_RUN = re.compile(r"[^\s\"'<>&=?#;]++")
# Entities in an attribute's value, and markup inside a text node (as feeds have it).
_ENTITY = re.compile(r"&(?:quot|apos|#)")
_ENTITY_RUN = re.compile(r"[^<>\"'\r\n]++")
_NODE_RUN = re.compile(r"(?<![^>])[^<>]++")
# Where a JSON object or array may begin inside of another text: once in a line at most.
_EMBEDDED = re.compile(r"[{\[](?=\s*+[\"{\[])")
_LINE_END = re.compile(r"[\r\n]|\Z")
# Each attempt to read a broken value of several lines may take as long as the text is.
_MAX_BROKEN = 16
_decoder = json.JSONDecoder()


class TextMask:
    """Masks texts by one list of names and one key. Threads may share it."""

    def __init__(self, names: SecretNames, mark: Mark) -> None:
        self._names = names
        self._mark = mark

    def masked(self, text: str, nested: int = 0, *, is_markup: bool = False) -> str:
        """The text without its secrets; `text` itself where it has none."""
        if _PLAIN.fullmatch(text) is not None or is_mark(text):
            return text
        if _NO_NOTATION.fullmatch(text) is not None:
            return mask_values(text, self._mark)
        if nested > _MAX_NESTED:
            return self._mark(text) if _is_wrapped(text) else self._plain(text, is_markup=is_markup)
        document = self.document(text, nested)
        if document is not None:
            return document
        text = self._embedded(text, nested)
        if "%" in text and _PERCENT.search(text) is not None:
            text = self._runs(text, _PERCENT_RUN, "%", _percent_decoded, _percent_encoded, nested)
        if "&" in text and _ENTITY.search(text) is not None:
            text = self._runs(text, _ENTITY_RUN, "&", html.unescape, html.escape, nested)
        if "&lt;" in text:
            text = self._runs(text, _NODE_RUN, "&lt;", html.unescape, _escaped_node, nested)
        return self._plain(text, is_markup=is_markup)

    def document(self, text: str, nested: int = 0) -> str | None:
        """A JSON document without its secrets; None where the text isn't one."""
        if text.lstrip("\ufeff \t\r\n")[:1] not in {"{", "[", '"'}:
            return None
        return mask_json(text, self._names, self._mark, lambda inner: self.masked(inner, nested + 1))

    def _plain(self, text: str, *, is_markup: bool) -> str:
        text = mask_pairs(text, self._names, self._mark, is_markup=is_markup)
        if "<" in text:
            text = mask_markup(text, self._names, self._mark)
        return mask_values(text, self._mark)

    def _embedded(self, text: str, nested: int) -> str:
        """The text with the JSON in it masked: lines of JSON, events, JSONP, scripts, logs."""
        found = _EMBEDDED.search(text)
        if found is None or not may_hold(text, self._names):
            return text
        edits: list[Edit] = []
        broken = 0
        while found is not None:
            start, line_end = found.start(), _line_end(text, found.start())
            # A line is tried first: a fault in it costs no more than its length.
            end = _value_end(text[start:line_end])
            if end is None and broken < _MAX_BROKEN:
                end = _value_end(text[start:])
                broken += end is None
            if end is not None:
                masked = self.document(text[start : start + end], nested)
                if masked is not None:
                    edits.append((start, start + end, masked))
            found = _EMBEDDED.search(text, line_end if end is None else start + end)
        return edited(text, edits)

    def _runs(
        self,
        text: str,
        pattern: re.Pattern[str],
        sign: str,
        decode: Callable[[str], str],
        encode: Callable[[str], str],
        nested: int,
    ) -> str:
        """The text with each run that is encoded decoded, masked, and encoded again where it held a secret."""

        def run(found: re.Match[str]) -> str:
            written = found[0]
            if sign not in written:
                return written
            plain = decode(written)
            if plain == written:
                return written
            masked = self.masked(plain, nested + 1)
            return written if masked == plain else encode(masked)

        return pattern.sub(run, text)


def _line_end(text: str, start: int) -> int:
    found = _LINE_END.search(text, start)
    return len(text) if found is None else found.end()


def _value_end(text: str) -> int | None:
    """Where the JSON value ends with which the text begins; None where it isn't one."""
    try:
        return _decoder.raw_decode(text)[1]
    except (ValueError, RecursionError):
        return None


def _is_wrapped(text: str) -> bool:
    """Whether the text seems to hold another one that would have to be decoded."""
    return text.lstrip()[:1] in {"{", "[", '"'} or any(wrapped.search(text) for wrapped in (_PERCENT, _ENTITY))


def _escaped_node(text: str) -> str:
    return html.escape(text, quote=False)


def _percent_decoded(text: str) -> str:
    return unquote(text, errors="surrogateescape")


def _percent_encoded(text: str) -> str:
    return quote(text, safe=":/?", errors="surrogateescape")
