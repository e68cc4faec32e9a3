"""The digest of rules under which examples were judged: the same in every process, another one for every change."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import fields, replace
from decimal import Decimal

import pytest

from proxy.control.rejudge import rules_digest
from proxy.core.model import CompareRules, ImageRule
from proxy.core.paths import parse
from proxy.core.value_rules import Equate, Pattern, Tolerance

EMPTY = CompareRules()
OTHERS = {
    "ignore": (parse("$.a"),),
    "ignore_headers": frozenset({"a", "b", "c"}),
    "headers": frozenset({"a", "b", "c"}),
    "unordered": (parse("$..a"),),
    "keys": ((parse("$.a"), "id"),),
    "values": ((parse("$.a"), Tolerance(Decimal("0.1"))),),
    "header_values": (("a", Equate(frozenset({"null=missing", '""=null'}))),),
    "noise_millipercent": 5,
    "images": ImageRule(),
}
LONG = "a" * 300
PRINT = """
from tests.control.test_rejudge import EMPTY, OTHERS
from dataclasses import replace
from proxy.control.rejudge import rules_digest
print(rules_digest(replace(EMPTY, **OTHERS)))
"""


def test_every_field_tells():
    """None of the fields is forgotten, also not one to come."""
    assert {field.name for field in fields(CompareRules)} == set(OTHERS)
    digests = {rules_digest(replace(EMPTY, **{name: value})) for name, value in OTHERS.items()}  # type: ignore[arg-type]
    assert len(OTHERS) + 1 == len({*digests, rules_digest(EMPTY)})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Tolerance(Decimal("0.1")), Tolerance(Decimal("0.1"), is_relative=True)),
        (Tolerance(Decimal(1)), Tolerance(Decimal(2))),
        (Pattern(f"{LONG}b"), Pattern(f"{LONG}c")),
        (Equate(frozenset({"null=missing"})), Equate(frozenset({'""=null'}))),
    ],
)
def test_rules_that_judge_otherwise_have_another_digest(one: object, other: object):
    """Down to the last character."""
    digests = {
        rules_digest(replace(EMPTY, values=((parse("$.a"), rule),)))  # type: ignore[arg-type]
        for rule in (one, other)
    }
    assert 2 == len(digests)


def test_digest_is_the_same_in_every_process():
    """Python orders sets by hashes that are others in each."""
    digests = {
        subprocess.run(
            [sys.executable, "-c", PRINT], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert 1 == len(digests)
