"""What a backend is told of the way a request took."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from proxy.core.forwarding import FORWARDING_FIELDS, MAX_HOPS, Forwarding, is_forwarding_field
from proxy.core.trusted import parse_trusted_proxies

if TYPE_CHECKING:
    from collections.abc import Mapping

TRUSTED = "10.0.0.0/8, 2001:db8:ffff::/48"
USER, PROXY = "192.0.2.7", "10.0.0.1"
HOST = b"a.example"
LIES = {
    b"x-forwarded-for": [b"10.0.0.9"],
    b"x-forwarded-proto": [b"https"],
    b"x-forwarded-host": [b"evil.example"],
    b"x-forwarded-port": [b"443"],
    b"x-forwarded-user": [b"root"],
    b"x-real-ip": [b"10.0.0.9"],
    b"forwarded": [b"for=10.0.0.9;proto=https;host=evil.example"],
}


def said(
    peer: str | None,
    handled: Mapping[bytes, list[bytes]] | None = None,
    *,
    trusted: str = TRUSTED,
    scheme: str = "http",
    host: bytes = HOST,
    version: bytes = b"1.1",
) -> list[str]:
    """The lines that the backend gets."""
    forwarding = Forwarding(parse_trusted_proxies(trusted))
    lines = forwarding.lines(forwarding.peer(peer, scheme), handled or {}, host, version).decode("latin-1")
    assert lines.endswith("\r\n")
    return lines.removesuffix("\r\n").split("\r\n")


def chain(handled: Mapping[bytes, list[bytes]], peer: str | None = PROXY, trusted: str = TRUSTED) -> str:
    """X-Forwarded-For, after a look at whether Forwarded and the log say the same."""
    lines = dict(line.split(": ", 1) for line in said(peer, handled, trusted=trusted))
    nodes = [element.split(";")[0].removeprefix("for=").strip('"') for element in lines["forwarded"].split(", ")]
    assert lines["x-forwarded-for"] == ", ".join(node.strip("[]") for node in nodes)
    forwarding = Forwarding(parse_trusted_proxies(trusted))
    user = forwarding.client_address(forwarding.peer(peer, "http"), handled)
    assert user == lines["x-forwarded-for"].split(", ")[0]
    return lines["x-forwarded-for"]


@pytest.mark.parametrize("handled", [{}, LIES, {b"host": [HOST], b"connection": [b"close"]}])
def test_user_is_shown_as_we_see_him(handled: dict[bytes, list[bytes]]) -> None:
    """Address, scheme and host are those of his own connection, whatever he says of them."""
    expected = [
        "x-forwarded-for: 192.0.2.7",
        "x-forwarded-proto: http",
        "x-forwarded-host: a.example",
        'forwarded: for=192.0.2.7;host="a.example";proto=http',
        "via: 1.1 changeover",
    ]
    assert expected == said(USER, handled)


def test_proxy_that_is_not_trusted_is_a_user() -> None:
    """By default nobody is trusted, not even this machine."""
    assert ["127.0.0.1", "unknown", PROXY] == [chain(LIES, peer, trusted="") for peer in ("127.0.0.1", None, PROXY)]


def test_trusted_proxy_is_believed() -> None:
    """Whom it asks for, by which scheme and for which host, and the fields that we don't write ourselves."""
    handled = {
        b"x-forwarded-for": [b"192.0.2.7"],
        b"x-forwarded-proto": [b"https"],
        b"x-forwarded-host": [b"public.example:8443"],
        b"x-forwarded-port": [b"8443"],
        b"x-forwarded-user": [b"anna"],
        b"x-real-ip": [b"192.0.2.7"],
    }
    expected = [
        "x-forwarded-for: 192.0.2.7, 10.0.0.1",
        "x-forwarded-proto: https",
        "x-forwarded-host: public.example:8443",
        'forwarded: for=192.0.2.7;host="public.example:8443";proto=https, for=10.0.0.1',
        "x-forwarded-port: 8443",
        "x-forwarded-user: anna",
        "x-real-ip: 192.0.2.7",
        "via: 1.1 changeover",
    ]
    assert expected == said(PROXY, handled)


def test_trusted_proxy_that_says_nothing_is_the_user() -> None:
    """As when it probes us itself."""
    expected = [
        "x-forwarded-for: 10.0.0.1",
        "x-forwarded-proto: https",
        "x-forwarded-host: a.example",
        'forwarded: for=10.0.0.1;host="a.example";proto=https',
        "via: 1.1 changeover",
    ]
    assert expected == said(PROXY, scheme="https")


@pytest.mark.parametrize(
    ("peer", "plain", "element"),
    [
        ("2001:DB8:0::1", "2001:db8::1", '"[2001:db8::1]"'),
        ("fe80::1%eth0", "fe80::1", '"[fe80::1]"'),
        ("::ffff:192.0.2.7", "192.0.2.7", "192.0.2.7"),
        (None, "unknown", "unknown"),
        ("", "unknown", "unknown"),
        ("/run/client.sock", "unknown", "unknown"),
        ("%b\r\nx: y", "unknown", "unknown"),
    ],
)
def test_peer_is_written_in_one_form(peer: str | None, plain: str, element: str) -> None:
    """IPv6 is in brackets and quotes in Forwarded (RFC 7239 §6); who has no address is unknown (§6.2)."""
    lines = said(peer)
    assert (f"x-forwarded-for: {plain}", f'forwarded: for={element};host="a.example";proto=http') == (
        lines[0],
        lines[3],
    )


def test_peer_on_a_unix_socket_is_trusted_by_the_word() -> None:
    """What it says is believed, and it has itself no address."""
    assert ["192.0.2.7, unknown", "unknown"] == [
        chain({b"x-forwarded-for": [b"192.0.2.7"]}, None, trusted) for trusted in ("unix", TRUSTED)
    ]


def test_text_that_is_no_address_is_never_trusted() -> None:
    """The word unix is for who came without an address, not with a strange one."""
    assert "unknown" == chain(LIES, "somewhere", "unix, 0.0.0.0/0, ::/0")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        # walked from the right
        ([b"192.0.2.7"], "192.0.2.7, 10.0.0.1"),
        ([b"192.0.2.7, 10.0.0.2"], "192.0.2.7, 10.0.0.2, 10.0.0.1"),
        ([b"192.0.2.7", b"10.0.0.3", b"10.0.0.2"], "192.0.2.7, 10.0.0.3, 10.0.0.2, 10.0.0.1"),
        ([b"2001:db8::7, 2001:db8:ffff::1"], "2001:db8::7, 2001:db8:ffff::1, 10.0.0.1"),
        ([b"10.0.0.3, 10.0.0.2"], "10.0.0.3, 10.0.0.2, 10.0.0.1"),
        # cut behind the first who is not trusted
        ([b"198.51.100.1, 192.0.2.7"], "192.0.2.7, 10.0.0.1"),
        ([b"10.0.0.9, 192.0.2.7, 10.0.0.2"], "192.0.2.7, 10.0.0.2, 10.0.0.1"),
        ([b"10.0.0.9", b"192.0.2.7"], "192.0.2.7, 10.0.0.1"),
        ([b'"', b"192.0.2.7"], "192.0.2.7, 10.0.0.1"),
        # however an address is written
        ([b"192.0.2.7:4711"], "192.0.2.7, 10.0.0.1"),
        ([b"[2001:db8::7]:4711"], "2001:db8::7, 10.0.0.1"),
        ([b"[2001:DB8::7]"], "2001:db8::7, 10.0.0.1"),
        ([b"::ffff:10.0.0.2"], "10.0.0.2, 10.0.0.1"),
        ([b"  192.0.2.7\t,, ,\t10.0.0.2 , "], "192.0.2.7, 10.0.0.2, 10.0.0.1"),
        # nothing said
        ([b""], "10.0.0.1"),
        ([b" , ,"], "10.0.0.1"),
        # a hop that can't be read
        ([b"unknown"], "unknown, 10.0.0.1"),
        ([b"192.0.2.7, unknown, 10.0.0.2"], "unknown, 10.0.0.2, 10.0.0.1"),
        ([b"192.0.2.7, _hidden"], "unknown, 10.0.0.1"),
        ([b"192.0.2.7, unix:"], "unknown, 10.0.0.1"),
        ([b"a.example"], "unknown, 10.0.0.1"),
        ([b"\xff\x00"], "unknown, 10.0.0.1"),
        ([b"192.0.2.07"], "unknown, 10.0.0.1"),
        ([b"192.0.2"], "unknown, 10.0.0.1"),
        ([b"192.0.2.256"], "unknown, 10.0.0.1"),
        ([b"[192.0.2.7]"], "unknown, 10.0.0.1"),
        ([b"192.0.2.7:123456"], "unknown, 10.0.0.1"),
        ([b"2001:db8::7%eth0"], "unknown, 10.0.0.1"),
        ([b"[2001:db8::7"], "unknown, 10.0.0.1"),
        ([b"1" * 65_000], "unknown, 10.0.0.1"),
    ],
)
def test_chain_is_walked_from_the_right(values: list[bytes], expected: str) -> None:
    """As far as each was named by one who is trusted; what cannot be read is unknown and ends it."""
    assert expected == chain({b"x-forwarded-for": values})


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([b"for=192.0.2.7"], "192.0.2.7, 10.0.0.1"),
        ([b"For=192.0.2.7;By=10.0.0.1, FOR=10.0.0.2"], "192.0.2.7, 10.0.0.2, 10.0.0.1"),
        ([b'for="[2001:db8::7]"'], "2001:db8::7, 10.0.0.1"),
        ([b'for="[2001:db8::7]:4711"', b"for=10.0.0.2"], "2001:db8::7, 10.0.0.2, 10.0.0.1"),
        ([b'for="192.0.2.7:_port"'], "192.0.2.7, 10.0.0.1"),
        ([b";for=192.0.2.7 ; proto=http;"], "192.0.2.7, 10.0.0.1"),
        ([b"for=10.0.0.9, for=192.0.2.7"], "192.0.2.7, 10.0.0.1"),
        ([b'for="10.0.0.9, for=192.0.2.7'], "192.0.2.7, 10.0.0.1"),
        ([b'for=10.0.0.9;x="', b"for=192.0.2.7"], "192.0.2.7, 10.0.0.1"),
        ([b"for=unknown, for=10.0.0.2"], "unknown, 10.0.0.2, 10.0.0.1"),
        ([b"for=_hidden"], "unknown, 10.0.0.1"),
        ([b"proto=https"], "unknown, 10.0.0.1"),
        ([b"nonsense"], "unknown, 10.0.0.1"),
        ([b"for=192.0.2.7;for=192.0.2.8"], "unknown, 10.0.0.1"),
        ([b'for="192.0.2.7'], "unknown, 10.0.0.1"),
        ([b'for="'], "unknown, 10.0.0.1"),
        ([b"for = 192.0.2.7"], "unknown, 10.0.0.1"),
        # the host of these is a user's invention, and within quotes, as it should be
        ([b'for=192.0.2.7;host="x,for=10.0.0.9;a="'], "unknown, 10.0.0.1"),
        ([b'for=192.0.2.7;host="x,for=10.0.0.9;a=\\""'], "unknown, 10.0.0.1"),
        ([b'host="x,for=10.0.0.9";for=192.0.2.7'], "unknown, 10.0.0.1"),
        ([b'host="x;for=10.0.0.9";for=192.0.2.7'], "unknown, 10.0.0.1"),
        ([b'host="x,for=10.0.0.9;a=";for=192.0.2.7'], "unknown, 10.0.0.1"),
        ([b""], "10.0.0.1"),
    ],
)
def test_forwarded_is_walked_where_there_is_nothing_else(values: list[bytes], expected: str) -> None:
    """The same rules; a quote that a user leaves open swallows nothing."""
    assert expected == chain({b"forwarded": values})


def test_x_forwarded_for_is_read_where_both_came() -> None:
    """A user's Forwarded, which most proxies pass as it came, has no say, nor in scheme or host."""
    handled = {b"x-forwarded-for": [b"192.0.2.7"], b"forwarded": [b"for=10.0.0.9;proto=https;host=evil.example"]}
    assert "192.0.2.7, 10.0.0.1" == chain(handled)
    assert ["x-forwarded-proto: http", "x-forwarded-host: a.example"] == said(PROXY, handled)[1:3]


@pytest.mark.parametrize("count", [MAX_HOPS, 5000])
@pytest.mark.parametrize(("name", "before"), [(b"x-forwarded-for", b""), (b"forwarded", b"for=")])
def test_chain_has_a_bound(name: bytes, before: bytes, count: int) -> None:
    """Of a longer one the nearest hops are kept."""
    many = [before + b"10.1.%d.%d" % divmod(number, 256) for number in range(count)]
    kept = chain({name: [b",".join(many)]}).split(", ")
    nearest = [each.removeprefix(before).decode() for each in many[-MAX_HOPS + 1 :]]
    assert [*nearest, PROXY] == kept


def test_only_what_may_be_an_address_is_remembered() -> None:
    """Nobody fills the memory with long nonsense."""
    forwarding = Forwarding(parse_trusted_proxies(TRUSTED))
    peer = forwarding.peer(PROXY, "http")
    forwarding.lines(peer, {b"x-forwarded-for": [b"1" * 65]}, HOST)
    assert 0 == forwarding._read.cache_info().currsize
    forwarding.lines(peer, {b"x-forwarded-for": [USER.encode()]}, HOST)
    assert 1 == forwarding._read.cache_info().currsize


@pytest.mark.parametrize(
    ("handled", "scheme"),
    [
        ({}, "http"),
        ({b"x-forwarded-proto": [b"https"]}, "https"),
        ({b"x-forwarded-proto": [b"HTTPS"]}, "https"),
        ({b"x-forwarded-proto": [b"wss"]}, "https"),
        ({b"x-forwarded-proto": [b"ftp"]}, "http"),
        ({b"x-forwarded-proto": [b""]}, "http"),
        ({b"x-forwarded-proto": [b"https\r\nx: y"]}, "http"),
        # one value for the whole way, or one for each hop, or something between
        ({b"x-forwarded-for": [b"192.0.2.7, 10.0.0.2"], b"x-forwarded-proto": [b"https"]}, "https"),
        ({b"x-forwarded-for": [b"192.0.2.7, 10.0.0.2"], b"x-forwarded-proto": [b"https, http"]}, "https"),
        ({b"x-forwarded-for": [b"192.0.2.7, 10.0.0.3, 10.0.0.2"], b"x-forwarded-proto": [b"https, http"]}, "http"),
        ({b"x-forwarded-proto": [b"https, http"]}, "http"),
        # what a user says stands behind his own address
        ({b"x-forwarded-for": [b"192.0.2.7"], b"x-forwarded-proto": [b"https", b"http"]}, "http"),
        ({b"x-forwarded-for": [b"10.0.0.9, 192.0.2.7"], b"x-forwarded-proto": [b"https, http"]}, "http"),
        # Forwarded
        ({b"forwarded": [b"for=192.0.2.7;proto=https, for=10.0.0.2;proto=http"]}, "https"),
        ({b"forwarded": [b"for=192.0.2.7, for=10.0.0.2;Proto=https"]}, "https"),
        ({b"forwarded": [b"for=192.0.2.7;proto=gopher, for=10.0.0.2;proto=https"]}, "https"),
        ({b"forwarded": [b"for=10.0.0.9;proto=https, for=192.0.2.7;proto=http"]}, "http"),
        ({b"forwarded": [b"for=192.0.2.7;proto=http"], b"x-forwarded-proto": [b"https"]}, "http"),
        ({b"forwarded": [b"for=unknown;proto=https"]}, "https"),
    ],
)
def test_scheme_is_the_one_of_the_users_own_request(handled: dict[bytes, list[bytes]], scheme: str) -> None:
    """As the trusted proxy that got it said; ours where nothing that can be read was said."""
    lines = said(PROXY, handled)
    assert (f"x-forwarded-proto: {scheme}", 1) == (lines[1], lines[3].count(f";proto={scheme}"))


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (b"public.example", "public.example"),
        (b"public.example:8443", "public.example:8443"),
        (b"[2001:db8::1]:80", "[2001:db8::1]:80"),
        (b"under_score.example", "under_score.example"),
        (b"", "a.example"),
        (b'"><script>', "a.example"),
        (b"a b", "a.example"),
        (b"user@public.example", "a.example"),
        (b"public.example/path", "a.example"),
        (b"public.example:port", "a.example"),
        (b"public.example\r\nx: y", "a.example"),
        (b'public.example";for=10.0.0.9', "a.example"),
        (b"a" * 256, "a.example"),
    ],
)
def test_host_is_the_one_that_was_asked_for(given: bytes, shown: str) -> None:
    """As the trusted proxy said; the Host field where that can't be a host."""
    for field in ({b"x-forwarded-host": [given]}, {b"forwarded": [b'for=192.0.2.7;host="%b"' % given]}):
        lines = said(PROXY, field)
        assert (f"x-forwarded-host: {shown}", True) == (lines[2], f'host="{shown}"' in lines[3])


@pytest.mark.parametrize("peer", [USER, PROXY])
@pytest.mark.parametrize("host", [b"", b"a, b", b'a"b', b"a;b", b"\r\n"])
def test_host_that_is_none_is_left_out(peer: str, host: bytes) -> None:
    """A request of HTTP/1.0 without Host says nothing of it, nor do we."""
    expected = [
        f"x-forwarded-for: {peer}",
        "x-forwarded-proto: http",
        f"forwarded: for={peer};proto=http",
        "via: 1.1 changeover",
    ]
    assert expected == said(peer, host=host)


@pytest.mark.parametrize("peer", [USER, PROXY])
@pytest.mark.parametrize(
    ("values", "version", "expected"),
    [
        (None, b"1.0", "1.0 changeover"),
        ([b"1.1 edge"], b"1.1", "1.1 edge, 1.1 changeover"),
        ([b"1.0 a, 1.1 b (Apache/1.1)", b"2 edge"], b"1.0", "1.0 a, 1.1 b (Apache/1.1), 2 edge, 1.0 changeover"),
        ([b"1.1 edge\r\nx: y", b"1.1 inner"], b"1.1", "1.1 inner, 1.1 changeover"),
    ],
)  # fmt: skip
def test_via_grows(peer: str, values: list[bytes] | None, version: bytes, expected: str) -> None:
    """Each proxy adds itself at the end with the version in which it got the request (RFC 9110 §7.6.3)."""
    handled = {} if values is None else {b"via": values}
    assert f"via: {expected}" == said(peer, handled, version=version)[-1]


def test_field_that_would_end_its_line_is_not_passed() -> None:
    """Not even from a trusted proxy."""
    assert ["x-forwarded-port: 2"] == said(PROXY, {b"x-forwarded-port": [b"1\r\nx: y", b"2"]})[4:-1]


@pytest.mark.parametrize("name", [*FORWARDING_FIELDS, b"x-forwarded-port", b"x-forwarded-anything"])
def test_forwarding_field_is_known(name: bytes) -> None:
    """All of them are asked for, and no other."""
    assert is_forwarding_field(name)


@pytest.mark.parametrize("name", [b"host", b"cookie", b"x-forwarded", b"x-real-ip-2", b"traceparent", b"x-request-id"])
def test_other_field_passes_by(name: bytes) -> None:
    """What backends don't take for an address, scheme or host is none of our business."""
    assert not is_forwarding_field(name)
