"""Threads in which questions to the store wait for it, so that the event loop doesn't."""

from __future__ import annotations

import asyncio
import contextvars
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")
_THREADS = 4  # people who look at once; while the store hangs, the others wait behind them


class StoreThreads:
    """Not for writing evidence: the recorder has a thread of its own, which nobody's question holds up."""

    def __init__(self, threads: int = _THREADS) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="query")

    async def run(self, ask: Callable[[], _T]) -> _T:
        """What `ask` returns or raises. It knows where the request came from, as whoever awaits it."""
        context = contextvars.copy_context()
        return await asyncio.get_running_loop().run_in_executor(self._pool, context.run, ask)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
