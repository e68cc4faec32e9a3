"""Server-sent events."""

from __future__ import annotations

from tests.core.corpus.row import Row, Sent, body, differs, equal, gives_up, sent

TYPE = "text/event-stream"


def stream(text: str) -> Sent:
    return sent(text, TYPE)


def same(name: str, before: str, after: str) -> Row:
    return equal(f"events: {name}", stream(before), stream(after))


def changed(name: str, before: str, after: str, path: str, shape: str) -> Row:
    return differs(f"events: {name}", stream(before), stream(after), body(path, shape))


ROWS = (
    same("line ends", "data: a\n\ndata: b\n\n", "data: a\r\n\r\ndata: b\r\r"),
    same("one space after the colon", "data: a\nid: 1\n\n", "data:a\nid:1\n\n"),
    same("order of fields", "event: x\ndata: a\n\n", "data: a\nevent: x\n\n"),
    same("byte order mark", "data: a\n\n", "\ufeffdata: a\n\n"),
    same("blank lines", "data: a\n\ndata: b\n\n", "\ndata: a\n\n\n\ndata: b\n\n"),
    same("default event named", "data: a\n\n", "event: message\ndata: a\n\n"),
    same("order of members", 'data: {"a": 1, "b": 2}\n\n', 'data: {"b":2,"a":1}\n\n'),
    same("data over several lines", 'data: {"a":\ndata: [1,\ndata: 2]}\n\n', 'data: {"a":[1,2]}\n\n'),
    same("leading zeros of a wait", "retry: 0500\ndata: a\n\n", "retry: 500\ndata: a\n\n"),
    same("last of two names", "event: a\nevent: b\ndata: x\n\n", "event: b\ndata: x\n\n"),
    same("heartbeats at another place between two events", ": a\ndata: x\n\n", ": a\n\ndata: x\n\n"),
    equal(
        "events: heartbeats ignored",
        stream("data: a\n\ndata: b\n\n"),
        stream(": hi\n\ndata: a\n\n: ping\n\ndata: b\n\n: bye\n\n"),
        ignore=("$[*].comments",),
    ),
    equal(
        "events: member of data ignored",
        stream('data: {"ts": 1}\n\n'),
        stream('data: {"ts": 2}\n\n'),
        ignore=("$[*].data.ts",),
    ),
    equal("events: ids ignored", stream("id: 1\ndata: a\n\n"), stream("data: a\n\n"), ignore=("$[*].id",)),
    equal(
        "events: by id",
        stream("id: 1\ndata: a\n\nid: 2\ndata: b\n\n"),
        stream("id: 2\ndata: b\n\nid: 1\ndata: a\n\n"),
        keys={"$": "id"},
        unordered=("$",),
    ),
    equal(
        "events: within tolerance",
        stream('data: {"s": 1.5}\n\n'),
        stream('data: {"s": 1.501}\n\n'),
        tolerance={"$[*].data.s": 0.01},
    ),
    changed("member of data", 'data: {"x": 1}\n\n', 'data: {"x": 2}\n\n', "$[*].data.x", "value"),
    changed("type in data", 'data: {"x": 1}\n\n', 'data: {"x": "1"}\n\n', "$[*].data.x", "number→numeric string"),
    changed("text", "data: a\n\n", "data: b\n\n", "$[*].data", "value"),
    changed("line end in a text", "data: a b\n\n", "data: a\ndata: b\n\n", "$[*].data", "white space"),
    changed("two spaces are one of the text", "data: a\n\n", "data:  a\n\n", "$[*].data", "white space"),
    changed("a string is not its text", "data: a\n\n", 'data: "a"\n\n', "$[*].data", "value"),
    changed("number became float", "data: 1\n\n", "data: 1.0\n\n", "$[*].data", "value"),
    changed("broken document", 'data: {"x": 1}\n\n', 'data: {"x": 1\n\n', "$[*].data", "object→string"),
    changed("name", "event: add\ndata: a\n\n", "event: remove\ndata: a\n\n", "$[*].event", "value"),
    changed("id", "id: 1\ndata: a\n\n", "id: 2\ndata: a\n\n", "$[*].id", "value"),
    changed("id reset", "id: 1\ndata: a\n\n", "id\ndata: a\n\n", "$[*].id", "string→empty string"),
    changed("wait", "retry: 500\ndata: a\n\n", "retry: 900\ndata: a\n\n", "$[*].retry", "value"),
    changed("wait that is none", "data: a\n\n", "retry: soon\ndata: a\n\n", "$[*].unknown", "extra"),
    changed("field in another case", "data: a\n\n", "Id: 1\ndata: a\n\n", "$[*].unknown", "extra"),
    changed("comment", "data: a\n\n", ": ok\n\ndata: a\n\n", "$[*].comments", "extra"),
    changed("event missing", "data: a\n\ndata: b\n\n", "data: a\n\n", "$[*]", "missing"),
    changed("order of events", "data: a\n\ndata: b\n\n", "data: b\n\ndata: a\n\n", "$", "reordered"),
    changed("last event unfinished", "data: a\n\ndata: b\n\n", "data: a\n\ndata: b\n", "$[*].unfinished", "extra"),
    differs(
        "events: event without data",
        stream("id: 1\n\n"),
        stream("id: 1\ndata\n\n"),
        body("$[*].data", "extra"),
        body("$[*].event", "extra"),
    ),
    changed("document instead", "data: a\n\n", '{"error": 1}', "$", "body events→json"),
    changed("nothing instead", "data: a\n\n", "", "$", "body events→empty"),
    gives_up(
        "events: nested too deeply",
        stream("data: " + "[" * 5_000 + "]" * 5_000 + "\n\n"),
        stream("data: " + "[" * 5_001 + "]" * 5_001 + "\n\n"),
        "depth",
    ),
    changed(
        "masked values still differ",
        'data: {"token": "one"}\n\n',
        'data: {"token": "two"}\n\n',
        "$[*].data.token",
        "value",
    ),
    same("nothing to mask over several lines", 'data: {"token":\ndata: null}\n\n', 'data: {"token": null}\n\n'),
    same("masked over several lines", 'data: {"token":\ndata: "one"}\n\n', 'data: {"token": "one"}\n\n'),
)
