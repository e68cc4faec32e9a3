"""The fingerprint of a picture (`picture`), made of its bytes by Pillow, in the worker: no pixel goes further.

1. Only what browsers show is decoded, by the decoder of what the first bytes say: neither the declared type nor the
   bytes choose among Pillow's other formats, some of which start programs.
2. The head is read first. A picture over MAX_PIXELS is not decoded: 1 MB of PNG may hold a gigabyte of pixels.
3. A fault of the library, of whatever class, is a picture that is broken.

Pillow lets other threads run while it decodes. It is an extra, and is loaded when the first picture comes.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from io import BytesIO
from itertools import count
from typing import TYPE_CHECKING, Any

from proxy.core.picture import TILES, Picture

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proxy.core.picture import Fault

# A frame of 4K video (3840 × 2160) and what is left of 2²³: decoded, 32 MB.
MAX_PIXELS = 8_388_608
# Of all frames together; an animation of 480 × 270 has room for 129.
MAX_ALL_PIXELS = 2 * MAX_PIXELS
MAX_FRAMES = 256
_DRAFT = 16 * TILES  # JPEG is decoded at an eighth to a whole of its size, never below this
_ORIENTATION = 0x0112  # Exif 2.32 §4.6.4
_TURNED = range(5, 9)  # orientations in which width and height change places
_GIF_EXTENSION, _GIF_FRAME, _GIF_END = 0x21, 0x2C, 0x3B
_SRGB = (b"sRGB", b"s\0R\0G\0B")


def format_of(content: bytes) -> str:
    """The format by the first bytes (WHATWG MIME Sniffing §6.1, AVIF §6); "" for what is no picture that is read."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if content.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if content.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "webp"
    return "avif" if content[4:12] in {b"ftypavif", b"ftypavis"} else ""


def fingerprint(content: bytes) -> Picture | None:
    """The picture's fingerprint; None where the bytes are none. Never fails, whatever comes in."""
    name = format_of(content)
    if not name:
        return None
    try:
        from PIL import AvifImagePlugin, Image, features  # noqa: PLC0415  # most workers compare no pictures
    except ImportError:
        return Picture(name, fault="no_images")
    if name in {"webp", "avif"} and not features.check(name):
        return Picture(name, fault="no_images")
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # it would take all cores, which serve users
    try:
        return _decoded(Image, name, content)
    except (MemoryError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        return Picture(name, fault="size")
    except Exception:  # noqa: BLE001  # rule 3: decoders raise nearly every class there is
        return Picture(name, fault="broken")


def _decoded(library: Any, name: str, content: bytes) -> Picture:
    formats = ["JPEG", "MPO"] if name == "jpeg" else [name.upper()]
    with library.open(BytesIO(content), formats=formats) as image:
        width, height = image.size
        is_too_large = width * height > MAX_PIXELS
        # Of PNG it may stand at the end, and to look for it decodes the whole.
        is_told = name != "gif" and (not is_too_large or "exif" in image.info)
        orientation = image.getexif().get(_ORIENTATION, 1) if is_told else 1
        head = Picture(name, *((height, width) if orientation in _TURNED else (width, height)))
        if is_too_large:
            return replace(head, fault="size")
        if fault := _fault_of(name, content):
            return replace(head, fault=fault)
        profile = _profile(image.info.get("icc_profile"))
        if name == "jpeg":
            image.draft("RGB", (_DRAFT, _DRAFT))
        looks: list[str] = []
        is_transparent, duration_ms = False, 0
        for frame in _frames(image, name):
            if len(looks) == MAX_FRAMES or (len(looks) + 1) * width * height > MAX_ALL_PIXELS:
                return replace(head, fault="size")
            tiles, is_seen_through = _tiles(library, frame, orientation)
            looks.append(b64encode(tiles).decode("ascii"))
            is_transparent = is_transparent or is_seen_through
            duration_ms += int(frame.info.get("duration", 0))
    one_frame = len(looks) == 1
    return replace(
        head,
        duration_ms=0 if one_frame else duration_ms,
        is_transparent=is_transparent,
        profile=profile,
        looks=tuple(looks),
    )


def _fault_of(name: str, content: bytes) -> Fault:
    """What Pillow doesn't ask: whether the picture has its end (PNG §11.2.5), and what a GIF's blocks say."""
    if name == "png":
        return "" if b"\0\0\0\0IEND\xaeB`\x82" in content else "broken"
    if name != "gif":
        return ""
    try:
        return "size" if _gif_frames(content) > MAX_FRAMES else ""
    except (IndexError, ValueError):
        return "broken"


def _gif_frames(content: bytes) -> int:
    """How many frames there are (GIF89a §17 to §27), all within the screen, which Pillow would enlarge for them.

    Raises IndexError where it is cut short, ValueError where it is no GIF.
    """
    at = 13 + _table_bytes(content[10])
    frames = 0
    while (kind := content[at]) != _GIF_END:
        if kind == _GIF_FRAME:
            left, top, width, height = (_short(content, at + offset) for offset in (1, 3, 5, 7))
            if left + width > _short(content, 6) or top + height > _short(content, 8):
                raise ValueError("a frame is larger than the screen")
            frames += 1
            at += 11 + _table_bytes(content[at + 9])
        elif kind == _GIF_EXTENSION:
            at += 2
        else:
            raise ValueError("no block")
        while length := content[at]:
            at += 1 + length
        at += 1
    return frames


def _table_bytes(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _short(content: bytes, at: int) -> int:
    return content[at] | content[at + 1] << 8


def _frames(image: Any, name: str) -> Iterator[Any]:
    """The image at each of its frames. Of JPEG the first: further ones (MPO) are no part of what is shown."""
    yield image
    if name == "jpeg":
        return
    for number in count(1):
        try:
            image.seek(number)
        except EOFError:
            return
        yield image


def _tiles(library: Any, frame: Any, orientation: int) -> tuple[bytes, bool]:
    """The mean colours of the tiles as it is shown, and whether anything is seen through it."""
    box, size = library.Resampling.BOX, (TILES, TILES)
    is_seen_through = False
    frame.load()
    if frame.has_transparency_data or frame.mode in {"P", "1"}:
        whole = frame.convert("RGBA")
        is_seen_through = whole.getchannel("A").getextrema()[0] < 255
        small = whole.convert("RGBa").resize(size, box)
    else:
        if frame.mode.startswith("I"):  # 16 bits of grey, which are cut off where they are converted
            frame = frame.convert("I").point(lambda value: value / 257).convert("L")
        small = frame.resize(size, box).convert("RGB").convert("RGBA").convert("RGBa")
    return _turned(library, small, orientation).tobytes(), is_seen_through


def _turned(library: Any, image: Any, orientation: int) -> Any:
    """As Exif asks for it; the tiles of a turned picture are the turned tiles."""
    ways = library.Transpose
    turn = {
        2: ways.FLIP_LEFT_RIGHT,
        3: ways.ROTATE_180,
        4: ways.FLIP_TOP_BOTTOM,
        5: ways.TRANSPOSE,
        6: ways.ROTATE_270,
        7: ways.TRANSVERSE,
        8: ways.ROTATE_90,
    }.get(orientation)
    return image if turn is None else image.transpose(turn)


def _profile(profile: bytes | None) -> str:
    """What tells a colour profile from others; sRGB, which is meant where there is none (CSS Color 4 §10.1), is ""."""
    if not profile or any(name in profile for name in _SRGB):
        return ""
    return sha256(profile).hexdigest()[:12]
