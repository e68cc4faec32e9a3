"""Which header fields cross the proxy."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest

from proxy.core import headers
from proxy.core.forwarding import Forwarding
from proxy.core.headers import (
    AnswerHead,
    agrees_to_websocket,
    interim_lines,
    origin_form,
    read_answer,
    read_request,
    trailer_lines,
)
from proxy.core.trusted import TrustedProxies
from proxy.errors import RequestRefused

HOST = b"Host: a.example\r\n"
FORWARDING = Forwarding(TrustedProxies())
PEER = FORWARDING.peer("192.0.2.7", "http")
WAY = FORWARDING.lines(PEER, {}, b"a.example")


def sent(*lines: bytes, wanted: Any = frozenset(), **options: Any) -> Any:
    block = HOST + b"".join([line + b"\r\n" for line in lines])
    return read_request(block, wanted, peer=PEER, forwarding=FORWARDING, **options)


def passed(head: Any) -> bytes:
    """What is forwarded between Host and what we say of the way."""
    assert head.lines.startswith(b"host: a.example\r\n")
    assert head.lines.endswith(WAY)
    between: bytes = head.lines.removeprefix(b"host: a.example\r\n").removesuffix(WAY)
    return between


@pytest.mark.parametrize(
    ("lines", "between"),
    [
        ([b"Accept: */*"], b"Accept: */*\r\n"),
        ([b"B: 1", b"a: 2", b"B: 3"], b"B: 1\r\na: 2\r\nB: 3\r\n"),
        ([b"X:\t \xff "], b"X:\t \xff \r\n"),
        ([b"X:"], b"X:\r\n"),
        ([b"Connection: keep-alive", b"Keep-Alive: 5", b"TE: trailers", b"Upgrade: h2c"], b""),
        ([b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: A"], b""),
        ([b"Proxy-Connection: close", b"Expect: 100-continue", b"Max-Forwards: 3"], b""),
        ([b"CONNECTION: X-Hop , close", b"x-hop: 1", b"X-Other: 2"], b"X-Other: 2\r\n"),
        ([b"X-Changeover-SHADOW: 1"], b""),
        ([b"Cookie: a=1", b"Cookie: b=2"], b"Cookie: a=1\r\nCookie: b=2\r\n"),
        ([b"x_user: 1", b"x-user: 2"], b"x-user: 2\r\n"),
        ([b"traceparent: x", b"tracestate: y", b"X-Request-Id: z", b"Trailer: X-Sum"], b""),
        ([b"Connection: close, TE", b"TE: a", b"te:TRAILERS , b"], b"te: trailers\r\nconnection: TE\r\n"),
        ([b"Connection: TE", b"TE: trailers;q=0.5"], b""),
        ([b"TE: trailers", b"Connection: close"], b""),
        ([b"Connection: TE"], b""),
    ],
)
def test_request_passes_what_is_not_its_connections_own(lines: Any, between: bytes):
    """End-to-end fields pass byte for byte, in order, with duplicates; connection fields and our own mark do not."""
    assert between == passed(sent(*lines))


def test_underscores_pass_where_they_are_kept_or_wanted():
    """A name with an underscore is dropped unless the operator keeps such names, or tells users apart by it."""
    assert b"x_a: 1\r\n" == passed(sent(b"x_a: 1", keeps_underscores=True))
    head = sent(b"x_a: 1", b"x_b: 2", wanted=frozenset({b"x_a"}))
    assert (b"x_a: 1\r\n", {"x_a": "1"}) == (passed(head), head.values)


def test_underscores_never_make_a_field_of_the_way():
    """Many backends read X_Forwarded_For as X-Forwarded-For."""
    assert b"" == passed(sent(b"X_Forwarded_For: 10.0.0.1", keeps_underscores=True))


@pytest.mark.parametrize(
    "name",
    [
        *(b"Content_Length", b"Transfer_Encoding", b"transfer-encodinG_", b"X_Changeover_Shadow", b"X_Request_Id"),
        *(b"X-Request_Id", b"Proxy_Connection", b"Max_Forwards", b"X_Real_Ip", b"X_Forwarded_Port", b"X_User_Id"),
    ],
)
def test_underscores_never_make_a_field_that_means_something_here(name: bytes):
    """Framing, our own marks, and what tells users apart: a backend may take one for the other."""
    between = passed(sent(name + b": 1", b"a_b: 2", keeps_underscores=True, wanted=frozenset({b"x-user-id"})))
    assert (b"%b: 1\r\na_b: 2\r\n" % name if name.endswith(b"_") else b"a_b: 2\r\n") == between


def test_connection_that_names_what_is_continued_ends_it():
    """RFC 9110 §7.6.1: it was for us only; what we say instead doesn't go on from it."""
    named = (b"X-Request-Id: a", b"traceparent: b", b"tracestate: c", b"Max-Forwards: 1", b"Via: 1.1 evil")
    head = sent(*named, b"Connection: x-request-id, TRACEPARENT, tracestate, max-forwards, via")
    assert [None] * 4 == [head.request_id, head.traceparent, head.tracestate, head.max_forwards]
    assert b"" == passed(head)  # with a Via of ours alone


def test_key_from_the_way_is_believed_of_trusted_proxies_only():
    """A user who may choose the value of the key chooses the side."""
    wanted, line = frozenset({b"x-real-ip"}), b"X-Real-IP: 10.0.0.1"
    trusting = Forwarding(TrustedProxies((ip_network("192.0.2.0/24"),)))
    assert {} == sent(line, wanted=wanted).values
    peer = trusting.peer("192.0.2.7", "http")
    head = read_request(HOST + line + b"\r\n", wanted, peer=peer, forwarding=trusting)
    assert {"x-real-ip": "10.0.0.1"} == head.values


@pytest.mark.parametrize("given", [b"", b"a b", b"a" * 129, b"\xff", b"a\tb"])
def test_request_id_that_is_unsound_is_not_used(given: bytes):
    """An id that could not be logged as it stands is no id."""
    assert sent(b"X-Request-Id: " + given).request_id is None


def test_request_id_is_the_last_one_said():
    """The proxy nearest to us has the last word."""
    assert "abc-2" == sent(b"x-request-id: abc-1", b"X-Request-ID: abc-2").request_id


@pytest.mark.parametrize(
    ("lines", "length", "is_chunked", "between"),
    [
        ([], None, False, b""),
        ([b"Content-Length: 0"], 0, False, b"content-length: 0\r\n"),
        ([b"content-length:12 "], 12, False, b"content-length: 12\r\n"),
        ([b"Transfer-Encoding: Chunked"], None, True, b"transfer-encoding: chunked\r\n"),
    ],
)
def test_framing_is_rebuilt(lines: Any, length: int | None, is_chunked: bool, between: bytes):
    """The backend is told the framing that we use, once."""
    head = sent(*lines)
    assert (length, is_chunked, between) == (head.content_length, head.is_chunked, passed(head))
    assert head.has_body == bool(length or is_chunked)


@pytest.mark.parametrize(
    ("lines", "status", "says"),
    [
        ([b"host: b.example"], 400, "two Host"),
        ([b"content-length: 1", b"content-length: 1"], 400, "one whole number"),
        ([b"content-length: 1", b"transfer-encoding: chunked"], 400, "both"),
        ([b"transfer-encoding: chunked", b"transfer-encoding: chunked"], 400, "once"),
        ([b"transfer-encoding: gzip, chunked"], 501, "other than chunked"),
        ([b"transfer-encoding: identity"], 501, "other than chunked"),
        ([b"transfer-encoding: xchunked"], 400, "once"),
        ([b"content-length: +1"], 400, "one whole number"),
        ([b"content-length: 1,1"], 400, "one whole number"),
        ([b"content-length: " + b"9" * 19], 400, "one whole number"),
        ([b"connection: cookie"], 400, "Connection names cookie"),
        ([b"connection: Host"], 400, "Connection names host"),
        ([b"connection: X-Forwarded-For"], 400, "Connection names x-forwarded-for"),
        ([b"connection: x-forwarded-port"], 400, "Connection names x-forwarded-port"),
        ([b"expect: something"], 417, "can't be met"),
    ],
)
def test_request_that_could_be_read_in_two_ways_is_refused(lines: Any, status: int, says: str):
    """What smuggles requests elsewhere gets a refusal with its reason."""
    with pytest.raises(RequestRefused, match=says) as refusal:
        sent(*lines)
    assert status == refusal.value.status


def test_connection_must_not_name_what_tells_users_apart():
    """Else the backend would see another user than the decision did."""
    with pytest.raises(RequestRefused, match="x-user"):
        sent(b"x-user: 1", b"connection: x-user", wanted=frozenset({b"x-user"}))


@pytest.mark.parametrize("host", [b"a b", b"a@b", b"a/b", b"", b"a,b", b"a:x", b"a:123456", b"a:65536", b"[::1", b"a:"])
def test_host_that_is_none_is_refused(host: bytes):
    """Routing and caches rest on it."""
    with pytest.raises(RequestRefused, match="Host"):
        read_request(b"host: " + host + b"\r\n", frozenset(), peer=PEER, forwarding=FORWARDING)


@pytest.mark.parametrize("host", [b"a", b"a.b-c:80", b"[::1]:8000", b"my_service", b"xn--a"])
def test_host_that_is_sound_passes(host: bytes):
    """Names, addresses and container names, with and without a port."""
    head = read_request(b"host: " + host + b"\r\n", frozenset(), peer=PEER, forwarding=FORWARDING)
    assert host.decode() == head.host


def test_host_may_be_missing_in_http_1_0_only():
    """An old client's request gets an empty Host (RFC 9112 §3.2); a newer one is refused."""
    head = read_request(b"", frozenset(), peer=PEER, forwarding=FORWARDING, is_1_0=True)
    assert (None, True) == (head.host, head.is_last)
    assert head.lines.startswith(b"host: \r\n")
    with pytest.raises(RequestRefused, match="no Host"):
        read_request(b"", frozenset(), peer=PEER, forwarding=FORWARDING)


def test_expect_and_transfer_encoding_are_not_http_1_0s():
    """The first is ignored (RFC 9110 §10.1.1), the second refused (RFC 9112 §6.1)."""
    assert not sent(b"expect: 100-continue", is_1_0=True).expects_continue
    assert sent(b"expect: 100-Continue").expects_continue
    with pytest.raises(RequestRefused, match=r"HTTP/1\.0"):
        sent(b"transfer-encoding: chunked", is_1_0=True)


KEY, VERSION = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", b"Sec-WebSocket-Version: 13"


@pytest.mark.parametrize(
    ("lines", "may_be"),
    [
        ([b"Connection: keep-alive, Upgrade", b"Upgrade: WebSocket", KEY, VERSION], True),
        ([b"Connection: Upgrade", b"Upgrade: foo", b"Upgrade: a, websocket", KEY, VERSION], True),
        ([b"Connection: Upgrade", b"Upgrade: websocket", KEY], False),
        ([b"Connection: Upgrade", b"Upgrade: websocket", VERSION], False),
        ([b"Connection: Upgrade", b"Upgrade: websocket", KEY, KEY, VERSION], False),
        ([b"Connection: Upgrade", b"Upgrade: websocket", KEY[:-1], VERSION], False),
        ([b"Connection: Upgrade", b"Upgrade: websocket", KEY, VERSION, b"Content-Length: 0"], False),
        ([b"Connection: Upgrade", b"Upgrade: websocket", KEY, VERSION, b"Transfer-Encoding: chunked"], False),
        ([b"Upgrade: websocket", KEY, VERSION], False),
        ([b"Connection: Upgrade", b"Upgrade: h2c", KEY, VERSION], False),
        ([b"Connection: Upgrade", KEY, VERSION], False),
    ],
)
def test_websockets_are_known_by_all_that_a_handshake_has(lines: Any, may_be: bool):
    """RFC 6455 §4.1: Upgrade, Connection that names it, one sound key, a version; and nothing of a body."""
    assert may_be == sent(*lines).may_be_websocket


def test_websockets_are_not_http_1_0s():
    """RFC 9110 §7.8: Upgrade is ignored there."""
    assert not sent(b"Connection: Upgrade", b"Upgrade: websocket", KEY, VERSION, is_1_0=True).may_be_websocket


def test_values_are_those_asked_for_and_the_first_of_each():
    """The decision sees the fields it named, the first value of each, as UTF-8."""
    wanted = frozenset({b"x-user-id"})
    head = sent("X-User-Id: é".encode(), b"x-user-id: 2", b"other: 3", wanted=wanted)
    assert {"x-user-id": "é"} == head.values


@pytest.mark.parametrize(
    ("target", "method", "form"),
    [
        (b"/a?b", b"GET", b"/a?b"),
        (b"//a/../b", b"GET", b"//a/../b"),
        (b"*", b"OPTIONS", b"*"),
        (b"http://A.example/x?y", b"GET", b"/x?y"),
        (b"HTTPS://a.EXAMPLE", b"GET", b"/"),
        (b"http://a.example?x", b"GET", b"/?x"),
        (b"http://a.example", b"OPTIONS", b"*"),
    ],
)
def test_target_is_asked_for_in_origin_form(target: bytes, method: bytes, form: bytes):
    """Paths stay as they are; an absolute form loses what the Host says already (RFC 9112 §3.2)."""
    assert form == origin_form(target, method, "a.example")


@pytest.mark.parametrize(
    "target", [b"*", b"a", b"@evil.example/", b"evil.example:80", b"http://b.example/", b"ftp://a.example/", b"http:/x"]
)
def test_target_that_is_not_ours_is_refused(target: bytes):
    """Another authority than the Host's, and forms for other servers."""
    with pytest.raises(RequestRefused):
        origin_form(target, b"GET", "a.example")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (b"Set-Cookie: a\r\nset-cookie: b\r\n", (b"Set-Cookie: a\r\nset-cookie: b\r\n", None, False, True)),
        (b"Connection: close\r\nX: 1\r\n", (b"X: 1\r\n", None, False, False)),
        (b"Connection: X-Hop\r\nX-hop: 1\r\nX: 1\r\n", (b"X: 1\r\n", None, False, True)),
        (b"Transfer-Encoding: Chunked\r\nDate: d\r\n", (b"Date: d\r\n", None, True, True)),
        (b"Keep-Alive: timeout=5\r\nContent-Length: 3\r\n", (b"Content-Length: 3\r\n", 3, False, True)),
        (b"X-Connection: close\r\nA: Upgrade: b\r\n", (b"X-Connection: close\r\nA: Upgrade: b\r\n", None, False, True)),
        (b"Connection: vary, x\r\nVary: a\r\nX: 1\r\n", (b"Vary: a\r\n", None, False, True)),
        (b"", (b"", None, False, True)),
        (b"Connection: keep-alive\r\n", (b"", None, False, True)),
        (b"A: 1\r\nConnection: keep-alive\r\n", (b"A: 1\r\n", None, False, True)),
        (b"Connection: keep-alive\r\nA: 1\r\n", (b"A: 1\r\n", None, False, True)),
        (b"connection:keep-alive\r\nA: 1\r\n", (b"A: 1\r\n", None, False, True)),
        (b"X-Connection: keep-alive\r\nTE: x\r\n", (b"X-Connection: keep-alive\r\n", None, False, True)),
    ],
)
def test_answer_passes_what_is_not_its_connections_own(lines: bytes, expected: Any):
    """The user gets every end-to-end field byte for byte, in order, duplicates kept."""
    assert AnswerHead(*expected) == read_answer(lines)


def test_interim_answer_passes_what_is_not_its_connections_own():
    """Nor its framing, which means nothing there, be it as contradictory as it may."""
    lines = (
        b"Link: </a>\r\nconnection: content-length, x-a\r\nContent-Length: 5\r\nX-A: 1\r\nlink: </b>\r\n"
        b"CONTENT-LENGTH: 6\r\nTransfer-Encoding: gzip\r\nKeep-Alive: x\r\nX-Content-Length: 1\r\n"
    )
    assert b"Link: </a>\r\nlink: </b>\r\nX-Content-Length: 1\r\n" == interim_lines(lines)
    assert b"" == interim_lines(b"")


@pytest.mark.parametrize(
    ("lines", "agrees"),
    [
        (b"Connection: Upgrade\r\nUpgrade: websocket\r\n", True),
        (b"upgrade:\tWebSocket \r\nCONNECTION: keep-alive , UPGRADE\r\n", True),
        (b"Connection: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n", True),
        (b"Upgrade: websocket\r\n", False),
        (b"Connection: Upgrade\r\n", False),
        (b"Connection: Upgrade\r\nUpgrade: h2c\r\n", False),
        (b"Connection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: websocket\r\n", False),
        (b"X-Connection: Upgrade\r\nX-Upgrade: websocket\r\n", False),
    ],
)
def test_websocket_is_agreed_to_by_both_fields(lines: bytes, agrees: bool):
    """RFC 6455 §4.1: exactly websocket, and Connection names it."""
    assert agrees == agrees_to_websocket(lines)


def test_trailers_that_have_to_be_known_before_the_body_do_not_pass():
    """RFC 9110 §6.5.1; the others do, in order and as spelled."""
    lines = b"X-A: 1\r\nSET-COOKIE: a\r\nhost: b\r\nDigest: 2\r\nContent-Encoding: gzip\r\nTE: x\r\nx-a: 3\r\n"
    assert b"X-A: 1\r\nDigest: 2\r\nx-a: 3\r\n" == trailer_lines(lines)


@pytest.mark.parametrize(("connection", "keeps_alive"), [(b"", False), (b"Connection: Keep-Alive\r\n", True)])
def test_answer_in_http_1_0_keeps_its_connection_only_where_it_says_so(connection: bytes, keeps_alive: bool):
    """RFC 9112 §9.3."""
    assert keeps_alive == read_answer(connection, is_1_0=True).keeps_alive


def test_answer_that_never_has_a_body_never_has_a_length():
    """RFC 9110 §8.6: none with 204."""
    head = read_answer(b"A: 1\r\nContent-Length: 5\r\nB: 2\r\n", may_have_length=False)
    assert b"A: 1\r\nB: 2\r\n" == head.lines


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (b"Content-Length: 1\r\nContent-Length: 1\r\n", "two Content-Length"),
        (b"Content-Length: 1, 1\r\n", "malformed"),
        (b"Content-Length: -1\r\n", "malformed"),
        (b"Content-Length:\r\n", "malformed"),
        (b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", "where none may be"),
        (b"Connection: content-length\r\nContent-Length: 1\r\n", "names Content-Length"),
        (b"Transfer-Encoding: gzip, chunked\r\n", "not understood"),
        (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "not understood"),
    ],
)
def test_answer_whose_end_is_uncertain_is_an_error(lines: bytes, says: str):
    """Response splitting begins there."""
    with pytest.raises(ValueError, match=says):
        read_answer(lines)


def test_answer_in_http_1_0_has_no_chunks():
    """RFC 9112 §6.1: an HTTP/1.0 message with Transfer-Encoding has faulty framing."""
    with pytest.raises(ValueError, match="where none may be"):
        read_answer(b"Transfer-Encoding: chunked\r\n", is_1_0=True)


def test_line_that_was_read_before_means_what_it_would_the_first_time():
    """Lines that many requests repeat are looked up: still dropped where Connection names them, read where wanted."""
    agent, language = b"User-Agent: curl/8", b"Accept-Language: de"
    for _ in range(2):
        assert agent + b"\r\n" + language + b"\r\n" == passed(sent(agent, language))
        assert language + b"\r\n" == passed(sent(agent, b"Connection: user-agent", language))
        assert {"user-agent": "curl/8"} == sent(agent, language, wanted=frozenset({b"user-agent"})).values


def test_lines_that_are_remembered_are_few_and_short(monkeypatch: pytest.MonkeyPatch):
    """Whatever clients send: no cookie is among them, nothing long, and at most so many."""
    known: dict[bytes, bytes] = {}
    monkeypatch.setattr(headers, "_known", known)
    monkeypatch.setattr(headers, "_MOST_KNOWN", 10)
    for number in range(100):
        sent(b"User-Agent: %d" % number, b"Cookie: a=%d" % number, b"Accept: " + b"x" * 300)
    assert {b"user-agent"} == set(known.values())
    assert len(known) <= 10
