"""Which rules find a place in answers."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from proxy.core.model import CompareRules
from proxy.core.paths import parse
from proxy.core.rule_use import LOOK_EVERY, RuleWatch, rule_names
from proxy.core.value_rules import Pattern, Tolerance
from tests.core.answers import make_answer

RULES = CompareRules(
    ignore=(parse("$.at"), parse("$.items[*].etag")),
    ignore_headers=frozenset({"x-a", "set-cookie.session"}),
    unordered=(parse("$..tags"),),
    keys=((parse("$.items"), "id"),),
    values=((parse("$.score"), Tolerance(Decimal(1))),),
    header_values=(("x-build", Pattern("hex")),),
)


def met(watch: RuleWatch, body: Any, content_type: str = "application/json", *headers: tuple[str, str]) -> set[str]:
    """What the next look finds."""
    answer = make_answer(body, content_type, headers=headers)
    looks = [watch.look(answer, make_answer({})) for _ in range(LOOK_EVERY)]
    assert [None] * (LOOK_EVERY - 1) == looks[:-1]
    return set(looks[-1] or ())


def test_rules_are_named_as_people_write_them():
    """Kind and place; a header's place is its name."""
    assert (
        "ignore: $.at",
        "ignore: $.items[*].etag",
        "unordered: $..tags",
        "keys: $.items",
        "tolerance: $.score",
        "ignore: header:set-cookie.session",
        "ignore: header:x-a",
        "pattern: header:x-build",
    ) == rule_names(RULES)


def test_rule_is_told_once_when_its_place_is_there():
    """On either side, at any depth, whatever its value; then it isn't looked for any more."""
    watch = RuleWatch(RULES)
    assert set() == met(watch, {"a": 1})
    assert {"ignore: $.at", "keys: $.items"} == met(watch, {"at": None, "items": []})
    assert {"unordered: $..tags"} == met(watch, {"at": 1, "items": [{"tags": [1]}]})
    found = met(watch, {"items": [{}, {"etag": 1}], "score": 1}, "application/json", ("x-a", ""), ("set-cookie", "a=1"))
    expected = {
        "ignore: $.items[*].etag",
        "tolerance: $.score",
        "ignore: header:x-a",
        "ignore: header:set-cookie.session",
    }
    assert expected == found
    assert {"pattern: header:x-build"} == met(watch, {}, "application/json", ("x-build", "1"))


@pytest.mark.parametrize("body", [None, b"", b"[" * 100_000 + b"1]"])
def test_rules_are_not_tried_on_pairs_without_a_body_to_look_into(body: bytes | None):
    """Not kept, empty or too deep: a rule must not get stale by them."""
    watch = RuleWatch(RULES)
    answer = replace(make_answer({}), body=body)
    assert [None] * LOOK_EVERY == [watch.look(answer, answer) for _ in range(LOOK_EVERY)]
    assert {"ignore: $.at"} == met(watch, {"at": 1})


def test_nothing_is_looked_for_once_all_is_found():
    """It would cost reading both bodies for nothing."""
    watch = RuleWatch(CompareRules(ignore=(parse("$.at"),)))
    assert {"ignore: $.at"} == met(watch, {"at": 1})
    assert [None] * LOOK_EVERY == [watch.look(make_answer({}), make_answer({})) for _ in range(LOOK_EVERY)]


@pytest.mark.parametrize(
    ("body", "content_type", "expected"),
    [
        (b'{"at": 1}\n{"at": 2}\n', "application/x-ndjson", set()),
        (b"at=1", "application/x-www-form-urlencoded", {"ignore: $.at"}),
        (b"<p>at</p>", "text/html", set()),
        (b"<at>1</at>", "application/xml", {"ignore: $.at"}),
        (b"<at", "application/xml", {"ignore: $.at"}),
        (b"<p>" + b"x" * 200_000, "text/html", {"ignore: $.at"}),
        (b"<div>" * 300, "text/html", set()),
        (b"<a>" * 300 + b"</a>" * 300, "application/xml", {"ignore: $.at"}),
        (b"--x\r\n\r\nat\r\n--x--", "multipart/mixed; boundary=x", set()),
        (b'[{"headers": [], "text": "at"}]', "multipart/mixed; boundary=x", {"ignore: $.at"}),
        (b"at", "text/plain", set()),
        (b"\x00at", "application/octet-stream", set()),
        (b'{"a":' * 100_000, "application/json", set()),
    ],
)
def test_other_bodies_are_read_as_they_are_compared(body: bytes, content_type: str, expected: set[str]):
    """What can't be read finds nothing, and breaks nothing; of parts nobody knows, so no rule gets stale by them."""
    assert expected == met(RuleWatch(CompareRules(ignore=(parse("$.at"),))), body, content_type)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("$..footer", True),
        ("$.html.body.footer", True),
        ('$.html.body.footer["@class"]', True),
        ('$..["@class"]', True),
        ('$.html.body.footer["#text"]', True),
        ("$.html.body.script.a[0].b", True),
        ('$["!doctype"]', True),
        ("$.body.footer", False),
        ("$..foot", False),
        ('$..p["@class"]', False),
        ("$.html.body.script.a.b", False),
        ('$.html.body["#text"]', False),
    ],
)
def test_places_in_pages_are_looked_for(rule: str, expected: bool):
    """Elements, attributes, texts, and what is in embedded JSON."""
    page = b'<!doctype html><footer class=x>1</footer><p>2</p><script type=application/json>{"a": [{"b": 1}]}</script>'
    assert expected == bool(met(RuleWatch(CompareRules(ignore=(parse(rule),))), page, "text/html"))


def test_what_may_be_below_the_depth_that_is_read_counts_as_met():
    """A rule must not get stale because nobody looked."""
    watch = RuleWatch(CompareRules(ignore=(parse("$..at"),)))
    assert {"ignore: $..at"} == met(watch, b"<div>" * 300, "text/html")
