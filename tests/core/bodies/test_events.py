"""Server-sent events as a list of objects."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.bodies.body import Body
from proxy.core.bodies.read import read_body

EVENTS = "text/event-stream"


def message(data: Any, **fields: Any) -> dict[str, Any]:
    return {"event": "message", "data": data} | fields


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("data: a\n\n", [message("a")]),
        ("data:a\n\ndata:  b\n\n", [message("a"), message(" b")]),
        ("data: a\r\n\r\ndata: b\r\rdata: c\n\n", [message("a"), message("b"), message("c")]),
        ("\ufeffdata: a\n\n\n\n", [message("a")]),
        ("data: YHOO\ndata: +2\ndata: 10\n\n", [message("YHOO\n+2\n10")]),
        ("data\n\ndata\ndata\n\ndata:", [message(""), message("\n"), message("", unfinished=True)]),
        ('data: {"a":\ndata: 1}\n\n', [message({"a": 1})]),
        ("data: [1, 2\n\ndata: 3\n\ndata: [DONE]\n\n", [message("[1, 2"), message("3"), message("[DONE]")]),
        ("event: add\ndata: a\nid: 7\nretry: 0500\n\n", [message("a", event="add", id="7", retry=500)]),
        ("event: a\nevent: b\ndata: x\nid\nevent:\n\n", [message("x", id="")]),
        ("id: 1\n\nevent: x\n\n", [{"id": "1"}, {"event": "x"}]),
        ("data: a\n\ndata: b", [message("a"), message("b", unfinished=True)]),
        ("data: a\n", [message("a", unfinished=True)]),
        (": ok\n\ndata: a\n\n:ping\n\n: pong\n\n", [message("a", comments=["ok", "ping", "pong"])]),
        (": a\n\n: b\ndata: x\n\n", [message("x", comments=["a", "b"])]),
        (": a\n\n", [{"comments": ["a"]}]),
        (
            "retry: soon\nretry: 9999999999999999999\ndata: a\nDATA: b\n\n",
            [message("a", unknown=["retry: soon", "retry: 9999999999999999999", "DATA: b"])],
        ),
        ("\n\n", []),
    ],
)
def test_events_are_read_as_browsers_do(text: str, expected: list[Any]):
    """HTML §9.2.6; what browsers pass over is kept beside it, because backends may differ in it."""
    assert read_body(EVENTS, text.encode()) == Body("events", expected)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"error": 1}', Body("json", {"error": 1})),
        (b"<h1>Oops</h1>\n\n", Body("text", "<h1>Oops</h1>\n\n")),
        (b"\x1f\x8b\x08\x00", Body("bytes", b"\x1f\x8b\x08\x00")),
        (b"", Body("empty", None)),
    ],
)
def test_what_has_no_field_is_no_stream(body: bytes, expected: Body):
    """An error page under the stream's type is read as what it is."""
    assert read_body(EVENTS, body) == expected


@given(st.lists(st.sampled_from(["data: x", "id: 1", "event: e", ": c", "retry: 5", "other", "data", ""]), min_size=1))
def test_line_ends_mean_nothing(lines: list[str]):
    """LF, CR and CRLF are one."""
    assert (
        read_body(EVENTS, "\n".join([*lines, "data: x", "", ""]).encode())
        == read_body(EVENTS, "\r".join([*lines, "data: x", "", ""]).encode())
        == read_body(EVENTS, "\r\n".join([*lines, "data: x", "", ""]).encode())
    )
