"""Looks now and then for signatures that are fixed, so that their history says since when (`proxy.store.fixed`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from proxy.control.upkeep import keep_up

if TYPE_CHECKING:
    from proxy.control.store_threads import StoreThreads
    from proxy.store import Store

log = structlog.get_logger(__name__)

LOOK_S = 15.0  # thousands of signatures take a tenth of a second


async def watch_fixed(store: Store, threads: StoreThreads) -> None:
    """For ever."""

    async def look() -> None:
        for id_ in await threads.run(store.note_fixed):
            log.info("signature.fixed", signature=id_)

    await keep_up(look, LOOK_S, "signatures.unwatched")
