"""Lines for a log, written by a thread of their own: a reader that stalls, or a full disk, stops nobody who logs.

1. Saying a line is putting it into a bounded queue. Full means dropped and counted; a line tells of it later.
2. The thread writes to the descriptor itself. In a stream of Python's it would hold a lock while it is stuck, and the
   interpreter dies of that at its end (`_enter_buffered_busy` in CPython's bufferedio.c).
3. At the process's end it has END_S to write what is left.
4. What can't be written (a broken pipe) is lost, never an error.
"""

from __future__ import annotations

import os
import select
import threading
import time
from queue import SimpleQueue
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

ROOM = 8_192  # lines; a tenth of a second of the busiest worker's, some megabytes
_AT_ONCE_BYTES = 65_536  # what a pipe takes (pipe(7)): one write for many lines
END_S = 1.0


class Lines:
    """See the module. `put` from any thread; nothing is started before the first line."""

    def __init__(self, descriptor: int, tell_dropped: Callable[[int], None], room: int = ROOM) -> None:
        """`tell_dropped` is called in the thread, with how many lines were lost since it last was."""
        self.dropped = 0
        self._descriptor = descriptor
        self._tell_dropped = tell_dropped
        self._room = room
        self._queue: SimpleQueue[str | None] = SimpleQueue()
        self._lock = threading.Lock()  # of the thread's start
        self._thread: threading.Thread | None = None
        self._told = 0

    def put(self, line: str) -> None:
        """Has one line written, which ends without a line break; or drops it."""
        if self._queue.qsize() >= self._room:
            self.dropped += 1
            return
        self._queue.put(line)
        if self._thread is None:
            self._start()

    def close(self) -> None:
        """Waits until what was said is written, at most END_S."""
        thread = self._thread
        if thread is not None:
            self._queue.put(None)
            thread.join(END_S)

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="log", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        is_open = True
        while is_open:
            lines, is_open = self._next()
            self._write("".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace"))
            if self.dropped > self._told:
                told, self._told = self._told, self.dropped
                self._tell_dropped(self._told - told)

    def _next(self) -> tuple[list[str], bool]:
        """What is there, at least one line, and whether more may come."""
        lines: list[str] = []
        size = 0
        while not lines or (size < _AT_ONCE_BYTES and not self._queue.empty()):
            line = self._queue.get()
            if line is None:
                return lines, False
            lines.append(line)
            size += len(line)
        return lines, True

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:  # whoever shares the descriptor made it so
                select.select([], [self._descriptor], [])
            except OSError:
                time.sleep(0.01)  # nobody reads: not in a circle with whoever goes on saying lines
                return
