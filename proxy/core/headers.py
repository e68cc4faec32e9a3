"""Which header fields cross the proxy, in both directions.

Fields that speak about one connection stay on it (RFC 9110 §7.6.1); all others pass as they came, byte for byte, in
order, with duplicates kept. Framing is `framing`'s and is rebuilt by who writes the message; what we say of the way a
request took is `forwarding`'s.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from proxy.core.forwarding import FORWARDING_FIELDS, is_forwarding_field
from proxy.core.framing import answer_length, request_framing
from proxy.errors import RequestRefused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from proxy.core.forwarding import Forwarding, Peer

SHADOW_LINE = b"x-changeover-shadow: 1\r\n"
WEBSOCKET_LINES = b"connection: Upgrade\r\nupgrade: websocket\r\n"

# RFC 9110 §7.6.1; Upgrade, because an upgraded connection would bypass the decision for each request; h2c's settings.
_CONNECTION_FIELDS = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"te", b"transfer-encoding", b"upgrade", b"http2-settings"}
)
# Answered by the server itself (RFC 9110 §10.1.1), ours to say, or about a request's trailers, which are dropped.
_OURS = frozenset(
    {
        b"expect",
        b"trailer",
        b"x-changeover-shadow",
        b"x-changeover-debug",
        b"host",
        b"content-length",
        b"x-request-id",
        b"max-forwards",
    }
)
_TRACE = frozenset({b"traceparent", b"tracestate"})
# What we write from what came, unless Connection names it.
_CONTINUED = _TRACE | {b"x-request-id", b"max-forwards", b"via"}
HANDLED = _CONNECTION_FIELDS | _OURS | FORWARDING_FIELDS | _TRACE
# A client must not make us drop what routing, framing and identity rest on (Envoy refuses it, too).
_NEVER_NOMINATED = frozenset({b"host", b"content-length", b"transfer-encoding", b"cookie", b"authorization"})
_HARMLESS_OPTIONS = frozenset({b"close", b"keep-alive", b""})
_USUAL_CONNECTION = frozenset({b"close", b"keep-alive", b"Close", b"Keep-Alive"})  # nearly all: nothing to take apart
_USUAL_LINE = b"\nConnection: keep-alive\r\n"
_KEEP_ALIVE = frozenset({b"keep-alive"})
_TAKES_TRAILERS = b"te: trailers\r\nconnection: TE"  # RFC 9110 §10.1.4: trailers are passed on to who says so
_NONE: frozenset[bytes] = frozenset()
# RFC 9110 §7.2 without user information and commas; the underscore is no host name's, but containers have it.
_HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+;=%-]+)(?::([0-9]{1,5}))?")
_ABSOLUTE = re.compile(rb"[hH][tT][tT][pP][sS]?://([^/?#]*)([^#]*)")
_MAX_ID_BYTES = 128
_BODY = frozenset({b"content-length", b"transfer-encoding"})
# RFC 6455 §4.1: 16 bytes in Base64, whose last digit has four bits left over; and §11.6: 0 to 255.
_WEBSOCKET_FIELDS = {
    b"sec-websocket-key": re.compile(rb"[A-Za-z0-9+/]{21}[AQgw]=="),
    b"sec-websocket-version": re.compile(rb"[0-9]{1,3}"),
}
# Fields that pass as they are and of which a service sees few different lines, again and again: looked up, not read.
_REPEATED = frozenset(
    {
        b"accept",
        b"accept-encoding",
        b"accept-language",
        b"cache-control",
        b"content-type",
        b"dnt",
        b"origin",
        b"pragma",
        b"priority",
        b"sec-ch-ua",
        b"sec-ch-ua-mobile",
        b"sec-ch-ua-platform",
        b"sec-fetch-dest",
        b"sec-fetch-mode",
        b"sec-fetch-site",
        b"sec-fetch-user",
        b"upgrade-insecure-requests",
        b"user-agent",
        b"x-requested-with",
    }
)
_known: dict[bytes, bytes] = {}  # such a line -> its name in lower case
_MOST_KNOWN = 4096
_MOST_LINE_BYTES = 256


@dataclass(slots=True)  # not frozen: one is made for each request, in a third of the time
class RequestHead:
    """A request's header fields, sorted out.

    `lines` are the fields to forward, each ended by CRLF, without the empty line at the end and without what is new
    with each request (its id, its trace, Max-Forwards). `values` holds the first value of each field that was asked
    for. `content_length` is None where the request says none; `request_id` where it brings no sound one.
    `may_be_websocket`: with GET it is the handshake of one.
    """

    lines: bytes
    values: Mapping[str, str]
    host: str | None
    request_id: str | None
    content_length: int | None
    is_chunked: bool
    is_last: bool
    expects_continue: bool
    may_be_websocket: bool
    traceparent: list[bytes] | None
    tracestate: list[bytes] | None
    max_forwards: list[bytes] | None
    debug: list[bytes] | None

    @property
    def has_body(self) -> bool:
        return self.is_chunked or bool(self.content_length)


def read_request(
    lines: bytes,
    wanted: frozenset[bytes],
    *,
    peer: Peer,
    forwarding: Forwarding,
    is_1_0: bool = False,
    keeps_underscores: bool = False,
) -> RequestHead:
    """Sorts out a request's field lines, each with its CRLF. Raises RequestRefused on what can't be forwarded safely.

    `wanted` names (in lower case) the fields whose values the decision needs. Fields with an underscore in their name,
    which many backends can't tell from a hyphen, are dropped unless `keeps_underscores` or they are wanted.
    """
    out, values, handled = _sorted_out(lines, wanted, peer, keeps_underscores=keeps_underscores)
    options = _NONE
    if b"connection" in handled:
        options = _NONE.union(*map(_options, handled[b"connection"]))
        nominated = options - _HARMLESS_OPTIONS
        if nominated:
            out = _without(out, nominated, wanted)
            for name in nominated & _CONTINUED:
                handled.pop(name, None)
            if b"te" in nominated and not is_1_0 and _takes_trailers(handled):
                out.append(_TAKES_TRAILERS)
    host = _read_host(handled.get(b"host"), is_1_0=is_1_0)
    out[0] = b"host: %b" % host
    expects_continue = _expects_continue(handled, is_1_0=is_1_0) if b"expect" in handled else False
    content_length, is_chunked = request_framing(handled, is_1_0=is_1_0) if _BODY & handled.keys() else (None, False)
    if content_length is not None:
        out.append(b"content-length: %d" % content_length)
    elif is_chunked:
        out.append(b"transfer-encoding: chunked")
    out.append(forwarding.lines(peer, handled, host, b"1.0" if is_1_0 else b"1.1"))
    get = handled.get
    return RequestHead(  # by position: by name it takes twice the time
        b"\r\n".join(out),
        values,
        _text_of(host),
        _sound_id(handled[b"x-request-id"][-1]) if b"x-request-id" in handled else None,
        content_length,
        is_chunked,
        is_1_0 or b"close" in options,
        expects_continue,
        b"upgrade" in options and not is_1_0 and _is_handshake(handled, out),
        get(b"traceparent"),
        get(b"tracestate"),
        get(b"max-forwards"),
        get(b"x-changeover-debug"),
    )


def _sorted_out(
    lines: bytes, wanted: frozenset[bytes], peer: Peer, *, keeps_underscores: bool
) -> tuple[list[bytes], dict[str, str], dict[bytes, list[bytes]]]:
    """The lines that pass, behind a place for Host; the values that are wanted; the values of what is handled here."""
    out: list[bytes] = [b""]
    values: dict[str, str] = {}
    handled: dict[bytes, list[bytes]] = {}
    special = HANDLED | wanted if wanted else HANDLED
    has_underscores = b"_" in lines
    for line in lines.split(b"\r\n")[:-1]:
        known = _known.get(line)
        if known is not None and known not in wanted:
            out.append(line)
            continue
        name, _, value = line.partition(b":")
        name = name.lower()
        if name not in special and not is_forwarding_field(name):
            if not has_underscores or _is_kept(name, special, keeps_underscores=keeps_underscores):
                out.append(line)
                if name in _REPEATED:
                    _remember(line, name)
            continue
        value = value.strip(b" \t")
        is_way = is_forwarding_field(name)
        if name in wanted and (peer.is_trusted or not is_way):  # a user's word on the way must not choose the side
            values.setdefault(name.decode("latin-1"), value.decode("utf-8", "surrogateescape"))
        if is_way or name in HANDLED:
            handled.setdefault(name, []).append(value)
        else:
            out.append(line)
    return out, values, handled


def _remember(line: bytes, name: bytes) -> None:
    if len(line) <= _MOST_LINE_BYTES:
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        _known[line] = name


def _is_kept(name: bytes, special: frozenset[bytes], *, keeps_underscores: bool) -> bool:
    """Whether a field passes as to its underscores; never where it would pass for one of those that are `special`."""
    if b"_" not in name:
        return True
    twin = name.replace(b"_", b"-")
    return keeps_underscores and not (twin in special or is_forwarding_field(twin))


def _options(connection: bytes) -> frozenset[bytes]:
    if connection in _USUAL_CONNECTION:
        return frozenset((connection.lower(),))
    return frozenset(option.strip(b" \t").lower() for option in connection.split(b","))


def _without(lines: list[bytes], nominated: frozenset[bytes], wanted: frozenset[bytes]) -> list[bytes]:
    """The lines but for the fields that Connection names (RFC 9110 §7.6.1); `wanted` ones tell users apart."""
    never = _NEVER_NOMINATED | wanted
    wrong = [name for name in nominated if name in never or (is_forwarding_field(name) and name != b"via")]
    if wrong:
        name = min(wrong).decode("latin-1")
        raise RequestRefused(400, f"Connection names {name}, which is not a connection's own field")
    return [line for line in lines if line.partition(b":")[0].lower() not in nominated]


def _takes_trailers(handled: Mapping[bytes, list[bytes]]) -> bool:
    codings = b",".join(handled.get(b"te", ())).lower().split(b",")
    return b"trailers" in map(bytes.strip, codings)


def _read_host(hosts: list[bytes] | None, *, is_1_0: bool) -> bytes:
    """The one Host; empty where an HTTP/1.0 request has none, which a backend is told as such (RFC 9112 §3.2)."""
    if hosts is None:
        if is_1_0:
            return b""
        raise RequestRefused(400, "the request has no Host field (RFC 9112 §3.2)")
    if len(hosts) > 1:
        raise RequestRefused(400, "the request has two Host fields; send one (RFC 9112 §3.2)")
    return _checked_host(hosts[0])


@lru_cache(_MOST_KNOWN)
def _checked_host(host: bytes) -> bytes:
    found = _HOST.fullmatch(host)
    if found is None or int(found[1] or 0) > 65_535:
        raise RequestRefused(400, f"the Host {host[:80]!r} is not a host and port (RFC 9110 §7.2)")
    return host


@lru_cache(_MOST_KNOWN)
def _text_of(host: bytes) -> str | None:
    return host.decode("latin-1") or None


def _expects_continue(handled: Mapping[bytes, list[bytes]], *, is_1_0: bool) -> bool:
    if is_1_0:  # RFC 9110 §10.1.1: ignored there
        return False
    expectation = b",".join(handled[b"expect"])
    if expectation.lower() != b"100-continue":
        raise RequestRefused(417, f"the expectation {expectation[:40]!r} can't be met; 100-continue can")
    return True


def _is_handshake(handled: Mapping[bytes, list[bytes]], lines: list[bytes]) -> bool:
    """Whether everything is there that RFC 6455 §4.1 asks of a handshake, and no body.

    Whatever follows one might be read as a tunnel's bytes or as a request: what a user can have sent for something
    else, or by a mistake, is an ordinary request, and its Upgrade is not forwarded.
    """
    offered = b",".join(handled.get(b"upgrade", ())).lower().split(b",")
    if b"websocket" not in map(bytes.strip, offered) or _BODY & handled.keys():
        return False
    return all(_has_one(lines, name, form) for name, form in _WEBSOCKET_FIELDS.items())


def _has_one(lines: list[bytes], name: bytes, form: re.Pattern[bytes]) -> bool:
    values = [value for each, _, value in (line.partition(b":") for line in lines) if each.lower() == name]
    return len(values) == 1 and form.fullmatch(values[0].strip(b" \t")) is not None


def _sound_id(given: bytes) -> str | None:
    """The client's id where it is short, visible ASCII."""
    is_sound = given and len(given) <= _MAX_ID_BYTES and given.isascii() and given.decode().isprintable()
    return given.decode() if is_sound and b" " not in given else None


def origin_form(target: bytes, method: bytes, host: str | None) -> bytes:
    """The target as backends are asked for it (RFC 9112 §3.2). Raises RequestRefused on forms that are not for us."""
    if target[:1] == b"/":
        return target
    if target == b"*" and method == b"OPTIONS":
        return target
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None:
        raise RequestRefused(400, f"the target {target[:40]!r} is not a path (RFC 9112 §3.2.1)")
    if host is None or absolute[1].lower() != host.lower().encode("latin-1"):
        raise RequestRefused(400, f"the target's authority {absolute[1][:80]!r} is not the Host's (RFC 9112 §3.2.2)")
    path = absolute[2]
    if not path and method == b"OPTIONS":  # RFC 9112 §3.2.4
        return b"*"
    return path if path[:1] == b"/" else b"/" + path


# --- answers ---
@dataclass(slots=True)  # as RequestHead
class AnswerHead:
    """What an answer's fields say. `lines` are those that the user gets, each with its CRLF.

    `length` is None without Content-Length; then the body is chunked, or ends with the connection.
    """

    lines: bytes
    length: int | None
    is_chunked: bool
    keeps_alive: bool


_SPECIAL = re.compile(
    rb"\n(connection|keep-alive|proxy-connection|te|transfer-encoding|upgrade|content-length):[ \t]*([^\r]*)"
)
_HOP_LINES = re.compile(
    rb"(?i)(?<=\n)(?:connection|keep-alive|proxy-connection|te|transfer-encoding|upgrade):[^\r]*\r\n"
)
# RFC 9110 §7.6.1: a field for whoever gets the content is never a connection's own, whatever an answer says of it.
_FOR_ALL = re.compile(
    rb"cache-control|content-[^:]*|date|etag|expires|last-modified|location|set-cookie|vary|www-authenticate"
)
_LENGTH_LINES = re.compile(rb"(?i)(?<=\n)content-length:[^\r]*\r\n")
_LENGTH = frozenset({b"content-length"})
# RFC 9110 §6.5.1: what framing, routing, authentication or the use of the content rest on has to be known before it.
_NO_TRAILERS = (
    _CONNECTION_FIELDS
    | _LENGTH
    | {
        *(b"trailer", b"host", b"authorization", b"cookie", b"set-cookie", b"www-authenticate", b"proxy-authenticate"),
        *(b"proxy-authorization", b"cache-control", b"expect", b"max-forwards", b"pragma", b"range", b"age", b"date"),
        *(b"expires", b"location", b"retry-after", b"vary", b"warning", b"content-encoding", b"content-type"),
        *(b"content-range", b"content-disposition", b"content-language", b"content-location"),
    }
)


def read_answer(lines: bytes, *, is_1_0: bool = False, may_have_length: bool = True) -> AnswerHead:
    """Sorts out an answer's field lines, each with its CRLF. Raises ValueError where its framing can't be trusted.

    `may_have_length` is False for what never has a Content-Length (204): the user gets none then.
    """
    special = _SPECIAL.findall(b"\n" + lines.lower())
    length: int | None = None
    is_chunked, options = False, _NONE
    for name, value in special:
        if name == b"content-length":
            if length is not None:
                raise ValueError("it has two Content-Length fields")
            length = answer_length(value)
        elif name == b"transfer-encoding":
            if is_chunked or value.rstrip(b" \t") != b"chunked":
                raise ValueError(f"its Transfer-Encoding {value[:40]!r} is not understood")
            is_chunked = True
        elif name == b"connection":
            options |= _options(value)
    if is_chunked and (length is not None or is_1_0):
        raise ValueError("it has Transfer-Encoding where none may be")
    passed = lines
    hops = len(special) - (length is not None)
    if hops:
        passed = _without_usual(lines) if hops == 1 and options == _KEEP_ALIVE else _end_to_end(lines, options)
    if length is not None and not may_have_length:
        passed = _LENGTH_LINES.sub(b"", b"\n" + passed)[1:]
    return AnswerHead(passed, length, is_chunked, _keeps_alive(options, is_1_0=is_1_0))


def interim_lines(lines: bytes) -> bytes:
    """What the user gets of a 1xx answer's field lines: no framing either, as there is no body (RFC 9112 §6.3)."""
    passed = _end_to_end(lines, _connection_options(lines) - _LENGTH)
    return _LENGTH_LINES.sub(b"", b"\n" + passed)[1:]


def agrees_to_websocket(lines: bytes) -> bool:
    """Whether a 101 with these lines switches to what was asked for (RFC 6455 §4.1, 2 and 3)."""
    offered = [value.strip(b" \t") for name, value in _SPECIAL.findall(b"\n" + lines.lower()) if name == b"upgrade"]
    return offered == [b"websocket"] and b"upgrade" in _connection_options(lines)


def _connection_options(lines: bytes) -> frozenset[bytes]:
    special = _SPECIAL.findall(b"\n" + lines.lower())
    return _NONE.union(*[_options(value) for name, value in special if name == b"connection"])


def trailer_lines(lines: bytes) -> bytes:
    """What the user gets of an answer's trailer section."""
    return _without_nominated(lines, _NO_TRAILERS)


def reset_content_head(head: AnswerHead) -> AnswerHead:
    """That of a 205, which has no content (RFC 9110 §15.3.6); what may follow it all the same is nobody's."""
    if head.length == 0:
        return head
    lines = _LENGTH_LINES.sub(b"", b"\n" + head.lines)[1:]
    return AnswerHead(lines + b"content-length: 0\r\n", 0, False, False)


def _keeps_alive(options: frozenset[bytes], *, is_1_0: bool) -> bool:
    """Whether the connection goes on after the answer (RFC 9112 §9.3)."""
    return b"close" not in options and (not is_1_0 or b"keep-alive" in options)


def _without_usual(lines: bytes) -> bytes:
    """The lines but for their one field of the connection's own, written as nearly all servers write it."""
    before, found, after = (b"\n" + lines).partition(_USUAL_LINE)
    if not found:
        return _end_to_end(lines, _KEEP_ALIVE)
    return before[1:] + b"\n" + after if before else after


def _end_to_end(lines: bytes, options: frozenset[bytes]) -> bytes:
    """The lines but for the connection's own. Raises ValueError where the length is said to be among those."""
    if b"content-length" in options:
        raise ValueError("its Connection names Content-Length")
    passed = _HOP_LINES.sub(b"", b"\n" + lines)[1:]
    nominated = frozenset(name for name in options - _HARMLESS_OPTIONS if not _FOR_ALL.fullmatch(name))
    return _without_nominated(passed, nominated) if nominated else passed


def _without_nominated(lines: bytes, nominated: frozenset[bytes]) -> bytes:
    kept = [line for line in lines.split(b"\r\n")[:-1] if line.partition(b":")[0].lower() not in nominated]
    return b"".join([line + b"\r\n" for line in kept])
