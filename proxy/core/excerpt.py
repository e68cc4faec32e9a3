"""A bounded piece of a value, for showing in a report: enough to see what differs, never the whole document."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from proxy.core.document import Repeating, Token
from proxy.core.intraline import common_beginning
from proxy.core.prepare import IGNORED_ITEM

_EXCERPT_CHARS = 400
_EXCERPT_ITEMS = 20
_LEAD_CHARS = 60  # equal ones before a change: what it belongs to, and room for the change where reports cut at 300


def excerpt(value: Any, depth: int = 3) -> Any:
    """The value as plain JSON types, for showing: long strings and lists are cut, deep ones emptied."""
    if isinstance(value, str):
        return value if len(value) <= _EXCERPT_CHARS else f"{value[:_EXCERPT_CHARS]}… ({len(value)} characters)"
    if isinstance(value, (dict, Repeating)):
        members = value.members if isinstance(value, Repeating) else value
        if depth == 0:
            return f"… ({len(members)} members)"
        shown = {key: excerpt(members[key], depth - 1) for key in list(members)[:_EXCERPT_ITEMS]}
        return shown if len(members) <= _EXCERPT_ITEMS else {**shown, "…": f"{len(members)} members"}
    if isinstance(value, list):
        if depth == 0:
            return f"… ({len(value)} items)"
        items = [excerpt(item, depth - 1) for item in value[:_EXCERPT_ITEMS]]
        return items if len(value) <= _EXCERPT_ITEMS else [*items, f"… ({len(value)} items)"]
    return _plain(value)


def excerpts(before: Any, after: Any) -> tuple[Any, Any]:
    """Both sides of a difference. Of long strings the part from shortly before the first character that differs."""
    if not (isinstance(before, str) and isinstance(after, str)) or max(len(before), len(after)) <= _EXCERPT_CHARS:
        return excerpt(before), excerpt(after)
    start = max(common_beginning(before, after) - _LEAD_CHARS, 0)
    return _part(before, start), _part(after, start)


def _part(text: str, start: int) -> str:
    if start == 0:
        return str(excerpt(text))
    end = start + _EXCERPT_CHARS
    return f"…{text[start:end]}{'…' if end < len(text) else ''} ({len(text)} characters)"


def _plain(value: Any) -> Any:
    """Numbers that JSON libraries or 64 bits can't hold become text; anything else stays."""
    if isinstance(value, Token):
        return excerpt(value.text)
    if isinstance(value, Decimal) or (isinstance(value, int) and abs(value) >= 1 << 63):
        return excerpt(str(value))
    return None if value is IGNORED_ITEM else value
