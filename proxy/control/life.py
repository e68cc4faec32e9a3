"""One process of a child that a supervisor keeps: how it is started, what it says, how it ends.

A child that `says_ready` has a pipe to its supervisor and writes a byte when it does its work, and one after each
reload (`proxy.process.say_ready`). Any other counts as ready once it runs.
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
    """A running process. `ready`, `reloaded` (since the last `reload`) and `ended` are set as they happen."""

    def __init__(self, child: Child, process: Process, hearing: int | None, on_ready: Callable[[], None]) -> None:
        self.child = child
        self.began_at = asyncio.get_running_loop().time()
        self.ready, self.reloaded, self.ended = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.exit_code: int | None = None
        self._process = process
        self._hearing = hearing
        self._on_ready = on_ready
        self._owes_reload = False
        self._watch = asyncio.create_task(self._wait_for_end())
        if hearing is None:
            self._become_ready()
        else:
            asyncio.get_running_loop().add_reader(hearing, self._hear)

    @classmethod
    async def begin(cls, child: Child, on_ready: Callable[[], None]) -> Life:
        """Starts the child's program. Raises OSError where that can't be done."""
        hearing, saying = os.pipe() if child.says_ready else (None, None)
        voice = () if saying is None else (saying,)
        try:
            process = await asyncio.create_subprocess_exec(
                *child.argv,
                env={**os.environ, **child.environ, **child_environment(saying)},
                pass_fds=(*child.pass_fds, *voice),
                stdin=asyncio.subprocess.DEVNULL,
                start_new_session=True,
            )
        except BaseException:
            if hearing is not None:
                os.close(hearing)
            raise
        finally:
            if saying is not None:
                os.close(saying)
        return cls(child, process, hearing, on_ready)

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
        self.reloaded.clear()
        if self.ready.is_set():
            self.signal(signal.SIGHUP)
        else:
            self._owes_reload = True

    def _hear(self) -> None:
        if self._hearing is None:
            return
        if not os.read(self._hearing, 64):
            self._stop_hearing()
        elif self.ready.is_set():
            self.reloaded.set()
        else:
            self._become_ready()

    def _become_ready(self) -> None:
        self.ready.set()
        self._on_ready()
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
