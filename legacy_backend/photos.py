"""Photos: stored in the database, the thumbnail made while the upload waits.

A photo's id is the SHA-256 of its bytes, so that an upload repeated is one photo. Each user sees their own.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from typing import TYPE_CHECKING

from PIL import Image, ImageOps, UnidentifiedImageError
from starlette.responses import Response

from legacy_backend.call import Json
from legacy_backend.database import transaction
from legacy_backend.problem import Problem

if TYPE_CHECKING:
    import sqlite3

    from legacy_backend.call import Call

FORMATS = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP"}
MAX_PIXELS = 25_000_000  # 100 MB when decoded; the cameras of phones stay below in the sizes that fit 5 MB
THUMBNAIL_SIZE = (160, 160)
THUMBNAIL_QUALITY = 80


def upload_photo(call: Call) -> Response:
    """201 with the photo's description, new or not. Raises Problem 415 or 400."""
    user = call.sign_in_required()
    media_type = call.request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in FORMATS:
        raise Problem(415, f"content-type is {media_type!r}; send one of {', '.join(FORMATS)}")
    image = decode_photo(call.body, media_type)
    photo_id = hashlib.sha256(call.body).hexdigest()
    row = [user["id"], photo_id, media_type, image.width, image.height, call.body, make_thumbnail(image)]
    with transaction(call.database):
        call.database.execute("INSERT OR IGNORE INTO photos VALUES (?, ?, ?, ?, ?, ?, ?)", row)
    return Json(_describe(_find_photo(call.database, user["id"], photo_id)), 201)


def list_photos(call: Call) -> Response:
    """200 with the user's photos by id."""
    user = call.sign_in_required()
    ids = call.database.execute("SELECT id FROM photos WHERE owner_id = ? ORDER BY id", [user["id"]]).fetchall()
    return Json({"photos": [_describe(_find_photo(call.database, user["id"], row["id"])) for row in ids]})


def show_photo(call: Call) -> Response:
    """200 with the photo's description."""
    return Json(_describe(_photo_in_path(call)))


def show_original(call: Call) -> Response:
    """200 with the bytes as they were uploaded."""
    photo = _photo_in_path(call)
    return Response(photo["original"], media_type=photo["content_type"])


def show_thumbnail(call: Call) -> Response:
    """200 with the thumbnail, a JPEG."""
    return Response(_photo_in_path(call)["thumbnail"], media_type="image/jpeg")


def decode_photo(data: bytes, media_type: str) -> Image.Image:
    """The decoded picture. Raises Problem 400 when it is broken, too large, or of another format."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit is lower
            image = Image.open(io.BytesIO(data), formats=[FORMATS[media_type]])
            if image.width * image.height > MAX_PIXELS:
                raise Problem(400, f"the photo is {image.width} x {image.height}; send at most {MAX_PIXELS} pixels")
            image.load()
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        raise Problem(400, f"the body is not a readable {media_type}") from None
    return image


def make_thumbnail(image: Image.Image) -> bytes:
    """A JPEG of at most 160 x 160, upright, transparent parts white."""
    upright = ImageOps.exif_transpose(image)
    upright.thumbnail(THUMBNAIL_SIZE)
    layer = upright.convert("RGBA")
    opaque = Image.new("RGB", layer.size, "white")
    opaque.paste(layer, mask=layer.getchannel("A"))
    output = io.BytesIO()
    opaque.save(output, "JPEG", quality=THUMBNAIL_QUALITY)
    return output.getvalue()


def _photo_in_path(call: Call) -> sqlite3.Row:
    user = call.sign_in_required()
    return _find_photo(call.database, user["id"], call.request.path_params["photo_id"])


def _find_photo(database: sqlite3.Connection, owner_id: int, photo_id: str) -> sqlite3.Row:
    query = "SELECT * FROM photos WHERE owner_id = ? AND id = ?"
    row: sqlite3.Row | None = database.execute(query, [owner_id, photo_id]).fetchone()
    if row is None:
        raise Problem(404, f"photo {photo_id!r} doesn't exist")
    return row


def _describe(photo: sqlite3.Row) -> dict[str, object]:
    path = f"/api/photos/{photo['id']}"
    return {
        "id": photo["id"],
        "content_type": photo["content_type"],
        "bytes": len(photo["original"]),
        "width": photo["width"],
        "height": photo["height"],
        "original": f"{path}/original",
        "thumbnail": f"{path}/thumbnail",
    }
