"""Headers as they are compared: what is left out, what is taken apart, and one difference for one fault."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from proxy.core.compared_headers import FRAMING, INCIDENTAL, Reached, header_differences, uncompared_names
from proxy.core.model import CompareRules

Headers = list[tuple[str, str]]
REACHED = Reached(frozenset({"reader.example"}), "10.0.0.1:8001", "10.0.0.2:8002", at=1_798_761_600.0)  # 2027
Found = list[tuple[tuple[str | int, ...], str, object, object]]


def differences(
    control: Headers, candidate: Headers, ignored: set[str] | None = None, headers: frozenset[str] = frozenset()
) -> Found:
    rules = CompareRules(ignore_headers=frozenset(ignored or ()), headers=headers)
    found = header_differences(control, candidate, rules, REACHED)
    assert {difference.kind for difference in found} <= {"header"}
    return [(each.path, each.change, each.before, each.after) for each in found]


@pytest.mark.parametrize("name", sorted(FRAMING | INCIDENTAL))
def test_header_of_the_connection_or_the_moment_is_not_compared(name: str):
    """Such headers differ between any two answers, or follow from the body."""
    assert differences([(name, "1")], [(name, "2")]) == []
    assert differences([(name, "1")], []) == []


@pytest.mark.parametrize("name", ["server", "x-ratelimit-limit", "x-cache"])
def test_header_that_a_route_wants_compared_is(name: str):
    """Only that one, and also before a pair is sent anywhere."""
    wanted = frozenset({name})
    control, candidate = [(name, "1"), ("date", "a")], [(name, "2"), ("date", "b")]
    assert [((name,), "value", "1", "2")] == differences(control, candidate, headers=wanted)
    names = uncompared_names(CompareRules(headers=wanted, ignore_headers=frozenset({"x-own"})))
    assert (False, True, True) == (name.encode() in names, b"date" in names, b"x-own" in names)


@pytest.mark.parametrize(
    ("control", "candidate", "expected"),
    [
        ("http://10.0.0.1:8001/a?b=c#d", "http://10.0.0.2:8002/a?b=c#d", []),
        ("http://10.0.0.1:8001", "http://10.0.0.2:8002/", []),
        ("https://READER.example/a", "/a", []),
        ("http://10.0.0.1:8001/a", "/a", [("http://10.0.0.1:8001/a", "/a")]),
        ("https:///a", "/a", [("https:///a", "/a")]),
        ("https://reader.example/", "http://10.0.0.2:8002/", [("https://reader.example/", "http://10.0.0.2:8002/")]),
        ("http://10.0.0.2:8002/", "http://10.0.0.1:8001/", [("http://10.0.0.2:8002/", "http://10.0.0.1:8001/")]),
        ("https://reader.example/", "http://reader.example/", [("https://reader.example/", "http://reader.example/")]),
        ("https://reader.example:443/a", "//reader.example/a", []),
        (
            "https://reader.example/a",
            "https://other.example/a",
            [("https://reader.example/a", "https://other.example/a")],
        ),
        ("https://reader.example:8443/a", "/a", [("https://reader.example:8443/a", "/a")]),
        ("/a", "/b", [("/a", "/b")]),
        ("/?b", "?b", [("/?b", "?b")]),
        ("mailto:a@reader.example", "/", [("mailto:a@reader.example", "/")]),
        ("http://[", "/", [("http://[", "/")]),
    ],
)
def test_location_of_the_application_itself_is_compared_without_its_host(
    control: str, candidate: str, expected: list[tuple[str, str]]
):
    """Where each backend names itself that is one; what sends users elsewhere, or off TLS, is a difference."""
    found = differences([("location", control)], [("location", candidate)])
    assert expected == [(before, after) for _, _, before, after in found]


def test_moments_without_a_clock_are_only_there():
    """Nobody knows whether they have passed; what is no date at all is compared as it is written."""
    cookies = [
        [("set-cookie", f"s=a; Expires={at}")]
        for at in ("Thu, 01 Jan 1970 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT", "soon")
    ]
    found = [header_differences(cookies[0], other, CompareRules()) for other in cookies[1:]]
    assert [[], [("present", "soon")]] == [[(each.before, each.after) for each in several] for several in found]


def test_nonce_of_a_policy_is_not_compared():
    """It is new with each answer; all else of the policy counts."""
    policy = "script-src 'self' 'nonce-{}'{}"
    control = [("content-security-policy", policy.format("dGVzdA==", ""))]
    assert [] == differences(control, [("content-security-policy", policy.format("b3RoZXI=", ""))])
    assert 1 == len(differences(control, [("content-security-policy", policy.format("b3RoZXI=", " *"))]))


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
        ([("expires", "Thu, 01 Jan 2026 00:00:00 GMT")], [("expires", "Thu, 01 Jan 2026 00:00:01 GMT")], []),
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


def test_documentation_lists_what_is_not_compared():
    """Both lists of docs/comparing.md are the code's."""
    text = " ".join((Path(__file__).parents[2] / "docs" / "comparing.md").read_text().split())
    never = text.partition("follow from the body: ")[2].partition(".")[0]
    unless = text.partition("what a user did before: ")[2].partition(". In part")[0]
    assert set(re.findall("`([^`]+)`", never)) == FRAMING
    assert set(re.findall("`([^`]+)`", unless)) == INCIDENTAL


@pytest.mark.parametrize(
    ("control", "candidate", "expected"),
    [
        ([("content-encoding", "gzip")], [("content-encoding", "GZIP")], []),
        ([("content-encoding", "x-gzip")], [("content-encoding", "gzip, identity")], []),
        ([("content-encoding", "identity")], [], []),
        ([("content-encoding", "gzip")], [], [(("content-encoding",), "missing", "gzip", None)]),
        (
            [("content-encoding", "gzip"), ("content-encoding", "br")],
            [("content-encoding", "br, gzip")],
            [(("content-encoding",), "value", "gzip, br", "br, gzip")],
        ),
    ],
)
def test_codings_are_compared_as_what_was_done_to_the_body(control: Headers, candidate: Headers, expected: Found):
    """In their order, which counts; how they are written doesn't."""
    assert expected == differences(control, candidate)
