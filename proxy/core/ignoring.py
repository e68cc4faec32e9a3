"""Signatures and the rules that ignore them: which rule a signature would be ignored by, and which one covers it. Pure.

A rule names a place. A status has none, and `$` would hide all that ever differs in a body: no rule is made for them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from proxy.core.paths import EACH, Path, parse
from proxy.core.signature import PLACEHOLDER

if TYPE_CHECKING:
    from proxy.core.model import CompareRules

_HEADER = "header:"
_SOME_INDEX = -1  # no document has it: a rule for one index doesn't cover a signature of all


def ignoring_rule(kind: str, path: str) -> str | None:
    """What `compare.ignore` must say to ignore a signature of this kind and path; None where no rule can."""
    if kind == "header":
        return _HEADER + path.lower()
    steps = parse(path).steps if kind == "body" else ()
    if not steps:
        return None
    return str(Path(tuple(EACH if step == PLACEHOLDER else step for step in steps)))


def rules_elsewhere(rules: CompareRules, kind: str, path: str) -> list[str]:
    """What is ignored of bodies, but for rules that ignore a signature itself: who looks at that wants to see it."""
    return [
        str(rule)
        for rule in rules.ignore
        if kind != "body" or covering_rule(replace(rules, ignore=(rule,)), kind, path) is None
    ]


def covering_rule(rules: CompareRules, kind: str, path: str) -> str | None:
    """The first rule that ignores every place of a signature, as it is written; None where there is none."""
    if kind == "header":
        parts = path.lower().split(".")
        names = (".".join(parts[:length]) for length in range(1, len(parts) + 1))
        return next((_HEADER + name for name in names if name in rules.ignore_headers), None)
    if kind != "body":
        return None
    place = tuple(_SOME_INDEX if not isinstance(step, str | int) else step for step in parse(path).steps)
    above = [place[:length] for length in range(len(place) + 1)]
    return next((str(rule) for rule in rules.ignore if any(map(rule.matches, above))), None)
