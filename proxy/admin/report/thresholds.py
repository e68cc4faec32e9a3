"""`--fail-on`: what a pipeline may ask of a report, such as "mismatch_rate>0.1%".

No data is not a failure, and inconclusive is not a pass: a rate of a route that compared nothing can't fail by its
size, and "coverage<95%" fails a route that should have been compared and wasn't. `proven_match_rate` is the lower
end of the match rate's interval: it fails a route of which too little was compared to know.
"""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from proxy.admin.figures import coverage_ratio
from proxy.core.proportion import wilson_interval
from proxy.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Json = dict[str, Any]

_EXPRESSION = re.compile(
    r"(?P<figure>[a-z_]+)\s*(?P<sign>[<>]=?)\s*(?P<limit>[0-9]{1,9}(?:\.[0-9]{1,6})?)\s*(?P<percent>%?)"
)
_BEGINNING = re.compile(r"(?P<figure>[^<>=!\s]*)\s*(?P<sign>[<>=!]*)\s*(?P<rest>.*)", re.DOTALL)
_SIGNS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_MAX_SHOWN_CHARACTERS = 80


@dataclass(frozen=True, slots=True)
class Threshold:
    """A figure, a comparison and a limit; the report fails where the comparison holds. Shares are ratios, 0 to 1."""

    expression: str
    figure: str
    sign: str
    limit: float

    def is_crossed(self, value: float) -> bool:
        return _SIGNS[self.sign](value, self.limit)


@dataclass(frozen=True, slots=True)
class Failure:
    """Where a threshold was crossed: the route, or None for the whole report, and what was found there."""

    route: str | None
    found: str

    def said(self) -> str:
        return f"there are {self.found}" if self.route is None else f"{self.route} has {self.found}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a threshold; `no_data` where no route has its figure, which fails nothing."""

    threshold: Threshold
    verdict: Literal["kept", "crossed", "no_data"]
    failures: tuple[Failure, ...]

    def sentences(self) -> list[str]:
        """One for each place where it was crossed."""
        expression = self.threshold.expression
        return [f"{expression}: {failure.said()}" for failure in self.failures]


def _mismatch_rate(route: Json) -> float | None:
    return None if route["match_rate"] is None else 1 - route["match_rate"]


def _match_rate(route: Json) -> float | None:
    rate: float | None = route["match_rate"]
    return rate


def _proven_match_rate(route: Json) -> float | None:
    """None only for a route of which nothing should have been compared: nothing proven is a rate of 0."""
    if not route["coverage"]["expected"]:
        return None
    compared = route["coverage"]["compared"]
    return wilson_interval(compared - route["mismatches"], compared).low


# Figures of one route; None where there are no data for it.
_ROUTE_SHARES: dict[str, Callable[[Json], float | None]] = {
    "mismatch_rate": _mismatch_rate,
    "match_rate": _match_rate,
    "proven_match_rate": _proven_match_rate,
    "coverage": coverage_ratio,
}
_ROUTE_COUNTS: dict[str, Callable[[Json], int]] = {
    "mismatches": lambda route: route["mismatches"],
    "compared": lambda route: route["coverage"]["compared"],
    "unlisted_differences": lambda route: route["coverage"]["unlisted"],
}
# Figures of the whole report: signatures in these states. What isn't proven to be noise counts as new (law 10).
SIGNATURE_COUNTS = {
    "new_signatures": frozenset({"new", "unproven"}),
    "unproven_signatures": frozenset({"unproven"}),
    "regressed_signatures": frozenset({"regressed"}),
    "open_signatures": frozenset({"new", "unproven", "known", "regressed"}),
}
FIGURES = (*_ROUTE_SHARES, *_ROUTE_COUNTS, *SIGNATURE_COUNTS)


def parse_threshold(expression: str) -> Threshold:
    """Reads FIGURE SIGN NUMBER, where a share is given in percent or as 0 to 1. Raises Refused."""
    found = _EXPRESSION.fullmatch(expression.strip())
    if found is None:
        _refuse(expression, _misreading(expression.strip()))
    figure, limit = found["figure"], float(found["limit"])
    if figure not in FIGURES:
        _refuse(expression, _unknown(figure))
    if found["percent"] and figure not in _ROUTE_SHARES:
        _refuse(expression, f"{figure} is a count; leave out the %")
    limit = limit / 100 if found["percent"] else limit
    if figure in _ROUTE_SHARES and limit > 1:
        _refuse(expression, f"{figure} is a share; give 0% to 100%, or 0 to 1")
    return Threshold(expression.strip(), figure, found["sign"], limit)


def judge(threshold: Threshold, routes: Sequence[Json], signatures: Sequence[Json]) -> Outcome:
    """Where the threshold is crossed, by routes in their order or by the whole report."""
    if states := SIGNATURE_COUNTS.get(threshold.figure):
        number = sum(signature["state"] in states for signature in signatures)
        failed = (Failure(None, f"{number:,}"),) if threshold.is_crossed(number) else ()
        return Outcome(threshold, "crossed" if failed else "kept", failed)
    values = [(route["name"], _route_figure(threshold.figure, route)) for route in routes]
    known = [(name, value) for name, value in values if value is not None]
    failures = tuple(
        Failure(name, _written(threshold.figure, value)) for name, value in known if threshold.is_crossed(value)
    )
    return Outcome(threshold, "crossed" if failures else "kept" if known else "no_data", failures)


def _misreading(expression: str) -> str:
    """What keeps an expression from being read, at the first place where it does."""
    found = _BEGINNING.match(expression)
    figure, sign, rest = found.groups() if found else ("", "", "")
    if not figure:
        return f"must begin with a figure, as coverage<95%; known: {', '.join(FIGURES)}"
    if figure not in FIGURES:
        return _unknown(figure)
    if not sign:
        return f"after {figure} must come <, <=, > or >=, and a number, as {figure}<{_sample(figure)}"
    if sign not in _SIGNS:
        return f"{sign} is no comparison here; use <, <=, > or >="
    if not rest:
        return f"after {sign} must come a number, as {figure}{sign}{_sample(figure)}"
    return f"{_shown(rest)} is no number; give one as {_sample(figure)}, one comparison in each --fail-on"


def _unknown(figure: str) -> str:
    close = get_close_matches(figure.lower().replace("-", "_"), FIGURES, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    return f"unknown figure {_shown(figure)}; {hint}known: {', '.join(FIGURES)}"


def _sample(figure: str) -> str:
    return "95%" if figure in _ROUTE_SHARES else "10"


def _shown(text: str) -> str:
    return repr(text if len(text) <= _MAX_SHOWN_CHARACTERS else f"{text[:_MAX_SHOWN_CHARACTERS]}…")


def _refuse(expression: str, why: str) -> NoReturn:
    raise Refused(f"--fail-on {_shown(expression)}: {why}")


def _route_figure(figure: str, route: Json) -> float | None:
    if share := _ROUTE_SHARES.get(figure):
        return share(route)
    return _ROUTE_COUNTS[figure](route)


def _written(figure: str, value: float) -> str:
    """With all its digits: a share rounded to its limit would read like a contradiction."""
    return f"{value * 100:.6g} %" if figure in _ROUTE_SHARES else f"{value:,}"
