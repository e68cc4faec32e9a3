"""JSON: values, their types, what has the same meaning, and what only seems to."""

from __future__ import annotations

from typing import Any

from tests.core.corpus.row import Row, Sent, body, differs, equal, sent

JSON = "application/json"


def doc(value: Any) -> Sent:
    """A document; str and bytes as they are written."""
    return sent(value, JSON)


def changed(name: str, before: str, after: str, shape: str) -> Row:
    """The member `a` of both documents, as written."""
    return differs(name, doc(f'{{"a": {before}}}'), doc(f'{{"a": {after}}}'), body("$.a", shape))


SAME = (
    equal("json: order of members", doc('{"a": 1, "b": 2}'), doc('{"b": 2, "a": 1}')),
    equal("json: white space", doc('{"a":[1,2]}'), doc(' {\r\n\t"a" : [ 1 , 2 ] }\n')),
    equal("json: escapes", doc('{"a": "\\u0061\\/"}'), doc('{"a": "a/"}')),
    equal("json: escaped and raw characters", doc('{"a": "\\u00e9\\ud83d\\ude00"}'), doc('{"a": "é😀"}')),
    equal("json: escaped member name", doc('{"\\u0061": 1}'), doc('{"a": 1}')),
    equal("json: number forms", doc("[1.0, 1e2, 0.5]"), doc("[1.00, 100.0, 5e-1]")),
    equal("json: negative zero", doc("[-0.0]"), doc("[0.0]")),
    differs(
        "json: byte order mark",
        doc(b'\xef\xbb\xbf{"a": 1}'),
        doc('{"a": 2}'),
        body('$["@charset"]', "charset utf-8 with a mark→utf-8"),
        body("$.a", "value"),
    ),
    equal("json: byte order mark ignored", doc("\ufeff[1]"), doc("[1]"), ignore=('$["@charset"]',)),
    equal("json: charset parameter", sent("[1]", JSON), sent("[ 1 ]", f"{JSON}; charset=utf-8")),
    equal("json: equal long integers", doc("123456789012345678901234567890"), doc(" 123456789012345678901234567890")),
    equal("json: plain values at the top", doc('"a"'), doc(' "a" ')),
    equal("json: null at the top", doc("null"), doc("null\n")),
    equal("json: empty containers", doc('{"a": {}, "b": []}'), doc('{ "b": [ ], "a": { } }')),
    equal("json: same repeated keys", doc('{"a":1,"a":2}'), doc('{"a": 1, "a": 2}')),
    equal(
        "json: under a vendor's type",
        sent('{"a":1}', "application/vnd.x+json"),
        sent('{"a": 1}', "application/vnd.x+json"),
    ),
)

TYPES = (
    changed("json: integer became float", "1", "1.0", "integer→float"),
    changed("json: float became integer", "1.0", "1", "float→integer"),
    changed("json: number became string", "3", '"3"', "number→numeric string"),
    changed("json: float became string", "3.5", '"3.5"', "number→numeric string"),
    changed("json: string became number", '"3"', "3", "numeric string→number"),
    changed("json: number became word", "3", '"three"', "number→string"),
    changed("json: number became true", "1", "true", "number→boolean"),
    changed("json: zero became false", "0", "false", "number→boolean"),
    changed("json: true became text", "true", '"true"', "boolean→string"),
    changed("json: boolean flipped", "true", "false", "value"),
    changed("json: string became null", '"x"', "null", "string→null"),
    changed("json: null became empty string", "null", '""', "null→empty string"),
    changed("json: null became zero", "null", "0", "null→number"),
    changed("json: null became list", "null", "[]", "null→list"),
    changed("json: list became object", "[]", "{}", "list→object"),
    changed("json: object became string", "{}", '"{}"', "object→string"),
    changed("json: item became list of it", '"x"', '["x"]', "string→list"),
    changed("json: NaN became null", "NaN", "null", "not a number→null"),
    changed("json: NaN became infinity", "NaN", "Infinity", "value"),
)

VALUES = (
    changed("json: number changed", "1", "2", "value"),
    changed("json: float changed", "1.5", "1.75", "value"),
    changed("json: price rounded", "3.14159", "3.14", "rounded"),
    changed("json: price no longer rounded", "3.14", "3.14159", "rounded before"),
    changed("json: long integer changed", "123456789012345678901234567890", "123456789012345678901234567891", "value"),
    changed("json: id beyond a double", "9007199254740993", "9007199254740992", "value"),
    changed("json: digits beyond a double", "0.123456789012345678", "0.123456789012345679", "value"),
    changed("json: exponent beyond a double", "1e400", "1e500", "value"),
    changed("json: lone surrogate changed", '"\\ud800"', '"\\ud801"', "value"),
    changed("json: string changed", '"x"', '"y"', "value"),
    changed("json: string emptied", '"x"', '""', "string→empty string"),
    changed("json: string filled", '""', '"x"', "empty string→string"),
    changed("json: escaped for HTML", '"a & b"', '"a &amp; b"', "html-escaped"),
    changed("json: escaped twice", '"a &lt; b"', '"a &amp;lt; b"', "html-escaped"),
    changed("json: no longer escaped", '"a &amp; b"', '"a & b"', "html-unescaped"),
    changed("json: letter case", '"Feeds"', '"FEEDS"', "letter case"),
    changed("json: white space in a string", '"a  b "', '"a b"', "white space"),
    changed("json: unicode form", '"\\u00e9"', '"e\\u0301"', "unicode form"),
    changed("json: text cut short", '"a long sentence"', '"a long sen…"', "cut short"),
    changed("json: text no longer cut", '"a long sen"', '"a long sentence"', "cut short before"),
    changed("json: date format", '"2026-01-02T03:04:05Z"', '"Fri, 02 Jan 2026 03:04:05 GMT"', "datetime format"),
    changed("json: date as seconds", '"2026-01-02T03:04:05Z"', "1767323045", "datetime format"),
    changed("json: zone", '"2026-01-02T03:04:05Z"', '"2026-01-02T04:04:05+01:00"', "time zone"),
    changed("json: shifted by a zone", '"2026-01-02T03:04:05Z"', '"2026-01-02T05:04:05Z"', "shifted by hours"),
    changed("json: other moment", '"2026-01-02T03:04:05Z"', '"2026-01-09T13:44:25Z"', "value"),
)

MEMBERS = (
    differs("json: member missing", doc({"a": 1, "b": 2}), doc({"a": 1}), body("$.b", "missing")),
    differs("json: member extra", doc({"a": 1}), doc({"a": 1, "b": 2}), body("$.b", "extra")),
    differs("json: null is not absent", doc({"a": None}), doc({}), body("$.a", "missing")),
    differs(
        "json: member renamed",
        doc({"created_at": 1}),
        doc({"createdAt": 1}),
        body("$.created_at", "missing"),
        body("$.createdAt", "extra"),
    ),
    differs(
        "json: name in another case", doc({"Id": 1}), doc({"id": 1}), body("$.Id", "missing"), body("$.id", "extra")
    ),
    differs("json: nested", doc({"a": {"b": [{"c": 1}]}}), doc({"a": {"b": [{"c": 2}]}}), body("$.a.b[*].c", "value")),
    differs(
        "json: names that are ids",
        doc({"u": {"42": {"n": 1}}}),
        doc({"u": {"42": {"n": 2}}}),
        body('$.u["{id}"].n', "value"),
    ),
    differs("json: odd names", doc({"a b": {"": 1}}), doc({"a b": {"": 2}}), body('$["a b"][""]', "value")),
    differs(
        "json: two faults are two signatures",
        doc({"a": 1, "b": "x"}),
        doc({"a": "1", "b": ""}),
        body("$.a", "number→numeric string"),
        body("$.b", "string→empty string"),
    ),
    differs(
        "json: one fault in many items is one signature",
        doc([{"n": n} for n in range(50)]),
        doc([{"n": str(n)} for n in range(50)]),
        body("$[*].n", "number→numeric string"),
    ),
    differs("json: key repeated", doc('{"a":2}'), doc('{"a":1,"a":2}'), body("$.a", "key repeated")),
    differs("json: key not repeated", doc('{"a":1,"a":2}'), doc('{"a":2}'), body("$.a", "key not repeated")),
    differs("json: other repeated values", doc('{"a":1,"a":2}'), doc('{"a":3,"a":2}'), body("$.a", "repeated values")),
    differs("json: masked values still differ", doc({"token": "one"}), doc({"token": "two"}), body("$.token", "value")),
    equal("json: masked values are still equal", doc('{"token": "one"}'), doc('{ "token": "one" }')),
)

RULES = (
    equal("rules: member ignored", doc({"a": 1, "at": 1}), doc({"a": 1, "at": 2}), ignore=("$.at",)),
    equal("rules: member ignored at any depth", doc({"a": {"at": 1}}), doc({"a": {"at": 2}}), ignore=("$..at",)),
    equal("rules: ignored member may be missing", doc({"a": 1, "at": 1}), doc({"a": 1}), ignore=("$.at",)),
    differs(
        "rules: only that is ignored",
        doc({"a": 1, "at": 1}),
        doc({"a": 2, "at": 2}),
        body("$.a", "value"),
        ignore=("$.at",),
    ),
    equal("rules: the whole document ignored", doc([1]), doc([2]), ignore=("$",)),
    equal("rules: within tolerance", doc({"s": 0.3}), doc({"s": 0.299}), tolerance={"$.s": 0.001}),
    differs(
        "rules: beyond tolerance", doc({"s": 0.3}), doc({"s": 0.5}), body("$.s", "value"), tolerance={"$.s": 0.001}
    ),
    differs(
        "rules: tolerance is for numbers",
        doc({"s": 0.3}),
        doc({"s": "0.3"}),
        body("$.s", "number→numeric string"),
        tolerance={"$.s": 0.001},
    ),
    equal("rules: tolerance takes integers and floats alike", doc({"s": 1}), doc({"s": 1.0}), tolerance={"$.s": 0.1}),
)

CITIES = {f"{one}-{two}": {"name": one, "rank": 1} for one in ("san", "new", "old", "el", "la") for two in "abcdef"}
FIELDS = {f"field-{letter}": {"type": "text", "label": letter} for letter in "abcdefghij"}
SCORES = dict.fromkeys((f"{one}-{two}" for one in CITIES for two in "rstuvwxyz"), 1)

MAPS = (
    differs(
        "json: names of a map are one place",
        doc({"cities": CITIES}),
        doc(
            {"cities": {**CITIES, "san-a": {"name": "san", "rank": 2}, "san-b": {"name": "san", "rank": 3}, "x-y": {}}}
        ),
        body('$.cities["{id}"].rank', "value"),
        body('$.cities["{id}"]', "extra"),
    ),
    equal(
        "json: a map by the rule for its signature",
        doc({"cities": CITIES}),
        doc({"cities": {**CITIES, "san-a": {"name": "san", "rank": 2}}}),
        ignore=("$.cities[*].rank",),
    ),
    differs(
        "json: fields of a record are several",
        doc(FIELDS),
        doc({**FIELDS, "field-a": {"type": "text", "label": "A"}, "field-b": {"type": "text", "label": "x"}}),
        body("$.field-a.label", "letter case"),
        body("$.field-b.label", "value"),
    ),
    differs(
        "json: a map of numbers", doc(SCORES), doc({**SCORES, "san-a-w": 2, "la-f-z": 3}), body('$["{id}"]', "value")
    ),
)

ROWS = (*SAME, *MAPS, *TYPES, *VALUES, *MEMBERS, *RULES)
