"""JSON parsed without losing what a verdict depends on: number types, repeated keys, numbers beyond a double.

The standard parser is used because faster ones turn long integers into floats and refuse NaN, and so hide
differences. The result holds dict, list, str, bool, None, int, float, and for what these can't hold: `Repeating` (an
object with repeated keys), `Decimal` (a number that a double would round) and `Token` (NaN, Infinity, integers of over
4,300 digits).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

# A double holds at most 17 significant decimal digits (IEEE 754-2019 §5.12.2): numbers written with no more are
# compared as doubles, as every JSON library would read them; longer ones exactly.
_DOUBLE_DIGITS = 17
# For reckoning with what is beyond a double: Python's own context fails at 1e1000000 and takes 1e-9999999 for 0. The
# digits are of a result, not of a number; more would let 1e999999 - 1 fill the memory.
WIDE = Context(prec=100, Emin=MIN_EMIN, Emax=MAX_EMAX, traps=[])


class Unreadable(Exception):
    """A body that can't be compared. `reason` is the slug that the verdict carries."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Token:
    """A number that Python can't hold or that RFC 8259 doesn't know; equal only to the same characters."""

    text: str


class Repeated(list[Any]):
    """The values of a repeated key before its last: not a list of the document."""


class Repeating:
    """An object in which a key occurs more than once.

    `members` holds the last value of each key, as most parsers do; `earlier` maps each repeated key to the values
    before its last, in order.
    """

    __slots__ = ("earlier", "members")

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        self.members: dict[str, Any] = {}
        self.earlier: dict[str, Repeated] = {}
        for key, value in pairs:
            if key in self.members:
                self.earlier.setdefault(key, Repeated()).append(self.members[key])
            self.members[key] = value


def parse_document(text: str) -> Any:
    """The document in `text`. Raises ValueError where it isn't JSON, Unreadable("depth") where it nests too deeply."""
    try:
        return _parse(text)
    except RecursionError:
        raise Unreadable("depth") from None


def _parse(text: str) -> Any:
    try:
        return _decoder.decode(text)
    except json.JSONDecodeError:
        raise
    except ValueError:  # an integer of over 4,300 digits (sys.get_int_max_str_digits): rare, so only then
        return _long_decoder.decode(text)


def members_of(pairs: list[tuple[str, Any]]) -> dict[str, Any] | Repeating:
    """An object's members, in the order written."""
    members = dict(pairs)
    return members if len(members) == len(pairs) else Repeating(pairs)


def _long_integer(text: str) -> int | Token:
    try:
        return int(text)
    except ValueError:
        return Token(text)


def _float(text: str) -> float | Decimal | Token:
    value = float(text)
    digits = text.lstrip("-0.")
    length = len(digits) - ("." in digits)
    if length <= _DOUBLE_DIGITS and "e" not in text and "E" not in text and (value or not digits):
        return value + 0.0  # -0.0 and 0.0 are equal, also as texts
    return _exact(text, value)


def _exact(text: str, value: float) -> float | Decimal | Token:
    """The double, unless the number has more digits than one holds or is beyond its range."""
    try:
        exact = Decimal(text)
    except InvalidOperation:  # an exponent of more than 18 digits
        return Token(text)
    written = Decimal(repr(value))
    if exact == written:
        return value + 0.0
    is_in_range = written.is_finite() and bool(written) == bool(exact)
    digits = "".join(map(str, exact.as_tuple().digits)).rstrip("0")  # zeros at the end say nothing
    return value + 0.0 if is_in_range and len(digits) <= _DOUBLE_DIGITS else exact


def _decoder_with(parse_int: Callable[[str], Any]) -> json.JSONDecoder:
    return json.JSONDecoder(parse_int=parse_int, parse_float=_float, parse_constant=Token, object_pairs_hook=members_of)


# Made once: `json.loads` makes one for each text, which takes longer than to read a short record.
_decoder = _decoder_with(int)
_long_decoder = _decoder_with(_long_integer)

scan: Callable[[str, int], tuple[Any, int]] = _decoder.scan_once  # type: ignore[attr-defined]  # typeshed lacks it
"""The value that begins at a place of a text, and where it ends. Raises ValueError, StopIteration, RecursionError."""
