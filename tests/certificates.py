"""Authorities and certificates as files, of every kind that a test needs: real ones, made by trustme."""

from __future__ import annotations

import itertools
import ssl
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import trustme
from trustme import KeyType

if TYPE_CHECKING:
    from pathlib import Path

EC, RSA = KeyType.ECDSA, KeyType.RSA
_DAY = timedelta(days=1)


class Pair(NamedTuple):
    """The files of a certificate with its chain, and of its key."""

    certificate: Path
    key: Path

    @property
    def settings(self) -> dict[str, Any]:
        """As the settings of a TLS listener."""
        return {"tls_certificate": self.certificate, "tls_key": self.key}

    def replace(self, other: Pair) -> None:
        """Puts another pair's content into these files."""
        self.certificate.write_bytes(other.certificate.read_bytes())
        self.key.write_bytes(other.key.read_bytes())


class Authority:
    """Somebody who vouches for names; `file` is the authority's own certificate."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        self._ca = trustme.CA(key_type=EC)
        self._folder = folder
        self._name = name
        self._numbers = itertools.count()
        self.file = folder / f"{name}.pem"
        self._ca.cert_pem.write_to_path(str(self.file))

    def issue(self, *names: str, **options: Any) -> Pair:
        """A certificate for the names (localhost), valid for a year unless `options` say something else."""
        issued = self._ca.issue_cert(*(names or ("localhost", "127.0.0.1")), **options)
        stem = f"{self._name}-{next(self._numbers)}"
        pair = Pair(self._folder / f"{stem}.pem", self._folder / f"{stem}.key")
        pair.certificate.write_bytes(b"".join(part.bytes() for part in issued.cert_chain_pems))
        pair.key.write_bytes(issued.private_key_pem.bytes())
        return pair

    def issue_expired(self, *names: str) -> Pair:
        """A certificate whose time ended yesterday."""
        now = datetime.now(UTC)
        return self.issue(*names, not_before=now - 10 * _DAY, not_after=now - _DAY)

    def trusting(self) -> ssl.SSLContext:
        """A client's context that trusts this authority alone."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.file)
        return context

    def demanding(self, pair: Pair) -> ssl.SSLContext:
        """A server's context that wants certificates of clients, by this authority."""
        context = server_context(pair)
        context.load_verify_locations(self.file)
        context.verify_mode = ssl.CERT_REQUIRED
        return context


def server_context(pair: Pair) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)
    return context


def der_of(pair: Pair) -> bytes:
    """The pair's own certificate, as a peer gets to see it."""
    return ssl.PEM_cert_to_DER_cert(
        pair.certificate.read_text().partition("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----"
    )


def shake_hands(client: ssl.SSLContext, server: ssl.SSLContext, name: str = "localhost") -> ssl.SSLObject:
    """A client's end of a handshake in memory, finished. Raises ssl.SSLError where one side refuses."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking = client.wrap_bio(to_client, to_server, server_hostname=name)
    answering = server.wrap_bio(to_server, to_client, server_side=True)
    waiting = [asking, answering]
    while waiting:
        side = waiting.pop(0)
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            waiting.append(side)
    return asking


def only_old(client: ssl.SSLContext, version: ssl.TLSVersion) -> ssl.SSLContext:
    """A context that speaks no TLS later than `version`, with the weak ciphers of its time."""
    client.set_ciphers("ALL:@SECLEVEL=0")
    client.minimum_version = client.maximum_version = version
    return client
