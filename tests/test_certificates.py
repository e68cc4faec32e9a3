"""Every file that can't be a certificate or a key is told by its name, with why; a good pair is loaded."""

from __future__ import annotations

import os
import ssl
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.serialization import (  # trustme is made of it
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from proxy.certificates import (
    MAX_BYTES,
    UnusableFile,
    is_expired,
    load_authorities,
    load_pair,
    read_digest,
    read_end,
)
from tests.certificates import EC, RSA, Authority, Pair, der_of, shake_hands

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def empty() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)


def fault_of(call: Callable[[], object]) -> UnusableFile:
    with pytest.raises(UnusableFile) as refusal:
        call()
    assert str(refusal.value) == f"{refusal.value.file}: {refusal.value.reason}"
    return refusal.value


@pytest.mark.parametrize("kind", [EC, RSA])
def test_good_pair_is_shown_to_clients(kind: object, authority: Authority) -> None:
    """Keys of both kinds are loaded, with their certificate."""
    pair, context = authority.issue(key_type=kind), empty()

    load_pair(context, *pair)

    assert der_of(pair) == shake_hands(authority.trusting(), context).getpeercert(binary_form=True)


def test_one_file_may_hold_both(authority: Authority, tmp_path: Path) -> None:
    """Certificate and key in one file, as HAProxy wants them."""
    pair, both = authority.issue(), tmp_path / "both.pem"
    both.write_bytes(pair.key.read_bytes() + pair.certificate.read_bytes())

    load_pair(context := empty(), both, both)

    assert der_of(pair) == shake_hands(authority.trusting(), context).getpeercert(binary_form=True)


def make_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def make_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


@pytest.mark.parametrize("part", ["certificate", "key"])
@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda file: file.unlink(), "the file doesn't exist; create it"),
        (make_folder, "it is not a file"),
        (make_pipe, "it is not a file"),
        (lambda file: file.write_bytes(b""), "or a damaged one; give a PEM file"),
        (lambda file: file.write_bytes(b"\xff" * 100), "or a damaged one; give a PEM file"),
        (lambda file: file.write_bytes(file.read_bytes()[:150]), "or a damaged one; give a PEM file"),
        (lambda file: file.write_bytes(file.read_bytes().replace(b"M", b"", 1)), "or a damaged one; give a PEM file"),
        (lambda file: file.write_bytes(b"x" * (MAX_BYTES + 1)), "it is larger than 1,048,576 bytes"),
    ],
    ids=["absent", "folder", "pipe", "empty", "binary", "cut", "damaged", "huge"],
)
def test_spoilt_file_is_told_by_its_part(
    part: str, spoil: Callable[[Path], object], reason: str, authority: Authority
) -> None:
    """Which of the two files it is, and why it can't be used; nothing waits for a pipe."""
    pair = authority.issue()
    spoil(getattr(pair, part))

    fault = fault_of(lambda: load_pair(empty(), *pair))

    assert (part, getattr(pair, part)) == (fault.part, fault.file)
    assert reason in fault.reason


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_file_without_permission_is_told(authority: Authority) -> None:
    """The system's reason is passed on."""
    pair = authority.issue()
    pair.key.chmod(0)

    assert "can't be read: Permission denied" in fault_of(lambda: load_pair(empty(), *pair)).reason


@pytest.mark.parametrize(("own", "others"), [(EC, EC), (RSA, RSA), (EC, RSA), (RSA, EC)])
def test_key_of_another_certificate_is_refused(own: object, others: object, authority: Authority) -> None:
    """A key that is another's, of the same kind or not, is the key's fault."""
    pair = Pair(authority.issue(key_type=own).certificate, authority.issue(key_type=others).key)

    fault = fault_of(lambda: load_pair(empty(), *pair))

    assert ("key", pair.key) == (fault.part, fault.file)
    assert f"doesn't belong to the first certificate in {pair.certificate}" in fault.reason


def test_key_with_a_passphrase_is_refused_without_asking_for_it(authority: Authority) -> None:
    """OpenSSL would ask the terminal, and a service would wait for ever."""
    pair = authority.issue()
    key = load_pem_private_key(pair.key.read_bytes(), None)
    for kind in (PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL):
        pair.key.write_bytes(key.private_bytes(Encoding.PEM, kind, BestAvailableEncryption(b"secret")))

        assert "needs a passphrase; store it without one" in fault_of(lambda: load_pair(empty(), *pair)).reason


def test_certificate_that_openssl_finds_too_weak_is_refused(authority: Authority) -> None:
    """OpenSSL's own reason is told; here a context that asks for more than an EC key of 256 bits."""
    pair, strict = authority.issue(), empty()
    strict.set_ciphers("DEFAULT:@SECLEVEL=5")

    fault = fault_of(lambda: load_pair(strict, *pair))

    assert ("certificate", "OpenSSL refuses it (ee key too small)") == (fault.part, fault.reason.partition(";")[0])


def test_authorities_are_trusted(authority: Authority, tmp_path: Path) -> None:
    """One file may hold several, with remarks in any script between them."""
    bundle, other = tmp_path / "bundle.pem", Authority(tmp_path, "other")
    bundle.write_bytes(
        "# Főtanúsítvány\n".encode() + other.file.read_bytes() + b"\n# ours\n" + authority.file.read_bytes()
    )
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    load_authorities(client, bundle)

    assert 2 == len(client.get_ca_certs())


@pytest.mark.parametrize(
    "content", [None, b"", b"no PEM", b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"]
)
def test_authorities_that_are_none_are_refused(content: bytes | None, tmp_path: Path) -> None:
    """An absent, an empty, a foreign and a damaged file."""
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)

    fault = fault_of(lambda: load_authorities(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), file))

    assert ("ca", file) == (fault.part, fault.file)


@pytest.mark.parametrize(
    "end",
    [
        datetime(1999, 12, 31, 23, 59, 59, tzinfo=UTC),
        datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC),
        datetime(2050, 1, 1, tzinfo=UTC),  # from here on with four digits (RFC 5280 §4.1.2.5)
        datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC),  # "no end", by the same section
    ],
)
def test_end_of_a_certificate_is_read(end: datetime, authority: Authority) -> None:
    """The first certificate's, to the second, in both ways of writing it."""
    pair = authority.issue(not_before=datetime(1990, 1, 1, tzinfo=UTC), not_after=end)
    pair.certificate.write_bytes(b"a remark\n" + pair.certificate.read_bytes() + authority.file.read_bytes())

    assert end == read_end(pair.certificate)
    assert (end < datetime.now(UTC)) is is_expired(end)


@pytest.mark.parametrize("body", ["", "AAAA", "MAMCAQE=", "MAUwAwIBAQ=="])
def test_certificate_without_a_time_is_refused(body: str, tmp_path: Path) -> None:
    """What is no certificate has no end: no PEM, no DER, and sequences of something else."""
    file = tmp_path / "odd.pem"
    file.write_text(f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")

    assert "its time of validity can't be read" == fault_of(lambda: read_end(file)).reason


def test_digest_changes_with_either_file(authority: Authority) -> None:
    """And only with their content."""
    pair, other = authority.issue(), authority.issue()
    before = read_digest(*pair)
    os.utime(pair.certificate, (0, 0))

    assert before == read_digest(*pair)
    assert 4 == len({before, read_digest(other.certificate, pair.key), read_digest(pair.certificate, other.key),
                     read_digest(*other)})  # fmt: skip
