"""What DeepDiff 9.1 and fast JSON libraries call equal and isn't, and what makes them run for ever."""

from __future__ import annotations

from typing import Any

from proxy.core.difference import Limits
from tests.core.corpus.row import LIMITS, Sent, body, differs, equal, gives_up, sent


def doc(value: Any) -> Sent:
    return sent(value, "application/json")


def nested(depth: int, value: int) -> Sent:
    return doc("[" * depth + str(value) + "]" * depth)


RECORDS: list[dict[str, Any]] = [
    {"id": n, "name": f"record {n}", "tags": ["a", "b"], "is_read": True} for n in range(200)
]
HALF = [record if record["id"] % 2 else {**record, "name": f"changed {record['id']}"} for record in RECORDS]
SHUFFLED = sorted(HALF, key=lambda record: record["id"] * 7919 % 200)
NONE_LEFT = Limits(max_bytes=LIMITS.max_bytes, max_diff_passes=1)
PLAIN = [*range(40)]

DEEPDIFF = (
    gives_up("traps: its budget runs out", doc(PLAIN), doc([-n for n in PLAIN[1:]]), "max_diffs", limits=NONE_LEFT),
    differs(
        "traps: repeated by key", doc([{"id": 1}]), doc([{"id": 1}, {"id": 1}]), body("$[*]", "extra"), keys={"$": "id"}
    ),
    differs("traps: repetition in any order", doc([1, 1, 2]), doc([1, 2]), body("$[*]", "missing"), unordered=("$",)),
    equal(
        "traps: two hundred equal records",
        doc(RECORDS),
        sent(str(RECORDS).replace("'", '"').replace("True", "true"), "application/json"),
    ),
    differs(
        "traps: 1 and 1.0 in many records",
        doc(RECORDS),
        doc([*RECORDS[:-1], {**RECORDS[-1], "id": 199.0}]),
        body("$[*].id", "integer→float"),
    ),
    differs(
        "traps: true and 1 in many records",
        doc(RECORDS),
        doc([{**RECORDS[0], "is_read": 1}, *RECORDS[1:]]),
        body("$[*].is_read", "boolean→number"),
    ),
    differs(
        "traps: 1 and true in a list of values", doc([1, 0, 2]), doc([True, False, 2]), body("$[*]", "number→boolean")
    ),
    differs(
        "traps: half of two hundred changed and all shuffled, by key",
        doc(RECORDS),
        doc(SHUFFLED),
        body("$[*].name", "value"),
        keys={"$": "id"},
        unordered=("$",),
    ),
    equal("traps: two hundred shuffled in any order", doc(HALF), doc(SHUFFLED), unordered=("$",)),
    differs(
        "traps: moved and changed, by key",
        doc(RECORDS),
        doc(SHUFFLED),
        body("$[*].name", "value"),
        body("$", "reordered"),
        keys={"$": "id"},
    ),
    differs(
        "traps: half of two hundred changed and all shuffled, in any order",
        doc(RECORDS),
        doc(SHUFFLED),
        body("$[*].name", "value"),
        unordered=("$",),
    ),
    gives_up("traps: two thousand levels", nested(2_000, 1), nested(2_000, 2), "depth"),
    gives_up("traps: more levels than a parser takes", nested(49_000, 1), nested(49_000, 2), "depth"),
    equal("traps: equal bytes need no parser", nested(2_000, 1), nested(2_000, 1)),
    differs("traps: two hundred levels are compared", nested(200, 1), nested(200, 2), body("$" + "[*]" * 200, "value")),
    differs(
        "traps: paths stay when nearly all differs",
        doc({"a": {"b": 1, "c": 2, "d": 3}}),
        doc({"a": {"b": 4, "c": 5, "e": 3}}),
        body("$.a.b", "value"),
        body("$.a.c", "value"),
        body("$.a.d", "missing"),
        body("$.a.e", "extra"),
    ),
)

PARSERS = (
    differs(
        "traps: thirty digits are no double",
        doc("123456789012345678901234567890"),
        doc("123456789012345678901234567891"),
        body("$", "value"),
    ),
    differs("traps: five thousand digits", doc("1" * 5_000), doc("1" * 4_999 + "2"), body("$", "value")),
    equal("traps: NaN is read", doc("[NaN, -Infinity]"), doc("[NaN,-Infinity]")),
    differs("traps: NaN differs from null", doc("[NaN]"), doc("[null]"), body("$[*]", "not a number→null")),
    differs("traps: lone surrogates are kept apart", doc('["\\ud800"]'), doc('["\\ud801"]'), body("$[*]", "value")),
    differs(
        "traps: a lone surrogate is not its replacement", doc('["\\ud800"]'), doc('["\\ufffd"]'), body("$[*]", "value")
    ),
    differs(
        "traps: first of two equal keys", doc('{"a":1,"a":2}'), doc('{"a":2,"a":2}'), body("$.a", "repeated values")
    ),
    differs(
        "traps: repeated deep inside",
        doc('{"x":[{"a":1,"a":2}]}'),
        doc('{"x":[{"a":2}]}'),
        body("$.x[*].a", "key not repeated"),
    ),
    differs("traps: a double too large", doc("[1e400]"), doc("[1e401]"), body("$[*]", "value")),
    differs("traps: a double too small", doc("[1e-400]"), doc("[1e-401]"), body("$[*]", "value")),
)

ROWS = (*DEEPDIFF, *PARSERS)
