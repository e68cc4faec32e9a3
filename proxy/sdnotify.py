"""What the service manager is told, by sd_notify(3): datagrams of `NAME=value` lines to the socket in NOTIFY_SOCKET.

Enough for `Type=notify-reload` of systemd.service(5) with a watchdog. Without a service manager every word goes
nowhere; nothing here knows what the words are about.
"""

from __future__ import annotations

import os
import socket
import time
from typing import TYPE_CHECKING, Self

import structlog

if TYPE_CHECKING:
    from collections.abc import MutableMapping

log = structlog.get_logger(__name__)

_SEND_S = 0.5  # a manager that doesn't read must not stop what it manages


class ServiceManager:
    """`watchdog_s`: how often it wants a sign of life, at least; None when it wants none."""

    def __init__(self, address: str | None = None, watchdog_s: float | None = None) -> None:
        self._address = address
        self.watchdog_s = watchdog_s

    @classmethod
    def take_from(cls, environ: MutableMapping[str, str]) -> Self:
        """The one that started this process. Its variables are taken out: no child must speak in our name."""
        address = environ.pop("NOTIFY_SOCKET", None)
        watchdog_us, watched = environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", None)
        is_watched = watchdog_us.isdecimal() and watched in {None, str(os.getpid())}  # sd_watchdog_enabled(3)
        return cls(address or None, int(watchdog_us) / 1e6 if is_watched else None)

    def ready(self, status: str) -> None:
        """The start, or the reload that was told before, is done."""
        self._send("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        now_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send("RELOADING=1", f"MONOTONIC_USEC={now_us}", "STATUS=reading the config again")

    def stopping(self, status: str) -> None:
        self._send("STOPPING=1", f"STATUS={status}")

    def status(self, status: str) -> None:
        self._send(f"STATUS={status}")

    def alive(self) -> None:
        self._send("WATCHDOG=1")

    def _send(self, *lines: str) -> None:
        if self._address is None:
            return
        is_abstract = self._address.startswith("@")  # unix(7)
        address = "\0" + self._address[1:] if is_abstract else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as speaking:
                speaking.settimeout(_SEND_S)
                speaking.sendto("\n".join(lines).encode(), address)
        except OSError as error:
            log.warning("service_manager.unreached", address=self._address, cause=str(error), lost=lines[0])
