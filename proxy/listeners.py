"""Listening sockets and their TLS: TCP or Unix, bound with one clear refusal; certificates replaced while they serve.

A listener is bound by the process that starts the others, inherited by them, and released at its end.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import stat
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from proxy.addresses import UNIX, TcpAddress, UnixAddress
from proxy.certificates import UnusableFile, is_expired, load_pair, read_digest, read_end
from proxy.errors import StartError

if TYPE_CHECKING:
    from datetime import datetime

    from proxy.addresses import Address

log = structlog.get_logger(__name__)

BACKLOG = 2048
_PROBE_S = 1.0  # to see whether somebody listens on a Unix socket; a full backlog doesn't answer
_UMASK = 0o117  # sockets of mode 0660: the user, and the group of the web server before us
LOOK_S = 5.0  # from a renewed certificate to its use; renewals come weeks before the end


# --- sockets -----------------------------------------------------------------------------------------------------
def bind(address: Address, flag: str) -> socket.socket:
    """A listening socket. Raises StartError, naming the flag, where the address is taken or not ours."""
    try:
        return _bind_unix(address.path) if isinstance(address, UnixAddress) else _bind_tcp(address)
    except OSError as error:
        raise _unbound(address, flag, error) from error


def _unbound(address: Address, flag: str, error: OSError) -> StartError:
    return StartError(f"{flag} {address}: can't listen there ({error.strerror or error}); give another {flag}")


def bind_each(address: Address, flag: str, number: int) -> list[socket.socket]:
    """As `bind`, but one socket for each of `number` workers, among which the kernel spreads new connections (ADR 5).

    A Unix socket, and any socket elsewhere than on Linux, is one for all of them.
    """
    if isinstance(address, UnixAddress) or number == 1 or not sys.platform.startswith("linux"):
        return [bind(address, flag)]
    with ExitStack() as stack:
        try:
            # Reserves the port without sharing it: two nodes on one address would share it unnoticed otherwise.
            guard = stack.enter_context(_tcp_socket(address))
            guard.bind(tuple(address))
            shared = TcpAddress(address.host, guard.getsockname()[1])
            listeners = [stack.enter_context(_bind_tcp(shared, is_shared=True)) for _ in range(number)]
        except OSError as error:
            raise _unbound(address, flag, error) from error
        guard.close()
        stack.pop_all()
    return listeners


def _tcp_socket(address: TcpAddress) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in address.host else socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return made


def _bind_tcp(address: TcpAddress, *, is_shared: bool = False) -> socket.socket:
    listener = _tcp_socket(address)
    try:
        if is_shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(tuple(address))
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _bind_unix(path: str) -> socket.socket:
    _remove_stale(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    umask = os.umask(_UMASK)  # not chmod afterwards: in between, others could connect
    try:
        listener.bind(path)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(umask)
    return listener


def _remove_stale(path: str) -> None:
    """Removes a socket file that its process has left. Raises OSError for anything else that is there."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise OSError("a file that is not a socket is there")
    if not _is_stale(path):
        raise OSError("another process listens there")
    Path(path).unlink(missing_ok=True)


def _is_stale(path: str) -> bool:
    """Whether nobody listens on a socket file. Raises OSError where that can't be told."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_PROBE_S)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            return True
        except (TimeoutError, BlockingIOError):  # its backlog is full: somebody listens, and is busy
            return False
    return False


def release(listener: socket.socket) -> None:
    """Closes a socket that `bind` made, and removes a Unix socket's file unless somebody else listens there by now."""
    path = listener.getsockname() if listener.family == socket.AF_UNIX else None
    listener.close()
    if path is None:
        return
    try:
        _remove_stale(path)
    except OSError as error:
        log.warning("listener.left", path=path, cause=error.strerror or str(error))


def url_of(listener: socket.socket, *, is_tls: bool = False) -> str:
    """Where a bound socket is reached: `http://127.0.0.1:8000`, `https://[::1]:8000`, `unix:/run/changeover.sock`."""
    name = listener.getsockname()
    if listener.family == socket.AF_UNIX:
        return f"{UNIX}{name}"
    return f"{'https' if is_tls else 'http'}://{TcpAddress(*name[:2])}"


# --- TLS ---------------------------------------------------------------------------------------------------------
def listener_tls(certificate: Path | None, key: Path | None) -> ListenerTls | None:
    """The TLS of the users' listener; None where neither file is given. Raises StartError."""
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        given, missing = ("--tls-key", "--tls-certificate") if key else ("--tls-certificate", "--tls-key")
        raise StartError(f"{given} {key or certificate}: it needs {missing} beside it; give both or neither")
    try:
        return ListenerTls(certificate, key)
    except UnusableFile as error:
        raise StartError(f"--tls-{error.part} {error}") from error


@dataclass(frozen=True, slots=True)
class _Loaded:
    """What the files held when they were read: a context that shows it, and until when it is valid."""

    digest: str
    context: ssl.SSLContext
    end: datetime


class ListenerTls:
    """A listener's TLS, which shows each new connection the certificate that the files hold.

    1. A file that can't be used changes nothing: the certificate in force stays, and the refusal is logged once.
    2. A new certificate is a new context, for `load_pair`'s reason. `context`, which the server has, passes each
       handshake on to the newest one; connections that are open go on as they began.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        """Raises UnusableFile."""
        self._certificate = certificate
        self._key = key
        self._in_force = self._load(read_digest(certificate, key))
        self.context = self._in_force.context
        self.context.sni_callback = self._pass_on  # called for each handshake, also for one without a server name
        self._refusal = ""
        self._next_look_at = 0.0
        self._look: asyncio.Future[_Loaded | None] | None = None
        self._warn_if_expired()

    def sweep(self, now: float) -> None:
        """Looks at the files every few seconds of the loop's time `now`, in a thread: a disk may let us wait."""
        if now < self._next_look_at or self._look is not None:
            return
        self._next_look_at = now + LOOK_S
        self._look = asyncio.get_running_loop().run_in_executor(None, self._load_if_changed)
        self._look.add_done_callback(self._looked)

    def reload(self) -> bool:
        """Looks at the files now; True if another certificate is in force from here on."""
        try:
            return self._take(self._load_if_changed())
        except UnusableFile as error:
            self._refuse(error)
            return False

    def _looked(self, look: asyncio.Future[_Loaded | None]) -> None:
        self._look = None
        try:
            self._take(look.result())
        except UnusableFile as error:
            self._refuse(error)

    def _load_if_changed(self) -> _Loaded | None:
        digest = read_digest(self._certificate, self._key)
        return None if digest == self._in_force.digest else self._load(digest)

    def _load(self, digest: str) -> _Loaded:
        context = _server_context(self._certificate, self._key)
        return _Loaded(digest, context, read_end(self._certificate))

    def _take(self, loaded: _Loaded | None) -> bool:
        self._refusal = ""
        if loaded is None:
            return False
        self._in_force = loaded
        log.info("certificate.replaced", file=str(self._certificate), valid_until=loaded.end.isoformat())
        self._warn_if_expired()
        return True

    def _refuse(self, error: UnusableFile) -> None:
        refusal = str(error)
        if refusal != self._refusal:
            self._refusal = refusal
            log.error("certificate.refused", cause=refusal, in_force_until=self._in_force.end.isoformat())

    def _pass_on(self, connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        del name, context
        connection.context = self._in_force.context

    def _warn_if_expired(self) -> None:
        end = self._in_force.end
        if is_expired(end):
            log.warning("certificate.expired", file=str(self._certificate), valid_until=end.isoformat())


def _server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """TLS 1.2 and later (RFC 8996), HTTP/1.1 only. Raises UnusableFile."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    load_pair(context, certificate, key)
    return context
