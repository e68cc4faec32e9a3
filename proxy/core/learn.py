"""What a rule should say of a place that differs between two answers of legacy: recognised by its values. Pure.

Only what is volatile by its kind is proposed: the time of the answer, ids made for it, tokens, counters, random order.
A place with one value that is none of these gets no proposal: a fault of new would look like that. Where all values
share a form, the rule asks for it, so that null, a missing member or another type is found; else the place is ignored.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from proxy.core.ignoring import ignoring_rule
from proxy.core.instant import read_instant, seconds_between
from proxy.core.paths import EACH, Path, parse
from proxy.core.rule_line import RuleLine
from proxy.core.shape import REORDERED
from proxy.core.signature import PLACEHOLDER
from proxy.core.value_rules import Pattern

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MIN_SELF_SHOWN = 3  # pairs of legacy with itself: one or two may be a deployment, or a write in between
MIN_COUNTED = 3  # values in a row that make a counter
NEAR_S = 26 * 3_600.0  # from now, as the farthest zones are: many answers don't say theirs
_MIN_TOKEN_CHARACTERS = 16  # 64 bits in hexadecimal digits
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_MASKED = re.compile(r"masked:[a-z]+:[0-9a-f]{12}")
_TOKEN = re.compile(r"(?=.*[0-9])(?=.*[A-Za-z])[A-Za-z0-9_\-+/=.~]+")


@dataclass(frozen=True, slots=True)
class Observed:
    """One difference: `at` is when its pair was compared, in Unix seconds; the values are plain JSON."""

    at: float
    shape: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Proposal:
    """A line for a route's `compare`, and what the place was recognised as."""

    line: RuleLine
    recognised: str


def propose(kind: str, path: str, observed: Sequence[Observed]) -> Proposal | None:
    """The rule for a place with these differences; None where nothing is recognised, or no rule can name it."""
    if observed and kind == "body" and all(each.shape == REORDERED for each in observed):
        steps = parse(path).steps
        place = str(Path(tuple(EACH if step == PLACEHOLDER else step for step in steps)))
        return Proposal(RuleLine("unordered", place), "order")
    recognised, rule = recognise(observed), ignoring_rule(kind, path)
    if not recognised or not rule:
        return None
    form = _form(recognised, observed)
    return Proposal(RuleLine("pattern", rule, form) if form else RuleLine("ignore", rule), recognised)


def recognise(observed: Sequence[Observed]) -> str:
    """The one kind of volatile value that all of them are, or ""."""
    if not observed:
        return ""
    for name, is_one in _KINDS.items():
        if all(is_one(value, each.at) for each in observed for value in (each.before, each.after)):
            return name
    return "counter" if _is_counter(observed) else ""


def _form(recognised: str, observed: Sequence[Observed]) -> str:
    """The pattern's name that every value has, which goes on being compared with; "" where none does."""
    return next((form for form in _FORMS[recognised] if _all_have(form, observed)), "")


def _all_have(form: str, observed: Sequence[Observed]) -> bool:
    pattern = Pattern(form)
    return all(pattern.accepts(each.before, each.after) for each in observed)


def _is_near(value: Any, at: float) -> bool:
    return read_instant(value) is not None and (seconds_between(value, int(at)) or 0.0) <= NEAR_S


def _is_uuid(value: Any, _: float) -> bool:
    return isinstance(value, str) and _UUID.fullmatch(value) is not None


def _is_token(value: Any, _: float) -> bool:
    if not isinstance(value, str):
        return False
    is_long = len(value) >= _MIN_TOKEN_CHARACTERS and _TOKEN.fullmatch(value) is not None
    return is_long or _MASKED.fullmatch(value) is not None


def _is_counter(observed: Sequence[Observed]) -> bool:
    """Whole numbers of legacy that only ever grow, one example after the other; new's are whole numbers too."""
    if len(observed) < MIN_COUNTED or not all(type(each.after) is int for each in observed):
        return False
    values = [each.before for each in sorted(observed, key=lambda each: each.at)]
    return all(type(value) is int for value in values) and all(a < b for a, b in pairwise(values))


# What a rule can still ask of such values, the most telling first.
_FORMS = {"timestamp": ("datetime", "integer"), "uuid": ("uuid",), "token": ("masked", "hex"), "counter": ("integer",)}
_KINDS: dict[str, Callable[[Any, float], bool]] = {"timestamp": _is_near, "uuid": _is_uuid, "token": _is_token}
