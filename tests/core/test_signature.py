"""Signatures: stable ids, generalised paths, and no value in them."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.core.difference import Difference
from proxy.core.paths import MapKey
from proxy.core.signature import Signature, sign


def body(*path: str | int, change: str = "value", before: Any = 1, after: Any = 2) -> Difference:
    return Difference("body", path, change, before, after)


@pytest.mark.parametrize(
    ("difference", "expected"),
    [
        (body(), "$"),
        (body("items", 3, "date"), "$.items[*].date"),
        (body(0, 1), "$[*][*]"),
        (body("x y", "a"), '$["x y"].a'),
        (body("users", "42", "name"), '$.users["{id}"].name'),
        (body("by", "7d9f3c3e-6c1f-4b1e-9f57-0a1b2c3d4e5f"), '$.by["{id}"]'),
        (body("by", "9f86d081884c7d659a2f"), '$.by["{id}"]'),
        (body("by", "01ARZ3NDEKTSV4RRFFQ69G5FAV"), '$.by["{id}"]'),
        (body("days", "2026-01-02"), '$.days["{id}"]'),
        (body("by", "ann@example.com"), '$.by["{id}"]'),
        (body("by", "user_1042"), '$.by["{id}"]'),
        (body("by", "masked:email:0123456789ab"), '$.by["{id}"]'),
        (body("by", "berlin-2024"), '$.by["{id}"]'),
        (body("by", "new-york-2024"), '$.by["{id}"]'),
        (body("by", "2024-summer-sale"), '$.by["{id}"]'),
        (body("by", "first-name", "address-line-2"), "$.by.first-name.address-line-2"),
        (body("by", MapKey("new-york"), "first-name"), '$.by["{id}"].first-name'),
        (body("line2", "utf_16", "deadbeefcafe"), "$.line2.utf_16.deadbeefcafe"),
        (Difference("status", (), "200→500", 200, 500), "status"),
        (Difference("header", ("x-a",), "value", "1", "2"), "x-a"),
        (Difference("header", ("set-cookie", "session", "path"), "value", "/", "/x"), "set-cookie.session.path"),
        (Difference("header", ("set-cookie", "cart_10422"), "extra", None, "present"), "set-cookie.{id}"),
    ],
)
def test_path_of_a_signature_holds_no_data(difference: Difference, expected: str):
    """Indexes and names that are ids are the same place in every answer."""
    assert sign("feeds", difference).path == expected


def test_signature_keeps_its_id():
    """Ids are in people's tickets: they change with ALGORITHM only."""
    assert sign("feeds", body("items", 3, "date", change="datetime format")) == Signature(
        "b42033248cf9", "feeds", "body", "$.items[*].date", "datetime format"
    )


def test_signature_does_not_depend_on_values_or_positions():
    """The same fault in another item with other data is the same group."""
    assert sign("r", body("items", 3, "n", before="a", after="b")) == sign("r", body("items", 9, "n"))


@pytest.mark.parametrize(
    "other",
    [body("a", change="missing"), body("b"), Difference("header", ("a",), "value", 1, 2)],
)
def test_signature_tells_kind_path_and_shape_apart(other: Difference):
    """Each part makes another group."""
    assert sign("r", body("a")).id != sign("r", other).id


def test_signature_tells_routes_apart():
    """The same difference on two routes is two pieces of work."""
    assert sign("r", body("a")).id != sign("s", body("a")).id


def test_signature_of_a_lone_surrogate_is_made():
    """A member name may hold what UTF-8 can't write."""
    assert len(sign("r", body("\ud800")).id) == 12
