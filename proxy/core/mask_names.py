"""Secrets found by the names in front of them: `name=value`, `name: value` and `"name": value` in texts of any kind.

Nothing here knows a text's grammar. Names are looked for backwards from each sign, so that the cost grows with the
number of signs and not of words, and every pattern is linear. What is found is more than the secrets (`Password:
required` on a page is masked too).
"""

from __future__ import annotations

import json
import re
from operator import itemgetter
from typing import TYPE_CHECKING
from urllib.parse import unquote

from proxy.core.edits import edited

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from proxy.core.edits import Edit
    from proxy.core.secret_names import SecretNames

# Signs at which no name ends aren't worth a look back: `==`, those of URLs (`https://`) and of times (`T12:30:00`).
_EQUALS = re.compile(r"=(?<!==)(?!=)")
_COLON = re.compile(r":(?!//)(?<![T :\"'+\-]\d\d:)")
# In JSON those between members and values are left out: `mask_json` knows their names.
_COLON_IN_JSON = re.compile(r":(?:(?<!\":)(?<!\"[ \t]:)|(?<=\\\":)|(?<=\\\"[ \t]:))(?!//)(?<![T :\"'+\-]\d\d:)")

# Read backwards: white space, a bracket as in `window['name']`, a quote (of a string in a string with its backslashes),
# the name.
_NAME_PATTERN = r"\]?+(?P<quote>[\"'`]\\*+)?+(?P<name>[\w.\-%\[\]$\\]{1,300}+)"
_SAME_LINE = r"[ \t]*+"
_ANY_LINE = r"(?:\s*+(?=\]?[\"'`])|[ \t]*+)"  # of a name in quotes the sign may be on another line, as in broken JSON
_NAME = re.compile(_ANY_LINE + _NAME_PATTERN)
_NAME_IN_JSON = re.compile(_SAME_LINE + _NAME_PATTERN)
_UNNAMED = _NAME_PATTERN.replace("?P<quote>", "?:")
_NO_TIME = r"(?!\d\d[T :\"'+\-])(?<!//:)"
_NAMED_EQUALS = re.compile("=" + _ANY_LINE + _UNNAMED)
_NAMED_COLON = re.compile(":" + _NO_TIME + _ANY_LINE + _UNNAMED)
_NAMED_COLON_IN_JSON = re.compile(r":(?![ \t]?\"(?!\\))" + _NO_TIME + _SAME_LINE + _UNNAMED)
_MAX_CHARS = 320  # names of over 256 characters are secret
_UNICODE_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")
_LINE_ESCAPE = re.compile(r"\\[bfnrt]")
_MARK_TYPE = re.compile(r"masked(?::[a-z]+)?\Z")
# The rest of the line belongs to these, as in logged requests and commands.
_WHOLE_LINE = ("authorization", "cookie")

_SPACE = re.compile(r"[ \t]*+")
_WIDE_SPACE = re.compile(r"\s*+")
# A value in quotes ends at a quote with as many backslashes as the first, in a string in a string at one with fewer.
_QUOTED = re.compile(r"(?P<quote>[\"'`])(?P<value>(?:(?!(?P=quote))[^\\\r\n]|\\.)*+)(?P=quote)")
_QUOTED_DEEP = re.compile(
    r"(?P<opening>\\++(?P<quote>[\"'`]))"
    r"(?P<value>(?:[^\\\r\n\"'`]|(?!(?P=opening))\\++.|(?!(?P=quote))[\"'`])*+)"
)
# Of a text that was cut short within a value, the rest of the line.
_UNCLOSED = re.compile(r"\\*+[\"'`](?P<value>[^\r\n]++)")
# What isn't in quotes: after an equals sign a word, in a URL up to the next parameter; after a colon several words
# ("Password: correct horse").
_PARAMETER = re.compile(r"[^&;#\s\"'<>]++")
_WORD = re.compile(r"[^\s<>\"'&,;]++(?:,[^\s<>\"'&,;]++)*+")
_WORDS = re.compile(r"[^\r\n<>\"'&,;{}\[\]]++")
_LINE = re.compile(r"[^\r\n]*+")
# A YAML block scalar or list: lines that are indented more deeply, or begin with a dash.
_BLOCK = re.compile(r"(?:[|>][+\-\d]*+)?[ \t]*+((?:\r?\n(?:[ \t]++|- )[^\r\n]++)++)")
_CONSTANTS = frozenset({"null", "true", "false"})
# Each attempt to read a broken value may take as long as the text is.
_MAX_BROKEN = 16
_FIRST = itemgetter(0)
_decoder = json.JSONDecoder()


def named_signs(text: str, names: SecretNames, *, is_json: bool = False) -> Iterator[tuple[int, re.Match[str]]]:
    """The indexes of signs with a secret name in front of them, and the name's match (which reads backwards)."""
    known = {name: names.has(plain_name(name[::-1])) for name in _names_backwards(text, is_json=is_json)}
    if not any(known.values()):
        return
    pattern = _NAME_IN_JSON if is_json else _NAME
    for signs in (_EQUALS, _COLON_IN_JSON if is_json else _COLON):
        for sign in signs.finditer(text):
            at = sign.start()
            found = pattern.match(_backwards(text, at))
            if found is not None and known.get(found["name"], True) and not _is_in_mark(text, at):
                yield at, found


def _names_backwards(text: str, *, is_json: bool) -> set[str]:
    """All names before signs, read backwards: far quicker than to look at each sign."""
    backwards = text[::-1]
    colons = _NAMED_COLON_IN_JSON if is_json else _NAMED_COLON
    return {*_NAMED_EQUALS.findall(backwards), *colons.findall(backwards)}


def mask_pairs(text: str, names: SecretNames, mark: Callable[..., str], *, is_markup: bool = False) -> str:
    """The text with the value after each secret name masked, as scripts, settings, logs and URLs have them."""
    signs = sorted(named_signs(text, names), key=_FIRST)
    if not signs:
        return text
    edits: list[Edit] = []
    values = _Values(text, mark, is_markup=is_markup)
    end = 0
    for at, name in signs:
        edit = values.after(at, name) if at >= end else None  # others are inside a value that is masked
        if edit is not None:
            edits.append(edit)
            end = edit[1]
    return edited(text, edits)


def plain_name(name: str) -> str:
    """The name without percent encoding and, as in broken JSON, without escapes."""
    if "\\" in name:
        name = _UNICODE_ESCAPE.sub(lambda escape: chr(int(escape[1], 16)), name)
        name = _LINE_ESCAPE.split(name)[-1].strip("\\")
    return unquote(name) if "%" in name else name


def marked(value: str, mark: Callable[..., str]) -> str:
    """The value's mark; white space is no value."""
    return mark(value) if value.strip() else value


def _backwards(text: str, at: int) -> str:
    """What stands before the index, read backwards."""
    return text[at - 1 : at - 1 - _MAX_CHARS : -1] if at > _MAX_CHARS else text[:at][::-1]


def _is_in_mark(text: str, at: int) -> bool:
    return text[at] == ":" and _MARK_TYPE.search(text, max(at - 20, 0), at) is not None


class _Values:
    """Finds where the value of a name begins and ends in one text, and what to put there."""

    def __init__(self, text: str, mark: Callable[..., str], *, is_markup: bool) -> None:
        self._text = text
        self._mark = mark
        self._is_markup = is_markup
        self._broken = 0

    def after(self, at: int, name: re.Match[str]) -> Edit | None:
        """The edit for the value of the name in front of the sign at this index."""
        text = self._text
        start = _end(_WIDE_SPACE if name["quote"] else _SPACE, text, at + 1)
        for pattern in (_QUOTED, _QUOTED_DEEP, _UNCLOSED):
            quoted = pattern.match(text, start)
            if quoted is not None:
                return quoted.start("value"), quoted.end("value"), marked(quoted["value"], self._mark)
        if text.startswith(("{", "["), start):
            end = self._bracketed_end(start)
            return start, end, f'"{self._mark(text[start:end], "object")}"'
        return self._bare(at, start, name)

    def _bare(self, at: int, start: int, name: re.Match[str]) -> Edit | None:
        is_parameter = self._text[at] == "=" and self._is_parameter(at, name)
        bare = (_PARAMETER if is_parameter else self._pattern(at, start, name)).match(self._text, start)
        value = "" if bare is None else bare[0].rstrip()
        if not value or value in _CONSTANTS:
            return None
        # A parameter's value means what it decodes to.
        return start, start + len(value), self._mark(unquote(value) if is_parameter else value)

    def _is_parameter(self, at: int, name: re.Match[str]) -> bool:
        before = at - name.end() - 1
        return before >= 0 and self._text[before] in "?&;#"

    def _pattern(self, at: int, start: int, name: re.Match[str]) -> re.Pattern[str]:
        """How a value looks that isn't in quotes."""
        if self._is_markup:
            return _WORD if self._text[at] == "=" else _WORDS
        if not name["quote"] and plain_name(name["name"][::-1]).lower().endswith(_WHOLE_LINE):
            return _LINE
        if self._text[at] == "=":
            return _WORD
        return _WORDS if _BLOCK.match(self._text, start) is None else _BLOCK

    def _bracketed_end(self, start: int) -> int:
        """The end of the JSON value that begins there; of the line where it isn't JSON (too much, and linear)."""
        if self._broken < _MAX_BROKEN:
            try:
                return _decoder.raw_decode(self._text, start)[1]
            except (ValueError, RecursionError):
                self._broken += 1
        return _end(_LINE, self._text, start)


def _end(pattern: re.Pattern[str], text: str, start: int) -> int:
    found = pattern.match(text, start)
    return found.end() if found is not None else start
