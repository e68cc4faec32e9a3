"""How the admin listener may be entered, decided from its address and token before anything is started."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address

from proxy.errors import StartError

MIN_TOKEN_CHARACTERS = 16  # 64 bits even of hex digits; a token is made by a program, not remembered
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})


@dataclass(frozen=True, slots=True)
class Door:
    """How the listener may be entered: by which Host names, or with which token."""

    names: frozenset[str]
    token: str | None = field(default=None, repr=False)


def open_door(host: str, token: str | None) -> Door:
    """The door of a listener on `host`. Raises StartError for one that others can reach without a token."""
    if token is None and not is_loopback(host):
        raise StartError(
            f"admin listener {host}: it can be reached from elsewhere, and no token is set; "
            "set CHANGEOVER_ADMIN_TOKEN, or listen on 127.0.0.1"
        )
    if token is not None and len(token) < MIN_TOKEN_CHARACTERS:
        raise StartError(
            f"CHANGEOVER_ADMIN_TOKEN: it has fewer than {MIN_TOKEN_CHARACTERS} characters; "
            "use e.g. `openssl rand -hex 24`"
        )
    return Door(_LOOPBACK_NAMES | {_as_host_name(host)}, token)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a listener on `host`; of names, only localhost is."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _as_host_name(host: str) -> str:
    """As the Host header writes it: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host.lower()
