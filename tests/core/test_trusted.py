"""Which proxies are believed: read as people write them, asked by address."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from proxy.core.trusted import TrustedProxies, parse_trusted_proxies


@pytest.mark.parametrize(
    ("text", "networks", "is_unix_trusted"),
    [
        ("", [], False),
        (" \t", [], False),
        ("unix", [], True),
        ("192.0.2.1", ["192.0.2.1/32"], False),
        (" 10.0.0.0/8 ,\t2001:DB8::1,UNIX ", ["10.0.0.0/8", "2001:db8::1/128"], True),
        ("10.0.0.0/255.0.0.0", ["10.0.0.0/8"], False),
        ("0.0.0.0/0,::/0", ["0.0.0.0/0", "::/0"], False),
    ],
)
def test_proxies_are_read_as_people_write_them(text: str, networks: list[str], is_unix_trusted: bool) -> None:
    """Addresses, networks of both families and the word unix, with blanks between them."""
    assert TrustedProxies(tuple(map(ip_network, networks)), is_unix_trusted) == parse_trusted_proxies(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("10.0.0.1,", "'' stands beside a comma; write addresses, networks and the word unix"),
        ("*", r"'\*' would believe whatever users invent"),
        ("10.0.0.1/8", r"'10\.0\.0\.1/8' has bits behind its prefix, the network is 10\.0\.0\.0/8"),
        ("2001:db8::1/32", "the network is 2001:db8::/32"),
        ("proxy.example", "'proxy.example' is neither an address nor a network"),
        ("10.0.0.1:80", "neither an address nor a network"),
        ("[::1]", "neither an address nor a network"),
        ("10.0.0.0/33", "neither an address nor a network"),
        ("unix:/run/a.sock", "neither an address nor a network"),
        ("::ffff:10.0.0.1", "is an IPv4 address mapped to IPv6; write it as IPv4"),
        ("::ffff:10.0.0.0/104", "is an IPv4 address mapped to IPv6"),
        ("fe80::1%eth0", "has a zone; write the address without it"),
    ],
)
def test_proxies_that_cannot_be_meant_are_refused(text: str, says: str) -> None:
    """What would trust nobody, or everybody, by mistake is refused with what to write."""
    with pytest.raises(ValueError, match=says):
        parse_trusted_proxies(text)


@pytest.mark.parametrize(
    ("address", "is_trusted"),
    [
        ("10.255.0.1", True),
        ("11.0.0.1", False),
        ("2001:db8::1", True),
        ("2001:db8::2", False),
        ("::", False),
        ("0.0.0.0", False),
    ],
)
def test_proxy_is_trusted_by_its_address(address: str, is_trusted: bool) -> None:
    """Whoever is in one of the networks, whichever family it is of."""
    trusted = parse_trusted_proxies("10.0.0.0/8, 2001:db8::1")
    assert is_trusted == trusted.has(ip_address(address))


def test_proxy_on_a_unix_socket_is_trusted_by_the_word() -> None:
    """No network has it; the word has it and nobody else."""
    everybody = parse_trusted_proxies("0.0.0.0/0, ::/0")
    unix = parse_trusted_proxies("unix")
    assert [False, True, False] == [everybody.has(None), unix.has(None), unix.has(ip_address("127.0.0.1"))]
