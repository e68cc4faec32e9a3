"""What is held before, at most and after: of a process that stands for the worker, with real abusers."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from bench.cores import Cores
from bench.footprint import FOOTPRINT_HEADER, Abuse, Footprint, abusing, wait_for_return
from bench.processes import Held

if TYPE_CHECKING:
    from pathlib import Path

CORES = Cores((0,), (0,), (0,))


def held(descriptors: int, rss_kib: int = 1024, most_rss_kib: int = 2048) -> Held:
    return Held(rss_kib, most_rss_kib, 1, descriptors, 0)


@pytest.mark.parametrize(("after", "left_open"), [(10, 0), (8, 0), (13, 3)])
def test_what_is_left_open_is_what_was_not_there_before(after: int, left_open: int) -> None:
    """Less than before is nothing left."""
    footprint = Footprint(Abuse("idle", 3, 1.0), 1, 2, held(10), 0, held(after))
    assert left_open == footprint.left_open


def test_row_has_a_cell_for_each_column() -> None:
    """Memory in MiB, the most of it as the kernel has it."""
    footprint = Footprint(Abuse("idle", 2_000, 1.0), 1, 2, held(10), 4096, held(11), 2_010, 5120, 1_999, 9.8, 1 << 20)
    cells = footprint.cells()
    assert len(FOOTPRINT_HEADER) == len(cells)
    assert ["2,000 idle", "1.0 MiB", "2.0 MiB", "1.0 MiB", "4.0 MiB", "5.0 MiB"] == cells[:6]
    assert ["10", "2,010", "11", "1,999 of 2,000 in 10 s", "1.0 MiB"] == cells[6:]


def test_those_who_stay_are_counted_with_what_they_sent(tmp_path: Path) -> None:
    """An upload of so many bytes to a server that takes them and ends the connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def take() -> None:
            connection, _ = server.accept()
            with connection, suppress(ConnectionError):
                while not connection.recv(1 << 20).endswith(b"0\r\n\r\n"):
                    pass

        taking = threading.Thread(target=take)
        taking.start()
        footprint = Footprint(Abuse("upload", 1, 20.0), os.getpid(), os.getpid(), held(1_000), 0)
        footprint.watch(server.getsockname()[1], CORES, tmp_path, 3 << 20, 20.0)
        taking.join()
    assert (1, 3) == (footprint.ended, footprint.sent >> 20)
    assert footprint.most_descriptors > 0
    assert 0 == footprint.left_open


def test_abusers_are_at_it_when_it_is_said_and_gone_afterwards(tmp_path: Path) -> None:
    """All of their connections have come; with the context they end."""
    with (
        socket.create_server(("127.0.0.1", 0), backlog=8) as server,
        abusing(Abuse("idle", 3, 1.0), server.getsockname()[1], CORES, tmp_path),
    ):
        accepted = [server.accept()[0] for _ in range(3)]
    assert [b"", b"", b""] == [connection.recv(1) for connection in accepted]
    for connection in accepted:
        connection.close()
    wait_for_return(os.getpid(), 1_000)
