"""Ties a child process to its parent's life: when the parent dies, however it dies, the kernel tells the child; and
the child can tell its parent that it is ready.

`python -m proxy.process MODULE ARGUMENT…` runs a module that knows nothing of this tied in the same way.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import runpy
import signal
import struct
import sys
from contextlib import suppress
from pathlib import Path

PARENT_VARIABLE = "_CHANGEOVER_PARENT_PID"  # begins with "_": it must not read as an override of the config
READY_VARIABLE = "_CHANGEOVER_READY_FD"
_PR_SET_PDEATHSIG = 1  # prctl(2)
_SCHED_SETATTR = {"x86_64": 314, "aarch64": 274}  # machine -> number of the system call sched_setattr(2)
_ATTRIBUTES = struct.Struct("=IIQiIQQQ")  # size, policy, flags, nice, priority, runtime, deadline, period
_MAX_LINE_BYTES = 500  # with its end below 512: up to there lines are written whole (pipe(7), PIPE_BUF)


def child_environment(ready_fd: int | None = None) -> dict[str, str]:
    """What a parent lays over a child's environment, so that the child knows whose end is its own.

    `ready_fd`: the end of a pipe, inherited by the child, into which it says that it is ready.
    """
    return {PARENT_VARIABLE: str(os.getpid()), READY_VARIABLE: "" if ready_fd is None else str(ready_fd)}


def say_ready(trouble: str = "") -> None:
    """Tells the parent that this process does its work, and what is wrong all the same, in one line.

    Without a parent that listens nothing happens.
    """
    _say("ready", trouble)


def say_reloading() -> None:
    """Tells the parent that a reload begins: what changes from now on may be missed by it, what has changed is not."""
    _say("reloading")


def say_reloaded(trouble: str = "") -> None:
    """Tells the parent that the reload that has begun last is done, and what is wrong now."""
    _say("reloaded", trouble)


def _say(word: str, trouble: str = "") -> None:
    descriptor = os.environ.get(READY_VARIABLE)
    if descriptor:
        line = f"{word} {' '.join(trouble.split())}".strip().encode()[:_MAX_LINE_BYTES]
        with suppress(BrokenPipeError):
            os.write(int(descriptor), line + b"\n")


def yield_processor(niceness: int) -> None:
    """Gives way to processes of a higher priority: that of all threads here is `niceness` from now on (nice(2)), or
    lower if it was.
    """
    niceness = max(niceness, os.getpriority(os.PRIO_PROCESS, 0))
    for thread in _threads():
        with suppress(ProcessLookupError):  # it has ended
            os.setpriority(os.PRIO_PROCESS, thread, niceness)


def take_turns(turn_s: float) -> bool:
    """Whether each turn of all threads here lasts so long from now on (0.0001 to 0.1 s); their share stays what it is.

    Who wakes up and takes shorter turns than whoever runs gets the processor at once (sched(7), EEVDF; Linux 6.12).
    Elsewhere nothing happens, nor to a thread for which somebody chose a policy. Threads take after who starts them.
    """
    number = _SCHED_SETATTR.get(os.uname().machine)
    if not sys.platform.startswith("linux") or number is None:
        return False
    call = ctypes.CDLL(None, use_errno=True).syscall
    is_taken = True
    for thread in _threads():
        with suppress(ProcessLookupError):  # it has ended
            if os.sched_getscheduler(thread) == os.SCHED_OTHER:
                niceness = os.getpriority(os.PRIO_PROCESS, thread)
                turn = _ATTRIBUTES.pack(_ATTRIBUTES.size, os.SCHED_OTHER, 0, niceness, 0, round(turn_s * 1e9), 0, 0)
                is_taken = call(number, thread, turn, 0) == 0 and is_taken
    return is_taken


def _threads() -> list[int]:
    return [int(thread.name) for thread in Path("/proc/self/task").iterdir()]


def leave_terminal() -> None:
    """From here on a terminal's Ctrl-C is not for this process; it may write there all the same (termios(3), TOSTOP).

    It stays in its session: where Linux groups processes by their sessions (sched(7), "The autogroup feature"; Debian's
    default outside of services and containers), priorities count only within one.
    """
    os.setpgid(0, 0)
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)


def die_with_parent(sent: signal.Signals = signal.SIGTERM) -> None:
    """From here on this process gets `sent` when its parent ends; at once, when the parent is gone already.

    Called by the child, early: a hook between fork and exec in the parent would not be safe beside threads. The
    parent must start it from its main thread, as the signal comes when that thread ends (prctl(2)). Without a parent
    that asked for it (`child_environment`), and elsewhere than on Linux, nothing happens.
    """
    parent = os.environ.get(PARENT_VARIABLE)
    if parent is None or not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(sent), 0, 0, 0)
    if os.getppid() != int(parent):
        os.kill(os.getpid(), sent)


if __name__ == "__main__":
    die_with_parent()
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


def finish_after_signals() -> None:
    """Keeps SIGTERM and SIGINT from ending the process once its server has stopped for them. Called inside the loop.

    uvicorn (0.54, `Server.capture_signals`) stops gracefully and then raises the signal again under the handler it
    found. Under the default one that is the end at once: no shadow drained, no last counters, no last batch.
    """
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _ignore)


def _ignore() -> None:
    """Stopping is the server's answer to the signal; this one comes after it."""
