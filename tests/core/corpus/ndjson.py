"""Lines of JSON and JSON text sequences."""

from __future__ import annotations

import json
from typing import Any

from tests.core.corpus.row import Sent, body, differs, equal, gives_up, header, sent

TYPE = "application/x-ndjson"
SEQUENCE = "application/json-seq"


def lines(*records: Any, end: str = "\n") -> Sent:
    """Each record on a line of its own; a str is written as it is."""
    return sent("".join((each if isinstance(each, str) else json.dumps(each)) + end for each in records), TYPE)


def sequence(*records: Any, end: str = "\n") -> Sent:
    return sent(
        "".join(f"\x1e{each if isinstance(each, str) else json.dumps(each)}{end}" for each in records), SEQUENCE
    )


ROWS = (
    equal("ndjson: white space and order of members", lines('{"a":1,"b":2}'), lines('{ "b": 2, "a": 1 }')),
    equal("ndjson: line ends", lines({"a": 1}, {"a": 2}), lines({"a": 1}, {"a": 2}, end="\r\n")),
    equal("ndjson: last line end", lines({"a": 1}), sent('{"a": 1}', TYPE)),
    equal("ndjson: blank lines", lines({"a": 1}, {"a": 2}), lines({"a": 1}, "", {"a": 2}, "")),
    differs(
        "ndjson: byte order mark",
        lines({"a": 1}),
        lines('\ufeff{"a": 1}'),
        body('$["@charset"]', "charset utf-8→utf-8 with a mark"),
    ),
    equal(
        "ndjson: field of each record ignored",
        lines({"ts": 1}, {"ts": 2}),
        lines({"ts": 3}, {"ts": 4}),
        ignore=("$[*].ts",),
    ),
    equal("ndjson: field ignored at any depth", lines({"a": {"ts": 1}}), lines({"a": {"ts": 2}}), ignore=("$..ts",)),
    differs(
        "ndjson: only that is ignored",
        lines({"ts": 1, "a": 1}),
        lines({"ts": 2, "a": 2}),
        body("$[*].a", "value"),
        ignore=("$[*].ts",),
    ),
    equal("ndjson: within tolerance", lines({"s": 1.5}), lines({"s": 1.501}), tolerance={"$[*].s": 0.01}),
    equal("ndjson: any order", lines({"a": 1}, {"a": 2}), lines({"a": 2}, {"a": 1}), unordered=("$",)),
    equal(
        "ndjson: by key, any order",
        lines({"id": 1}, {"id": 2}),
        lines({"id": 2}, {"id": 1}),
        keys={"$": "id"},
        unordered=("$",),
    ),
    differs(
        "ndjson: by key, one inserted",
        lines({"id": 1}, {"id": 3}),
        lines({"id": 1}, {"id": 2}, {"id": 3}),
        body("$[*]", "extra"),
        keys={"$": "id"},
    ),
    differs(
        "ndjson: type changed",
        lines({"a": 1}, {"a": 2}),
        lines({"a": "1"}, {"a": "2"}),
        body("$[*].a", "number→numeric string"),
    ),
    differs("ndjson: record missing", lines({"a": 1}, {"a": 2}), lines({"a": 1}), body("$[*]", "missing")),
    differs("ndjson: swapped", lines({"a": 1}, {"a": 2}), lines({"a": 2}, {"a": 1}), body("$", "reordered")),
    differs("ndjson: plain records", lines(1, True, None), lines(1, "true ", 0), body("$[*]", "null→number")),
    differs(
        "ndjson: broken record", lines({"a": 1}, {"a": 2}), lines({"a": 1}, '{"a": '), body("$[*]", "object→string")
    ),
    equal("ndjson: broken in the same way", lines({"a": 1}, "oops"), lines('{"a":1}', "oops")),
    differs(
        "ndjson: broken in another way", lines({"a": 1}, "oops"), lines('{"a":1}', "Oops"), body("$[*]", "letter case")
    ),
    differs(
        "ndjson: a string is not its text", lines({"a": 1}, '"oops"'), lines({"a": 1}, "oops"), body("$[*]", "value")
    ),
    equal("ndjson: escapes in a string", lines({"a": 1}, '"\\u0061"'), lines({"a": 1}, '"a"')),
    differs("ndjson: emptied", lines({"a": 1}), sent(b"", TYPE), body("$", "body ndjson→empty")),
    differs(
        "ndjson: became one list",
        lines({"a": 1}, {"a": 2}),
        sent([{"a": 1}, {"a": 2}], "application/json"),
        body("$", "body ndjson→json"),
    ),
    differs("ndjson: became a page", lines({"a": 1}), sent("<h1>Oops</h1>", TYPE), body("$", "body ndjson→text")),
    equal(
        "ndjson: under JSON's type",
        sent('{"a":1}\n{"a":2}', "application/json"),
        sent('{"a": 1}\n{"a": 2}\n', "application/json"),
    ),
    equal("ndjson: undeclared", sent('{"a":1}\n{"a":2}'), sent('{"a": 1}\n{"a": 2}\n')),
    differs(
        "ndjson: names of the type",
        lines({"a": 1}),
        sent('{"a":1}', "application/jsonl"),
        header("content-type", "value"),
    ),
    differs(
        "ndjson: masked values still differ",
        lines({"token": "one"}),
        lines({"token": "two"}),
        body("$[*].token", "value"),
    ),
    gives_up(
        "ndjson: nested too deeply",
        lines({"a": 1}, "[" * 5_000 + "]" * 5_000),
        lines({"a": 1}, "[" * 5_001 + "]" * 5_001),
        "depth",
    ),
    equal("sequence: white space", sequence({"a": 1}, [2]), sequence('{"a":1}', "[2]")),
    equal("sequence: a record over lines", sequence({"a": 1}), sequence('{"a":\n1}')),
    differs("sequence: changed", sequence({"a": 1}, 2), sequence({"a": 2}, 2), body("$[*].a", "value")),
    differs(
        "sequence: cut within a record",
        sequence({"a": 1}, {"b": 2}),
        sequence({"a": 1}, '{"b": '),
        body("$[*]", "object→string"),
    ),
    differs(
        "sequence: a number that may be cut",
        sequence(12),
        sequence({"a": 1}, 12, end=""),
        body("$[*]", "number→object"),
        body("$[*]", "extra"),
    ),
)
