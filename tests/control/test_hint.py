"""The hint at a list's rule, from an example as the comparer makes it."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.control.comparer import Comparer
from proxy.control.hint import hint_of
from proxy.core.model import CompareRules
from proxy.store.values import Example, SignatureDetail, SignatureRow
from tests.control.pairs import encoded_pair, make_answer, make_document
from tests.core.answers import make_rules

OLD = [{"id": n, "name": f"n{n}"} for n in range(4)]
LINES = b'{"id": 1}\n{"id": 2}\n', b'{"id": 0}\n{"id": 1}\n{"id": 2}\n'
RECORDS = (("content-type", "application/x-ndjson"),)


def detail_of(before: Any, after: Any, shape: str = "") -> SignatureDetail:
    """What the store would have of the pair's first signature, or the first one of that shape."""
    comparer = Comparer(1_000_000)
    comparer.set_rules(make_document())
    outcome = comparer.judge(encoded_pair(before, after))
    found = next(each for each in outcome.signatures if shape in {"", each.shape})
    assert outcome.example is not None
    row = SignatureRow(
        *(found.id, found.route, found.kind, found.path, found.shape, 3, "new", 1, 0.0, 0.0, "", "", "", "", None)
    )
    return SignatureDetail(row, (Example(0.0, outcome.example),))


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (OLD, OLD[1:], {"place": "$", "member": "id", "rule": 'keys: {"$": "id"}'}),
        (OLD, OLD[::-1], {"place": "$", "member": "", "rule": 'unordered: ["$"]'}),
        ({"a": 1}, {"a": 2}, None),
        ([1, 2], [1, 3], None),
        (
            *(make_answer(body, headers=RECORDS) for body in LINES),
            {"place": "$", "member": "id", "rule": 'keys: {"$": "id"}'},
        ),
        (OLD, [*OLD[1:], "x" * 70_000], None),  # an example's body that was cut says nothing
    ],
)
def test_hint_is_of_the_latest_whole_example(before: Any, after: Any, expected: dict[str, str] | None):
    """Of JSON and of lines of JSON."""
    assert expected == hint_of(detail_of(before, after), CompareRules())


def test_hint_goes_with_the_rule_that_it_asked_for():
    """By the rules in force now, and none for a route that is gone."""
    detail = detail_of(OLD, OLD[1:])
    assert hint_of(detail, CompareRules()) is not None
    assert [None, None] == [hint_of(detail, rules) for rules in (make_rules(keys={"$": "id"}), None)]
