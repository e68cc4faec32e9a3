"""Environment variables that override the config: CHANGEOVER_ROUTES__FEEDS__ROLLOUT__PERCENTAGE=10.

The names follow pydantic-settings (prefix, `__` between keys), which reads the process settings. Unlike its source
for nested models, this one matches the names that operators chose (`-` may be written `_`, any case) with the keys
that the file has, and remembers which variable gave which value, so that a wrong one is named.

A value is text where the key takes text; elsewhere it is read as YAML, of which JSON is a part.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_origin

from proxy.config.faults import is_shape, kind_of, without_none
from proxy.config.places import Finding, Places
from proxy.config.shape import MigrationShape
from proxy.config.source import Malformed, compose, is_unicode
from proxy.config.suggest import closest
from proxy.environment import DELIMITER, OTHERS, PREFIX, SETTINGS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from proxy.config.source import Loc
    from proxy.errors import Problem


@dataclass(frozen=True, slots=True)
class Overridden:
    """A document after its overrides: which variable gave which value, and what is wrong or unknown among them."""

    document: dict[str, Any]
    variables: Mapping[Loc, str]
    problems: tuple[Problem, ...]
    warnings: tuple[str, ...]


def override(document: dict[str, Any], environ: Mapping[str, str]) -> Overridden:
    """The document with the environment's values; the one given is left as it is."""
    places = _places(document)
    variables: dict[Loc, str] = {}
    problems: list[Problem] = []
    warnings: list[str] = []
    for variable in sorted(environ, key=lambda name: (name.count(DELIMITER), name)):
        name = variable.upper().removeprefix(PREFIX)
        if not variable.upper().startswith(PREFIX) or name in SETTINGS | OTHERS:
            continue
        if name not in places:
            warnings.append(_unknown(variable, places))
            continue
        loc, kind = places[name]
        try:
            document = _with_value(document, loc, _value(kind, environ[variable]))
            variables[loc] = variable
        except ValueError as error:
            problems.append(Places(variables={loc: variable}).problem(Finding(loc, str(error))))
    return Overridden(document, variables, tuple(problems), tuple(warnings))


def _unknown(variable: str, places: Mapping[str, object]) -> str:
    close = closest(variable.upper(), [PREFIX + name for name in (*places, *SETTINGS, *OTHERS)])
    hint = f"; did you mean {close}?" if close else ""
    return f"{variable}: is neither a process setting nor a key of the config, and has no effect{hint}"


def _places(document: Mapping[str, Any]) -> dict[str, tuple[Loc, Any]]:
    """Variable name without prefix -> the keys that it stands for, and the type of the value."""
    places: dict[str, tuple[Loc, Any]] = {}
    for loc, kind in _walk(MigrationShape, document, ()):
        name = DELIMITER.join(str(step) for step in loc).replace("-", "_").upper()
        places.setdefault(name, (loc, kind))
    return places


def _walk(kind: Any, value: Any, loc: Loc) -> Iterator[tuple[Loc, Any]]:
    """Every place below one: the keys of models, and those keys of mappings that the file has."""
    given = value if isinstance(value, dict) else {}
    keys = kind.model_fields if is_shape(kind) else given if get_origin(kind) is dict else ()
    for key in keys:
        below = without_none(kind_of(kind, key))
        yield (*loc, key), below
        yield from _walk(below, given.get(key), (*loc, key))


def _value(kind: Any, text: str) -> Any:
    """The value of a variable. Raises ValueError when it is not YAML."""
    if not is_unicode(text):
        raise ValueError("is not UTF-8; write the value as UTF-8")
    if kind is str or get_origin(kind) is Literal:
        return text
    try:
        source = compose(text)
    except Malformed as error:
        raise ValueError(f"{text!r} can't be read: {error}") from error
    if source is None or source.faults:
        reason = source.faults[0].message if source else "is empty; give it a value or unset it"
        raise ValueError(reason)
    return source.value


def _with_value(document: dict[str, Any], loc: Loc, value: Any) -> dict[str, Any]:
    """A copy of the document in which the place has the value; mappings on the way are made where they lack.

    Raises ValueError where the file has something else than a mapping on the way.
    """
    key = str(loc[0])
    if len(loc) == 1:
        return {**document, key: value}
    below = document.get(key, {})
    if not isinstance(below, dict):
        raise ValueError(f"{key!r} is not a mapping in the file, so nothing in it can be overridden")  # noqa: TRY004  # one class: the value is wrong
    return {**document, key: _with_value(below, loc[1:], value)}
