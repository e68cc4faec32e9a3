"""From which address a request to the admin listener comes: who connected, or whom a listed sign-on proxy names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.core.forwarding import Forwarding, Peer

if TYPE_CHECKING:
    from starlette.requests import Request

    from proxy.core.trusted import TrustedProxies

UNIX = "unix"
_FIELDS = ("x-forwarded-for", "forwarded")


class Origins:
    """Reads addresses as the data plane does: what the listed proxies say is believed, and nobody else."""

    def __init__(self, proxies: TrustedProxies) -> None:
        self._forwarding = Forwarding(proxies)

    def of(self, request: Request) -> str:
        """The address as text; `unix` for a Unix socket behind which nobody is named."""
        peer = self._peer(request)
        handled = {name.encode(): _values(request, name) for name in _FIELDS if name in request.headers}
        if request.client is None and not (peer.is_trusted and handled):
            return UNIX
        return self._forwarding.client_address(peer, handled)

    def is_listed(self, request: Request) -> bool:
        """Whether a listed proxy speaks."""
        return self._peer(request).is_trusted

    def _peer(self, request: Request) -> Peer:
        return self._forwarding.peer(None if request.client is None else request.client.host, request.url.scheme)


def _values(request: Request, name: str) -> list[bytes]:
    return [value.encode("latin-1") for value in request.headers.getlist(name)]
