"""Server-sent events: a list with one object for each event, by the rules of HTML §9.2.6.

An event has what its lines say: `event` ("message" where data has no other), `data` (as JSON where it is an object or a
list), `id`, `retry`. What browsers pass over is kept beside it, so that it is compared: `comments`, lines of `unknown`
fields, and `unfinished` for the last event when no blank line ends it. Comments between events, which keep connections
open, belong to the next event (the last ones to the last), so that they move nothing and can be ignored at one place.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from proxy.core.bodies.body import TextForm
from proxy.core.document import parse_document

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proxy.core.content_type import ContentType

_Event = dict[str, Any]
_LINE_END = re.compile(r"\r\n|\n|\r")
_DIGITS = re.compile(r"[0-9]{1,18}")  # a wait that 64 bits hold; anything longer is no number of milliseconds


def _is_declared(declared: ContentType) -> bool:
    return declared.is_events


def _looks_like(_declared: ContentType, _text: str) -> bool:
    return False  # nearly every text with colons in it would


def _read(text: str) -> list[_Event]:
    """The events in order. Raises ValueError where there is text, and no line of it is a field or a comment."""
    events: list[_Event] = []
    comments: list[str] = []
    for lines, is_finished in _blocks(text):
        event = _event(lines)
        if event.keys() == {"comments"}:
            comments += event["comments"]
            continue
        if comments:
            event["comments"] = [*comments, *event.get("comments", ())]
            comments = []
        events.append(event if is_finished else event | {"unfinished": True})
    if comments:
        events = events or [{}]
        events[-1]["comments"] = [*events[-1].get("comments", ()), *comments]
    if events and all(event.keys() <= {"unknown", "unfinished"} for event in events):
        raise ValueError("no line is a field or a comment")
    return events


def _blocks(text: str) -> Iterator[tuple[list[str], bool]]:
    """The lines between blank ones, and whether a blank line follows."""
    *lines, rest = _LINE_END.split(text)
    block: list[str] = []
    for line in lines:
        if line:
            block.append(line)
        elif block:
            yield block, True
            block = []
    if rest:
        block.append(rest)
    if block:
        yield block, False


def _event(lines: list[str]) -> _Event:
    event: _Event = {}
    data: list[str] = []
    for line in lines:
        name, colon, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            data.append(value)
        elif name in {"event", "id"}:
            event[name] = value
        elif name == "retry" and _DIGITS.fullmatch(value):
            event[name] = int(value)
        else:
            is_comment = colon and not name
            event.setdefault("comments" if is_comment else "unknown", []).append(value if is_comment else line)
    if data:
        event["data"] = _data("\n".join(data))
        event["event"] = event.get("event") or "message"
    return event


def _data(written: str) -> Any:
    """A document, or the text: `3` and `[DONE]` are texts as much as anything else."""
    if written.lstrip()[:1] in {"{", "["}:
        try:
            return parse_document(written)
        except ValueError:
            return written
    return written


EVENTS = TextForm("events", _is_declared, _looks_like, _read)
