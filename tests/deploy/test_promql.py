"""The reader of expressions sees what it should: a typo in a metric, in a label, in a grouping."""

from __future__ import annotations

import pytest

from tests.deploy.promql import asked_by, complaints


def test_names_and_labels_are_found():
    """Strings, ranges, numbers and functions are no names."""
    asked = asked_by('1 - sum by (le, a) (rate(b_total{c="d{e}",f=~"$g"}[5m])) / max(h) > 0.5 unless i:j:k')
    assert {"b_total": {"c", "f"}, "h": set(), "i:j:k": set()} == asked.series
    assert {"le", "a"} == asked.grouped


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("changeover_request_total", ["series changeover_request_total"]),
        ('changeover_requests_total{side="new"}', ["label side of changeover_requests_total"]),
        ("sum by (reason) (changeover_requests_total)", ["grouped label reason of changeover_requests_total"]),
        ("changeover_latency_seconds", ["series changeover_latency_seconds"]),
        ("sum by (route, instance) (changeover_requests_total)", []),
    ],
)
def test_what_nobody_has_is_told(expression: str, expected: list[str]):
    """A complaint names the kind and the name."""
    assert expected == complaints(expression)


@pytest.mark.parametrize("expression", ["sum by (a (b)", "rate b", "a # b"])
def test_what_is_no_expression_is_refused(expression: str):
    """Brackets that don't match, a function without arguments, a sign that isn't one."""
    with pytest.raises(ValueError, match="in "):
        asked_by(expression)
