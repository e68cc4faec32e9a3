"""Legacy and new exchanged: the same places differ, and each shape becomes its mirror image."""

from __future__ import annotations

import copy
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proxy.core.compare import compare
from proxy.core.model import CompareRules
from proxy.core.paths import write
from tests.core.answers import make_answer, make_rules, names, plain_values

DOCS = Path(__file__).parents[2] / "docs" / "comparing.md"
# A shape and the same change seen from the other side. Those that aren't here have their mirror image in themselves:
# "a→b" becomes "b→a", and "line …" the mirror image of the rest.
MIRROR = {
    "missing": "extra",
    "extra": "missing",
    "rounded": "rounded before",
    "rounded before": "rounded",
    "cut short": "cut short before",
    "cut short before": "cut short",
    "html-escaped": "html-unescaped",
    "html-unescaped": "html-escaped",
    "key repeated": "key not repeated",
    "key not repeated": "key repeated",
    **{
        same: same
        for same in (
            "value",
            "reordered",
            "datetime format",
            "time zone",
            "shifted by hours",
            "white space",
            "letter case",
            "unicode form",
            "repeated values",
            "bytes",
            "numbers",
            "size",
            "proportions",
            "frames",
            "duration",
            "colour profile",
            "looks different",
            "doctype",
            "namespace",
            "style sheet",
            "document type",
        )
    },
}
# Of each kind of change one, so that all of the vocabulary is met.
CHANGED = [
    (1, "1"),
    (1, 1.0),
    ("a", None),
    ([], {}),
    ("a", ""),
    (3.14159, 3.14),
    (True, "true"),
    ("some words that go on", "some words…"),
    ("some words…", "some words..."),
    ("a & b", "a &amp; b"),
    ("&lt;", "&LT;"),
    ("a b", " a  b"),
    ("a", "A"),
    ("é", "e\u0301"),
    ("2026-01-02T03:04:05Z", "2026-01-02 03:04:05"),
    ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05+02:00"),
    ("2026-01-02T03:04:05Z", "2026-01-02T05:04:05Z"),
    ("2026-01-02T03:04:05Z", 1767323045),
    ([1, 2, 3], [3, 1, 2]),
    ("masked:jwt:0123456789ab", "masked:string:0123456789ab"),
]
values = st.one_of(plain_values, st.sampled_from([value for pair in CHANGED for value in pair]))
# Lists of plain values are left to DeepDiff, whose alignment begins on one side: see the last test.
documents = st.recursive(
    values,
    lambda inner: st.one_of(
        st.lists(st.dictionaries(st.sampled_from("ab"), inner, min_size=1, max_size=2), max_size=4),
        st.dictionaries(names, inner, max_size=5),
    ),
    max_leaves=20,
)


def mirrored(shape: str) -> str:
    if shape.startswith("body "):
        return "body " + mirrored(shape.removeprefix("body "))
    if shape.startswith("line "):
        return "line " + mirrored(shape.removeprefix("line "))
    before, arrow, after = shape.partition("→")
    return f"{after}→{before}" if arrow else MIRROR[shape]


def findings(
    before: Any, after: Any, rules: CompareRules | None = None, **of_both: Any
) -> Counter[tuple[str, str, str]]:
    """(kind, path, shape), as often as found."""
    found = compare(make_answer(before, **of_both), make_answer(after, **of_both), rules or CompareRules())
    assert "" == found.reason
    return Counter((each.kind, write(each.path), each.change) for each in found.differences)


def assert_mirrored(before: Any, after: Any, rules: CompareRules | None = None, **of_both: Any) -> None:
    there, back = findings(before, after, rules, **of_both), findings(after, before, rules, **of_both)
    assert there == Counter({(kind, path, mirrored(shape)): number for (kind, path, shape), number in back.items()})


def test_mirror_is_total_over_the_vocabulary():
    """Each word that the docs list has its mirror image, and every image is a word."""
    table = DOCS.read_text("utf-8").partition("| shape | the change |")[2].partition("\n\n")[0]
    words = [word for row in table.splitlines()[2:] for word in re.findall(r"`([^`]+)`", row.split("|")[1])]
    assert len(words) > 20
    shapes = {word for word in words if "…" not in word} - {"line numbers"}
    assert shapes == {mirrored(mirrored(shape)) for shape in shapes}
    assert set(MIRROR) - {"numbers"} == {shape for shape in shapes if "→" not in shape}


@pytest.mark.parametrize(("before", "after"), CHANGED)
def test_each_change_is_mirrored(before: Any, after: Any):
    """The examples do differ, so that the properties below mean something."""
    assert findings({"v": before}, {"v": after})
    assert_mirrored({"v": before}, {"v": after})


@example({"a": {"b": 1}}, {"a": {"b": "1"}})
@given(documents, documents)
def test_exchanged_documents_differ_in_the_same_places(before: Any, after: Any):
    """Path for path, with each shape's mirror image."""
    assert_mirrored(before, after)
    assert_mirrored(before, after, make_rules(tolerance={"$..*": 0.5}, ignore=("$..id",)))


@given(
    st.lists(values, unique_by=repr, max_size=6),
    st.integers(0, 5),
    values,
    st.sampled_from(["", "new", "gone", "moved"]),
)
def test_exchanged_plain_lists_differ_in_the_same_places(items: list[Any], index: int, value: Any, change: str):
    """One change in a list of plain values: replaced, inserted, removed, or another order."""
    after = copy.copy(items)
    if change == "new":
        after.insert(index, value)
    elif change == "moved":
        after.reverse()
    elif index < len(after):
        after[index : index + 1] = [] if change == "gone" else [value]
    assert_mirrored(items, after)


@given(
    st.lists(st.tuples(st.sampled_from("ab"), values), max_size=4),
    st.lists(st.tuples(st.sampled_from("ab"), values), max_size=4),
)
def test_exchanged_repeated_keys_differ_in_the_same_places(before: list[Any], after: list[Any]):
    """An object with repeated keys, against another one."""
    old, new = (
        f"{{{', '.join(f'{json.dumps(key)}: {json.dumps(value)}' for key, value in pairs)}}}"
        for pairs in (before, after)
    )
    assert_mirrored(old.encode(), new.encode())


def general(found: Counter[tuple[str, str, str]]) -> Counter[tuple[str, str]]:
    """As signatures have it: without indexes, which are control's where items were found elsewhere."""
    return Counter((re.sub(r"\[\d+\]", "[*]", path), shape) for _, path, shape in found.elements())


@pytest.mark.parametrize(
    "rules", [{"unordered": ("$",)}, {"keys": {"$": "id"}}, {"unordered": ("$",), "keys": {"$": "id"}}]
)
@given(*[st.lists(st.tuples(st.integers(0, 4), values), max_size=5)] * 2)
def test_exchanged_lists_with_rules_differ_in_as_many_ways(rules: dict[str, Any], before: list[Any], after: list[Any]):
    """Items found by key or as equals."""
    old, new, compared_by = keyed(before), keyed(after), make_rules(**rules)
    there, back = general(findings(old, new, compared_by)), general(findings(new, old, compared_by))
    assert there == Counter({(path, mirrored(shape)): number for (path, shape), number in back.items()})


def keyed(items: list[tuple[int, Any]]) -> list[dict[str, Any]]:
    return [{"id": key, "v": value} for key, value in items]


@pytest.mark.parametrize(
    ("before", "after", "content_type"),
    [
        (b"some words\nthat go on and on", b"some words\nthat go on", "text/plain"),
        (b"a & b", b"a &amp; b", "text/html"),
        (b"1 of 2", b"3 of 4", "text/plain"),
        (b"a\nb", b"a", "text/plain"),
        (b"{}", b"a", "application/json"),
        (b"", b"{}", "application/json"),
        (b"\x00", b"\x01", "image/png"),
    ],
)
def test_exchanged_bodies_of_any_kind_differ_alike(before: bytes, after: bytes, content_type: str):
    """Lines, kinds and bytes too."""
    assert findings(before, after, content_type=content_type)
    assert_mirrored(before, after, content_type=content_type)


headers = st.lists(
    st.tuples(
        st.sampled_from(["x-a", "vary", "etag", "set-cookie", "location", "cache-control", "content-type", "x-b"]),
        st.sampled_from(["a", "b", "a=1", "a=; Path=/", "b=2; SameSite=lax", "a, b", "/x", "text/html; charset=utf-8"]),
    ),
    max_size=5,
).map(tuple)


@given(headers, headers)
def test_exchanged_headers_differ_in_the_same_places(before: Any, after: Any):
    """Each header, cookie and attribute."""
    old, new = (make_answer(b"{}", headers=lines) for lines in (before, after))
    there, back = compare(old, new, CompareRules()).differences, compare(new, old, CompareRules()).differences
    assert [(each.path, each.change) for each in there] == [(each.path, mirrored(each.change)) for each in back]
