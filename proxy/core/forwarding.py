"""What we tell a backend of the way a request took: X-Forwarded-For, -Proto and -Host, Forwarded (RFC 7239), Via.

1. Whoever is not a trusted proxy is a user, and what users say of their own way is dropped.
2. What a trusted proxy says is believed: that it was asked by a certain address. If a trusted proxy is at that address,
   its word is believed in turn, and so on from the right to the left. Behind the first address that is not trusted,
   the user's, anything may have been invented: the chain is cut there.
3. A hop that can't be read (garbage, `unknown`, `_hidden`) is somebody unknown. It stays as `unknown`, and ends the
   chain: left out, its neighbour, a proxy within our own walls, would pass for the user.
4. X-Forwarded-For and Forwarded are written anew and say the same. Where a trusted proxy sent both, X-Forwarded-For is
   read: the proxies that add to it and pass a user's Forwarded as it came are many, those that do it the other way
   round hardly any.
5. Scheme and host are those of the user's own request, as the trusted proxy that got it said them; else this one's.
   Forwarded says them once, with the user: there are backends that read its first element, and such that read its last.
6. Nothing that was sent makes this raise.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from proxy.core.trusted import IPAddress, TrustedProxies

    Handled = Mapping[bytes, list[bytes]]  # names in lower case, and the values that came, in order

MAX_HOPS = 32  # of one request, the peer included; the same bound as Trace Context's for its list of systems

_FOR, _PROTO, _HOST = b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host"
_FORWARDED, _VIA = b"forwarded", b"via"
_PREFIX, _REAL_IP = b"x-forwarded-", b"x-real-ip"
FORWARDING_FIELDS = frozenset({_FOR, _PROTO, _HOST, _FORWARDED, _REAL_IP, _VIA})
_WRITTEN = FORWARDING_FIELDS - {_REAL_IP}  # anew, for each request

# RFC 3986 §3.2.2 and §3.2.3, without the delimiters of the lists that a host is put into here.
_SANE_HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._~%!$&'()*+=-]{1,255})(?::[0-9]{0,5})?")
# A node of RFC 7239 §6 that has an address; X-Forwarded-For has it with and without brackets, with and without port.
_NODE = re.compile(
    r"(?:(?P<v4>[0-9.]{7,15})|\[(?P<bracketed>[0-9A-Fa-f:.]{2,45})\])(?::(?:[0-9]{1,5}|_[A-Za-z0-9._-]+))?"
    r"|(?P<v6>[0-9A-Fa-f:.]{2,45})"
)
_MOST_NODE_BYTES = 64  # the longest address in brackets with its port has 54
_REMEMBERED_NODES = 4096  # users of a trusted proxy come again; some 500 bytes each
# Unquoted values may have more than tokens' characters: not all proxies quote `host=a.example:80`.
_PARAMETER = re.compile(
    rb"(?P<name>[!#$%&'*+.^_`|~0-9A-Za-z-]+)=(?:(?P<plain>[^\x00-\x20\"\\]+)|\"(?P<quoted>[^\"\\]*)\")"
)
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_BLANK = b" \t"  # RFC 9110 §5.6.3
# What proxies call the scheme; the WebSocket's own names are Traefik's.
_SCHEMES = {b"http": b"http", b"https": b"https", b"ws": b"http", b"wss": b"https"}


def is_forwarding_field(name: bytes) -> bool:
    """Whether a field (in lower case) is left to `Forwarding.lines`, which says what the backend gets of it.

    Besides the fields that we write these are X-Real-IP and X-Forwarded-anything: backends believe them as well.
    """
    return name in FORWARDING_FIELDS or name.startswith(_PREFIX)


class Node(NamedTuple):
    """Somebody on a request's way: the address as text, and as both fields write it."""

    text: str
    plain: bytes
    element: bytes
    is_trusted: bool


class Peer(NamedTuple):
    """Who is at the other end of a connection. `template` is for requests of which nobody says more: twice the Host."""

    node: Node
    scheme: bytes
    is_trusted: bool
    template: bytes


class _Said(NamedTuple):
    """What is believed of a request's words about its way. `nodes`: the nearest first, the peer not among them."""

    nodes: list[Node]
    scheme: bytes | None
    host: bytes | None


class Forwarding:
    """Says the way of each request. Made once from the trusted proxies, never changed; it remembers what it read."""

    __slots__ = ("_read", "_trusted")

    def __init__(self, trusted: TrustedProxies) -> None:
        self._trusted = trusted
        self._read = lru_cache(_REMEMBERED_NODES)(self._node)

    def peer(self, address: str | None, scheme: str) -> Peer:
        """Who connected from this address, by `http` or `https`. None is a Unix socket, which has no address.

        A text that is no address is somebody unknown, and not trusted.
        """
        try:
            found = None if address is None else _unmapped(ip_address(address.partition("%")[0]))
        except ValueError:
            node = _UNKNOWN
        else:
            node = _node_at(found, is_trusted=self._trusted.has(found))
        as_bytes = scheme.encode()
        return Peer(node, as_bytes, node.is_trusted, _way([node], as_bytes, b"%b"))

    def lines(self, peer: Peer, handled: Handled, host: bytes, version: bytes = b"1.1") -> bytes:
        """The header lines for the backend, each ended by CRLF.

        `handled` has the request's forwarding fields, and maybe others; `host` is its Host, empty where it has none;
        `version` is the HTTP version in which it came, 1.0 or 1.1.
        """
        if peer.is_trusted:
            way = self._believed(peer, handled, host)
        else:
            way = peer.template % (host, host) if _is_sane(host) else _way([peer.node], peer.scheme, None)
        if _VIA in handled:
            return way + _via(handled[_VIA], version)
        return b"%bvia: %b changeover\r\n" % (way, version)

    def client_address(self, peer: Peer, handled: Handled) -> str:
        """The user's address without port or brackets, or `unknown`."""
        nodes = self._said(handled).nodes if peer.is_trusted else None
        return nodes[-1].text if nodes else peer.node.text

    def _believed(self, peer: Peer, handled: Handled, host: bytes) -> bytes:
        said = self._said(handled)
        way = _way([*reversed(said.nodes), peer.node], said.scheme or peer.scheme, said.host or _sane_host(host))
        return way + b"".join(_passed(handled))

    def _said(self, handled: Handled) -> _Said:
        if _FOR not in handled and _FORWARDED in handled:
            return self._said_by_elements(handled[_FORWARDED])
        nodes = self._believable(_members(handled.get(_FOR, ())))
        return _Said(
            nodes,
            _scheme(_beside(len(nodes), handled.get(_PROTO, ()))),
            _sane_host(_beside(len(nodes), handled.get(_HOST, ()))),
        )

    def _said_by_elements(self, values: list[bytes]) -> _Said:
        """By Forwarded: of scheme and host, what was said nearest to the user."""
        elements = [_parameters(member) for member in _members(values)]
        nodes = self._believable([element.get(b"for", b"") for element in elements])
        scheme = host = None
        for element in elements[: len(nodes)]:
            scheme = _scheme(element.get(b"proto", b"")) or scheme
            host = _sane_host(element.get(b"host", b"")) or host
        return _Said(nodes, scheme, host)

    def _believable(self, written: list[bytes]) -> list[Node]:
        """Who is meant by these members, the nearest first, as far as each was named by one who is trusted."""
        nodes = []
        for each in written:
            node = self._read(each) if len(each) <= _MOST_NODE_BYTES else _UNKNOWN
            nodes.append(node)
            if not node.is_trusted:
                break
        return nodes

    def _node(self, written: bytes) -> Node:
        """Who is meant by a member of X-Forwarded-For, or by a `for=` of Forwarded."""
        found = _NODE.fullmatch(written.decode("latin-1"))
        if found is None:
            return _UNKNOWN
        try:
            address = IPv4Address(found["v4"]) if found["v4"] else IPv6Address(found["bracketed"] or found["v6"])
        except AddressValueError:
            return _UNKNOWN
        address = _unmapped(address)
        return _node_at(address, is_trusted=self._trusted.has(address))


def _unmapped(address: IPAddress) -> IPAddress:
    """An IPv4 address as such, also where a socket for both families wrote it into an IPv6 one (RFC 4291 §2.5.5.2)."""
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address


def _node_at(address: IPAddress | None, *, is_trusted: bool) -> Node:
    text = "unknown" if address is None else str(address)
    element = f'for="[{text}]"' if isinstance(address, IPv6Address) else f"for={text}"
    return Node(text, text.encode(), element.encode(), is_trusted)


_UNKNOWN = _node_at(None, is_trusted=False)


def _way(nodes: list[Node], scheme: bytes, host: bytes | None) -> bytes:
    """The lines but for Via; `nodes` begins with the user. Without a host nothing is said of it."""
    chain = b", ".join([node.plain for node in nodes])
    others = b"".join([b", " + node.element for node in nodes[1:]])
    host_line, host_parameter = (b"", b"") if host is None else (b"%b: %b\r\n" % (_HOST, host), b';host="%b"' % host)
    return b"%b: %b\r\n%b: %b\r\n%b%b: %b%b;proto=%b%b\r\n" % (
        _FOR, chain, _PROTO, scheme, host_line, _FORWARDED, nodes[0].element, host_parameter, scheme, others,
    )  # fmt: skip


def _passed(handled: Handled) -> Iterator[bytes]:
    """The lines of what we don't write ourselves, as they came: X-Forwarded-Port and its like."""
    for name, values in handled.items():
        if name not in _WRITTEN and is_forwarding_field(name):
            for value in filter(_is_visible, values):
                yield b"%b: %b\r\n" % (name, value)


def _via(values: list[bytes], version: bytes) -> bytes:
    """The proxies that the request has passed, and us, by a pseudonym (RFC 9110 §7.6.3)."""
    return b"via: %b\r\n" % b", ".join([*filter(_is_visible, values), version + b" changeover"])


def _members(values: Iterable[bytes]) -> list[bytes]:
    """The members of a list field, the last one first (RFC 9110 §5.6.1: empty ones don't count), MAX_HOPS - 1 at most.

    A comma within quotes parts them as well, so that a quote which a user left open never swallows what a proxy wrote
    behind it.
    """
    text = b",".join(values)
    if b"," not in text:  # the usual case, at a third of the time
        member = text.strip(_BLANK)
        return [member] if member else []
    members = text.rsplit(b",", MAX_HOPS)[-MAX_HOPS + 1 :]
    return [member for member in (each.strip(_BLANK) for each in reversed(members)) if member]


def _beside(hops: int, values: Iterable[bytes]) -> bytes:
    """What stands beside the user in a list that goes along with the hops; the nearest proxy's word if that is shorter.

    Some proxies write one value for the whole way, others add theirs to those of the proxies before.
    """
    members = _members(values)
    if not members:
        return b""
    return members[hops - 1] if 1 <= hops <= len(members) else members[0]


def _parameters(element: bytes) -> dict[bytes, bytes]:
    """The parameters of an element of Forwarded (RFC 7239 §4), names in lower case.

    None at all where one is repeated, or isn't whole: then the element is the end of a quoted value, such as a host
    that a user made up, with a comma or a semicolon in it.
    """
    pairs = [pair for pair in (each.strip(_BLANK) for each in element.split(b";")) if pair]
    parameters: dict[bytes, bytes] = {}
    for pair in pairs:
        found = _PARAMETER.fullmatch(pair)
        if found is None or found["name"].lower() in parameters:
            return {}
        parameters[found["name"].lower()] = found["plain"] or found["quoted"]
    return parameters


def _scheme(value: bytes) -> bytes | None:
    return _SCHEMES.get(value.lower())


@lru_cache(_REMEMBERED_NODES)
def _is_sane(host: bytes) -> bool:
    return _SANE_HOST.fullmatch(host) is not None


def _sane_host(value: bytes) -> bytes | None:
    return value if _is_sane(value) else None


def _is_visible(value: bytes) -> bool:
    """Whether nothing in the value could end its line. Requests with such values are refused before they come here."""
    return _CONTROL.search(value) is None
