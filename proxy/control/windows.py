"""From when on each route's evidence counts, so that a fault that was mended counts no longer.

1. A window begins when something about a route is another: new's version, by what its answers say; the rules by which
   it is compared; what it matches; the address of either backend. And a week ago at the earliest.
2. All nodes share them: who finds a change writes it, who finds it later moves the beginning there.
3. Nobody waits for the store: what it can't take now is tried again, and until then the windows known last hold.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from proxy.control.rejudge import digest_of, rules_digest
from proxy.control.upkeep import keep_up
from proxy.core.model import LEGACY, NEW
from proxy.core.versions import Versions
from proxy.store.values import WindowChange

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from proxy.control.store_threads import StoreThreads
    from proxy.core.model import Migration
    from proxy.store import Store, Window

TICK_S = 1.0
REREAD_S = 30.0  # what other nodes began
_DAY_S = 86_400
_DIGEST_CHARACTERS = 16


class Windows:
    """See the module. `windows`: route -> what was read last."""

    def __init__(self, store: Store, threads: StoreThreads, now: Callable[[], float] = time.time) -> None:
        self._store = store
        self._threads = threads
        self._now = now
        self._setups: dict[str, dict[str, str]] = {}
        self._known_setups: dict[str, dict[str, str]] | None = None  # of the store, None before it was read
        self._versions: dict[str, Versions] = {}
        self._turned: set[str] = set()
        self._mixed: set[str] = set()
        self._day = -1
        self._read_at = float("-inf")
        self.windows: Mapping[str, Window] = {}

    # --- what is found out ---
    def set_setups(self, migration: Migration) -> None:
        """What is in force from now on."""
        self._setups = setups_of(migration)

    def met(self, route: str, version: str) -> None:
        """An answer of new said its version."""
        known = self._versions.get(route, Versions())
        if self._known_setups is None or route not in self._setups:
            return  # what the store knows decides whether it is another
        self._versions[route], meeting = known.meet(version, self._now())
        if meeting in {"first", "turned"}:
            self._turned.add(route)
        elif meeting == "mixed":
            self._mixed.add(route)

    # --- the store ---
    async def run(self) -> None:
        """Keeps the windows, for ever."""
        await keep_up(self.tick, TICK_S, "windows.faulted")

    async def tick(self) -> None:
        """One look. Raises StoreError."""
        now = self._now()
        if self._known_setups is None:
            known = await self._threads.run(self._store.known_setups)
            self._versions = {route: versions for route, (_, versions) in known.items()}
            self._known_setups = {route: setup for route, (setup, _) in known.items()}
        is_begun = await self._begin(self._changes(self._known_setups), now)
        if self._day != int(now // _DAY_S):
            await self._threads.run(lambda: self._store.keep_day(now))
            self._day = int(now // _DAY_S)
        if is_begun or now - self._read_at >= REREAD_S:
            self.windows = await self._threads.run(lambda: self._store.windows(now))
            self._read_at = now

    def _changes(self, known: Mapping[str, Mapping[str, str]]) -> list[WindowChange]:
        wanted = {route for route, setup in self._setups.items() if known.get(route) != setup}
        return [
            WindowChange(route, self._setups[route], self._versions.get(route, Versions()), route in self._mixed)
            for route in sorted(wanted | self._turned | self._mixed)
            if route in self._setups
        ]

    async def _begin(self, changes: list[WindowChange], now: float) -> bool:
        if not changes:
            return False
        turned, self._turned = self._turned, set()
        mixed, self._mixed = self._mixed, set()
        try:
            await self._threads.run(lambda: self._store.begin_windows(changes, now))
        except BaseException:
            self._turned |= turned
            self._mixed |= mixed
            raise
        self._known_setups = {**(self._known_setups or {}), **{each.route: dict(each.setup) for each in changes}}
        return True


def setups_of(migration: Migration) -> dict[str, dict[str, str]]:
    """Route -> what its evidence depends on, by name, each as a digest: addresses may be nobody's business."""
    backends = {str(side): digest_of(migration.backend(side).url)[:_DIGEST_CHARACTERS] for side in (LEGACY, NEW)}
    return {
        route.name: {
            "rules": rules_digest(replace(route.compare, noise_millipercent=0))[:_DIGEST_CHARACTERS],
            "match": digest_of(route.match)[:_DIGEST_CHARACTERS],
            **backends,
        }
        for route in migration.routes
    }
