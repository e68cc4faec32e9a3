"""Headers as they are compared: what is left out, what is taken apart, and one difference for one fault."""

from __future__ import annotations

import pytest

from proxy.core.compared_headers import IGNORED, header_differences

Headers = list[tuple[str, str]]
Found = list[tuple[tuple[str | int, ...], str, object, object]]


def differences(control: Headers, candidate: Headers, ignored: set[str] | None = None) -> Found:
    found = header_differences(control, candidate, ignored or set())
    assert {difference.kind for difference in found} <= {"header"}
    return [(each.path, each.change, each.before, each.after) for each in found]


@pytest.mark.parametrize("name", sorted(IGNORED))
def test_header_of_the_connection_or_the_moment_is_not_compared(name: str):
    """Such headers differ between any two answers, or follow from the body."""
    assert differences([(name, "1")], [(name, "2")]) == []
    assert differences([(name, "1")], []) == []


@pytest.mark.parametrize(
    ("control", "candidate", "expected"),
    [
        ([("x-a", "1")], [("x-a", "2")], [(("x-a",), "value", "1", "2")]),
        ([("x-a", "1")], [], [(("x-a",), "missing", "1", None)]),
        ([], [("X-A", "1")], [(("x-a",), "extra", None, "1")]),
        ([("x-a", " 1 ")], [("X-A", "1")], []),
        ([("x-a", "1"), ("x-a", "2")], [("x-a", "1, 2")], []),
        ([("x-a", "1"), ("x-a", "2")], [("x-a", "2"), ("x-a", "1")], [(("x-a",), "value", "1, 2", "2, 1")]),
        ([("vary", "Accept, Cookie")], [("vary", "cookie"), ("vary", "accept")], []),
        ([("vary", "accept")], [("vary", "cookie")], [(("vary",), "value", "accept", "cookie")]),
        ([("etag", '"1"')], [("etag", 'W/"2"')], []),
        ([("etag", '"1"')], [], [(("etag",), "missing", "present", None)]),
    ],
)
def test_headers_are_compared_as_lists_of_values(control: Headers, candidate: Headers, expected: Found):
    """Several lines of one name are one list (RFC 9110 §5.3); in some lists order means nothing."""
    assert differences(control, candidate) == expected


@pytest.mark.parametrize(
    ("control", "candidate", "expected"),
    [
        ("text/html; charset=utf-8", "TEXT/HTML;charset=UTF-8", []),
        ("text/html", "text/plain", [(("content-type",), "value", "text/html", "text/plain")]),
        (
            "text/html; charset=utf-8",
            "text/html; charset=latin1",
            [(("content-type", "charset"), "value", "utf-8", "latin1")],
        ),
        ("text/html; charset=utf-8", "text/html", [(("content-type", "charset"), "missing", "utf-8", None)]),
        ("application/json", "application/json; charset=utf-8", []),
    ],
)
def test_content_type_is_compared_as_type_and_charset(control: str, candidate: str, expected: Found):
    """Spelling means nothing, and JSON has no charset (RFC 8259 §11)."""
    assert differences([("content-type", control)], [("content-type", candidate)]) == expected


@pytest.mark.parametrize(
    ("control", "candidate", "expected"),
    [
        (["session=a; Path=/"], ["session=b; path=/"], []),
        (["session=a"], ["session="], [(("set-cookie", "session"), "value", "present", "empty")]),
        (["session=a; Path=/; Secure"], [], [(("set-cookie", "session"), "missing", "present", None)]),
        (["s=a; SameSite=Lax"], ["s=a; SameSite=lax"], []),
        (["s=a; SameSite=Lax"], ["s=a; SameSite=None"], [(("set-cookie", "s", "samesite"), "value", "lax", "none")]),
        (["s=a; HttpOnly"], ["s=a"], [(("set-cookie", "s", "httponly"), "missing", "", None)]),
        (["s=a; Max-Age=60"], ["s=a; Max-Age=61"], [(("set-cookie", "s", "max-age"), "value", "60", "61")]),
        (["s=a; Expires=Thu, 01 Jan 2026 00:00:00 GMT"], ["s=a; Expires=Fri, 02 Jan 2026 00:00:00 GMT"], []),
        (["a=1", "b=1"], ["b=2", "a=2"], []),
        (["a=1; Path=/x", "a=1; Path=/"], ["a=1; Path=/x"], [(("set-cookie", "a (2)"), "missing", "present", None)]),
        (["s=a;"], ["s=a"], []),
    ],
)
def test_cookies_are_compared_by_name_and_attribute(control: list[str], candidate: list[str], expected: Found):
    """A cookie's value differs by nature; that it is there and how it is set is the backend's promise."""
    before, after = ([("set-cookie", value) for value in side] for side in (control, candidate))
    assert differences(before, after) == expected


@pytest.mark.parametrize("name", ["set-cookie", "set-cookie.session", "set-cookie.session.samesite"])
def test_ignored_header_may_be_a_part_of_one(name: str):
    """An ignored name covers what is below it, and nothing beside it."""
    control = [("set-cookie", "session=a; SameSite=Lax"), ("x-a", "1")]
    candidate = [("set-cookie", "session=a; SameSite=None"), ("x-a", "2")]
    assert differences(control, candidate, {name}) == [(("x-a",), "value", "1", "2")]
