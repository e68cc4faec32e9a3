"""When two values that differ count as equal: one class for each rule of `compare` that judges values.

Each is asked only about two values found at its place that differ. A value is as `document` reads it, or ABSENT where
one side has no such member; headers and form fields are texts. A rule that can't read a value doesn't accept it: what
was not understood is never called equal.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal, localcontext
from functools import cache
from typing import Any, ClassVar, Final, Literal, Protocol

from proxy.core.document import WIDE, Repeating
from proxy.core.instant import seconds_between


class _Absent:
    """What stands for a member that isn't there; no JSON value equals it."""

    def __repr__(self) -> str:
        return "<absent>"


ABSENT: Final = _Absent()
# As RFC 8259 §6 writes numbers. Longer texts are no numbers that anybody measures; int() of one may take seconds.
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,59})(?:\.[0-9]{1,60})?(?:[eE][+-]?[0-9]{1,3})?")


class ValueRule(Protocol):
    """`kind` is the rule's key in `compare`."""

    kind: ClassVar[str]

    def accepts(self, before: Any, after: Any) -> bool:
        """Whether the two values, control's and candidate's, count as equal."""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """Numbers, or texts that write some, at most `within` apart; if `is_relative`, in shares of the larger one."""

    kind: ClassVar[str] = "tolerance"
    within: Decimal
    is_relative: bool = False

    def accepts(self, before: Any, after: Any) -> bool:
        """In decimals as they are written: 0.3 and 0.299 are 0.001 apart, which in doubles they aren't."""
        old, new = _numbers(before, after)
        if old is None or new is None:
            return False
        with localcontext(WIDE):
            scale = max(abs(old), abs(new)) if self.is_relative else 1
            return abs(old - new) <= self.within * scale


@dataclass(frozen=True, slots=True)
class Round:
    """Numbers equal after rounding to `decimals`, with halves up or to even: each backend has its own habit."""

    kind: ClassVar[str] = "round"
    decimals: int

    def accepts(self, before: Any, after: Any) -> bool:
        old, new = _numbers(before, after)
        return old is not None and new is not None and bool(self._rounded(old) & self._rounded(new))

    def _rounded(self, number: Decimal) -> set[Decimal]:
        if -number.as_tuple().exponent <= self.decimals:  # type: ignore[operator]  # it is finite: see `exact`
            return {number}
        return {round_to(number, self.decimals, mode) for mode in (ROUND_HALF_UP, ROUND_HALF_EVEN)}


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """Points in time at most `within_s` seconds apart, in whatever notation `instant` reads."""

    kind: ClassVar[str] = "time_window"
    within_s: float

    def accepts(self, before: Any, after: Any) -> bool:
        apart = seconds_between(_number_or_same(before), _number_or_same(after))
        return apart is not None and apart <= self.within_s


# RFC 9562 §4, RFC 3339 §5.6 (with a blank for the T, as it allows), and what the names say.
PATTERNS = {
    "uuid": r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}",
    "datetime": r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?"
    r"(?:[Zz]|[+-][0-9]{2}:?[0-9]{2})?",
    "date": r"[0-9]{4}-[0-9]{2}-[0-9]{2}",
    "url": r"https?://[^\s/?#]+(?:[/?#]\S*)?",
    "integer": r"-?[0-9]+",
    "number": r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?",
    "hex": r"[0-9a-fA-F]+",
    "masked": r"masked:[a-z]+:[0-9a-f]{12}",
}


@dataclass(frozen=True, slots=True)
class Pattern:
    """Texts or numbers that both have the form: a name of PATTERNS, or a regular expression for the whole text."""

    kind: ClassVar[str] = "pattern"
    form: str

    def accepts(self, before: Any, after: Any) -> bool:
        if type(before) is not type(after):
            return False
        form = _compiled(PATTERNS.get(self.form, self.form))
        return all((text := _written(value)) is not None and form.fullmatch(text) for value in (before, after))


Equation = Literal["null=missing", "empty=null", "empty=missing", "number=string", "integer=float", "boolean=number"]
_Nothing = Literal["missing", "null", "empty"]


@dataclass(frozen=True, slots=True)
class Equate:
    """Two ways to write the same, by name. What is equated with one thing twice is equated among itself."""

    kind: ClassVar[str] = "equate"
    equations: frozenset[str]

    def accepts(self, before: Any, after: Any) -> bool:
        kinds = {_nothing(before), _nothing(after)}
        if None not in kinds:
            return self._are_one(kinds)
        return any(
            self._is_number_of(*values) or self._is_boolean_of(*values) for values in ((before, after), (after, before))
        )

    def _are_one(self, kinds: set[_Nothing | None]) -> bool:
        """Whether all of these kinds of nothing are equated, be it by way of the third."""
        direct = {equation for equation in self.equations if equation in _NOTHINGS}
        if len(direct) > 1:
            return True
        return any(kinds <= set(equation.split("=")) for equation in direct)

    def _is_number_of(self, number: Any, other: Any) -> bool:
        if not _is_number(number):
            return False
        if isinstance(other, str):
            return "number=string" in self.equations and _is_equal_number(number, other)
        is_other_type = _is_number(other) and isinstance(number, int) != isinstance(other, int)
        return is_other_type and "integer=float" in self.equations and exact(number) == exact(other)

    def _is_boolean_of(self, boolean: Any, other: Any) -> bool:
        is_pair = isinstance(boolean, bool) and isinstance(other, int) and not isinstance(other, bool)
        return is_pair and "boolean=number" in self.equations and int(boolean) == other


_NOTHINGS = frozenset({"null=missing", "empty=null", "empty=missing"})


def exact(value: Any) -> Decimal | None:
    """The number as it is written; None for what is none, or isn't finite. A text counts where it is a number's."""
    if isinstance(value, str):
        return Decimal(value) if _NUMBER.fullmatch(value) else None
    if not _is_number(value):
        return None
    number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    return number if number.is_finite() else None


def _numbers(before: Any, after: Any) -> tuple[Decimal | None, Decimal | None]:
    """Both as numbers; None for both where one is a text and the other isn't: that is a difference of its own."""
    if isinstance(before, str) != isinstance(after, str):
        return None, None
    return exact(before), exact(after)


def round_to(number: Decimal, decimals: int, mode: str = ROUND_HALF_UP) -> Decimal:
    """The number with that many decimals; one of more digits than WIDE has stays as it is."""
    with localcontext(WIDE):
        rounded = number.quantize(Decimal(1).scaleb(-decimals), rounding=mode)
    return rounded if rounded.is_finite() else number


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)


def _is_equal_number(number: Any, text: str) -> bool:
    """Whether the text writes this number; `exact` of it is None where it is too long."""
    return exact(number) is not None and exact(number) == exact(text.strip())


def _number_or_same(value: Any) -> Any:
    """A Decimal as a float, which is what `instant` reads."""
    return float(value) if isinstance(value, Decimal) else value


def _written(value: Any) -> str | None:
    """A text, or a number as text; None for what has no form of its own."""
    if isinstance(value, str):
        return value
    return str(value) if _is_number(value) else None


def _nothing(value: Any) -> _Nothing | None:
    if value is ABSENT:
        return "missing"
    if value is None:
        return "null"
    is_empty = isinstance(value, (str, list, dict)) and not value
    return "empty" if is_empty and not isinstance(value, Repeating) else None


@cache
def _compiled(form: str) -> re.Pattern[str]:
    return re.compile(form)
