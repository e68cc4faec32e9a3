"""Lists: aligned, reordered, unordered, by key."""

from __future__ import annotations

from typing import Any

from tests.core.corpus.row import Sent, body, differs, equal, sent


def doc(value: Any) -> Sent:
    return sent(value, "application/json")


def items(*ids: Any, **members: Any) -> Sent:
    return doc({"items": [{"id": each, **members} for each in ids]})


BY_ID: dict[str, Any] = {"keys": {"$.items": "id"}}

ROWS = (
    differs("lists: value inserted", doc([1, 2, 3]), doc([1, 9, 2, 3]), body("$[*]", "extra")),
    differs("lists: value removed", doc([1, 2, 3]), doc([1, 3]), body("$[*]", "missing")),
    differs("lists: value changed", doc([1, 2, 3]), doc([1, 5, 3]), body("$[*]", "value")),
    differs(
        "lists: types in lists",
        doc([1, "x", 0]),
        doc([1.0, "x", False]),
        body("$[*]", "integer→float"),
        body("$[*]", "number→boolean"),
    ),
    differs("lists: emptied", doc({"a": [1]}), doc({"a": []}), body("$.a[*]", "missing")),
    differs("lists: swapped", doc([1, 2]), doc([2, 1]), body("$", "reordered")),
    differs(
        "lists: fifty items turned round", items(*range(50)), items(*range(49, -1, -1)), body("$.items", "reordered")
    ),
    differs("lists: item changed in place", items(1, 2, 3), items(1, 9, 3), body("$.items[*].id", "value")),
    differs("lists: last item missing", items(1, 2), items(1), body("$.items[*]", "missing")),
    differs(
        "lists: reordered and changed",
        doc([[1], [2], [3]]),
        doc([[2], [1], [4]]),
        body("$[*][*]", "value"),
    ),
    differs(
        "lists: one inserted in a long one",
        doc([*range(1000)]),
        doc([*range(500), -1, *range(500, 1000)]),
        body("$[*]", "extra"),
    ),
    differs("lists: a thousand values changed", doc([*range(1000)]), doc([*range(1, 1001)]), body("$[*]", "value")),
    differs("lists: list in a list", doc([[1, 2], [3]]), doc([[1, 2], [4]]), body("$[*][*]", "value")),
    equal("lists: unordered", doc({"tags": ["a", "b"]}), doc({"tags": ["b", "a"]}), unordered=("$.tags",)),
    differs(
        "lists: unordered counts repetition", doc([1, 1, 2]), doc([1, 2]), body("$[*]", "missing"), unordered=("$",)
    ),
    differs(
        "lists: unordered keeps types", doc([1, 2]), doc([2, True]), body("$[*]", "number→boolean"), unordered=("$",)
    ),
    equal("lists: unordered in unordered", doc([[1, 2], [3]]), doc([[3], [2, 1]]), unordered=("$", "$[*]")),
    equal(
        "lists: unordered without what is ignored",
        doc([{"a": 1, "t": 1}, {"a": 2, "t": 2}]),
        doc([{"a": 2, "t": 3}, {"a": 1, "t": 4}]),
        unordered=("$",),
        ignore=("$[*].t",),
    ),
    differs("lists: by key, changed", items(1, 2, n=1), items(1, 2, n=2), body("$.items[*].n", "value"), **BY_ID),
    differs("lists: by key, missing", items(1, 2, 3), items(1, 3), body("$.items[*]", "missing"), **BY_ID),
    differs("lists: by key, extra", items(1, 3), items(1, 2, 3), body("$.items[*]", "extra"), **BY_ID),
    differs("lists: by key, moved", items(1, 2), items(2, 1), body("$.items", "reordered"), **BY_ID),
    equal("lists: by key, unordered", items(1, 2), items(2, 1), **BY_ID, unordered=("$.items",)),
    differs(
        "lists: by key, of another type",
        items(1),
        items("1"),
        body("$.items[*].id", "number→numeric string"),
        **BY_ID,
    ),
    differs("lists: by key, repeated", items(1), items(1, 1), body("$.items[*]", "extra"), **BY_ID),
    differs(
        "lists: by key, without the key",
        doc({"items": [{"n": 1}, {"id": 1}]}),
        doc({"items": [{"id": 1}, {"n": 2}]}),
        body("$.items", "reordered"),
        body("$.items[*].n", "value"),
        **BY_ID,
    ),
    equal(
        "lists: tolerance in each item",
        doc({"items": [{"s": 0.5}, {"s": 0.25}]}),
        doc({"items": [{"s": 0.501}, {"s": 0.251}]}),
        tolerance={"$.items[*].s": 0.01},
    ),
    equal("lists: an item ignored", doc([1, 2]), doc([1, 3]), ignore=("$[1]",)),
)
