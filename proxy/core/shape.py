"""The shape of a change: what kind of thing became what, in words that never hold a value.

One fault of a backend should have one shape, whatever the data: a price that became a string is
"number→numeric string", for 3 as for 3.5. The vocabulary is listed in docs/comparing.md.
"""

from __future__ import annotations

import html
import re
import unicodedata
from decimal import Decimal, localcontext
from typing import Any

from proxy.core.document import WIDE, Repeating, Token
from proxy.core.instant import change_of_instants

MISSING = "missing"
EXTRA = "extra"
REORDERED = "reordered"
VALUE = "value"
NAMESPACE = "namespace"

_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_MARK = re.compile(r"masked:([a-z]+):[0-9a-f]{12}")
_DIGITS = re.compile(r"[0-9]+")
_SPACE = re.compile(r"\s+")
_CUT_MARKS = ("...", "…")
_MIN_BEGINNING = 8
_MIN_DECIMALS = 2  # that a whole number must have lost: any x.5 is half of one off
_MAX_UNESCAPES = 3


def shape_of(before: Any, after: Any) -> str:
    """The shape of a change from one JSON value (see `document`) to another that differs from it."""
    was, became = _type_of(before), _type_of(after)
    if was == became == "string":
        return shape_of_text(before, after)
    if was == became == "float":
        return shape_of_floats(before, after)
    if was == became:
        return VALUE
    if change := change_of_instants(before, after):
        return change
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
    if len(before) != len(after) and _unescaped(before) == _unescaped(after):
        return "html-escaped" if len(after) > len(before) else "html-unescaped"
    if _SPACE.sub(" ", before).strip() == _SPACE.sub(" ", after).strip():
        return "white space"
    if before.casefold() == after.casefold():
        return "letter case"
    if unicodedata.normalize("NFC", before) == unicodedata.normalize("NFC", after):
        return "unicode form"
    if change := change_of_instants(before, after):
        return change
    is_cut, was_cut = _is_beginning(after, before), _is_beginning(before, after)
    if is_cut == was_cut:  # both: they only differ in the mark of the cut
        return VALUE
    return "cut short" if is_cut else "cut short before"


def shape_of_floats(before: float | Decimal | Token, after: float | Decimal | Token) -> str:
    """`rounded` where after has fewer decimals and is what rounding or cutting off makes of before.

    To how many decimals isn't told: of 3.104 and 3.145, rounded to two, the first would seem rounded to one.
    """
    if isinstance(before, Token) or isinstance(after, Token):
        return VALUE
    old, new = Decimal(str(before)), Decimal(str(after))
    with localcontext(WIDE):
        if _is_rounded(old, new):
            return "rounded"
        return "rounded before" if _is_rounded(new, old) else VALUE


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
        return _type_of_token(value.text)
    if isinstance(value, int):
        return "integer"
    if isinstance(value, (float, Decimal)):
        return "float"
    return "object" if isinstance(value, (dict, Repeating)) else "list"


def _type_of_token(text: str) -> str:
    if text.lstrip("-")[:1].isalpha():
        return "not a number"
    return "integer" if text.lstrip("-").isdigit() else "float"


def _loose(kind: str, value: Any, other: str) -> str:
    """A type as seen from another one: beside a string, all numbers are alike, and some strings are numeric."""
    if kind in {"integer", "float"}:
        return "number"
    if kind == "string" and other in {"integer", "float"} and _NUMBER.fullmatch(value.strip()):
        return "numeric string"
    return "empty string" if kind == "string" and not value else kind


def _is_rounded(exact: Decimal, near: Decimal) -> bool:
    decimals, kept = _decimals(exact), _decimals(near)
    if kept >= decimals or (not kept and decimals < _MIN_DECIMALS):
        return False
    unit = Decimal(1).scaleb(-kept)
    is_cut = abs(near) <= abs(exact) < abs(near) + unit and exact * near >= 0
    return is_cut or abs(exact - near) <= unit / 2


def _decimals(number: Decimal) -> int:
    exponent = number.normalize().as_tuple().exponent
    return -min(exponent, 0) if isinstance(exponent, int) else 0


def _is_beginning(part: str, whole: str) -> bool:
    """Whether the text was cut, with or without a mark that says so; a few characters are no evidence."""
    mark = next((mark for mark in _CUT_MARKS if part.endswith(mark)), "")
    kept = part.removesuffix(mark).rstrip() if mark else part
    return len(kept) >= _MIN_BEGINNING and len(kept) < len(whole) and whole.startswith(kept)


def _unescaped(text: str) -> str:
    """The text without its HTML escapes, also where it was escaped twice."""
    for _ in range(_MAX_UNESCAPES):
        plain = html.unescape(text)
        if plain == text:
            break
        text = plain
    return text
