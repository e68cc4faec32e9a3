"""Photos: the original as a file under its SHA-256, a document for each owner, the thumbnail by the queue."""

from __future__ import annotations

import hashlib
import io
import warnings
from typing import TYPE_CHECKING

from PIL import Image, UnidentifiedImageError
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from new_backend.files import write_file
from new_backend.migration import PHOTOS, USERS
from new_backend.refusal import Refusal
from new_backend.subscriptions import insert_once

if TYPE_CHECKING:
    from new_backend.call import Call
    from new_backend.documents import Document

FORMATS = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP"}
MAX_PIXELS = 25_000_000  # as legacy
DECODERS = 2  # at a time, each with 100 MB for the largest photo


async def upload_photo(call: Call) -> Response:
    """201 with the photo's description, new or not. Refuses with 415 or 400."""
    user = await call.user()
    if call.media_type not in FORMATS:
        raise Refusal(415, f"content-type is {call.media_type!r}; send one of {', '.join(FORMATS)}")
    async with call.service.decoding:
        width, height = await run_in_threadpool(_measure, call.body, call.media_type)
    photo_id = hashlib.sha256(call.body).hexdigest()
    await run_in_threadpool(write_file, call.service.originals / photo_id, call.body)
    members = {
        "id": f"{user['id']}/{photo_id}",
        "photo_id": photo_id,
        "content_type": call.media_type,
        "bytes": len(call.body),
        "size": [width, height],
    }
    photo = await call.service.store.update(PHOTOS, members["id"], lambda photo: photo.update(members))
    await call.service.store.update(USERS, user["id"], lambda user: insert_once(user["photo_ids"], photo_id))
    call.service.thumbnails.order(photo_id)
    return JSONResponse(_describe(photo), 201)


async def list_photos(call: Call) -> Response:
    """200 with the user's photos by id."""
    user = await call.user()
    ids = [f"{user['id']}/{photo_id}" for photo_id in user["photo_ids"]]
    photos = await call.service.store.get_many(PHOTOS, ids)
    return JSONResponse({"photos": [_describe(photo) for photo in photos]})


async def show_photo(call: Call) -> Response:
    """200 with the photo's description."""
    return JSONResponse(_describe(await _photo_in_path(call)))


async def show_original(call: Call) -> Response:
    """200 with the bytes as they were uploaded."""
    photo = await _photo_in_path(call)
    data = await run_in_threadpool((call.service.originals / photo["photo_id"]).read_bytes)
    return Response(data, media_type=photo["content_type"])


async def show_thumbnail(call: Call) -> Response:
    """200 with the thumbnail, a JPEG, waited for where it isn't ready. Refuses with 503 when that takes too long."""
    photo = await _photo_in_path(call)
    thumbnail = await call.service.thumbnails.fetch(photo["photo_id"])
    if thumbnail is None:
        raise Refusal(503, f"the thumbnail of {photo['photo_id']} isn't ready; ask again", {"retry-after": "1"})
    return Response(thumbnail, media_type="image/jpeg")


async def _photo_in_path(call: Call) -> Document:
    user = await call.user()
    photo_id = call.request.path_params["photo_id"]
    photo = await call.service.store.get(PHOTOS, f"{user['id']}/{photo_id}")
    if photo is None:
        raise Refusal(404, f"photo {photo_id!r} doesn't exist")
    return photo


def _measure(data: bytes, media_type: str) -> tuple[int, int]:
    """Width and height of a photo that was read to its end. Refuses with 400."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit is lower
            picture = Image.open(io.BytesIO(data), formats=[FORMATS[media_type]])
            width, height = picture.size
            if width * height > MAX_PIXELS:
                raise Refusal(400, f"the photo is {width} x {height}; send at most {MAX_PIXELS} pixels")
            picture.load()
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        raise Refusal(400, f"the body is not a readable {media_type}") from None
    return width, height


def _describe(photo: Document) -> Document:
    path = f"/api/photos/{photo['photo_id']}"
    width, height = photo["size"]
    return {
        "id": photo["photo_id"],
        "width": width,
        "height": height,
        "bytes": photo["bytes"],
        "content_type": photo["content_type"],
        "thumbnail": f"{path}/thumbnail",
        "original": f"{path}/original",
    }
