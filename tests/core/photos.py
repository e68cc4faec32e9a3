"""Pictures of every kind, made by Pillow."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from PIL import Image, ImageDraw

SIZE = (160, 120)


def make_photo(size: tuple[int, int] = SIZE, hue: int = 0) -> Image.Image:
    """No side and no corner of it is like another; `hue` makes another one."""
    image = Image.linear_gradient("L").resize(size)
    other = Image.radial_gradient("L").resize(size)
    photo = Image.merge("RGB", (image, other, image.transpose(Image.Transpose.FLIP_TOP_BOTTOM)))
    draw = ImageDraw.Draw(photo)
    width, height = size
    draw.rectangle((width // 8, height // 8, width // 2, height // 3), fill=((200 + hue) % 256, 30, 40))
    draw.ellipse((width // 2, height // 2, width * 3 // 4, height * 7 // 8), fill=(20, (180 + hue) % 256, 60))
    return Image.blend(photo, Image.new("RGB", size, "grey"), 0.4)  # no camera sees pure colours


def encoded(image: Image.Image, kind: str = "JPEG", **options: Any) -> bytes:
    out = BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def animated(kind: str, frames: int, **options: Any) -> bytes:
    """So many pictures of different colours, 100 ms each."""
    first, *others = [make_photo(hue=number * 16) for number in range(frames)]
    return encoded(first, kind, save_all=True, append_images=others, **({"duration": 100} | options))


def turned(orientation: int) -> bytes:
    """The photo, stored as it would have to be for that Exif orientation to show it upright."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    ways = Image.Transpose
    back = {
        1: None,
        2: ways.FLIP_LEFT_RIGHT,
        3: ways.ROTATE_180,
        4: ways.FLIP_TOP_BOTTOM,
        5: ways.TRANSPOSE,
        6: ways.ROTATE_90,
        7: ways.TRANSVERSE,
        8: ways.ROTATE_270,
    }[orientation]
    photo = make_photo()
    return encoded(photo if back is None else photo.transpose(back), quality=90, exif=exif)
