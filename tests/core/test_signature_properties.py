"""A signature is a group: values, indexes and names that are ids never make another one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.compare import compare
from proxy.core.model import CompareRules
from proxy.core.signature import Signature, sign
from tests.core.answers import make_answer, make_rules

SECRET = "QXZ"  # in nothing else that is generated
secrets = st.text("0123456789abcdef-@.:+ZT é&;<", max_size=12).map(lambda text: f"{SECRET}{text}{SECRET}")
values = st.recursive(
    st.one_of(secrets, st.integers(), st.floats(allow_nan=False), st.none(), st.booleans()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(["a", "b", "id", "tags"]), inner, max_size=4)
    ),
    max_leaves=12,
)
ids = st.one_of(
    st.integers(0).map(str),
    st.uuids().map(str),
    st.text("0123456789abcdef", min_size=12, max_size=64).filter(lambda text: any(map(str.isdigit, text))),
    st.dates().map(str),
    st.datetimes().map(lambda at: at.isoformat()),
    st.from_regex(r"[a-z]{1,8}[_:-][0-9]{3,9}", fullmatch=True),
    st.from_regex(r"[a-z.]{1,9}@[a-z]{1,9}\.[a-z]{2,5}", fullmatch=True),
    st.from_regex(r"masked:[a-z]{1,8}:[0-9a-f]{12}", fullmatch=True),
    st.from_regex(r"[0-7][0-9A-HJKMNP-TV-Z]{25}", fullmatch=True),
)


def signatures(before: Any, after: Any, **rules: Any) -> list[Signature]:
    """One for each difference, in their order."""
    sides = (make_answer(before), make_answer(after))
    found = compare(*sides, make_rules(**rules))
    return [sign("feeds", difference) for difference in found.differences]


@given(values, values, st.sampled_from([{}, {"unordered": ("$..tags", "$")}, {"keys": {"$": "id", "$..tags": "id"}}]))
def test_no_value_enters_a_signature(before: Any, after: Any, rules: dict[str, Any]):
    """Neither its path nor its shape, whatever the values and rules; so its id, made of these, has none either."""
    for found in signatures({"v": before}, {"v": after}, **rules):
        assert SECRET not in f"{found.path} {found.shape}"


@given(secrets, secrets, st.sampled_from(["text/plain", "text/html", "application/xml"]))
def test_no_line_enters_a_signature(before: str, after: str, content_type: str):
    """Texts of any type."""
    control, candidate = (make_answer(f"same\n{text}".encode(), content_type) for text in (before, after))
    found = [sign("feeds", difference) for difference in compare(control, candidate, CompareRules()).differences]
    assert bool(found) == (before != after)
    assert not [each for each in found if SECRET in f"{each.path} {each.shape}"]


@given(
    st.sampled_from(["x-a", "vary", "location", "set-cookie", "cache-control", "content-security-policy"]),
    secrets,
    secrets,
)
def test_no_header_value_enters_a_signature(name: str, before: str, after: str):
    """Of a cookie its name and its attributes' names are known, of other headers only the name."""
    lines = [((name, f"session={value}; path=/" if name == "set-cookie" else value),) for value in (before, after)]
    control, candidate = (make_answer(b"{}", headers=headers) for headers in lines)
    for difference in compare(control, candidate, CompareRules()).differences:
        found = sign("feeds", difference)
        assert SECRET not in f"{found.path} {found.shape}"


@given(ids, ids, values, values)
def test_names_that_are_ids_are_one_signature(one: str, other: str, before: Any, after: Any):
    """A map of a thousand users with one fault is one group, as a list of them would be."""
    first = signatures({"users": {one: {"v": before}}}, {"users": {one: {"v": after}}})
    second = signatures({"users": {other: {"v": before}}}, {"users": {other: {"v": after}}})
    assert first == second
    assert not [each for each in first if not each.path.startswith('$.users["{id}"].v')]


@given(st.integers(0, 9), st.integers(0, 9), values, values, st.sampled_from([{}, {"unordered": ("$",)}]))
def test_same_difference_at_another_index_is_the_same_signature(
    index: int, other: int, before: Any, after: Any, rules: dict[str, Any]
):
    """Which of ten items has the fault is chance."""
    items = [{"n": number, "v": 0} for number in range(10)]

    def found(at: int) -> list[Signature]:
        sides = [[*items[:at], {"n": at, "v": {"w": value}}, *items[at + 1 :]] for value in (before, after)]
        return signatures(*sides, **rules)

    assert found(index) == found(other)


@given(st.lists(st.sampled_from(["a", "é", "\ud800", "\0", '"', "$", "[*]", "x.y"]), min_size=1, max_size=3))
def test_odd_names_have_signatures_that_any_store_can_write(names: list[str]):
    """The id is plain; the path says the names in full, and can be written as JSON."""
    before: Any = 1
    after: Any = 2
    for name in names:
        before, after = {name: before}, {name: after}
    [found] = signatures(before, after)
    assert (12, True) == (len(found.id), found.id.isalnum())
    assert found.path == json.loads(json.dumps(found.path))


@pytest.mark.parametrize("unit", ["a@b.", "a@.", "1", "a", "a-", "0a", "a@b", "@", "."])
def test_long_names_are_looked_at_in_linear_time(unit: str):
    """A name of a megabyte, whatever it resembles, must not cost the comparer its time."""
    name = "a@" + unit * (1_000_000 // len(unit))
    [found] = signatures({f"{name} ": 1}, {f"{name} ": 2})
    assert len(found.path) > len(name)
