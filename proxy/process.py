"""Ties a child process to its parent's life: when the parent dies, however it dies, the kernel tells the child."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PARENT_VARIABLE = "_CHANGEOVER_PARENT_PID"  # begins with "_": it must not read as an override of the config
_PR_SET_PDEATHSIG = 1  # prctl(2)


def child_environment() -> dict[str, str]:
    """What a parent lays over a child's environment, so that the child knows whose end is its own."""
    return {PARENT_VARIABLE: str(os.getpid())}


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
