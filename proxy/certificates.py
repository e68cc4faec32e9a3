"""PEM files of certificates and keys: checked, and put into TLS contexts. A fault names its file and says why.

For both ends: the users' listener, and the connections to backends. Who verifies whom is decided there.
"""

from __future__ import annotations

import hashlib
import re
import ssl
import stat
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Part = Literal["ca", "certificate", "key"]

MAX_BYTES = 1_048_576  # the bundle of all public authorities has 220 kB
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
# What OpenSSL says of a key that is another certificate's: of the same kind, or of another one.
_MISMATCHES = frozenset({"KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED"})


class UnusableFile(ValueError):
    """A PEM file that can't be used. `part` says as what; the message is `FILE: reason; what to do`."""

    def __init__(self, part: Part, file: Path, reason: str) -> None:
        self.part: Part = part
        self.file = file
        self.reason = reason
        super().__init__(f"{file}: {reason}")


def load_authorities(context: ssl.SSLContext, file: Path, part: Part = "ca") -> None:
    """Has the context trust the certificates in a PEM file. Raises UnusableFile."""
    _read(file, part)
    try:
        context.load_verify_locations(cafile=file)
    except OSError as error:  # ssl.SSLError is one
        raise UnusableFile(part, file, "it holds no certificate, or a damaged one; give a PEM file") from error


def load_pair(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    """Gives the context a certificate with its chain, its own first, and its private key. Raises UnusableFile.

    Only for a context that has none yet: OpenSSL keeps one certificate for each kind of key, so an EC certificate would
    go on being used beside the RSA one that was to replace it (SSL_CTX_use_certificate(3); measured).
    """
    load_authorities(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), certificate, "certificate")
    if b"ENCRYPTED" in _read(key, "key"):
        raise UnusableFile("key", key, "it needs a passphrase; store it without one (openssl pkey -in … -out …)")
    try:
        context.load_cert_chain(certificate, key, password="")  # no passphrase: OpenSSL would ask the terminal
    except ssl.SSLError as error:
        if error.reason in _MISMATCHES:
            reason = f"it doesn't belong to the first certificate in {certificate}; give that one's key"
            raise UnusableFile("key", key, reason) from error
        if error.reason is None:  # "PEM lib": the certificate was read above
            raise UnusableFile("key", key, "it holds no private key, or a damaged one; give a PEM file") from error
        reason = f"OpenSSL refuses it ({error.reason.lower().replace('_', ' ')}); issue another one"
        raise UnusableFile("certificate", certificate, reason) from error
    except OSError as error:  # gone since it was read
        raise UnusableFile("certificate", certificate, f"it can't be read: {error.strerror or error}") from error


def read_digest(certificate: Path, key: Path) -> str:
    """The SHA-256 of both files; times may not change where a mounted secret is swapped. Raises UnusableFile."""
    content = _read(certificate, "certificate"), _read(key, "key")
    return hashlib.sha256(b"\0".join(content)).hexdigest()


def read_end(certificate: Path) -> datetime:
    """When the first certificate of a PEM file ends to be valid. Raises UnusableFile."""
    found = _CERTIFICATE.search(_read(certificate, "certificate"))
    try:
        return _end_of(ssl.PEM_cert_to_DER_cert(found[0].decode("ascii") if found else ""))
    except (ValueError, IndexError, StopIteration) as error:
        raise UnusableFile("certificate", certificate, "its time of validity can't be read") from error


def is_expired(end: datetime) -> bool:
    return end < datetime.now(UTC)


def _read(file: Path, part: Part) -> bytes:
    try:
        if not stat.S_ISREG(file.stat().st_mode):  # a pipe or a device would block, or never end
            raise UnusableFile(part, file, "it is not a file; give a PEM file")
        with file.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise UnusableFile(part, file, "the file doesn't exist; create it, or name another") from error
    except OSError as error:
        raise UnusableFile(part, file, f"it can't be read: {error.strerror or error}") from error
    if len(content) > MAX_BYTES:
        raise UnusableFile(part, file, f"it is larger than {MAX_BYTES:,} bytes; give a PEM file")
    return content


# --- the one thing in a certificate that Python's ssl doesn't tell of one that isn't a peer's -------------------------
_VERSION = 0xA0  # [0] EXPLICIT, left out by version 1
_UTC_TIME = 0x17


def _end_of(certificate: bytes) -> datetime:
    """`notAfter` of a DER certificate (RFC 5280 §4.1): the second time of the fourth field after the version."""
    _, content = next(_elements(certificate))
    _, signed = next(_elements(content))
    fields = [value for tag, value in _elements(signed) if tag != _VERSION]
    _, (tag, end) = _elements(fields[3])
    text = end.decode("ascii")
    if tag == _UTC_TIME:  # two digits of the year: 50 to 99 are 19xx (RFC 5280 §4.1.2.5.1)
        text = ("19" if text >= "50" else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def _elements(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and content of each DER element (X.690 §8.1), one after the other."""
    at = 0
    while at < len(content):
        tag, length, at = content[at], content[at + 1], at + 2
        if length & 0x80:  # the long form: so many bytes of length follow
            size = length & 0x7F
            length, at = int.from_bytes(content[at : at + size], "big"), at + size
        yield tag, content[at : at + length]
        at += length
