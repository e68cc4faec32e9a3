"""Paths into JSON documents, as the operator writes them in `ignore`, `keys`, `tolerance` and `redact`.

A subset of RFC 9535 (JSONPath): `$`, `.name`, `["any name"]`, `[3]`, `[*]` or `.*` (every item or member),
and `..` (at any depth). Filters, slices, unions and negative indexes are refused, because a rule that hides
differences must be readable at a glance. A *concrete* path is what a comparison meets: names (str) and list
indexes (int).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

Concrete = tuple[str | int, ...]


class MapKey(str):
    """A name in an object that is a map: data, not a field of a record. As a step it is the name and nothing else."""

    __slots__ = ()


class Wild(Enum):
    """Steps that stand for many: EACH is one name or index; DEEP is any number of them, also none."""

    EACH = "[*]"
    DEEP = ".."


EACH: Final = Wild.EACH
DEEP: Final = Wild.DEEP
Step = str | int | Wild

# RFC 9535 §2.5.1: a member name in shorthand is letters, digits, "_" and everything outside ASCII. We also
# take "-" inside it, because headers and CSS have made such keys common.
_NAME = re.compile(r"[A-Za-z_\u0080-\U0010ffff][\w\-\u0080-\U0010ffff]*", re.ASCII)
_INDEX = re.compile(r"0|[1-9][0-9]{0,14}")
_QUOTED = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"' + r"|'(?:[^'\\\x00-\x1f]|\\.)*'")


@dataclass(frozen=True, slots=True)
class Path:
    """A parsed path. Equal paths have equal steps, however they were written."""

    steps: tuple[Step, ...]

    def matches(self, concrete: Concrete) -> bool:
        """Whether the path names exactly this place (not a place above or below it)."""
        steps = self.steps
        if DEEP in steps:
            return _matches_deep(steps, concrete)
        if len(steps) != len(concrete):
            return False
        return all(_is_step(step, part) for step, part in zip(steps, concrete, strict=True))

    def below(self, part: str | int) -> tuple[Path, ...]:
        """What the path says of what stands there, as paths of their own; () where it leads elsewhere."""
        if not self.steps:
            return ()
        if self.steps[0] is DEEP:
            return (self, Path(self.steps[2:])) if _is_step(self.steps[1], part) else (self,)
        return (Path(self.steps[1:]),) if _is_step(self.steps[0], part) else ()

    @property
    def last_name(self) -> str | None:
        """The member name nearest to the end, "b" for `$.a.b[*]`; None where the path names no member."""
        return next((step for step in reversed(self.steps) if isinstance(step, str)), None)

    def __str__(self) -> str:
        return "$" + "".join(_written(step, after) for step, after in _with_previous(self.steps))


def parse(text: str) -> Path:
    """The path that `text` writes. Raises ValueError: what is wrong, and at which character (from 1)."""
    if not text.startswith("$"):
        raise ValueError(f"a path begins with '$', as in '$.items[*].id'; this one is {text!r}")
    steps: list[Step] = []
    position = 1
    while position < len(text):
        found, position = _parse_step(text, position)
        steps.extend(found)
    return Path(tuple(steps))


def _parse_step(text: str, position: int) -> tuple[tuple[Step, ...], int]:
    """The steps that begin at `position`, and the position after them."""
    if text.startswith("..", position):
        after, end = _parse_deep(text, position + 2)
        return (DEEP, after), end
    if text[position] == ".":
        step, end = _parse_name(text, position + 1)
        return (step,), end
    if text[position] == "[":
        step, end = _parse_bracket(text, position)
        return (step,), end
    raise _fault(text, position, "expected '.' or '['")


def _parse_deep(text: str, position: int) -> tuple[Step, int]:
    if text.startswith("[", position):
        return _parse_bracket(text, position)
    return _parse_name(text, position)


def _parse_name(text: str, position: int) -> tuple[Step, int]:
    if text.startswith("*", position):
        return EACH, position + 1
    name = _NAME.match(text, position)
    if name is None:
        raise _fault(text, position, 'expected a name; write other names as ["any name"]')
    return name[0], name.end()


def _parse_bracket(text: str, position: int) -> tuple[Step, int]:
    start = position + 1
    if text.startswith("*]", start):
        return EACH, start + 2
    found = _INDEX.match(text, start) or _QUOTED.match(text, start)
    if found is None or not text.startswith("]", found.end()):
        raise _fault(text, start, 'expected [*], [3] or ["any name"]; filters, slices and unions are not supported')
    step = int(found[0]) if found[0][0] not in "\"'" else _unquoted(text, start, found[0])
    return step, found.end() + 1


def _unquoted(text: str, position: int, quoted: str) -> str:
    """The name inside quotes, with JSON's escapes (RFC 9535 §2.3.1.1)."""
    if quoted[0] == "'":
        quoted = '"' + quoted[1:-1].replace("\\'", "'").replace('"', '\\"') + '"'
    try:
        name: str = json.loads(quoted)
    except ValueError as error:
        raise _fault(text, position, 'a backslash begins an escape as in JSON: \\\\ \\" \\n \\u00e9') from error
    return name


def _fault(text: str, position: int, what: str) -> ValueError:
    rest = repr(text[position : position + 12]) if position < len(text) else "its end"
    return ValueError(f"{what} at character {position + 1} of {text!r}, found {rest}")


def _is_step(step: Step, part: str | int) -> bool:
    # Names are str and indexes int, so "3" never equals 3.
    return step is EACH or step == part


def _matches_deep(steps: tuple[Step, ...], concrete: Concrete) -> bool:
    """Match with DEEP steps: keep the set of steps that may come next, one pass over the concrete path."""
    states = closed({0}, steps)
    for part in concrete:
        states = closed(advanced(states, steps, part), steps)
    return len(steps) in states


def advanced(states: set[int], steps: tuple[Step, ...], part: str | int) -> set[int]:
    """The states after one more part: indexes of the steps that may come next, `len(steps)` where all are done."""
    return {
        state if steps[state] is DEEP else state + 1
        for state in states
        if state < len(steps) and (steps[state] is DEEP or _is_step(steps[state], part))
    }


def closed(states: set[int], steps: tuple[Step, ...]) -> set[int]:
    """The states, and those reached by letting DEEP stand for nothing."""
    closed = set(states)
    for state in sorted(states):
        after = state
        while after < len(steps) and steps[after] is DEEP:
            after += 1
            closed.add(after)
    return closed


def _with_previous(steps: tuple[Step, ...]) -> list[tuple[Step, Step | None]]:
    return list(zip(steps, (None, *steps), strict=False))


def _written(step: Step, previous: Step | None) -> str:
    if isinstance(step, Wild):
        return step.value
    if isinstance(step, int):
        return f"[{step}]"
    if _NAME.fullmatch(step) is None or not step.isprintable():
        return f"[{_quoted(step)}]"
    return step if previous is DEEP else f".{step}"


def _quoted(name: str) -> str:
    """The name in quotes. What can't be seen is escaped, or a line of a config would not hold it."""
    quoted = json.dumps(name, ensure_ascii=False)
    return "".join(each if each.isprintable() else json.dumps(each)[1:-1] for each in quoted)


def write(concrete: Concrete) -> str:
    """A concrete path as text, in the same language: `$.items[3]["any name"]`."""
    return str(Path(tuple(concrete)))
