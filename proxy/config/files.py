"""Whether the files that a config names can be used where it is read: certificates and keys for backends.

Only who reads the config asks. A worker that is handed the document has its own files, and says itself what is wrong.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING

from proxy.certificates import UnusableFile, is_expired, load_authorities, load_pair, read_end
from proxy.config.places import Finding

if TYPE_CHECKING:
    from collections.abc import Mapping

    from proxy.config.shape import BackendShape, TlsShape


def file_findings(backends: Mapping[str, BackendShape]) -> list[Finding]:
    """The files of backends, by side, that can't be used; each with its reason."""
    return [
        Finding(("backends", side, "tls", fault.part), str(fault))
        for side, backend in backends.items()
        for fault in _faults(backend.tls)
    ]


def _faults(tls: TlsShape) -> list[UnusableFile]:
    context, faults = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), []
    if tls.ca is not None:
        try:
            load_authorities(context, Path(tls.ca))
        except UnusableFile as fault:
            faults.append(fault)
    if tls.certificate is not None and tls.key is not None:
        try:
            load_pair(context, Path(tls.certificate), Path(tls.key))
        except UnusableFile as fault:
            faults.append(fault)
    return faults


def file_warnings(backends: Mapping[str, BackendShape]) -> list[Finding]:
    """What can be used and won't be believed: certificates of ours that have expired. The files are sound."""
    findings = []
    for side, backend in backends.items():
        if backend.tls.certificate is None:
            continue
        try:
            end = read_end(Path(backend.tls.certificate))
        except UnusableFile:  # changed since it was found sound: for the next reading
            continue
        if is_expired(end):
            message = f"{backend.tls.certificate}: it expired on {end:%Y-%m-%d}; the backend will not accept it"
            findings.append(Finding(("backends", side, "tls", "certificate"), message))
    return findings
