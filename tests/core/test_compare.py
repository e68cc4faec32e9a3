"""Verdicts: what is found in which body, under which rules, in which shape, and what is never called equal."""

from __future__ import annotations

import logging
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest
from deepdiff import DeepDiff

from proxy.core.compare import Comparison, Difference, Limits, align_plain_values, compare
from proxy.core.document import Unreadable
from proxy.core.evidence import Answer, Unkept, Verdict
from proxy.core.lists import Alignment
from proxy.core.model import CompareRules
from tests.core.answers import changes, make_answer, make_rules

RULES = CompareRules()


def found_in(control: Answer, candidate: Answer, rules: CompareRules = RULES) -> list[tuple[str, Any, str]]:
    found = compare(control, candidate, rules)
    return [(difference.kind, difference.path, difference.change) for difference in found.differences]


# --- from the outside in --------------------------------------------------------------------------------------


def test_equal_answers_match():
    """Nothing differs, everything was compared."""
    assert compare(make_answer({"a": 1}), make_answer({"a": 1}), RULES) == Comparison(Verdict.MATCH, "", ())


def test_other_status_is_one_difference_and_hides_the_rest():
    """A 500 is one fault; that its page isn't the list of feeds is no second one."""
    control = make_answer({"a": 1}, headers=(("x-a", "1"),))
    candidate = make_answer(b"<h1>Oops</h1>", "text/html", status=500)
    difference = Difference("status", (), "200→500", 200, 500)
    assert compare(control, candidate, RULES) == Comparison(Verdict.MISMATCH, "", (difference,))


def test_headers_and_body_are_both_reported():
    """Two faults of one answer are two differences."""
    control = make_answer({"a": 1}, headers=(("x-a", "1"),))
    candidate = make_answer({"a": 2}, headers=(("x-a", "2"),))
    assert found_in(control, candidate) == [("header", ("x-a",), "value"), ("body", ("a",), "value")]


def test_ignored_header_is_not_reported():
    """`header:x-a` in the rules covers the header only."""
    control = make_answer({"a": 1}, headers=(("x-a", "1"),))
    candidate = make_answer({"a": 2}, headers=(("x-a", "2"),))
    rules = make_rules(ignore_headers=("x-a",))
    assert found_in(control, candidate, rules) == [("body", ("a",), "value")]


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        ((b"{}", "application/json"), (b"<p>", "text/html"), "body json→html"),
        ((b"<p>", "text/html"), (b"{}", "application/json"), "body html→json"),
        ((b"{}", "application/json"), (b"{a}", "application/json"), "body json→text"),
        ((b"{}", "application/json"), (b"", "application/json"), "body json→empty"),
        ((b"{}", "application/json"), (b"\x00", "application/octet-stream"), "body json→bytes"),
    ],
)
def test_another_kind_of_body_is_one_difference(before: tuple[bytes, str], after: tuple[bytes, str], change: str):
    """Its media type follows from it, so that isn't reported as well."""
    assert found_in(make_answer(*before), make_answer(*after)) == [("body", (), change)]


def test_media_type_of_an_equal_body_is_reported():
    """Then it is the only fault."""
    control, candidate = make_answer(b"a", "text/plain"), make_answer(b"a", "text/html")
    assert found_in(control, candidate) == [("header", ("content-type",), "value")]


def test_json_is_found_under_another_type():
    """Where one backend calls JSON plain text, members are still compared; where both do, it is text."""
    control, candidate = make_answer({"a": 1}, "text/plain"), make_answer({"a": 2})
    assert [("header", ("content-type",), "value"), ("body", ("a",), "value")] == found_in(control, candidate)
    candidate = make_answer({"a": 2}, "text/plain")
    assert [("body", (), "line numbers")] == found_in(control, candidate)


def test_broken_json_on_both_sides_is_compared_as_text():
    """Both are wrong in the same way, and what differs is found."""
    assert found_in(make_answer(b"{a: 1}"), make_answer(b"{a: 2}")) == [("body", (), "line numbers")]


def test_plain_bytes_are_compared_as_they_are():
    """Bytes differ or don't; where they begin to, is told."""
    control, candidate = make_answer(b"\x00a", "image/png"), make_answer(b"\x00bc", "image/png")
    before = {"length": 2, "sha256": sha256(b"\x00a").hexdigest(), "first_difference": 1}
    after = {"length": 3, "sha256": sha256(b"\x00bc").hexdigest(), "first_difference": 1}
    assert compare(control, candidate, RULES).differences == (Difference("body", (), "bytes", before, after),)


# --- JSON -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'{"a":1,"b":2}', b'{ "b": 2, "a": 1 }'),
        (b"[1.0, 1e2]", b"[1.00,100.0]"),
        (b'"\\u0061\\/"', b'"a/"'),
        (b'{"a":1,"a":2}', b'{"a":1, "a":2}'),
        (b"[NaN, -Infinity]", b"[NaN,-Infinity]"),
        (b"123456789012345678901234567890", b" 123456789012345678901234567890"),
        (b"-0.0", b"0.0"),
    ],
)
def test_documents_of_equal_meaning_match(before: bytes, after: bytes):
    """Order of members, white space, escapes and number forms mean nothing."""
    assert changes(before, after) == []


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (b"1", b"1.0", [("$", "integer→float")]),
        (b"1", b"true", [("$", "number→boolean")]),
        (b"0", b"false", [("$", "number→boolean")]),
        (b"1", b'"1"', [("$", "number→numeric string")]),
        (b"[]", b"{}", [("$", "list→object")]),
        (b'{"a":1}', b"{}", [("$.a", "missing")]),
        (b"{}", b'{"a":null}', [("$.a", "extra")]),
        (b'{"a":null}', b"{}", [("$.a", "missing")]),
        (b'{"a":{"b":[{"c":1}]}}', b'{"a":{"b":[{"c":2}]}}', [("$.a.b[0].c", "value")]),
        (b'[{"a":1}]', b'[{"a":1},{"a":2}]', [("$[1]", "extra")]),
        (b'[{"a":1},{"a":2}]', b'[{"a":1}]', [("$[1]", "missing")]),
        (b"123456789012345678901234567890", b"123456789012345678901234567891", [("$", "value")]),
        (b"1" * 5000, b"1" * 4999 + b"2", [("$", "value")]),
        (b"1e400", b"1e500", [("$", "value")]),
        (b"0.123456789012345678", b"0.123456789012345679", [("$", "value")]),
        (b"NaN", b"null", [("$", "not a number→null")]),
        (b'"\\ud800"', b'"\\ud801"', [("$", "value")]),
    ],
)
def test_difference_in_a_document_is_found(before: bytes, after: bytes, expected: list[tuple[str, str]]):
    """Types count, long integers are exact, and so is what doubles would hide."""
    assert changes(before, after) == expected


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (b'{"a":2}', b'{"a":1,"a":2}', [("$.a", "key repeated")]),
        (b'{"a":1,"a":2}', b'{"a":2}', [("$.a", "key not repeated")]),
        (b'{"a":1,"a":2}', b'{"a":3,"a":2}', [("$.a", "repeated values")]),
        (b'{"a":1,"a":2}', b'{"a":1,"a":3}', [("$.a", "value")]),
        (b'{"a":1,"a":2}', b"[]", [("$", "object→list")]),
        (b'{"x":{"a":1,"a":2}}', b'{"x":{"a":1,"a":2},"b":1}', [("$.b", "extra")]),
    ],
)
def test_repeated_keys_are_reported(before: bytes, after: bytes, expected: list[tuple[str, str]]):
    """Parsers that take the last value, or the first, would call these equal."""
    assert changes(before, after) == expected


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([1, 2, 3], [1, 9, 2, 3], [("$[1]", "extra")]),
        ([1, 2, 3], [1, 3], [("$[1]", "missing")]),
        ([1, 2, 3], [1, 5, 3], [("$[1]", "value")]),
        ([1, 2], [2, 1], [("$", "reordered")]),
        ([1, 2], [True, 2], [("$[0]", "number→boolean")]),
        ([1, "x", 0], [1.0, "x", False], [("$[0]", "integer→float"), ("$[2]", "number→boolean")]),
        ([], [1], [("$[0]", "extra")]),
        (["a\nb"], ["a\nc"], [("$[0]", "value")]),
    ],
)
def test_plain_lists_are_aligned(before: list[Any], after: list[Any], expected: list[tuple[str, str]]):
    """An inserted value is one difference, not one for each that follows; types count inside lists too."""
    assert changes(before, after) == expected


def test_reordered_items_are_one_difference():
    """However many items moved, and whatever is in them."""
    items = [{"id": n, "tags": [n, n + 1]} for n in range(50)]
    assert changes({"items": items}, {"items": items[::-1]}) == [("$.items", "reordered")]


def test_items_without_rules_are_compared_by_position():
    """A changed item is reported where it stands."""
    items = [{"id": n} for n in range(5)]
    assert changes(items, [*items[:3], {"id": 9}, items[4]]) == [("$[3].id", "value")]


@pytest.mark.parametrize("count", [5, 1000])
def test_long_plain_lists_are_narrowed_before_they_are_aligned(count: int):
    """Aligning is quadratic: of a long list only the differing middle is aligned."""
    before = list(range(count))
    assert changes(before, [*before[:3], -1, *before[3:]]) == [("$[3]", "extra")]


def test_plain_lists_with_a_long_differing_middle_are_compared_by_position():
    """Above the limit there are more differences, but none is lost, and time stays bounded."""
    before = list(range(1000))
    after = [value + 1 for value in before]
    assert changes(before, after) == [(f"$[{index}]", "value") for index in range(1000)]


# --- rules ----------------------------------------------------------------------------------------------------

BY_ID = make_rules(keys={"$.items": "id"})


def listed(*items: Any) -> dict[str, Any]:
    return {"items": list(items)}


def numbered(*ids: Any) -> dict[str, Any]:
    return listed(*({"id": each, "n": 1} for each in ids))


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (numbered(1, 2, 3), numbered(2, 3), [("$.items[0]", "missing")]),
        (numbered(2, 3), numbered(1, 2, 3), [("$.items[0]", "extra")]),
        (numbered(1, 2, 3), numbered(3, 2, 1), [("$.items", "reordered")]),
        (numbered(1), numbered(1, 1), [("$.items[1]", "extra")]),
        (numbered(1, 1), numbered(1), [("$.items[1]", "missing")]),
        (
            numbered(1, 2),
            listed({"id": 2, "n": 1}, {"id": 1, "n": 2}),
            [("$.items", "reordered"), ("$.items[0].n", "value")],
        ),
        (numbered(1, 2), numbered("1", "2"), [(f"$.items[{n}].id", "number→numeric string") for n in (0, 1)]),
        (numbered(1, 2), listed({"n": 1}, {"n": 1}), [(f"$.items[{n}].id", "missing") for n in (0, 1)]),
        (numbered(1), {"items": None}, [("$.items", "list→null")]),
    ],
)
def test_keyed_lists_are_aligned_by_their_key(before: Any, after: Any, expected: list[tuple[str, str]]):
    """Missing and extra items are told as such, a moved order once, and repeated keys are counted."""
    assert changes(before, after, BY_ID) == expected


def test_keyed_list_may_be_unordered_too():
    """Then only its items are compared."""
    rules = make_rules(keys={"$.items": "id"}, unordered=("$.items",))
    assert changes(numbered(1, 2), numbered(2, 1), rules) == []


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([1, 2, 3], [3, 1, 2], []),
        ([1, 1, 2], [1, 2], [("$.t[1]", "missing")]),
        ([1, 2], [2, 2, 1], [("$.t[2]", "extra")]),
        ([1, 2], [True, 2], [("$.t[0]", "number→boolean")]),
        ([{"a": 1}, {"a": 2}], [{"a": 2}, {"a": 3}], [("$.t[0].a", "value")]),
        ([{"b": [1, 2]}], [{"b": [2, 1]}], [("$.t[0].b", "reordered")]),
    ],
)
def test_unordered_lists_are_compared_as_multisets(before: list[Any], after: list[Any], expected: Any):
    """Order is no difference, repetition is; what is inside an item keeps its order."""
    assert changes({"t": before}, {"t": after}, make_rules(unordered=("$.t",))) == expected


def test_unordered_lists_inside_unordered_lists_are_compared_as_multisets():
    """Rules hold at every depth."""
    before, after = [{"t": [1, 2]}, {"t": [3, 4]}], [{"t": [4, 3]}, {"t": [2, 1]}]
    assert changes(before, after, make_rules(unordered=("$", "$[*].t"))) == []


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (0.3, 0.299, []),
        (0.3, 0.2989, [("$.n", "rounded before")]),
        (1, 1.0005, []),
        (10**30, 10**30 + 1, [("$.n", "value")]),
        (1, "1", [("$.n", "number→numeric string")]),
        (1, True, [("$.n", "number→boolean")]),
        (1, None, [("$.n", "number→null")]),
        ([1], 1, [("$.n", "list→number")]),
    ],
)
def test_tolerance_is_for_numbers(before: Any, after: Any, expected: list[tuple[str, str]]):
    """It is absolute, counted in decimals, and no excuse for another type."""
    assert changes({"n": before}, {"n": after}, make_rules(tolerance={"$.n": 0.001})) == expected


@pytest.mark.parametrize(
    ("before", "after", "rules", "expected"),
    [
        (b"[1e1000000, 2]", b"[1e1000001, 2]", {}, [("$[0]", "value")]),
        (b"[1e-9999999]", b"[2e-9999999]", {"unordered": ("$",)}, [("$[0]", "value")]),
        (b"[1e1000000]", b"[1]", {"tolerance": {"$[*]": 1.0}}, [("$[0]", "float→integer")]),
        (b"[1e99999999999999999999]", b"[2e99999999999999999999]", {}, [("$[0]", "value")]),
        (b"[-0.0, 1.5]", b"[1.5, 0.0]", {}, [("$", "reordered")]),
        (b"[-0.0, 1.5]", b"[1.5, 0.0]", {"unordered": ("$",)}, []),
    ],
)
def test_numbers_beyond_all_ranges_are_compared(
    before: bytes, after: bytes, rules: dict[str, Any], expected: list[tuple[str, str]]
):
    """Neither an exponent of millions nor a sign of zero is lost, or makes the comparison fail."""
    assert changes(before, after, make_rules(**rules)) == expected


def test_tolerance_holds_in_lists_of_numbers():
    """Such lists are compared by position."""
    assert changes([1.0, 2.0, 3.0], [1.01, 1.99, 3.5], make_rules(tolerance={"$[*]": 0.1})) == [("$[2]", "value")]


@pytest.mark.parametrize(
    ("rule", "before", "after", "expected"),
    [
        ("$.at", {"at": 1, "n": 1}, {"at": 2, "n": 2}, [("$.n", "value")]),
        ("$.at", {"at": 1}, {}, []),
        ("$.at", {}, {"at": {"x": 1}}, []),
        ("$..at", {"a": [{"at": 1, "n": 1}]}, {"a": [{"n": 2}]}, [("$.a[0].n", "value")]),
        ("$.t[1]", {"t": [1, 2, 3]}, {"t": [1, 9, 4]}, [("$.t[2]", "value")]),
        ("$.t[1]", {"t": [1, 2]}, {"t": [1]}, []),
        ("$.t[1]", {"t": [1, 2, 3]}, {"t": [1]}, [("$.t[2]", "missing")]),
        ("$.t[1]", {"t": [{}]}, {"t": [{}, {"a": 1}, {"a": 2}]}, [("$.t[2]", "extra")]),
        ("$.t[0]", {"t": [1, 2, 3]}, {"t": [9, 1, 2, 3]}, [("$.t[1]", "extra")]),
        ("$.t[*]", {"t": [1, 2]}, {"t": []}, []),
        ("$.a", {"b": {"a": 1}}, {"b": {"a": 2}}, [("$.b.a", "value")]),
        ("$", {"a": 1}, [], []),
    ],
)
def test_ignored_places_hide_nothing_else(rule: str, before: Any, after: Any, expected: list[tuple[str, str]]):
    """What is below the place is left out, on both sides, and only that."""
    assert changes(before, after, make_rules(ignore=(rule,))) == expected


@pytest.mark.parametrize(
    ("before", "after", "content_type"),
    [(b"a", b"b", "text/plain"), (b"{}", b"b", "application/json"), (b"", b"{}", "application/json")],
)
def test_ignored_document_takes_any_body_out(before: bytes, after: bytes, content_type: str):
    """`$` is the body as a whole, also one that isn't JSON; headers are compared all the same."""
    control = make_answer(before, content_type, headers=(("x-a", "1"),))
    found = compare(control, make_answer(after, content_type), make_rules(ignore=("$",)))
    assert [("x-a",)] == [difference.path for difference in found.differences]


@pytest.mark.parametrize("rules", [{"ignore": ("$.a.x",)}, {"ignore": ("$..x",)}, {"unordered": ("$.a.x",)}])
def test_rules_reach_into_every_value_of_a_repeated_key(rules: dict[str, Any]):
    """A place inside is the same place in all of them."""
    before, after = b'{"a":{"x":[1,2]},"a":{"x":[3,4]}}', b'{"a":{"x":[2,1]},"a":{"x":[4,3]}}'
    assert changes(before, after, make_rules(**rules)) == []
    assert [("$.a", "repeated values")] == changes(before, after, make_rules())[:1]


def test_ignored_items_of_a_keyed_list_are_left_out():
    """An ignored item has no key, and needs none; the others keep their indexes."""
    rules = make_rules(ignore=("$.items[0]",), keys={"$.items": "id"})
    assert changes(numbered(7, 1, 2), numbered(8, 1, 3), rules) == [("$.items[2]", "missing"), ("$.items[2]", "extra")]


def test_ignored_members_do_not_spoil_the_look_at_the_order():
    """Items that differ in ignored members only are equal, also when they moved."""
    before = [{"id": n, "etag": n} for n in range(3)]
    after = [{"id": n, "etag": -n} for n in (2, 1, 0)]
    assert changes(before, after, make_rules(ignore=("$[*].etag",))) == [("$", "reordered")]


# --- bodies that aren't here ----------------------------------------------------------------------------------


def unkept(content_type: str, digest: str = "aa", length: int = 3, *headers: tuple[str, str]) -> Answer:
    return Answer(200, (("content-type", content_type), *headers), None, length, digest)


GZIP = ("content-encoding", "gzip")


@pytest.mark.parametrize(
    ("control", "candidate", "verdict", "reason", "expected"),
    [
        (unkept("image/png"), unkept("image/png"), Verdict.MATCH, "", []),
        (unkept("image/png"), unkept("image/png", "bb"), Verdict.MISMATCH, "", ["bytes"]),
        (unkept("image/png", ""), unkept("image/png", ""), Verdict.GAVE_UP, "unread", []),
        (unkept("image/png", "aa"), unkept("image/png", ""), Verdict.GAVE_UP, "unread", []),
        (unkept("application/json"), unkept("application/json"), Verdict.MATCH, "", []),
        (unkept("application/json"), unkept("application/json", "bb"), Verdict.GAVE_UP, "unread", []),
        (unkept("application/json", "aa", 9**9), unkept("application/json", "bb"), Verdict.GAVE_UP, "size", []),
        (unkept("a/b", "aa", 3, GZIP), unkept("a/b", "bb", 3, GZIP), Verdict.GAVE_UP, "encoding", []),
        (make_answer({}), unkept("image/png"), Verdict.MISMATCH, "", ["body json→bytes"]),
        (make_answer({}), unkept("application/json"), Verdict.GAVE_UP, "unread", []),
    ],
)
def test_bodies_that_were_not_kept_are_judged_by_digest(
    control: Answer, candidate: Answer, verdict: Verdict, reason: str, expected: list[str]
):
    """Equal digests are equal bytes; other digests settle it only where nothing would have to be read."""
    found = compare(control, candidate, RULES)
    assert (found.verdict, found.reason) == (verdict, reason)
    assert [difference.change for difference in found.differences] == expected


@pytest.mark.parametrize(
    ("unkept_because", "verdict", "reason", "expected"),
    [
        ("bytes", Verdict.MISMATCH, "", ["body json→bytes"]),
        ("encoding", Verdict.GAVE_UP, "encoding", []),
        ("size", Verdict.GAVE_UP, "size", []),
    ],
)
def test_why_a_body_is_not_here_is_told(unkept_because: Unkept, verdict: Verdict, reason: str, expected: list[str]):
    """The worker knows; and what only claims to be JSON is bytes, not an open question."""
    found = compare(make_answer({}), replace(unkept("application/json"), unkept=unkept_because), RULES)
    assert (found.verdict, found.reason) == (verdict, reason)
    assert [difference.change for difference in found.differences] == expected


def test_first_difference_is_told_where_it_is_known():
    """The worker found it; where only digests are known, its absence says so."""
    sides = unkept("image/png"), unkept("image/png", "bb", 4)
    (found,) = compare(*sides, RULES, first_difference=2).differences
    assert found.before == {"length": 3, "sha256": "aa", "first_difference": 2}
    assert found.after == {"length": 4, "sha256": "bb", "first_difference": 2}
    (found,) = compare(*sides, RULES).differences
    assert (found.before, found.after) == ({"length": 3, "sha256": "aa"}, {"length": 4, "sha256": "bb"})


@pytest.mark.parametrize(("digest", "expected"), [("cc", []), ("dd", ["bytes"])])
def test_compressed_bytes_are_judged_by_their_content(digest: str, expected: list[str]):
    """Another compression of the same bytes is no difference."""
    control = replace(unkept("a/b", "aa", 3, GZIP), content_length=9, content_digest="cc")
    candidate = replace(unkept("a/b", "bb", 4, GZIP), content_length=9, content_digest=digest)
    found = compare(control, candidate, RULES)
    assert [difference.change for difference in found.differences] == expected
    assert found.reason == ""


def test_same_digest_in_another_coding_is_another_body():
    """Digests are of the wire's bytes, which mean something else in another coding."""
    control, candidate = unkept("a/b", "aa", 3, GZIP), unkept("a/b", "aa", 3)
    found = compare(control, candidate, make_rules(ignore_headers=("content-encoding",)))
    assert (found.verdict, found.reason) == (Verdict.GAVE_UP, "encoding")


# --- law 10: giving up is told --------------------------------------------------------------------------------


def nested(depth: int, value: int) -> bytes:
    return b"[" * depth + str(value).encode() + b"]" * depth


@pytest.mark.parametrize("depth", [201, 900, 50_000])
def test_deep_documents_are_given_up(depth: int):
    """Beyond the limit, by our own count or the parser's, there is no verdict."""
    found = compare(make_answer(nested(depth, 1)), make_answer(nested(depth, 2)), RULES)
    assert found == Comparison(Verdict.GAVE_UP, "depth", ())


def test_documents_at_the_depth_limit_are_compared():
    """200 levels are as good as one."""
    (difference,) = compare(make_answer(nested(200, 1)), make_answer(nested(200, 2)), RULES).differences
    assert difference.path == (0,) * 200


def test_equal_bytes_match_at_any_depth():
    """Where the bytes are equal nothing needs to be understood."""
    assert compare(make_answer(nested(5000, 1)), make_answer(nested(5000, 1)), RULES).verdict == Verdict.MATCH


def test_bodies_over_the_size_limit_are_given_up():
    """One byte too many on either side."""
    control, candidate = make_answer(b"[1]"), make_answer(b"[1, 2]")
    assert compare(control, candidate, RULES, Limits(max_bytes=5)).reason == "size"
    assert compare(candidate, control, RULES, Limits(max_bytes=5)).verdict == Verdict.GAVE_UP
    assert compare(control, candidate, RULES, Limits(max_bytes=6)).verdict == Verdict.MISMATCH


def test_known_mismatch_says_what_was_not_compared():
    """A header that differs is a mismatch, also when the body could not be read; the reason tells about that."""
    control = make_answer(nested(300, 1), headers=(("x-a", "1"),))
    candidate = make_answer(nested(300, 2), headers=(("x-a", "2"),))
    found = compare(control, candidate, RULES)
    assert (found.verdict, found.reason, len(found.differences)) == (Verdict.MISMATCH, "depth", 1)


def test_differences_are_cut_at_the_limit_and_it_is_told():
    """A report of a million differences helps nobody, and must not look like all of them."""
    before, after = {str(n): n for n in range(50)}, {str(n): -1 for n in range(50)}
    found = compare(make_answer(before), make_answer(after), RULES, Limits(max_differences=10))
    assert (found.verdict, found.reason, len(found.differences)) == (Verdict.MISMATCH, "truncated", 10)


def test_values_in_a_difference_are_cut():
    """Differences travel and are stored: none carries a whole document."""
    long = {"text": "x" * 5000, "list": list(range(100)), "deep": [[[[1]]]], "many": {str(n): n for n in range(50)}}
    (difference,) = compare(make_answer({}), make_answer({"a": long}), RULES).differences
    assert difference.before is None
    assert difference.after["text"] == "x" * 400 + "… (5000 characters)"
    assert difference.after["list"][-2:] == [19, "… (100 items)"]
    assert difference.after["deep"] == [["… (1 items)"]]
    assert difference.after["many"]["…"] == "50 members"


def test_unusual_numbers_in_a_difference_are_shown_as_text():
    """What JSON libraries can't write is shown, not lost."""
    found = compare(make_answer(b"[1e400,NaN,1]"), make_answer(b"[1e401,1,99999999999999999999]"), RULES)
    shown = [(difference.before, difference.after) for difference in found.differences]
    assert shown == [("1E+400", "1E+401"), ("NaN", 1), (1, "99999999999999999999")]


# --- DeepDiff, whose silences are known -----------------------------------------------------------------------


def test_deepdiff_that_gave_up_is_not_called_equal(caplog: pytest.LogCaptureFixture):
    """DeepDiff 9.1 returns {} when `max_diffs` is hit, and tells in its statistics only."""
    before, after = list(range(50)), [value + 100 for value in range(50)]
    with caplog.at_level(logging.CRITICAL, logger="deepdiff.diff"):
        assert DeepDiff(before, after, max_diffs=0) == {}
        found = compare(make_answer(before), make_answer(after), RULES, Limits(max_diff_passes=0))
    assert found == Comparison(Verdict.GAVE_UP, "max_diffs", ())


def test_deepdiff_that_finds_nothing_is_not_believed():
    """Lists that are given to it differ; "no differences" is a fault, not a verdict."""
    with pytest.raises(Unreadable) as caught:
        align_plain_values([1, 2], [1, 2])
    assert caught.value.reason == "max_diffs"


def test_deepdiff_sees_types_in_lists():
    """Left to itself it matches list items by `==` and finds [1, 2] and [True, 2, 3] to differ in the 3 only."""
    assert list(DeepDiff([1, 2], [True, 2, 3], view="tree")) == ["iterable_item_added"]
    assert align_plain_values([1, 2], [True, 2, 3]) == Alignment(((0, 0),), (), (2,))


def test_repeated_items_are_counted_where_deepdiff_does_not():
    """`ignore_order` and `iterable_compare_func` each call a repeated item equal; our list rules don't."""
    assert DeepDiff([1, 1, 2], [1, 2], ignore_order=True) == {}
    assert changes([1, 1, 2], [1, 2], make_rules(unordered=("$",))) == [("$[1]", "missing")]
    one, two = [{"id": 1}], [{"id": 1}, {"id": 1}]
    assert DeepDiff(one, two, iterable_compare_func=lambda x, y, _level=None: x["id"] == y["id"]) == {}
    assert changes(one, two, make_rules(keys={"$": "id"})) == [("$[1]", "extra")]


def test_another_coding_of_an_equal_body_is_one_difference():
    """Bodies come decoded: what is left to tell is that new doesn't compress."""
    control = replace(make_answer({"a": 1}, headers=(GZIP,)), digest="aa")
    found = compare(control, make_answer(b'{"a":1}'), RULES)
    assert [("content-encoding",)] == [difference.path for difference in found.differences]
