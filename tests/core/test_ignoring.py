"""Signatures and rules: the rule made of a signature covers it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.config.rule_scalars import header_of, place
from proxy.core.compared_headers import header_differences
from proxy.core.difference import Difference
from proxy.core.ignoring import covering_rule, ignoring_rule, rules_elsewhere
from proxy.core.model import CompareRules
from proxy.core.paths import parse
from proxy.core.signature import sign

concrete = st.lists(st.text() | st.integers(0, 9), min_size=1, max_size=5).map(tuple)


@given(concrete)
def test_rule_of_a_signature_ignores_the_difference_and_covers_the_signature(path: tuple[str | int, ...]) -> None:
    """What `diffs ignore` writes hides what it was asked to hide."""
    signature = sign("feeds", Difference("body", path, "value", 1, 2))
    rule = ignoring_rule("body", signature.path)
    assert rule is not None
    assert parse(rule).matches(path)
    assert rule == covering_rule(CompareRules(ignore=(parse(rule),)), "body", signature.path)


@pytest.mark.parametrize(
    ("kind", "path", "expected"),
    [
        ("body", "$.items[*].score", ["$.at", "$.items[*].etag"]),
        ("body", "$.items[*].etag", ["$.at"]),
        ("body", "$.at.zone", ["$.items[*].etag"]),
        ("body", "$.items", ["$.at", "$.items[*].etag"]),
        ("header", "etag", ["$.at", "$.items[*].etag"]),
        ("status", "", ["$.at", "$.items[*].etag"]),
    ],
)
def test_rules_elsewhere_leave_the_signature_itself_to_be_seen(kind: str, path: str, expected: list[str]) -> None:
    """Also what was ignored after it had been seen is looked at."""
    rules = CompareRules(ignore=(parse("$.at"), parse("$.items[*].etag")), ignore_headers=frozenset({"etag"}))
    assert expected == rules_elsewhere(rules, kind, path)


cookies = st.from_regex(r"[A-Za-z0-9_.\-]{1,12}( \(2\))?", fullmatch=True)


@given(st.tuples(st.just("set-cookie"), cookies) | st.tuples(st.just("set-cookie"), cookies, st.just("samesite")))
def test_rule_of_a_cookie_ignores_it_once_it_is_read(path: tuple[str, ...]) -> None:
    """In any letter case, second of its name or with an id for a name: what is written is what matches."""
    signature = sign("feeds", Difference("header", path, "value", "1", "2"))
    rule = ignoring_rule("header", signature.path)
    assert rule is not None
    rules = CompareRules(ignore_headers=frozenset({header_of(place(rule))}))
    assert rule == covering_rule(rules, "header", signature.path)
    name, attribute = path[1].removesuffix(" (2)"), "; samesite={}" if len(path) > 2 else "={}"
    lines = [("set-cookie", f"{name}=x")] * (path[1] != name)
    before, after = (
        [*lines, ("set-cookie", f"{name}=x{attribute.format(value)}" if len(path) > 2 else f"{name}={value}")]
        for value in ("lax", "")
    )
    assert [path] == [found.path for found in header_differences(before, after, CompareRules())]
    assert [] == header_differences(before, after, rules)


@pytest.mark.parametrize(("kind", "path"), [("status", "status"), ("body", "$")])
def test_status_and_whole_body_have_no_rule(kind: str, path: str) -> None:
    """A rule names a place; these have none."""
    assert (None, None) == (ignoring_rule(kind, path), covering_rule(CompareRules(), kind, path))


@pytest.mark.parametrize(
    ("rule", "path", "expected"),
    [
        ("$.a", "$.a.b[*].c", "$.a"),
        ("$.a[3]", "$.a[*]", None),
        ("$..c", "$.a[*].c", "$..c"),
        ("$.a.b", "$.a", None),
    ],
)
def test_rule_covers_what_lies_below_it_and_all_of_it_only(rule: str, path: str, expected: str | None) -> None:
    """A rule for one index is not one for each."""
    assert expected == covering_rule(CompareRules(ignore=(parse(rule),)), "body", path)


def test_header_rule_covers_the_attributes_of_its_cookie() -> None:
    """As the comparison has it."""
    rules = CompareRules(ignore_headers=frozenset({"set-cookie.id"}))
    assert "header:set-cookie.id" == covering_rule(rules, "header", "set-cookie.id.samesite")
    assert "header:set-cookie.id.samesite" == ignoring_rule("header", "set-cookie.id.samesite")
