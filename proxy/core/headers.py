"""Which header fields cross the proxy, in both directions.

Fields that speak about one connection stay on it (RFC 9110 §7.6.1); all others pass unchanged, in order, with
duplicates kept. Framing (Content-Length, Transfer-Encoding) is decided here and rebuilt by who writes the message.
"""

from __future__ import annotations

from typing import NamedTuple

from proxy.errors import RequestRefused

RawHeaders = list[tuple[bytes, bytes]]

SHADOW_LINE = b"x-changeover-shadow: 1\r\n"

# RFC 9110 §7.6.1; Upgrade, because an upgraded connection would bypass the decision for each request.
_CONNECTION_FIELDS = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"te", b"transfer-encoding", b"upgrade"}
)
# Answered by the server itself (RFC 9110 §10.1.1), or ours to say.
_OURS = frozenset({b"expect", b"x-changeover-shadow"})
_FRAMING = frozenset({b"content-length", b"transfer-encoding"})
_HANDLED = (
    _CONNECTION_FIELDS
    | _OURS
    | {b"host", b"content-length", b"x-request-id", b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host"}
)
# A client must not make us drop what routing, framing and identity rest on (as Envoy refuses it, too).
_NEVER_NOMINATED = frozenset({b"host", b"content-length", b"cookie", b"authorization"})
_HARMLESS_OPTIONS = frozenset({b"close", b"keep-alive", b""})
_USUAL_CONNECTION = frozenset({b"close", b"keep-alive", b"Close", b"Keep-Alive"})  # nearly all: nothing to take apart
_NONE: frozenset[bytes] = frozenset()


class RequestHead(NamedTuple):  # as Decision: one for each request
    """A request's header fields, sorted out.

    `lines` are the fields to forward, each ended by CRLF, without the empty line at the end. `values` holds the first
    value of each field that was asked for. `content_length` is None where the request says none.
    """

    lines: bytes
    values: dict[str, str]
    host: str | None
    request_id: str
    content_length: int | None
    is_chunked: bool

    @property
    def has_body(self) -> bool:
        return self.is_chunked or bool(self.content_length)


def read_request(
    headers: RawHeaders,
    wanted: frozenset[bytes],
    *,
    client: str | None,
    scheme: str,
    new_request_id: str,
) -> RequestHead:
    """Sorts out a request's fields (names in lower case). Raises RequestRefused on what can't be forwarded safely.

    `wanted` names the fields whose values the decision needs; `client` is the peer's address. `new_request_id` is
    used where the request brings no X-Request-Id.
    """
    out: list[bytes] = [b""]
    values: dict[str, str] = {}
    handled: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        if name in wanted:
            values.setdefault(name.decode("latin-1"), value.decode("utf-8", "surrogateescape"))
        if name in _HANDLED:
            handled.setdefault(name, []).append(value)
        else:
            out.append(b"%b: %b\r\n" % (name, value))
    if b"connection" in handled:
        out = _without_nominated(out, handled[b"connection"])
    host = _only(handled, b"host")
    if host is not None:
        out[0] = b"host: %b\r\n" % host
    request_id = _request_id(_last(handled, b"x-request-id"), new_request_id)
    out.append(_forwarding_lines(handled, host or b"", client or "unknown", scheme, request_id))
    content_length, is_chunked = _framing(handled) if not _FRAMING.isdisjoint(handled) else (None, False)
    if content_length is not None:
        out.append(b"content-length: %d\r\n" % content_length)
    elif is_chunked:
        out.append(b"transfer-encoding: chunked\r\n")
    return RequestHead(
        b"".join(out), values, host.decode("latin-1") if host else None, request_id, content_length, is_chunked
    )


def _only(handled: dict[bytes, list[bytes]], name: bytes) -> bytes | None:
    """The value of a field that two parties must not read differently, so that it may stand there only once."""
    found = handled.get(name)
    if found is None:
        return None
    if len(found) > 1:
        raise RequestRefused(400, f"the request has two {name.decode()} fields; send one")
    return found[0]


def _last(handled: dict[bytes, list[bytes]], name: bytes) -> bytes | None:
    found = handled.get(name)
    return found[-1] if found else None


def _forwarding_lines(
    handled: dict[bytes, list[bytes]], host: bytes, client: str, scheme: str, request_id: str
) -> bytes:
    """What we say of the way the request took; proto and host are left as a proxy before us said them."""
    peers = [*handled.get(b"x-forwarded-for", ()), client.encode("latin-1")]
    return b"x-forwarded-for: %b\r\nx-forwarded-proto: %b\r\nx-forwarded-host: %b\r\nx-request-id: %b\r\n" % (
        b", ".join(peers),
        _last(handled, b"x-forwarded-proto") or scheme.encode(),
        _last(handled, b"x-forwarded-host") or host,
        request_id.encode(),
    )


def _without_nominated(lines: list[bytes], connection: list[bytes]) -> list[bytes]:
    """The lines but for the fields that Connection names (RFC 9110 §7.6.1)."""
    nominated = _NONE.union(*map(_options, connection))
    wrong = nominated & _NEVER_NOMINATED
    if wrong:
        raise RequestRefused(400, f"Connection names {min(wrong).decode()}, which is not a connection's own field")
    return [line for line in lines if line.partition(b":")[0] not in nominated] if nominated else lines


def _options(connection: bytes) -> frozenset[bytes]:
    if connection in _USUAL_CONNECTION:
        return _NONE
    return frozenset(option.strip().lower() for option in connection.split(b",")) - _HARMLESS_OPTIONS


def _framing(handled: dict[bytes, list[bytes]]) -> tuple[int | None, bool]:
    """Content-Length and whether the body is chunked (RFC 9112 §6.3; both at once is request smuggling)."""
    length, coding = _only(handled, b"content-length"), _only(handled, b"transfer-encoding")
    if coding is not None:
        if length is not None:
            raise RequestRefused(400, "the request has both Content-Length and Transfer-Encoding; send one")
        if coding.strip().lower() != b"chunked":
            raise RequestRefused(501, "Transfer-Encoding other than chunked is not implemented")
        return None, True
    if length is None:
        return None, False
    if not length.isdigit():
        raise RequestRefused(400, "Content-Length is not a whole number")
    return int(length), False


def _request_id(given: bytes | None, new: str) -> str:
    """The client's id where it is short, visible ASCII; a new one otherwise."""
    if given and len(given) <= 128 and given.isascii() and given.decode().isprintable() and b" " not in given:
        return given.decode()
    return new


def read_answer(headers: RawHeaders) -> RawHeaders:
    """The fields of a backend's answer (names in lower case) that the user gets, in order, duplicates kept."""
    passed = [field for field in headers if field[0] not in _CONNECTION_FIELDS]
    if len(passed) == len(headers):
        return passed
    nominated = _NONE.union(*[_options(value) for name, value in headers if name == b"connection"])
    return [field for field in passed if field[0] not in nominated] if nominated else passed
