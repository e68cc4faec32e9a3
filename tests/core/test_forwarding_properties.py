"""What holds for the fields of a request's way, whatever users and proxies write into them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address

from hypothesis import given
from hypothesis import strategies as st

from proxy.core.forwarding import FORWARDING_FIELDS, MAX_HOPS, Forwarding, Peer, is_forwarding_field
from proxy.core.trusted import parse_trusted_proxies

Fields = dict[bytes, list[bytes]]

TRUSTED = parse_trusted_proxies("10.0.0.0/8, 2001:db8:ffff::/48")
FORWARDING = Forwarding(TRUSTED)
HOST = b"a.example"
LINES = re.compile(rb"(?:[a-z-]+: [^\x00-\x08\x0a-\x1f\x7f]*\r\n)+")
USERS = st.sampled_from(["192.0.2.7", "198.51.100.1", "127.0.0.1", "2001:db8::7", "::1"])
PROXIES = st.sampled_from(["10.0.0.1", "10.255.0.2", "2001:db8:ffff::1", "2001:db8:ffff::2"])
PEERS = st.one_of(st.none(), USERS, PROXIES, st.text(max_size=20))
SCHEMES = st.sampled_from(["http", "https"])
NAMES = st.sampled_from([*sorted(FORWARDING_FIELDS), b"x-forwarded-port", b"host"])
PIECES = [
    b"10.0.0.9", b"192.0.2.99", b"2001:db8:ffff::9", b'"[2001:db8:ffff::9]"', b"unknown", b"_x", b"evil.example",
    b"https", b"for=10.0.0.9", b"For=", b"proto=https", b"host=evil.example", b":80", b'"', b"\\", b",", b", ", b";",
    b"=", b":", b"[", b"]", b" ", b"\t",
]  # fmt: skip
INVENTIONS = st.one_of(st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join), st.binary(max_size=30))
SENDABLE = INVENTIONS.map(lambda value: re.sub(rb"[\x00-\x08\x0a-\x1f\x7f]", b"", value))  # or it would be refused
LIES = st.dictionaries(NAMES, st.lists(SENDABLE, min_size=1, max_size=3), max_size=6)
ANYTHING = st.dictionaries(NAMES, st.lists(INVENTIONS, min_size=1, max_size=3), max_size=6)


def fields_of(lines: bytes) -> Fields:
    """The lines as the next one reads them."""
    fields: Fields = {}
    for line in lines.removesuffix(b"\r\n").split(b"\r\n"):
        name, _, value = line.partition(b": ")
        fields.setdefault(name, []).append(value)
    return fields


def hops_of(fields: Fields) -> list[str]:
    [value] = fields[b"x-forwarded-for"]
    return value.decode().split(", ")


def node(address: str) -> bytes:
    return f'"[{address}]"'.encode() if ":" in address else address.encode()


@dataclass(frozen=True)
class Appending:
    """A proxy that adds whom it asks for to what it was told, and passes all else as it came."""

    at: str
    on_a_line_of_its_own: bool
    is_quoting_host: bool = False  # writes Forwarded: with the user's Host in it, escaped as it should be

    def extend(self, fields: Fields, name: bytes, asked_by: str, host: bytes) -> Fields:
        added = asked_by.encode() if name == b"x-forwarded-for" else b"for=" + node(asked_by)
        if name == b"forwarded" and self.is_quoting_host:
            added += b';host="%b"' % re.sub(rb'(["\\])', rb"\\\1", host)
        before = fields.get(name, [])
        if before and not self.on_a_line_of_its_own:
            return {**fields, name: [*before[:-1], before[-1] + b", " + added]}
        return {**fields, name: [*before, added]}


WAYS = st.lists(st.builds(Appending, PROXIES, st.booleans(), st.booleans()), min_size=1, max_size=5)


def travel(fields: Fields, user: str, way: list[Appending], name: bytes, host: bytes) -> tuple[Fields, Peer]:
    """What reaches us, and from whom."""
    asked_by = user
    for proxy in way:
        fields = proxy.extend(fields, name, asked_by, host)
        asked_by = proxy.at
    return fields, FORWARDING.peer(asked_by, "http")


@given(USERS, LIES, WAYS)
def test_user_behind_proxies_is_never_one_he_invented(user: str, lies: Fields, way: list[Appending]) -> None:
    """Whatever he sends: through proxies that only add to X-Forwarded-For, exactly their chain is left."""
    fields, peer = travel(lies, user, way, b"x-forwarded-for", HOST)
    sent = fields_of(FORWARDING.lines(peer, fields, HOST))
    assert [user, *(proxy.at for proxy in way)] == hops_of(sent)
    assert user == FORWARDING.client_address(peer, fields)


@given(USERS, LIES, WAYS, SENDABLE)
def test_user_behind_forwarded_is_never_one_he_invented(
    user: str, lies: Fields, way: list[Appending], host: bytes
) -> None:
    """The same through proxies that add to Forwarded; an odd Host, quoted there, can at most make him unknown."""
    fields = {name: values for name, values in lies.items() if name != b"x-forwarded-for"}
    fields, peer = travel(fields, user, way, b"forwarded", host)
    hops = hops_of(fields_of(FORWARDING.lines(peer, fields, HOST)))
    expected = [user, *(proxy.at for proxy in way)]
    assert hops == expected or hops == ["unknown", *expected[-len(hops) + 1 :]]
    if not any(proxy.is_quoting_host for proxy in way):
        assert expected == hops


@given(USERS | st.text(max_size=20), SCHEMES, ANYTHING, ANYTHING)
def test_user_cannot_change_what_is_said_of_him(address: str, scheme: str, some: Fields, other: Fields) -> None:
    """Two requests on one connection differ in Via at most."""
    peer = FORWARDING.peer(address, scheme)
    first, second = (fields_of(FORWARDING.lines(peer, lies, HOST)) | {b"via": []} for lies in (some, other))
    assert first == second


@given(PEERS, SCHEMES, ANYTHING, INVENTIONS | st.just(HOST))
def test_lines_are_lines_whatever_came(address: str | None, scheme: str, handled: Fields, host: bytes) -> None:
    """No control character stands in a value, each field of ours is there once, both chains agree and are bounded."""
    peer = FORWARDING.peer(address, scheme)
    lines = FORWARDING.lines(peer, handled, host)
    assert LINES.fullmatch(lines)
    sent = fields_of(lines)
    assert all(map(is_forwarding_field, sent))
    assert {1} == {len(sent[name]) for name in (b"x-forwarded-for", b"x-forwarded-proto", b"forwarded", b"via")}
    assert sent[b"x-forwarded-proto"] in ([b"http"], [b"https"])
    hops = hops_of(sent)
    elements = [element.split(b";")[0] for element in sent[b"forwarded"][0].split(b", ")]
    assert [b"for=" + node(hop) for hop in hops] == elements
    assert (True, FORWARDING.client_address(peer, handled)) == (len(hops) <= MAX_HOPS, hops[0])
    assert all(TRUSTED.has(ip_address(hop)) for hop in hops[1:])


@given(PEERS, SCHEMES, LIES, PROXIES, st.sampled_from([b"x-", b"forwarded"]))
def test_second_proxy_of_ours_says_what_the_first_said(
    address: str | None, scheme: str, lies: Fields, first_at: str, dropped: bytes
) -> None:
    """It adds the first one and changes nothing, whichever of the two ways it reads."""
    first = fields_of(FORWARDING.lines(FORWARDING.peer(address, scheme), lies, HOST))
    between = {name: values for name, values in first.items() if not name.startswith(dropped)}
    peer = FORWARDING.peer(first_at, "http")
    second = fields_of(FORWARDING.lines(peer, between, b"inner.example"))
    assert [*hops_of(first), first_at] == hops_of(second)
    for name in (b"x-forwarded-proto", b"x-forwarded-host"):
        assert first[name] == second[name]
    assert [first[b"forwarded"][0] + b", for=" + node(first_at)] == second[b"forwarded"]
    assert [first[b"via"][0] + b", 1.1 changeover"] == second[b"via"]
