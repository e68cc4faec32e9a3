"""How a backend is reached below HTTP: its TLS, its Unix socket. For the pools, and for whoever else asks backends."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from proxy.certificates import load_authorities, load_pair
from proxy.traffic.upstream.connection import Connection

if TYPE_CHECKING:
    from proxy.core.model import Backend

log = structlog.get_logger(__name__)


def backend_ssl_context(backend: Backend) -> ssl.SSLContext | None:
    """The TLS context for connections to a backend; None for one without TLS. Raises UnusableFile (`certificates`).

    It takes 20 ms where it reads the system's authorities: make one and keep it. Files are read now and not again.
    """
    if backend.scheme != "https":
        return None
    tls = backend.tls
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # RFC 8996
    context.set_alpn_protocols(["http/1.1"])
    if tls.ca is not None:
        load_authorities(context, Path(tls.ca))
    else:
        context.load_default_certs()
    if tls.certificate is not None and tls.key is not None:
        load_pair(context, Path(tls.certificate), Path(tls.key))
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        log.warning("backend.unverified", backend=backend.side, url=backend.url)
    return context


def backend_server_name(backend: Backend) -> str | None:
    """The name to ask for (SNI) and to find in the backend's certificate; None for a backend without TLS."""
    return (backend.tls.server_name or backend.host) if backend.scheme == "https" else None


def backend_socket_path(backend: Backend) -> str | None:
    """The Unix socket by which a backend is reached; None for one that has a host and a port."""
    return backend.socket_path


class TlsConnection(Connection):
    """A connection under TLS. An answer that ends with it is whole only after a closure alert (RFC 9112 §9.8).

    Without the alert anybody in between can have ended it. uvloop and asyncio call `eof_received` for the alert only,
    and `connection_lost(None)` in both cases.
    """

    _has_closure_alert = False

    def eof_received(self) -> bool:
        self._has_closure_alert = True
        return super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is None and not self._has_closure_alert:
            exc = ConnectionAbortedError("the connection ended without a TLS closure alert")
        super().connection_lost(exc)
