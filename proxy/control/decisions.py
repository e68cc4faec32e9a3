"""What people decided, here or on another node: holds and silenced signatures, kept in step with the store.

One number in the store is polled; when it has grown, there is something to read. While the store is away the holds
known last stay in force, also over a restart (they are in the state folder's rollout): a hold is lifted by a person,
not by an outage.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from proxy.control.noise import read_silenced
from proxy.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.control.noise import Silenced
    from proxy.control.store_threads import StoreThreads
    from proxy.core.model import Hold
    from proxy.store import Store

log = structlog.get_logger(__name__)

POLL_S = 1.0
# Decisions with an end (`until`) expire, and counts prove noise, without a change of the number.
REREAD_POLLS = 10


class Decisions:
    """See the module. `apply_holds` gets all holds, whenever they were read."""

    def __init__(
        self,
        store: Store,
        threads: StoreThreads,
        silenced: Silenced,
        apply_holds: Callable[[tuple[Hold, ...]], object],
    ) -> None:
        self._store = store
        self._threads = threads
        self._silenced = silenced
        self._apply_holds = apply_holds
        self._version: int | None = None
        self._polls = 0
        self.error: str | None = None  # why the last look failed
        self._lock = asyncio.Lock()  # an older reading must not be applied after a newer one

    async def poll(self) -> None:
        """One look at the store. Raises StoreError."""
        self._polls += 1
        async with self._lock:
            version = await self._threads.run(self._store.version)
            if version != self._version or self._polls % REREAD_POLLS == 0:
                await self._read(version)

    async def refresh(self) -> None:
        """Reads everything now, after a change made here. Raises StoreError."""
        async with self._lock:
            await self._read(await self._threads.run(self._store.version))

    async def _read(self, version: int) -> None:
        """`version` was read before the rest: what changes meanwhile is found at the next look."""
        holds, silenced = await self._threads.run(lambda: (self._store.holds(), read_silenced(self._store)))
        self._silenced.replace(silenced)
        self._apply_holds(holds)
        self._version = version

    async def run(self) -> None:
        """Polls for ever."""
        while True:
            try:
                await self.poll()
                self._looked(None)
            except StoreError as error:
                self._looked(str(error))
            except Exception:  # a fault of ours must not end the polling: holds would no longer arrive
                log.exception("decisions.faulted")
            await asyncio.sleep(POLL_S)

    def _looked(self, error: str | None) -> None:
        if error is not None and self.error is None:
            log.warning("decisions.unread", cause=error)
        elif error is None and self.error is not None:
            log.info("decisions.read")
        self.error = error
