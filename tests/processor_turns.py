"""How long a thread's turns on a processor are (`proxy.process.take_turns`), as the kernel says."""

from __future__ import annotations

import ctypes
import os
import struct
from multiprocessing import Process

import pytest

from proxy.process import take_turns

_SCHED_GETATTR = {"x86_64": 315, "aarch64": 275}
_ATTRIBUTES = struct.Struct("=IIQiIQQQ")


def turn_s(thread: int) -> float:
    """0 where the kernel has turns of its own for it, or knows of none."""
    found = ctypes.create_string_buffer(_ATTRIBUTES.size)
    number = _SCHED_GETATTR[os.uname().machine]
    if ctypes.CDLL(None).syscall(number, thread, found, _ATTRIBUTES.size, 0):
        return 0.0
    return float(_ATTRIBUTES.unpack(found.raw)[5]) / 1e9


def knows_turns() -> bool:
    """Whether the kernel takes a length of turns from a process."""
    if os.uname().machine not in _SCHED_GETATTR:
        return False
    child = Process(target=lambda: os._exit(0 if take_turns(0.0003) and turn_s(0) == 0.0003 else 1))
    child.start()
    child.join()
    return child.exitcode == 0


needs_turns = pytest.mark.skipif(not knows_turns(), reason="Linux 6.12 or later has turns of a process's own")
