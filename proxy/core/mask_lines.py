"""Secrets in texts made of records: lines of JSON, and server-sent events, whose data may go over several lines.

Each record is masked as the document that it is; then the whole once more as a text, where it may not be what it is
declared to be. What is masked already stays.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_RECORD_END = re.compile(r"([\n\x1e]+)")
_LINE = re.compile(r"([^\r\n]*+)(\r\n|[\r\n]|\Z)")


def mask_records(text: str, document: Callable[[str], str | None], masked: Callable[[str], str]) -> str:
    """Lines of JSON, or a JSON text sequence. `document` returns None for a record that isn't one."""
    written = text.rstrip("\r\n")
    # As one list, where all lines are documents: in a third of the time. No string in them holds a line end.
    together = document("[" + written.replace("\n", "\n,") + "]")
    if together is not None:
        return together[1:-1].replace("\n,", "\n") + text[len(written) :]
    return _mask_apart(text, document, masked)


def _mask_apart(text: str, document: Callable[[str], str | None], masked: Callable[[str], str]) -> str:
    parts = _RECORD_END.split(text)
    is_broken = False
    for index in range(0, len(parts), 2):
        if parts[index].strip():
            found = document(parts[index])
            is_broken = is_broken or found is None
            parts[index] = parts[index] if found is None else found
    return masked("".join(parts)) if is_broken else "".join(parts)


def mask_events(text: str, document: Callable[[str], str | None], masked: Callable[[str], str]) -> str:
    """Events: the lines of each one's data as one text, a document in one line; then all lines as they are."""
    block: list[tuple[str, str]] = []
    written: list[str] = []
    for line in _LINE.finditer(text):
        block.append((line[1], line[2]))
        if not line[1]:
            written.append(_masked_event(block, document, masked))
            block = []
    return masked("".join(written))


def _masked_event(
    lines: list[tuple[str, str]], document: Callable[[str], str | None], masked: Callable[[str], str]
) -> str:
    places = [index for index, (line, _) in enumerate(lines) if line == "data" or line.startswith("data:")]
    data = [lines[index][0].removeprefix("data").removeprefix(":").removeprefix(" ") for index in places]
    if len(data) > 1 or (data and data[0].startswith('"')):  # any other line is as good as a text of its own
        plain = "\n".join(data)
        found = document(plain)
        # Line ends in a document are white space. Left there, `data:` would seem to be the value of the name before it.
        found = masked(plain) if found is None else found.replace("\n", " ")
        if found != plain:
            end = lines[places[0]][1]
            lines[places[0]] = (end.join(f"data: {line}" for line in found.split("\n")), end)
            joined = frozenset(places[1:])
            lines = [line for index, line in enumerate(lines) if index not in joined]
    return "".join(line + end for line, end in lines)
