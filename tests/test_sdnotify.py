"""sd_notify: what a service manager reads from its own socket."""

from __future__ import annotations

import os
import socket
import time
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from proxy.sdnotify import ServiceManager

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Listening:
    """The manager's end."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.settimeout(10)
        self._socket.bind(address.replace("@", "\0", 1))

    def close(self) -> None:
        self._socket.close()

    def lines(self) -> list[str]:
        return self._socket.recv(4096).decode().split("\n")


@pytest.fixture(params=["path", "abstract"])
def listening(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Listening]:
    address = str(tmp_path / "notify") if request.param == "path" else f"@changeover-test-{os.getpid()}"
    made = Listening(address)
    yield made
    made.close()


def test_service_manager_reads_each_word_as_one_datagram(listening: Listening):
    """Assignments, one a line; also where the socket is one without a file."""
    manager = ServiceManager(listening.address)
    manager.ready("serving")
    manager.stopping("draining")
    manager.status("replacing worker-1")
    manager.alive()
    assert ["READY=1", "STATUS=serving"] == listening.lines()
    assert ["STOPPING=1", "STATUS=draining"] == listening.lines()
    assert ["STATUS=replacing worker-1"] == listening.lines()
    assert ["WATCHDOG=1"] == listening.lines()


def test_reloading_is_told_with_the_monotonic_time_of_its_begin(listening: Listening):
    """Type=notify-reload needs it, in microseconds, to tell this reload from the one before."""
    before_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    ServiceManager(listening.address).reloading()
    word, at, status = listening.lines()
    after_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    assert ("RELOADING=1", True) == (word, status.startswith("STATUS="))
    assert before_us <= int(at.removeprefix("MONOTONIC_USEC=")) <= after_us


def test_variables_of_the_manager_are_taken_out_of_the_environment():
    """A child that found them would speak in its parent's name."""
    environ = {"NOTIFY_SOCKET": "/run/n", "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid()), "HOME": "/"}
    manager = ServiceManager.take_from(environ)
    assert (3.0, {"HOME": "/"}) == (manager.watchdog_s, environ)


@pytest.mark.parametrize(
    "environ",
    [{}, {"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": ""}, {"WATCHDOG_USEC": "soon"}],
    ids=["unset", "another process's", "empty", "no number"],
)
def test_watchdog_is_off_unless_it_is_meant_for_this_process(environ: dict[str, str]):
    """Signs of life that nobody asked for are not sent."""
    assert ServiceManager.take_from(environ).watchdog_s is None


def test_without_a_manager_nothing_is_said_and_nothing_fails():
    """Started by hand, there is nobody to tell."""
    with capture_logs() as logs:
        ServiceManager.take_from({}).ready("serving")
    assert [] == logs


def test_manager_that_is_gone_is_logged_and_stops_nothing(tmp_path: Path):
    """The service goes on without it."""
    with capture_logs() as logs:
        ServiceManager(str(tmp_path / "nobody")).ready("serving")
    assert [("service_manager.unreached", "READY=1")] == [(line["event"], line["lost"]) for line in logs]
