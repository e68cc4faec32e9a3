"""Keeps the store within its age and size."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import structlog

from proxy.errors import StoreError

if TYPE_CHECKING:
    from proxy.control.recorder import Recorder
    from proxy.settings import Settings
    from proxy.store import Store, Swept

log = structlog.get_logger(__name__)

INTERVAL_S = 60.0
UNFINISHED_S = 1.0  # a sweep does a bounded amount of work; the evidence gets its turn in between
_DAY_S = 86_400


async def keep_swept(store: Store, recorder: Recorder, settings: Settings) -> None:
    """Sweeps for ever, in the recorder's thread: SQLite has one writer, and so have we."""
    while True:
        is_complete = await sweep(store, recorder, settings)
        await asyncio.sleep(INTERVAL_S if is_complete else UNFINISHED_S)


async def sweep(store: Store, recorder: Recorder, settings: Settings) -> bool:
    """One sweep; False when there is more to do soon."""
    max_age_s = float(settings.store_max_age_days * _DAY_S)
    try:
        swept: Swept = await recorder.in_thread(lambda: store.sweep(time.time(), max_age_s, settings.store_max_bytes))
    except StoreError:
        return True  # the recorder reports it
    except Exception:  # a fault of ours must not end the sweeping
        log.exception("store.unswept")
        return True
    if swept.examples or swept.signatures or swept.minutes:
        log.info("store.swept", examples=swept.examples, signatures=swept.signatures, minutes=swept.minutes)
    return swept.is_complete
