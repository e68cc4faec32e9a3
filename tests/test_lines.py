"""The thread that writes a log's lines: real pipes, read late, or by nobody."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from proxy.lines import Lines

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOM = 100
LONG = "x" * 1_000  # a pipe takes 64 KiB (pipe(7)), and as much is being written


@contextmanager
def piped(room: int = ROOM) -> Iterator[tuple[Lines, list[int], int]]:
    """Lines, what was told of those that were lost, and the end at which they come out."""
    reading, writing = os.pipe()
    told: list[int] = []
    lines = Lines(writing, told.append, room)
    try:
        yield lines, told, reading
    finally:
        threading.Thread(target=_read_all, args=(reading,)).start()
        lines.close()
        os.close(writing)


def _read_all(descriptor: int) -> list[bytes]:
    data = b""
    while piece := os.read(descriptor, 65_536):
        data += piece
    os.close(descriptor)
    return data.splitlines()


def read(descriptor: int, number: int) -> list[bytes]:
    data = b""
    while data.count(b"\n") < number:
        data += os.read(descriptor, 65_536)
    return data.splitlines()


def test_lines_come_out_in_order_and_whole() -> None:
    """More than a pipe takes at once, and characters that UTF-8 doesn't have."""
    with piped(room=10_000) as (lines, told, reading):
        said = [f"{number} {LONG}\udc80ß" for number in range(300)]
        for line in said:
            lines.put(line)
        assert [line.replace("\udc80", "\\udc80").encode() for line in said] == read(reading, 300)
    assert ([], 0) == (told, lines.dropped)


def test_lines_that_find_no_room_are_dropped_and_told() -> None:
    """Nobody waits for a reader who stalls; once he reads, what came through and what he is told add up."""
    with piped() as (lines, told, reading):
        for number in range(1_000):
            lines.put(f"{number} {LONG}")
        lost = lines.dropped
        assert lost >= 1_000 - ROOM - 2 * 65_536 // 1_000 - 2
        assert 1_000 - lost == len(read(reading, 1_000 - lost))
        while sum(told) < lost:
            threading.Event().wait(0.01)
        assert lost == sum(told) == lines.dropped


def test_lines_end_without_whoever_does_not_read(monkeypatch) -> None:
    """The process's end is not his to hold up."""
    monkeypatch.setattr("proxy.lines.END_S", 0.1)
    with piped() as (lines, _, _reading):
        for _ in range(1_000):
            lines.put(LONG)
        lines.close()
        assert lines._thread is not None
        assert lines._thread.is_alive()


def test_lines_nobody_can_write_are_lost_and_the_next_are_written() -> None:
    """A pipe without a reader is no error; neither is a descriptor that is not to block."""
    reading, writing = os.pipe()
    os.close(reading)
    broken = Lines(writing, lambda _: None)
    broken.put("lost")
    broken.close()
    os.close(writing)
    with piped() as (lines, _, reading):
        os.set_blocking(lines._descriptor, False)
        for number in range(90):
            lines.put(f"{number} {LONG}")
        assert 90 == len(read(reading, 90))
