"""What a line of the audit changed, in one line of text."""

from __future__ import annotations

import json
from typing import Any

from proxy.admin.figures import NOTHING, moment, percent
from proxy.admin.signature_text import shortened
from proxy.core.model import percentage

Json = dict[str, Any]
_ELSEWHERE = frozenset({"who", "reason", "route", "since"})  # columns of the line itself


def change_text(line: Json) -> str:
    """What became another: "10 % → 25 %", "state: new → known"; "-" where nothing did."""
    before, after = _members(line["before"]), _members(line["after"])
    names = [*after, *(name for name in before if name not in after)]
    changes = [
        _change(name, before.get(name), after.get(name))
        for name in names
        if before.get(name) != after.get(name) and name not in _ELSEWHERE
    ]
    return shortened(", ".join(changes)) or NOTHING


def _members(value: Any) -> Json:
    """A value that is no object is one of its own."""
    if value is None:
        return {}
    return value if isinstance(value, dict) else {"value": value}


def _change(name: str, before: Any, after: Any) -> str:
    if name == "percentage":
        return f"{percent(before)} → {percent(after)}"
    if name == "cap_millipercent":
        return f"hold: {_cap(before)} → {_cap(after)}"
    if name == "until":
        return f"until: {moment(before)} → {moment(after)}"
    return f"{name}: {_written(before)} → {_written(after)}"


def _cap(millipercent: int | None) -> str:
    """What a hold lets through; "none" without a hold."""
    return "none" if millipercent is None else f"at most {percent(percentage(millipercent))}"


def _written(value: Any) -> str:
    if value is None or value == "":
        return NOTHING
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
