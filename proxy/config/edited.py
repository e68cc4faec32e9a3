"""An edited text of the config file against the one before: the lines that are others, and the file replaced by it.

Where the file can't be replaced, the refusal names the line, so that a person can change it where the file is kept.
"""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from proxy.config.file import write_atomically
from proxy.errors import Refused

if TYPE_CHECKING:
    from pathlib import Path

Json = dict[str, Any]


def write_edited(file: Path, before: str, after: str) -> None:
    """Replaces the file's text. Raises Refused, as `write_atomically`, with the line that is to be changed by hand."""
    try:
        write_atomically(file, after)
    except Refused as error:
        raise Refused(f"{error}; {line_to_change(str(file), before, after)}") from error


def changed_lines(before: str, after: str) -> list[Json]:
    """From the first line that differs to the last: `line` (1-based), `before` and `after`; one may be None."""
    old, new = before.splitlines(), after.splitlines()
    start = _equal_lines(old, new)
    tail = _equal_lines(old[start:][::-1], new[start:][::-1])
    pairs = zip_longest(old[start : len(old) - tail], new[start : len(new) - tail])
    return [
        {"line": number, "before": was, "after": becomes}
        for number, (was, becomes) in enumerate(pairs, start=start + 1)
    ]


def line_to_change(file: str, before: str, after: str) -> str:
    """Where a person can make by hand the change that we can't: file:line:col, the line, and what it becomes."""
    first = next(each for each in changed_lines(before, after) if each["before"] != each["after"])
    was, becomes = first["before"] or "", first["after"] or ""
    column = next(
        (at for at, (a, b) in enumerate(zip(was, becomes, strict=False)) if a != b), min(len(was), len(becomes))
    )
    place = f"{file}:{first['line']}:{column + 1}"
    if first["before"] is None:
        return f"{place}: add the line `{becomes.strip()}`"
    return f"{place}: change `{was.strip()}` to `{becomes.strip()}`"


def _equal_lines(one: list[str], other: list[str]) -> int:
    """How many are equal from the beginning."""
    return next(
        (number for number, (left, right) in enumerate(zip(one, other, strict=False)) if left != right),
        min(len(one), len(other)),
    )
