"""Which header fields cross the proxy."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.core.headers import read_answer, read_request
from proxy.errors import RequestRefused

HOST = (b"host", b"a.example")


def sent(*headers: tuple[bytes, bytes], wanted: Any = frozenset(), **fields: Any) -> Any:
    defaults = {"client": "192.0.2.7", "scheme": "http", "new_request_id": "new-1"}
    return read_request([HOST, *headers], wanted, **(defaults | fields))


OURS = (
    b"x-forwarded-for: 192.0.2.7\r\nx-forwarded-proto: http\r\nx-forwarded-host: a.example\r\nx-request-id: new-1\r\n"
)


@pytest.mark.parametrize(
    ("headers", "between"),
    [
        ([(b"accept", b"*/*")], b"accept: */*\r\n"),
        ([(b"b", b"1"), (b"a", b"2"), (b"b", b"3")], b"b: 1\r\na: 2\r\nb: 3\r\n"),
        ([(b"x", b"  \xff ")], b"x:   \xff \r\n"),
        ([(b"connection", b"keep-alive"), (b"keep-alive", b"5"), (b"te", b"trailers"), (b"upgrade", b"h2c")], b""),
        ([(b"proxy-connection", b"close"), (b"expect", b"100-continue")], b""),
        ([(b"connection", b"X-Hop, close"), (b"x-hop", b"1"), (b"x-other", b"2")], b"x-other: 2\r\n"),
        ([(b"x-changeover-shadow", b"1")], b""),
        ([(b"cookie", b"a=1"), (b"cookie", b"b=2")], b"cookie: a=1\r\ncookie: b=2\r\n"),
    ],
)
def test_request_passes_what_is_not_its_connections_own(headers: Any, between: bytes):
    """End-to-end fields pass in order with duplicates; connection fields and our own mark do not."""
    assert b"host: a.example\r\n" + between + OURS == sent(*headers).lines


def test_request_adds_the_way_it_took():
    """The peer is appended to X-Forwarded-For; proto, host and a sound request id of an earlier proxy stay."""
    head = sent(
        (b"x-forwarded-for", b"198.51.100.1"),
        (b"x-forwarded-for", b"198.51.100.2"),
        (b"x-forwarded-proto", b"https"),
        (b"x-forwarded-host", b"public.example"),
        (b"x-request-id", b"abc-1"),
    )
    expected = (
        b"host: a.example\r\n"
        b"x-forwarded-for: 198.51.100.1, 198.51.100.2, 192.0.2.7\r\nx-forwarded-proto: https\r\n"
        b"x-forwarded-host: public.example\r\nx-request-id: abc-1\r\n"
    )
    assert (expected, "abc-1") == (head.lines, head.request_id)


@pytest.mark.parametrize("given", [b"", b"a b", b"a" * 129, b"\xff", b"a\tb"])
def test_request_id_that_is_unsound_is_replaced(given: bytes):
    """An id that could not be logged as it stands is not used."""
    assert sent((b"x-request-id", given)).request_id == "new-1"


@pytest.mark.parametrize(
    ("headers", "length", "is_chunked", "line"),
    [
        ([], None, False, b""),
        ([(b"content-length", b"0")], 0, False, b"content-length: 0\r\n"),
        ([(b"content-length", b"12")], 12, False, b"content-length: 12\r\n"),
        ([(b"transfer-encoding", b"Chunked")], None, True, b"transfer-encoding: chunked\r\n"),
    ],
)
def test_framing_is_rebuilt(headers: Any, length: int | None, is_chunked: bool, line: bytes):
    """The backend is told the framing that we use, once and last."""
    head = sent(*headers)
    assert (length, is_chunked, OURS + line) == (
        head.content_length,
        head.is_chunked,
        head.lines[len("host: a.example\r\n") :],
    )
    assert (is_chunked or bool(length)) == head.has_body


@pytest.mark.parametrize(
    ("headers", "status", "says"),
    [
        ([(b"host", b"b.example")], 400, "two host"),
        ([(b"content-length", b"1"), (b"content-length", b"1")], 400, "two content-length"),
        ([(b"content-length", b"1"), (b"transfer-encoding", b"chunked")], 400, "both"),
        ([(b"transfer-encoding", b"chunked"), (b"transfer-encoding", b"chunked")], 400, "two transfer-encoding"),
        ([(b"transfer-encoding", b"gzip, chunked")], 501, "other than chunked"),
        ([(b"content-length", b"+1")], 400, "not a whole number"),
        ([(b"content-length", b"1,1")], 400, "not a whole number"),
        ([(b"connection", b"cookie")], 400, "Connection names cookie"),
        ([(b"connection", b"Host")], 400, "Connection names host"),
    ],
)
def test_request_that_could_be_read_in_two_ways_is_refused(headers: Any, status: int, says: str):
    """What smuggles requests elsewhere gets a refusal with its reason."""
    with pytest.raises(RequestRefused, match=says) as refusal:
        sent(*headers)
    assert status == refusal.value.status


def test_values_are_those_asked_for_and_the_first_of_each():
    """The decision sees the fields it named, the first value of each, as UTF-8."""
    head = sent((b"x-user-id", "é".encode()), (b"x-user-id", b"2"), (b"other", b"3"), wanted=frozenset({b"x-user-id"}))
    assert {"x-user-id": "é"} == head.values


@pytest.mark.parametrize(
    ("headers", "passed"),
    [
        ([(b"set-cookie", b"a"), (b"set-cookie", b"b")], [(b"set-cookie", b"a"), (b"set-cookie", b"b")]),
        ([(b"connection", b"close"), (b"x", b"1")], [(b"x", b"1")]),
        ([(b"connection", b"x-hop"), (b"x-hop", b"1"), (b"x", b"1")], [(b"x", b"1")]),
        ([(b"transfer-encoding", b"chunked"), (b"date", b"d")], [(b"date", b"d")]),
        ([(b"keep-alive", b"timeout=5"), (b"content-length", b"3")], [(b"content-length", b"3")]),
    ],
)
def test_answer_passes_what_is_not_its_connections_own(headers: Any, passed: Any):
    """The user gets every end-to-end field, in order, duplicates kept."""
    assert passed == read_answer(headers)
