"""Thumbnails through a bounded queue and one worker: an upload never waits for them.

What is queued is lost in a crash, and what doesn't fit is not queued: either is made up for when first asked for.
"""

from __future__ import annotations

import asyncio
import io
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from PIL import Image, ImageOps
from starlette.concurrency import run_in_threadpool

from new_backend.files import write_file

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

QUEUED_PHOTOS = 256
WAIT_S = 5.0  # a hundred times what one takes, and less than a proxy waits for an answer
THUMBNAIL_SIZE = (160, 160)
THUMBNAIL_QUALITY = 80

_log = logging.getLogger("uvicorn.error")


class Thumbnails:
    """The thumbnails of the photos in one folder, in another folder."""

    def __init__(self, originals: Path, thumbnails: Path) -> None:
        self._originals = originals
        self._thumbnails = thumbnails
        self._queue: asyncio.Queue[str] = asyncio.Queue(QUEUED_PHOTOS)
        self._pending: dict[str, asyncio.Event] = {}

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Runs the worker for as long as the context lasts."""
        worker = asyncio.create_task(self._work(), name="thumbnails")
        try:
            yield
        finally:
            worker.cancel()
            await asyncio.gather(worker, return_exceptions=True)

    def order(self, photo_id: str) -> asyncio.Event | None:
        """What is set when the worker is through with the photo; None when the queue is full."""
        if photo_id not in self._pending:
            try:
                self._queue.put_nowait(photo_id)
            except asyncio.QueueFull:
                return None
            self._pending[photo_id] = asyncio.Event()
        return self._pending[photo_id]

    async def fetch(self, photo_id: str) -> bytes | None:
        """The thumbnail, waited for where it isn't ready; None when it isn't within `WAIT_S` seconds."""
        path = self._path(photo_id)
        if not path.exists() and not await self._wait(photo_id):
            return None
        try:
            return await run_in_threadpool(path.read_bytes)
        except FileNotFoundError:  # the worker failed; it has logged why
            return None

    async def _wait(self, photo_id: str) -> bool:
        done = self.order(photo_id)
        if done is None:
            return False
        try:
            return await asyncio.wait_for(done.wait(), WAIT_S)
        except TimeoutError:
            return False

    async def _work(self) -> None:
        while True:
            photo_id = await self._queue.get()
            try:
                await run_in_threadpool(self._make, photo_id)
            except Exception:  # noqa: BLE001  # one bad photo must not end the worker
                _log.exception("no thumbnail of photo %s", photo_id)
            finally:
                self._pending.pop(photo_id).set()

    def _make(self, photo_id: str) -> None:
        if not self._path(photo_id).exists():
            data = (self._originals / photo_id).read_bytes()
            write_file(self._path(photo_id), render_thumbnail(data))

    def _path(self, photo_id: str) -> Path:
        return self._thumbnails / f"{photo_id}.jpg"


def render_thumbnail(data: bytes) -> bytes:
    """A JPEG of at most 160 x 160, upright, transparent parts white."""
    picture = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    picture.thumbnail(THUMBNAIL_SIZE)
    colours = picture.convert("RGBA")
    canvas = Image.new("RGB", colours.size, "white")
    canvas.paste(colours, mask=colours.getchannel("A"))
    output = io.BytesIO()
    canvas.save(output, "JPEG", quality=THUMBNAIL_QUALITY)
    return output.getvalue()
