"""The single values of the rules under `compare`: as `scalars`, one function for each kind."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, get_args

from proxy.config.scalars import decimal_of, described, header, json_path
from proxy.config.suggest import closest
from proxy.core.compared_headers import FRAMING, INCIDENTAL
from proxy.core.value_rules import PATTERNS, Equation, Tolerance

_SHARE = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,6})?) ?%")
_HEADER = "header:"
_COOKIE = "set-cookie."
_MAX_DECIMALS = 15  # a double has no more (IEEE 754-2019 §5.12.2)
MAX_DISTANCE = 20  # percent: above it other pictures altogether look alike (docs/comparing.md)
EQUATIONS: tuple[str, ...] = get_args(Equation)


def place(value: str) -> str:
    """Where a rule holds: a JSON path, or `header:NAME`, or a part of one, as `header:set-cookie.session.path`."""
    if not value.startswith(_HEADER):
        return json_path(value)
    name = value.removeprefix(_HEADER).lower()
    # Names of cookies are foreign: `session (2)` is the second of a name, and `{id}` stands for names that are ids.
    return _HEADER + (name if name.startswith(_COOKIE) and name.isprintable() else header(name))


def is_header(value: str) -> bool:
    return value.startswith(_HEADER)


def header_of(value: str) -> str:
    """The name in a place for which `is_header` holds."""
    return value.removeprefix(_HEADER)


def comparable_header(value: str) -> str:
    """What `compare.headers` takes: a header's name, with or without `header:` before it."""
    name = header(header_of(value))
    if name in FRAMING:
        raise ValueError(f"{name} belongs to one connection or follows from the body: it is never compared")
    if name not in INCIDENTAL:
        raise ValueError(f"{name} is compared anyway; leave it out here")
    return name


def tolerance(value: Any) -> float | str:
    """How far numbers may be apart: 0 or more, or a share of the larger one, as `0.5%`."""
    if isinstance(value, str) and _SHARE.fullmatch(value):
        return value
    expected = "a tolerance is a number, 0 or more, or a share as 0.5%"
    number = decimal_of(value, expected)
    if number < 0:
        raise ValueError(f"{value} is below 0; {expected}")
    return float(number)


def distance(value: Any) -> float:
    """How far the colours of two pictures may be apart: a number of percent."""
    expected = f"a distance is a number of percent, 0 to {MAX_DISTANCE}"
    number = decimal_of(value, expected)
    if not 0 <= number <= MAX_DISTANCE:
        raise ValueError(f"{value} is out of range; {expected}")
    return float(number)


def tolerance_rule(value: float | str) -> Tolerance:
    """The rule for a checked tolerance."""
    if isinstance(value, str):
        return Tolerance(Decimal(value.rstrip("% ")) / 100, is_relative=True)
    return Tolerance(Decimal(repr(value)))


def decimals(value: Any) -> int:
    """To how many decimals numbers are rounded: 0 to 15."""
    expected = f"write how many decimals count: 0 to {_MAX_DECIMALS}"
    number = decimal_of(value, expected)
    if number not in range(_MAX_DECIMALS + 1):
        raise ValueError(f"{value} is not a number of decimals; {expected}")
    return int(number)


def form(value: str) -> str:
    """The form that both values must have: a name, or a regular expression for the whole text."""
    if not value:
        raise ValueError(f"an empty pattern fits nothing; write a regular expression, or {_one_of(PATTERNS)}")
    if value in PATTERNS:
        return value
    try:
        re.compile(value)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"{value!r} is not a regular expression: {error}; or write {_one_of(PATTERNS)}") from error
    close = closest(value, PATTERNS) if value.isalpha() else None
    if close is not None:
        raise ValueError(
            f"{value!r} fits this one text only; did you mean {close!r}? For the text itself write ({value})"
        )
    return value


def equation(value: Any) -> str:
    """Two ways to write the same: one of EQUATIONS."""
    if not isinstance(value, str):
        raise ValueError(f"{described(value)} is not an equation; write {_one_of(EQUATIONS)}")  # noqa: TRY004  # pydantic takes ValueError
    if value not in EQUATIONS:
        raise ValueError(f"{value!r} is not an equation; write {_one_of(EQUATIONS)}")
    return value


def _one_of(names: dict[str, str] | tuple[str, ...]) -> str:
    *others, last = names
    return f"{', '.join(others)} or {last}"
