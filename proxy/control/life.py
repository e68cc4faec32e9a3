"""One process of a child that a supervisor keeps: how it is started, what it says, how it ends.

A child that `says_ready` has a pipe to its supervisor and writes a line when it does its work, and lines before and
after each reload (`proxy.process`). Any other counts as ready once it runs.

A reload that was wanted is done when one that began after that is: what a process says of an earlier one, or of one
that nobody asked for, tells nothing of it.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from proxy.process import child_environment

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Callable, Mapping


@dataclass(frozen=True, slots=True)
class Child:
    """One process to keep alive. Lower `stop_rank`s are stopped first; `is_reloadable` ones get SIGHUP.

    An `is_rolled` one is replaced by a rolling restart: it must bear to run beside its successor.
    """

    name: str
    argv: tuple[str, ...]
    environ: Mapping[str, str] = field(default_factory=dict)
    pass_fds: tuple[int, ...] = ()
    stop_rank: int = 0
    is_reloadable: bool = False
    is_rolled: bool = False
    says_ready: bool = False


class Life:
    """A running process. `ready`, `reloaded` (since the last `reload`) and `ended` are set as they happen.

    `trouble` is what it has said to be wrong, "" if nothing is; `on_said` is called after each of its words.
    """

    def __init__(self, child: Child, process: Process, hearing: int | None, on_said: Callable[[], None]) -> None:
        self.child = child
        self.began_at = asyncio.get_running_loop().time()
        self.ready, self.reloaded, self.ended = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.exit_code: int | None = None
        self._process = process
        self._hearing = hearing
        self._on_said = on_said
        self._heard = b""  # of a line that isn't whole
        self._owes_reload = self._has_begun = False
        self.trouble = ""
        self._watch = asyncio.create_task(self._wait_for_end())
        if hearing is None:
            self._become_ready()
        else:
            asyncio.get_running_loop().add_reader(hearing, self._hear)

    @classmethod
    async def begin(cls, child: Child, on_said: Callable[[], None]) -> Life:
        """Starts the child's program. Raises OSError where that can't be done."""
        hearing, saying = os.pipe() if child.says_ready else (None, None)
        voice = () if saying is None else (saying,)
        try:
            process = await asyncio.create_subprocess_exec(
                *child.argv,
                env={**os.environ, **child.environ, **child_environment(saying)},
                pass_fds=(*child.pass_fds, *voice),
                stdin=asyncio.subprocess.DEVNULL,
                process_group=0,  # see the supervisor's rule 7
            )
        except BaseException:
            if hearing is not None:
                os.close(hearing)
            raise
        finally:
            if saying is not None:
                os.close(saying)
        if hearing is not None:
            os.set_blocking(hearing, False)
        return cls(child, process, hearing, on_said)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def lived_s(self) -> float:
        return asyncio.get_running_loop().time() - self.began_at

    def signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            self._process.send_signal(number)

    def reload(self) -> None:
        """Sends SIGHUP, or will once the process is ready: before, it may not know the signal yet, and die of it."""
        self._hear()  # what it has said until now is of reloads that began before
        self._has_begun = False
        self.reloaded.clear()
        if self.ready.is_set():
            self.signal(signal.SIGHUP)
        else:
            self._owes_reload = True

    def _hear(self) -> None:
        with suppress(BlockingIOError):
            while self._hearing is not None:
                said = os.read(self._hearing, 4096)
                if not said:
                    self._stop_hearing()
                *lines, self._heard = (self._heard + said).split(b"\n")
                for line in lines:
                    self._take(line.decode(errors="replace"))

    def _take(self, line: str) -> None:
        word, _, trouble = line.partition(" ")
        if word == "reloading":
            self._has_begun = True
            return
        self.trouble = trouble
        if word == "ready":
            self._become_ready()
            return
        if self._has_begun:
            self.reloaded.set()
        self._on_said()

    def _become_ready(self) -> None:
        self.ready.set()
        self._on_said()
        if self._owes_reload:
            self._owes_reload = False
            self.signal(signal.SIGHUP)

    def _stop_hearing(self) -> None:
        if self._hearing is not None:
            asyncio.get_running_loop().remove_reader(self._hearing)
            os.close(self._hearing)
            self._hearing = None

    async def _wait_for_end(self) -> None:
        self.exit_code = await self._process.wait()
        self._stop_hearing()
        self.ended.set()
