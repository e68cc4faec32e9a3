"""The shape of a change: what kind of thing became what, in words that never hold a value.

One fault of a backend should have one shape, whatever the data: a price that became a string is
"number→numeric string", for 3 as for 3.5. The vocabulary is listed in docs/comparing.md.
"""

from __future__ import annotations

import html
import re
import unicodedata
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any

from proxy.core.document import Repeating, Token

MISSING = "missing"
EXTRA = "extra"
REORDERED = "reordered"
VALUE = "value"

_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_MARK = re.compile(r"masked:([a-z]+):[0-9a-f]{12}")
_DIGITS = re.compile(r"[0-9]+")
_SPACE = re.compile(r"\s+")
# The longest form, RFC 9110's with a zone name, has 33 characters; ours may have microseconds and an offset.
_DATETIME_CHARS = range(8, 40)
_DATETIME_FORMATS = ("%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M", "%d.%m.%Y", "%d/%m/%Y %H:%M:%S", "%d/%m/%Y", "%b %d, %Y")
# 1973 to 5138 in seconds, and the same in milliseconds: numbers that may be points in time.
_EPOCH_SECONDS = range(100_000_000, 100_000_000_000)
_EPOCH_MILLISECONDS = range(100_000_000_000, 100_000_000_000_000)
_MAX_UNESCAPES = 3


def shape_of(before: Any, after: Any) -> str:
    """The shape of a change from one JSON value (see `document`) to another that differs from it."""
    was, became = _type_of(before), _type_of(after)
    if was == became == "string":
        return shape_of_text(before, after)
    if was == became:
        return VALUE
    if _are_instants(before, after):
        return "datetime format"
    if {was, became} == {"integer", "float"}:
        return f"{was}→{became}"
    return f"{_loose(was, before, became)}→{_loose(became, after, was)}"


def shape_of_text(before: str, after: str) -> str:
    """The shape of a change from one string to another that differs from it."""
    was, became = _MARK.fullmatch(before), _MARK.fullmatch(after)
    if was is not None and became is not None and was[1] != became[1]:
        return f"{was[1]}→{became[1]}"
    if not before or not after:
        return "string→empty string" if before else "empty string→string"
    if _unescaped(before) == _unescaped(after):
        return "html-escaped" if len(after) > len(before) else "html-unescaped"
    if _SPACE.sub(" ", before).strip() == _SPACE.sub(" ", after).strip():
        return "white space"
    if before.casefold() == after.casefold():
        return "letter case"
    if unicodedata.normalize("NFC", before) == unicodedata.normalize("NFC", after):
        return "unicode form"
    return "datetime format" if _are_instants(before, after) else VALUE


def shape_of_line(before: str, after: str) -> str:
    """As `shape_of_text`, for two lines of a text: numbers in them may differ, and nothing else."""
    shape = shape_of_text(before, after)
    if shape == VALUE and _DIGITS.sub("0", before) == _DIGITS.sub("0", after):
        return "numbers"
    return shape


def _type_of(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, str):
        return "string"
    if isinstance(value, Token):
        return "not a number" if value.text.lstrip("-")[:1].isalpha() else "integer"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, (float, Decimal)):
        return "float"
    return "object" if isinstance(value, (dict, Repeating)) else "list"


def _loose(kind: str, value: Any, other: str) -> str:
    """A type as seen from another one: beside a string, all numbers are alike, and some strings are numeric."""
    if kind in {"integer", "float"}:
        return "number"
    if kind == "string" and other in {"integer", "float"} and _NUMBER.fullmatch(value.strip()):
        return "numeric string"
    return kind


def _unescaped(text: str) -> str:
    """The text without its HTML escapes, also where it was escaped twice."""
    for _ in range(_MAX_UNESCAPES):
        plain = html.unescape(text)
        if plain == text:
            break
        text = plain
    return text


def _are_instants(before: Any, after: Any) -> bool:
    """Whether both write the same point in time, to the second where only one is more precise."""
    first, second = _instant(before), _instant(after)
    if first is None or second is None or first.replace(microsecond=0) != second.replace(microsecond=0):
        return False
    return first == second or first.microsecond == 0 or second.microsecond == 0


def _instant(value: Any) -> datetime | None:
    """The point in time that a string or number writes; without a zone it counts as UTC."""
    if isinstance(value, str):
        return _parsed_instant(value.strip()) if len(value) in _DATETIME_CHARS else None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if int(value) in _EPOCH_SECONDS:
        return datetime.fromtimestamp(int(value), UTC)
    return datetime.fromtimestamp(int(value) // 1000, UTC) if int(value) in _EPOCH_MILLISECONDS else None


def _parsed_instant(text: str) -> datetime | None:
    for form, parse in _INSTANTS:
        if form.match(text):
            try:
                found = parse(text)
                return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
            except (ValueError, OverflowError, IndexError):
                return None
    return None


def _parse_by_format(text: str) -> datetime:
    for form in _DATETIME_FORMATS:
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    raise ValueError("not a known form of a date")


# Which parser to ask, by what the text begins with: ISO 8601, RFC 9110's and mail's dates, and national forms.
_INSTANTS = (
    (re.compile(r"[0-9]{4}-[0-9]{2}|[0-9]{8}(?:T|$)"), datetime.fromisoformat),
    (re.compile(r"(?:[A-Za-z]{3}, )?[0-9]{1,2} [A-Za-z]{3} [0-9]{4}"), parsedate_to_datetime),
    (re.compile(r"[0-9]{2}[./][0-9]{2}[./][0-9]{4}|[A-Z][a-z]{2} [0-9]{1,2}, [0-9]{4}"), _parse_by_format),
)
