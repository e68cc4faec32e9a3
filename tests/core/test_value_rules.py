"""The rules that say when two values which differ count as equal."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.compare import compare
from proxy.core.document import Repeating, Token
from proxy.core.evidence import Verdict
from proxy.core.model import CompareRules
from proxy.core.value_rules import ABSENT, PATTERNS, Equate, Pattern, Round, TimeWindow, Tolerance
from tests.core.answers import changes, make_answer, make_rules

if TYPE_CHECKING:
    from proxy.core.value_rules import ValueRule

PERCENT = Tolerance(Decimal("0.01"), is_relative=True)
UUIDS = ("6fa459ea-ee8a-3ca4-894e-db77e160355e", "16fd2706-8baf-433b-82eb-8c7fada847da")
ALL = Equate(frozenset({"null=missing", "empty=null", "number=string", "integer=float", "boolean=number"}))

ROWS: list[tuple[ValueRule, Any, Any, bool]] = [
    (Tolerance(Decimal("0.001")), 0.3, 0.299, True),
    (Tolerance(Decimal("0.001")), 0.3, 0.2989, False),
    (Tolerance(Decimal(1)), 10**30, 10**30 + 1, True),
    (Tolerance(Decimal(1)), 10**30, 10**30 + 2, False),
    (Tolerance(Decimal(1)), Decimal("1.00000000000000000001"), 2, True),
    (Tolerance(Decimal(1)), True, 1, False),
    (Tolerance(Decimal(1)), 1, "1", False),
    (Tolerance(Decimal(1)), "1", "2", True),
    (Tolerance(Decimal(1)), "a", "b", False),
    (Tolerance(Decimal(1)), Token("NaN"), 1, False),
    (Tolerance(Decimal(1)), 1, ABSENT, False),
    (PERCENT, 100, 101, True),
    (PERCENT, 101, 100, True),
    (PERCENT, 100, 101.1, False),
    (PERCENT, -100, -101, True),
    (PERCENT, -1, 1, False),
    (PERCENT, 0, 0.001, False),
    (Round(2), 3.14159, 3.14, True),
    (Round(2), 3.14159, 3.15, False),
    (Round(2), 2.675, 2.68, True),
    (Round(0), 2.5, 2, True),
    (Round(0), 2.5, 3, True),
    (Round(0), 2.5, 4, False),
    (Round(1), 1, 1.04, True),
    (Round(15), 10**40, 10**40 + 1, False),
    (Round(2), Decimal("1e-400"), 0, True),
    (Round(2), "3.141", "3.14", True),
    (Round(2), "3.141", 3.14, False),
    (Round(2), None, 0, False),
    (TimeWindow(5), "2026-11-03T10:00:00Z", "2026-11-03T10:00:05Z", True),
    (TimeWindow(5), "2026-11-03T10:00:00Z", "2026-11-03T10:00:06Z", False),
    (TimeWindow(5), "2026-11-03T10:00:00Z", 1793700003, True),
    (TimeWindow(5), 1793700003, Decimal("1793700003.1234567890123"), True),
    (TimeWindow(5), "2026-11-03T12:00:00+02:00", "Tue, 03 Nov 2026 10:00:01 GMT", True),
    (TimeWindow(5), "yesterday", "today", False),
    (TimeWindow(5), None, "2026-11-03T10:00:00Z", False),
    (Pattern("uuid"), *UUIDS, True),
    (Pattern("uuid"), UUIDS[0], UUIDS[1] + "x", False),
    (Pattern("integer"), 1, 2, True),
    (Pattern("integer"), 1, "2", False),
    (Pattern("number"), 1.5, 2.5e30, True),
    (Pattern("url"), "https://a.example/x", "http://b.example", True),
    (Pattern("url"), "https://a.example/x", "ftp://b.example", False),
    (Pattern("date"), "2026-11-03", "2026-11-04", True),
    (Pattern("datetime"), "2026-11-03T10:00:00Z", "2026-11-03 10:00:00.5+01:00", True),
    (Pattern("hex"), "c0ffee", "00", True),
    (Pattern("masked"), "masked:token:0123456789ab", "masked:token:ba9876543210", True),
    (Pattern("R-[0-9]{2}"), "R-01", "R-99", True),
    (Pattern("R-[0-9]{2}"), "R-01", "R-999", False),
    (Pattern("true|false"), True, False, False),
    (Pattern(".*"), None, "x", False),
    (Pattern(".*"), "x", ABSENT, False),
    (Equate(frozenset({"null=missing"})), None, ABSENT, True),
    (Equate(frozenset({"null=missing"})), ABSENT, None, True),
    (Equate(frozenset({"null=missing"})), "", ABSENT, False),
    (Equate(frozenset({"null=missing"})), 0, ABSENT, False),
    (Equate(frozenset({"empty=null"})), "", None, True),
    (Equate(frozenset({"empty=null"})), [], None, True),
    (Equate(frozenset({"empty=null"})), {}, "", True),
    (Equate(frozenset({"empty=null"})), " ", None, False),
    (Equate(frozenset({"empty=missing"})), {}, ABSENT, True),
    (Equate(frozenset({"empty=null", "null=missing"})), "", ABSENT, True),
    (Equate(frozenset({"empty=null", "null=missing"})), Repeating([("a", 1), ("a", 2)]), ABSENT, False),
    (Equate(frozenset({"number=string"})), 1, "1", True),
    (Equate(frozenset({"number=string"})), "1.50", 1.5, True),
    (Equate(frozenset({"number=string"})), 7, "007", False),
    (Equate(frozenset({"number=string"})), 1, "one", False),
    (Equate(frozenset({"number=string"})), "1", "1.0", False),
    (Equate(frozenset({"number=string"})), 1, 1.0, False),
    (Equate(frozenset({"integer=float"})), 1, 1.0, True),
    (Equate(frozenset({"integer=float"})), 2, 1.0, False),
    (Equate(frozenset({"integer=float"})), True, 1.0, False),
    (Equate(frozenset({"boolean=number"})), True, 1, True),
    (Equate(frozenset({"boolean=number"})), 0, False, True),
    (Equate(frozenset({"boolean=number"})), True, 2, False),
    (Equate(frozenset({"boolean=number"})), True, False, False),
    (ALL, "x", "y", False),
    (ALL, True, False, False),
]


@pytest.mark.parametrize(("rule", "before", "after", "expected"), ROWS)
def test_rule_accepts_what_it_says(rule: ValueRule, before: Any, after: Any, expected: bool):
    """Each rule excuses what it names, whichever side has it, and nothing else."""
    assert (expected, expected) == (rule.accepts(before, after), rule.accepts(after, before))


@given(st.text(max_size=20), st.text(max_size=20))
def test_named_patterns_never_fit_an_empty_text(before: str, after: str):
    """A form needs at least a character, and both sides must have it."""
    for name in PATTERNS:
        assert not Pattern(name).accepts(before, "")
        assert not Pattern(name).accepts("", after)


def rules(path: str, rule: ValueRule) -> CompareRules:
    return make_rules(values=[(path, rule)])


def test_rule_holds_at_its_place_only():
    """The same difference elsewhere is found."""
    before, after = {"a": 1, "b": {"a": 1}}, {"a": 2, "b": {"a": 2}}
    assert [("$.b.a", "value")] == changes(before, after, rules("$.a", Tolerance(Decimal(1))))
    assert [] == changes(before, after, rules("$..a", Tolerance(Decimal(1))))


def test_member_that_one_side_lacks_is_judged():
    """Null and missing are one where a rule says so, in objects and at the end of lists."""
    rule = Equate(frozenset({"null=missing"}))
    assert [] == changes({"a": None, "b": 1}, {"b": 1, "c": None}, rules("$.*", rule))
    assert [("$.a", "missing"), ("$.c", "extra")] == changes({"a": 0}, {"c": 0}, rules("$.*", rule))
    assert [] == changes([1, None], [1], rules("$[*]", rule))


def test_container_is_judged_as_a_whole():
    """An empty list may stand for null, but one with items may not."""
    rule = rules("$.tags", Equate(frozenset({"empty=null"})))
    assert [] == changes({"tags": []}, {"tags": None}, rule)
    assert [("$.tags", "list→null")] == changes({"tags": [1]}, {"tags": None}, rule)


def test_header_is_judged_by_its_name_and_part():
    """Values of headers are texts; a part of a header is named as reports name it."""
    rule = CompareRules(header_values=(("x-build", Pattern("hex")), ("x-cost", Tolerance(Decimal(5)))))
    control = make_answer({}, headers=(("x-build", "c0ffee"), ("x-cost", "10"), ("x-kind", "a")))
    candidate = make_answer({}, headers=(("x-build", "beef"), ("x-cost", "15"), ("x-kind", "a")))
    assert Verdict.MATCH == compare(control, candidate, rule).verdict
    worse = make_answer({}, headers=(("x-build", "latest"), ("x-cost", "16"), ("x-kind", "b")))
    paths = [difference.path for difference in compare(control, worse, rule).differences]
    assert [("x-build",), ("x-cost",), ("x-kind",)] == paths


def test_header_that_one_side_lacks_is_judged():
    """A header may be missing where an empty one is as good."""
    rule = CompareRules(header_values=(("x-note", Equate(frozenset({"empty=missing"}))),))
    assert Verdict.MATCH == compare(make_answer({}, headers=(("x-note", ""),)), make_answer({}), rule).verdict
    assert Verdict.MISMATCH == compare(make_answer({}, headers=(("x-note", "a"),)), make_answer({}), rule).verdict
