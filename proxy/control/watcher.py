"""Says when the content of the config file has changed, however it was changed.

The folder is watched, not the file: an editor's rename and Kubernetes' swap of a symbolic link both replace the
file under its name, and a watch on the file would miss the second one. What counts is the content: times of
modification may stay the same, or change for nothing. A slow look does for what no event tells (network drives,
a link to somewhere else).
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING

import structlog
import watchfiles

from proxy.config.file import MAX_BYTES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

log = structlog.get_logger(__name__)

LOOK_S = 2.0
_QUIET_MS = 50  # an editor's burst of events is one change


def content_hash(file: Path) -> str | None:
    """The SHA-256 of the file's content, as far as a config may be long; None when it can't be read."""
    try:
        with file.open("rb") as stream:
            return hashlib.sha256(stream.read(MAX_BYTES + 1)).hexdigest()
    except (OSError, ValueError):
        return None


async def changes(file: Path, known: str | None) -> AsyncIterator[str | None]:
    """The content's hash whenever it is another than before, `known` being the one to begin with. Never ends."""
    async for _ in _moments(file):
        found = await asyncio.to_thread(content_hash, file)
        if found != known:
            known = found
            yield found


async def _moments(file: Path) -> AsyncIterator[None]:
    """Moments worth a look: at once, after each event in the folder, and every LOOK_S."""
    folder = file.parent
    yield None
    while True:
        try:
            async for _ in watchfiles.awatch(
                folder,
                watch_filter=None,
                step=_QUIET_MS,
                rust_timeout=int(LOOK_S * 1000),
                yield_on_timeout=True,
                recursive=False,
            ):
                yield None
        except (OSError, RuntimeError) as error:  # the folder went away, or the system has no watches left
            log.warning("config.unwatched", folder=str(folder), cause=str(error), looks_every_s=LOOK_S)
        await asyncio.sleep(LOOK_S)
        yield None
