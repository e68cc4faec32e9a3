"""How the other nodes of the installation are: each says so to the store now and then, and reads what they say."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from proxy.control.upkeep import keep_up

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.control.store_threads import StoreThreads
    from proxy.store import NodeRow, Store

Json = dict[str, Any]
BEAT_S = 5.0
SILENT_S = 30.0  # a node that has missed so many beats has ended, or can't reach the store
SHOWN_S = 3_600.0  # nodes that ended before that are not missed any more


class Nodes:
    """See the module. `state` says how this one is."""

    def __init__(
        self,
        store: Store,
        threads: StoreThreads,
        node: str,
        state: Callable[[], Json],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._threads = threads
        self._node = node
        self._state = state
        self._now = now
        self._read: list[NodeRow] = []

    async def beat(self) -> None:
        """Says how this node is, and reads the others. Raises StoreError."""
        now, state = self._now(), self._state()
        self._read = await self._threads.run(lambda: self._exchange(now, state))

    def _exchange(self, now: float, state: Json) -> list[NodeRow]:
        self._store.say_node(self._node, now, state)
        return self._store.nodes()

    async def run(self) -> None:
        """For ever."""
        await keep_up(self.beat, BEAT_S, "node.unsaid")

    def rows(self) -> list[Json]:
        """All nodes of the last hour by name, this one as it is now."""
        now = self._now()
        said = {row.node: (row.at, dict(row.state)) for row in self._read} | {self._node: (now, self._state())}
        return [
            {"name": name, "at": at, "is_silent": now - at > SILENT_S, **state}
            for name, (at, state) in sorted(said.items())
            if now - at <= SHOWN_S
        ]
