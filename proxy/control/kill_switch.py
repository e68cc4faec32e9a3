"""The kill switch, as people operate it: everything goes to legacy, on all nodes, within a second.

It is kept as a hold on every route (`EVERY_ROUTE`) rather than written into the config: it must work where the file
can't be written, and reach all nodes. `kill_switch: true` in the file does the same; either is enough.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from proxy.control.figures import hold_row
from proxy.core.model import EVERY_ROUTE, Hold
from proxy.errors import NotFound, Refused, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.control.decisions import Decisions
    from proxy.control.rollout import LiveRollout
    from proxy.control.store_threads import StoreThreads
    from proxy.store import Store

Json = dict[str, Any]


class KillSwitch:
    """See the module. `tell` gets what happened here (docs/webhooks.md)."""

    def __init__(
        self,
        live: LiveRollout,
        store: Store,
        threads: StoreThreads,
        decisions: Decisions,
        tell: Callable[[str, Json], None],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._live = live
        self._store = store
        self._threads = threads
        self._decisions = decisions
        self._tell = tell
        self._now = now

    def state(self) -> Json:
        """Whether it is on, whether by the config file, and who put it on by hand, or None."""
        rollout = self._live.rollout
        by_hand = hold_row(rollout.kill)
        if by_hand is not None:
            del by_hand["route"], by_hand["percentage"]
        return {"on": rollout.is_killed, "by_file": rollout.migration.kill_switch, "by_hand": by_hand}

    async def put_on(self, reason: str, who: str) -> Json:
        """Raises StoreError where it can't be kept for all nodes; then the file is the way."""
        kill = Hold(EVERY_ROUTE, 0, who, reason, self._now())
        try:
            await self._threads.run(lambda: self._store.put_hold(kill))
        except StoreError as error:
            raise StoreError(f"{error}; nothing was changed: set `kill_switch: true` in {self._live.file}") from error
        self._tell("kill_switch.on", {"who": who, "reason": reason})
        await self._decisions.refresh()
        return self.state()

    async def take_off(self, reason: str, who: str) -> Json:
        """Raises Refused where only the file has it on, NotFound where it is off, StoreError."""
        if self._live.rollout.kill is None and self._live.rollout.migration.kill_switch:
            raise Refused(f"kill switch: `kill_switch: true` stands in {self._live.file}; take it out there")
        try:
            await self._threads.run(lambda: self._store.delete_hold(EVERY_ROUTE, who, reason))
        except NotFound as error:
            raise NotFound("kill switch: it is off") from error
        self._tell("kill_switch.off", {"who": who, "reason": reason})
        await self._decisions.refresh()
        return self.state()
