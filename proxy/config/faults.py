"""What pydantic found wrong, in the words of the people who write the file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args, get_origin

from pydantic import BaseModel

from proxy.config.places import Finding
from proxy.config.scalars import described
from proxy.config.shape import MigrationShape
from proxy.config.suggest import suggestion

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pydantic_core import ErrorDetails

    from proxy.config.source import Loc


def findings(errors: Iterable[ErrorDetails]) -> list[Finding]:
    """One finding for each of pydantic's errors."""
    return [_finding(error) for error in errors]


def _finding(error: ErrorDetails) -> Finding:
    loc = tuple(error["loc"])
    if error["type"] == "missing":
        return Finding(loc[:-1], f"the key {loc[-1]!r} is missing{_purpose(loc)}")
    if error["type"] == "extra_forbidden":
        return Finding(loc, f"unknown key{suggestion(str(loc[-1]), known_keys(loc[:-1]))}", is_about_key=True)
    if loc and loc[-1] == "[key]":
        return Finding(loc[:-1], _message(error), is_about_key=True)
    return Finding(loc, _message(error))


def _message(error: ErrorDetails) -> str:
    context: dict[str, Any] = error.get("ctx", {})
    found = described(error["input"])
    if error["type"] == "value_error":
        return str(context["error"])
    if error["type"] == "literal_error":
        return _not_one_of(error["input"], context["expected"], found)
    if error["type"] in _EXPECTED:
        return f"{found} is not {_EXPECTED[error['type']]}"
    if error["type"] == "string_type":
        return f"{found} is not text{_quoted_hint(error['input'])}"
    if error["type"] == "greater_than_equal":
        return f"{error['input']} is below {context['ge']}, the least allowed"
    if error["type"] == "less_than_equal":
        return f"{error['input']} is above {context['le']}, the most allowed"
    if error["type"] == "too_short":
        return "the list is empty; write an item or remove the key"
    return error["msg"]


_EXPECTED = {
    "bool_type": "true or false",
    "int_type": "a whole number",
    "list_type": "a list; write [one, two]",
    "dict_type": "a mapping; write keys with their values",
    "model_type": "a mapping; write keys with their values",
}


def _quoted_hint(value: object) -> str:
    is_scalar = value is not None and not isinstance(value, dict | list)
    return "; write it in quotes" if is_scalar else ""


def _not_one_of(value: object, expected: str, found: str) -> str:
    """`expected` is pydantic's own list: `'cookie' or 'legacy'`."""
    allowed = [word.strip("'") for word in expected.replace(" or ", ", ").split(", ")]
    wrong = str(value).lower() if isinstance(value, bool) else value
    hint = suggestion(wrong, allowed) if isinstance(wrong, str) else ""
    close = hint if "did you mean" in hint else ""
    return f"{found} is not one of {', '.join(allowed)}{close}"


def _purpose(loc: Loc) -> str:
    """What a missing key is for: the first sentence of its description."""
    shape = shape_at(loc[:-1])
    field = shape.model_fields.get(str(loc[-1])) if shape else None
    return f": {_lowered(field.description)}" if field and field.description else ""


def _lowered(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:].rstrip(".")


# --- the shape at a place --------------------------------------------------------------------------------------
def known_keys(loc: Sequence[str | int]) -> list[str]:
    """The keys that the mapping at a place may have; none where the operator chooses them."""
    shape = shape_at(loc)
    return list(shape.model_fields) if shape else []


def shape_at(loc: Sequence[str | int]) -> type[BaseModel] | None:
    """The model of the mapping at a place, or None where there is no model."""
    current: Any = MigrationShape
    for step in loc:
        current = kind_of(current, str(step))
    return current if is_shape(current) else None


def kind_of(kind: Any, key: str) -> Any:
    """The type under a key of a model or a mapping, without the `None` of optional ones; None where there is none."""
    if is_shape(kind):
        field = kind.model_fields.get(key)
        return without_none(field.annotation) if field else None
    return get_args(kind)[1] if get_origin(kind) is dict else None


def is_shape(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def without_none(kind: Any) -> Any:
    """`X | None` -> `X`, with the checks of an annotated X taken off."""
    given = [each for each in get_args(kind) if each is not type(None)]
    if type(None) in get_args(kind):
        kind = given[0]
    while hasattr(kind, "__metadata__"):
        kind = kind.__origin__
    return kind
