"""One text for each JSON value, equal for equal values only: to find an item in a list without comparing all pairs.

The order of members means nothing, their types do: 1, 1.0, "1" and true have four texts.
"""

from __future__ import annotations

import json
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal
from typing import Any

from proxy.core.document import Repeating, Token

_UNBOUNDED = Context(prec=MAX_PREC, Emin=MIN_EMIN, Emax=MAX_EMAX)  # in any other, `normalize` rounds long numbers


def canonical(value: Any) -> str:
    """The value's text. Numbers that a double can't hold, and repeated keys, are kept apart from all others."""
    try:
        return _encode(value)
    except _Unusual:
        return "!" + _spelled(value)


class _Unusual(Exception):
    """The value holds something that Python's json can't write."""


def _refuse(_value: Any) -> None:
    raise _Unusual


_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=_refuse).encode


def _spelled(value: Any) -> str:
    """The slow way, for documents with unusual values. No JSON text has the words that begin with `<`."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{_encode(key)}:{_spelled(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_spelled, value)) + "]"
    if isinstance(value, Repeating):
        return f"<repeating {_spelled(value.members)} {_spelled(value.earlier)}>"
    if isinstance(value, Token):
        return f"<token {value.text}>"
    if isinstance(value, Decimal):
        return f"<exactly {value.normalize(_UNBOUNDED)}>"
    try:
        return _encode(value)
    except _Unusual:
        return repr(value)  # "<ignored>", from `prepare`
