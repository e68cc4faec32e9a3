"""Which proxies before us are believed when they say from whom, by which scheme and for which host a request came.

Text to a frozen value, and the one question asked of it. `forwarding` asks it of the peer and of each hop before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network

UNIX_WORD = "unix"
_HOW = "write addresses, networks and the word unix, with commas between them: 10.0.0.0/8, 2001:db8::1, unix"
_MAPPED = IPv6Network("::ffff:0:0/96")  # RFC 4291 §2.5.5.2


@dataclass(frozen=True, slots=True)
class TrustedProxies:
    """Networks, and whether whoever comes by a Unix socket is trusted. By default nobody is."""

    networks: tuple[IPNetwork, ...] = ()
    is_unix_trusted: bool = False

    def has(self, address: IPAddress | None) -> bool:
        """Whether the proxy at this address is believed; None came by a Unix socket. No IPv4-mapped addresses here."""
        if address is None:
            return self.is_unix_trusted
        return any(address in network for network in self.networks)


def parse_trusted_proxies(text: str) -> TrustedProxies:
    """The proxies in a text, comma separated; nobody in an empty one. Raises ValueError that says how to write them."""
    items = [item.strip() for item in text.split(",")] if text.strip() else []
    networks = tuple(_network(item) for item in items if item.lower() != UNIX_WORD)
    return TrustedProxies(networks, len(networks) < len(items))


def _network(item: str) -> IPNetwork:
    """A network, or the one of a single address."""
    try:
        network = ip_network(item)
    except ValueError as error:
        raise ValueError(f"{item!r} {_fault(item)}; {_HOW}") from error
    if isinstance(network, IPv6Network):
        _refuse_unmatchable(item, network)
    return network


def _fault(item: str) -> str:
    if not item:
        return "stands beside a comma"
    if item == "*":
        return "would believe whatever users invent"
    try:
        return f"has bits behind its prefix, the network is {ip_network(item, strict=False)}"
    except ValueError:
        return "is neither an address nor a network"


def _refuse_unmatchable(item: str, network: IPv6Network) -> None:
    """Peers are known by addresses without a zone, and by IPv4 ones as such: these would never be met."""
    if "%" in item:
        raise ValueError(f"{item!r} has a zone; write the address without it")
    if network.subnet_of(_MAPPED):
        raise ValueError(f"{item!r} is an IPv4 address mapped to IPv6; write it as IPv4")
