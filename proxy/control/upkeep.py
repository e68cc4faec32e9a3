"""What control does again and again, and nobody waits for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from proxy.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

log = structlog.get_logger(__name__)


async def keep_up(work: Callable[[], Awaitable[None]], every_s: float, faulted: str) -> None:
    """Does it for ever, with a pause in between. A fault of ours must not end it: it is logged as `faulted`."""
    while True:
        try:
            await work()
        except StoreError:
            pass  # the recorder reports it
        except Exception:
            log.exception(faulted)
        await asyncio.sleep(every_s)
