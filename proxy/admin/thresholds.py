"""`--fail-on`: what a pipeline may ask of a report, such as "mismatch_rate>0.1%".

No data is not a failure, and inconclusive is not a pass: a rate of a route that compared nothing can't fail by its
size, and "coverage<95%" fails a route that should have been compared and wasn't.
"""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from proxy.admin.figures import coverage_ratio
from proxy.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from proxy.admin.report import Report

Json = dict[str, Any]

_EXPRESSION = re.compile(
    r"\s*(?P<figure>[a-z_]+)\s*(?P<sign>[<>]=?)\s*(?P<limit>\d{1,9}(?:\.\d{1,6})?)\s*(?P<percent>%?)\s*"
)
_SIGNS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True, slots=True)
class Threshold:
    """A figure, a comparison and a limit; the report fails where the comparison holds. Shares are ratios, 0 to 1."""

    expression: str
    figure: str
    sign: str
    limit: float

    def is_crossed(self, value: float) -> bool:
        return _SIGNS[self.sign](value, self.limit)


def _mismatch_rate(route: Json) -> float | None:
    return None if route["match_rate"] is None else 1 - route["match_rate"]


def _match_rate(route: Json) -> float | None:
    rate: float | None = route["match_rate"]
    return rate


# Figures of one route; None where there are no data for it.
_ROUTE_SHARES: dict[str, Callable[[Json], float | None]] = {
    "mismatch_rate": _mismatch_rate,
    "match_rate": _match_rate,
    "coverage": coverage_ratio,
}
_ROUTE_COUNTS: dict[str, Callable[[Json], int]] = {
    "mismatches": lambda route: route["mismatches"],
    "compared": lambda route: route["coverage"]["compared"],
}
# Figures of the whole report: signatures in these states.
_SIGNATURE_COUNTS = {
    "new_signatures": frozenset({"new"}),
    "regressed_signatures": frozenset({"regressed"}),
    "open_signatures": frozenset({"new", "known", "regressed"}),
}
FIGURES = (*_ROUTE_SHARES, *_ROUTE_COUNTS, *_SIGNATURE_COUNTS)


def parse_threshold(expression: str) -> Threshold:
    """Reads FIGURE SIGN NUMBER, where a share is given in percent or as 0 to 1. Raises Refused."""
    found = _EXPRESSION.fullmatch(expression)
    if found is None:
        raise Refused(f"--fail-on {expression!r}: must be a figure, <, <=, > or >=, and a number, as coverage<95%")
    figure, limit = found["figure"], float(found["limit"])
    if figure not in FIGURES:
        raise Refused(f"--fail-on {expression!r}: unknown figure {figure!r}; known: {', '.join(FIGURES)}")
    if found["percent"] and figure not in _ROUTE_SHARES:
        raise Refused(f"--fail-on {expression!r}: {figure} is a count; leave out the %")
    limit = limit / 100 if found["percent"] else limit
    if figure in _ROUTE_SHARES and limit > 1:
        raise Refused(f"--fail-on {expression!r}: {figure} is a share; give 0% to 100%, or 0 to 1")
    return Threshold(expression.strip(), figure, found["sign"], limit)


def failed_thresholds(thresholds: Sequence[Threshold], report: Report) -> list[str]:
    """One sentence for each threshold and route (or the whole report) that crosses it."""
    return [failure for threshold in thresholds for failure in _failures(threshold, report)]


def _failures(threshold: Threshold, report: Report) -> Iterator[str]:
    if states := _SIGNATURE_COUNTS.get(threshold.figure):
        found = sum(signature["state"] in states for signature in report.signatures)
        if threshold.is_crossed(found):
            yield f"{threshold.expression}: there are {found}"
        return
    for route in report.routes:
        value = _route_figure(threshold.figure, route)
        if value is not None and threshold.is_crossed(value):
            yield f"{threshold.expression}: {route['name']} has {_written(threshold.figure, value)}"


def _route_figure(figure: str, route: Json) -> float | None:
    if share := _ROUTE_SHARES.get(figure):
        return share(route)
    return _ROUTE_COUNTS[figure](route)


def _written(figure: str, value: float) -> str:
    """With all its digits: a share rounded to its limit would read like a contradiction."""
    return f"{value * 100:.6g} %" if figure in _ROUTE_SHARES else f"{value:,}"
