"""What a head may look like."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.head import (
    ANSWER,
    MAX_FIELDS,
    MAX_HEAD_BYTES,
    MAX_LINE_BYTES,
    REQUEST,
    check_size,
    explain,
    fields_of,
    is_possible,
    is_possible_answer,
    mend_answer,
)
from proxy.errors import RequestRefused


def test_request_is_taken_apart():
    """Method, target, minor version and the field lines as they came."""
    found = REQUEST.match(b"M-SEARCH /a?b HTTP/1.1\r\nHost: a\r\nX-y:\tz \r\n\r\nbody")
    assert found is not None
    assert (b"M-SEARCH", b"/a?b", b"1", b"Host: a\r\nX-y:\tz \r\n") == found.groups()
    assert found.end() == len(b"M-SEARCH /a?b HTTP/1.1\r\nHost: a\r\nX-y:\tz \r\n\r\n")


@pytest.mark.parametrize(
    ("head", "status", "says"),
    [
        (b"GET /\r\n\r\n", 400, "HTTP/0.9"),
        (b"GET / HTTP/0.9\r\n\r\n", 400, "HTTP/0.9"),
        (b"GET / HTTP/1.2\r\n\r\n", 505, "HTTP/1.2"),
        (b"PRI * HTTP/2.0\r\n\r\n", 505, "HTTP/2.0"),
        (b"GET / HTTP/1.10\r\n\r\n", 400, "request line"),
        (b"GET / http/1.1\r\n\r\n", 400, "request line"),
        (b"GET  / HTTP/1.1\r\n\r\n", 400, "request line"),
        (b"G(T / HTTP/1.1\r\n\r\n", 400, "request line"),
        (b"GET /a#b HTTP/1.1\r\n\r\n", 400, "percent-encoded"),
        (b"GET /\xc3\xa9 HTTP/1.1\r\n\r\n", 400, "percent-encoded"),
        (b"GET / HTTP/1.1\r\nA : b\r\n\r\n", 400, "'A : b"),
        (b"GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", 400, "' c"),
        (b"GET / HTTP/1.1\r\n: b\r\n\r\n", 400, "': b"),
        (b"GET / HTTP/1.1\r\nA\r\n\r\n", 400, "'A"),
        (b"GET / HTTP/1.1\r\nA: \x00\r\n\r\n", 400, "x00"),
        (b"GET / HTTP/1.1\r\nA: a\rb\r\n\r\n", 400, "malformed"),
        (b"GET / HTTP/1.1\r\nA: a\nB: b\r\n\r\n", 400, "malformed"),
    ],
)
def test_request_outside_the_grammar_is_refused_with_its_reason(head: bytes, status: int, says: str):
    """The regular expression refuses; `explain` says what is wrong, and shows where."""
    assert REQUEST.match(head) is None
    refusal = explain(head)
    assert status == refusal.status
    assert says in str(refusal)


@pytest.mark.parametrize(
    ("sizes", "status"),
    [
        ((MAX_LINE_BYTES, MAX_LINE_BYTES, 0), None),
        ((MAX_LINE_BYTES + 1, MAX_LINE_BYTES + 1, 0), 414),
        ((MAX_HEAD_BYTES + 10, 10, MAX_FIELDS), None),
        ((MAX_HEAD_BYTES + 11, 10, 1), 431),
        ((100, 10, MAX_FIELDS + 1), 431),
    ],
)
def test_size_of_a_head_is_bounded(sizes: Any, status: int | None):
    """By line, by block and by number of fields."""
    if status is None:
        check_size(*sizes)
        return
    with pytest.raises(RequestRefused) as refusal:
        check_size(*sizes)
    assert status == refusal.value.status


WHOLE = b"OPTIONS /a?b=|{} HTTP/1.1\r"


@pytest.mark.parametrize("end", range(len(WHOLE) + 1))
def test_beginning_of_a_request_line_is_possible(end: int):
    """Whatever is cut off anywhere may still become one."""
    assert is_possible(WHOLE[:end])


@pytest.mark.parametrize("begin", [b"\x16\x03\x01", b" ", b"GET\t", b"GET /\x00", b"\n", b"GET / HTTP/1.1\rx", b"\r\r"])
def test_beginning_that_is_no_request_line_is_not(begin: bytes):
    """A TLS hello on a plain port, control characters, spaces first: nothing to wait for."""
    assert not is_possible(begin)


@pytest.mark.parametrize(
    ("head", "groups"),
    [
        (b"HTTP/1.1 200 OK\r\nA: 1\r\n\r\n", (b"1", b"200", b" OK", b"A: 1\r\n")),
        (b"HTTP/1.0 404 \r\n\r\n", (b"0", b"404", b" ", b"")),
        (b"HTTP/1.1 299\r\n\r\n", (b"1", b"299", None, b"")),
        (b"HTTP/1.1 200 \xfcber\r\n\r\n", (b"1", b"200", b" \xfcber", b"")),
    ],
)
def test_answer_is_taken_apart(head: bytes, groups: Any):
    """Version, status, reason phrase and field lines."""
    found = ANSWER.fullmatch(head)
    assert found is not None
    assert groups == found.groups()


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 20\r\n\r\n", b"HTTP/1.1 099 x\r\n\r\n", b"HTTP/1.1 2000\r\n\r\n", b"HTTP/2 200\r\n\r\n", b"x"]
)
def test_answer_outside_the_grammar_is_none(head: bytes):
    """Three digits, a version that is ours."""
    assert ANSWER.match(head) is None


UNMENDED = b"HTTP/1.0 404 Not f\xf6und\r\nA : 1\r\nB:\t2\r\n 3\r\n\r"


@pytest.mark.parametrize("end", range(1, len(UNMENDED) + 1))
def test_beginning_of_an_answer_is_possible(end: int):
    """Whatever is cut off anywhere may still become one, mended or not."""
    assert is_possible_answer(UNMENDED[:end])
    assert is_possible_answer(UNMENDED[:end], end - 1)


@pytest.mark.parametrize(
    "begin",
    [
        *(b"\r", b"\r\n", b"\n", b"H\r", b"http/1.1 ", b"HTTP/2", b"HTTP/1.1 0", b"HTTP/1.1 a", b"HTTP/1.1 20\r"),
        *(b"HTTP/1.1 20\r\n", b"HTTP/1.1 2000", b"HTTP/1.1 200OK", b"HTTP/1.1\t", b"HTTP/1.1 200 O\x00"),
        *(b"HTTP/1.1 200 OK\n", b"HTTP/1.1 200\rA", b"HTTP/1.1 200\r\nA: \x00", b"HTTP/1.1 200\r\nA: 1\n"),
        *(b"HTTP/1.1 200\r\nA: 1\r\n\n", b"HTTP/1.1 200\r\nA: 1\rB", b"HTTP/1.1 200\r\nA: \x7f"),
    ],
)
def test_beginning_that_is_no_answer_is_not(begin: bytes):
    """Another protocol, an empty line, a bare line end, a control character: told by the last byte."""
    assert not is_possible_answer(begin)
    assert not is_possible_answer(begin, len(begin) - 1)


def test_answer_is_mended_where_a_proxy_has_to():
    """RFC 9112 §5.1 and §5.2: no space before the colon, folded lines become one."""
    head = b"HTTP/1.1 200 OK\r\nA : 1\r\nB: 1\r\n\t 2\r\nC\t: :3\r\n\r\n"
    assert b"HTTP/1.1 200 OK\r\nA: 1\r\nB: 1 2\r\nC: :3\r\n\r\n" == mend_answer(head)


names = st.text("!#$%&'*+-.^_`|~09AZaz", min_size=1, max_size=5)
values = st.binary(max_size=8).filter(lambda value: not any(byte < 32 or byte == 127 for byte in value))


@given(st.lists(st.tuples(names.map(str.encode), values), max_size=5))
def test_fields_are_read_back_as_written(fields: Any):
    """Every token and every value without control characters is a field; case goes, the space around goes."""
    lines = b"".join([b"%b: %b\r\n" % field for field in fields])
    assert REQUEST.fullmatch(b"GET / HTTP/1.1\r\n" + lines + b"\r\n")
    assert [(name.lower(), value.strip(b" \t")) for name, value in fields] == fields_of(lines)


@given(st.binary(max_size=60))
def test_explanation_is_found_for_whatever_comes(noise: bytes):
    """No bytes make the explanation itself fail."""
    head = b"GET / HTTP/1.1\r\n" + noise + b"\r\n\r\n"
    assert explain(head).status in {400, 505}
    assert explain(noise).status in {400, 505}
