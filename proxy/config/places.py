"""Where a value of the config came from, and the problem that is told about it.

A value stands in the file (line and column), or came from an environment variable (then its name takes the place of
a line), or from a document that another process sent (then only its keys say where it is).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from proxy.config.scalars import without_user_info
from proxy.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from proxy.config.source import Fault, Loc, Source

_PLAIN_KEY = re.compile(r"[\w-]+")
_MAX_SHOWN = 160  # characters of a source line: two lines of a terminal


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong with the value at `loc`, or with its key. `other` is a second place that takes part in it."""

    loc: Loc
    message: str
    is_about_key: bool = False
    other: Loc | None = None


@dataclass(frozen=True, slots=True)
class Places:
    """The origin of each value: the source, if there is one, and the variables that override parts of it."""

    source: Source | None = None
    lines: tuple[str, ...] = ()
    variables: Mapping[Loc, str] = field(default_factory=dict)

    def problem(self, finding: Finding) -> Problem:
        """The finding with its place; `{other}` in its message becomes the place of the other value."""
        message = finding.message
        if finding.other is not None:
            message = message.replace("{other}", self._named(finding.other))
        variable = self.variable(finding.loc)
        if variable is not None:
            name, depth = variable
            inside = written(finding.loc[depth:])
            return Problem(0, 0, name, f"{inside}: {message}" if inside else message)
        if self.source is None:
            return Problem(0, 0, written(finding.loc), message)
        find = self.source.key_position if finding.is_about_key else self.source.position
        line, column = find(finding.loc)
        return Problem(line, column, written(finding.loc), message, self.line(line))

    def fault(self, fault: Fault) -> Problem:
        return Problem(fault.line, fault.column, written(fault.loc), fault.message, self.line(fault.line))

    def variable(self, loc: Loc) -> tuple[str, int] | None:
        """The variable that a value came from, and how many keys it stands for; None for a value of the file."""
        for depth in range(len(loc), 0, -1):
            if loc[:depth] in self.variables:
                return self.variables[loc[:depth]], depth
        return None

    def _named(self, loc: Loc) -> str:
        variable = self.variable(loc)
        if variable is not None:
            return variable[0]
        return f"line {self.source.position(loc)[0]}" if self.source else written(loc)

    def line(self, number: int) -> str:
        """A line of the source as it is shown: without indentation, passwords, control characters, excess length."""
        if not 0 < number <= len(self.lines):
            return ""
        text = without_user_info(self.lines[number - 1].strip())
        text = "".join(character if character.isprintable() else "\ufffd" for character in text)
        return text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 3] + "..."


def written(loc: Loc) -> str:
    """The keys of a place as text: `routes.feeds.compare.keys["$.items"]`, `users.key[0]`."""
    text = ""
    for step in loc:
        if isinstance(step, int):
            text += f"[{step}]"
        elif _PLAIN_KEY.fullmatch(step):
            text += f".{step}" if text else step
        else:
            text += f'["{step}"]'
    return text
