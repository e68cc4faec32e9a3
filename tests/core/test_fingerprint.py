"""Fingerprints: what is known of a picture, and what is never taken for one."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from proxy.core.fingerprint import MAX_FRAMES, MAX_PIXELS, fingerprint, format_of
from proxy.core.picture import CHANNELS, TILES, Picture, distance_of
from tests.core.photos import SIZE, animated, encoded, make_photo, turned

PNG = encoded(make_photo(), "PNG")
STILL = {
    "png": PNG,
    "jpeg": encoded(make_photo(), quality=85),
    "gif": encoded(make_photo(), "GIF"),
    "webp": encoded(make_photo(), "WEBP"),
    "avif": encoded(make_photo(), "AVIF"),
}


def known(content: bytes) -> Picture:
    found = fingerprint(content)
    assert found is not None
    return found


def bomb(width: int, height: int) -> bytes:
    """A PNG whose head says so; nobody gets as far as its pixels."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return PNG[:8] + struct.pack(">I", 13) + b"IHDR" + head + struct.pack(">I", zlib.crc32(b"IHDR" + head)) + PNG[33:]


@pytest.mark.parametrize("name", STILL)
def test_fingerprint_has_format_size_and_look(name: str):
    """Every format that browsers show, by its first bytes."""
    found = known(STILL[name])
    assert (name, SIZE, "") == (found.format, (found.width, found.height), found.fault)
    assert (1, 0, False, "") == (len(found.looks), found.duration_ms, found.is_transparent, found.profile)
    assert distance_of(found, known(PNG)) < 5


@pytest.mark.parametrize("name", ["gif", "webp", "png"])
def test_fingerprint_has_every_frame(name: str):
    """And how long they are shown in all."""
    found = known(animated(name.upper(), 5))
    assert (5, 500, 5) == (len(found.looks), found.duration_ms, len(set(found.looks)))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_fingerprint_is_of_the_picture_as_it_is_shown(orientation: int):
    """However the camera was held (Exif)."""
    found = known(turned(orientation))
    assert SIZE == (found.width, found.height)
    assert distance_of(found, known(PNG)) < 5


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "I;16", "YCbCr"])
def test_fingerprint_is_of_any_mode(mode: str):
    """Grey is grey, in eight bits and in sixteen."""
    grey = make_photo().convert("L")
    kind = "JPEG" if mode in {"CMYK", "YCbCr"} else "PNG"
    image = grey.convert("I").point(lambda level: level * 257).convert("I;16") if mode == "I;16" else grey
    if mode in {"P", "PA"}:
        image = grey.quantize(256)
    elif mode != "I;16":
        image = grey.convert("RGB").convert(mode)
    found = known(encoded(image, kind))
    assert "" == found.fault
    assert distance_of(found, known(encoded(grey, "PNG"))) < (25 if mode == "1" else 2)


def test_fingerprint_knows_what_is_seen_through():
    """An alpha channel that is opaque throughout is none."""
    photo = make_photo().convert("RGBA")
    assert not known(encoded(photo, "PNG")).is_transparent
    photo.putpixel((3, 3), (0, 0, 0, 0))
    assert known(encoded(photo, "PNG")).is_transparent
    assert known(encoded(photo, "WEBP", lossless=True)).is_transparent


def test_colours_that_nobody_sees_are_none():
    """What is under a transparent pixel."""
    pictures = [Image.new("RGBA", SIZE, (*colour, 0)) for colour in ((255, 0, 0), (0, 0, 255))]
    assert known(encoded(pictures[0], "PNG")) == known(encoded(pictures[1], "PNG"))


def test_profile_of_srgb_is_none():
    """It is meant where there is none; any other is told apart."""
    profiles = [b"... sRGB IEC61966-2.1 ...", b"... Display P3 ...", b"... Adobe RGB ..."]
    found = [known(encoded(make_photo(), icc_profile=profile)).profile for profile in profiles]
    assert "" == found[0]
    assert len(set(found)) == 3


def test_fingerprint_is_small():
    """Of the pixels it has a colour for each tile, and nothing else."""
    (look,) = known(PNG).looks
    assert TILES * TILES * CHANNELS * 4 // 3 <= len(look) < 400


@pytest.mark.parametrize("content", [b"", b"%PDF-1.7", b"<svg/>", b"II*\0", b"8BPS", b"%!PS-Adobe EPSF", b"\0\0\1\0"])
def test_what_browsers_do_not_show_is_no_picture(content: bytes):
    """Pillow could read some of it, with the help of other programs."""
    assert ("", None) == (format_of(content), fingerprint(content + bytes(100)))


@pytest.mark.parametrize("name", [*STILL, "animated gif", "animated webp", "animated png"])
def test_picture_that_is_cut_is_never_taken_for_the_whole(name: str):
    """Wherever it is cut: broken, with fewer frames, or none."""
    content = STILL.get(name) or animated(name.rpartition(" ")[2].upper(), 3)
    whole = known(content)
    step = max(len(content) // 150, 1)
    for length in {*range(0, len(content), step), *range(len(content) - 30, len(content))}:
        assert whole != fingerprint(content[:length]), length


@given(st.sampled_from([*STILL.values(), animated("GIF", 3)]), st.data())
def test_any_bytes_get_a_fingerprint_or_none(content: bytes, data: st.DataObject):
    """Whatever is written over whatever."""
    at = data.draw(st.integers(0, len(content)))
    found = fingerprint(content[:at] + data.draw(st.binary(max_size=40)) + content[at + data.draw(st.integers(0, 9)) :])
    assert found is None or bool(found.looks) != bool(found.fault)


@pytest.mark.parametrize(("width", "height"), [(30_000, 5_900), (MAX_PIXELS, 2)])
def test_large_picture_is_not_decoded(width: int, height: int):
    """Its head is read, and says what is known of it."""
    found = known(bomb(width, height))
    assert ("size", ()) == (found.fault, found.looks)


@pytest.mark.parametrize("side", [20_000, 65_535, 2**31 - 1])
def test_decompression_bomb_is_too_large(side: int):
    """However large its head says it is."""
    assert known(bomb(side, side)).fault in {"size", "broken"}


def test_head_of_a_large_picture_is_known():
    """With its size as it is shown."""
    found = known(bomb(4_000, 3_000))
    assert ("size", 4_000, 3_000) == (found.fault, found.width, found.height)


def test_animation_without_end_is_too_large():
    """Counted before anything is decoded."""
    frame = BytesIO()
    Image.new("P", (1, 1)).save(frame, "GIF")
    content = frame.getvalue()
    start = content.index(b",", 13)
    many = content[:start] + content[start:-1] * (MAX_FRAMES + 1) + b";"
    assert "size" == known(many).fault
    assert "" == known(content[:start] + content[start:-1] * 3 + b";").fault


def test_frames_that_are_large_together_are_too_large():
    """Each for itself would do."""
    images = [Image.new("L", (2048, 2048), level) for level in range(5)]
    assert "size" == known(encoded(images[0], "WEBP", save_all=True, append_images=images[1:], lossless=True)).fault


def test_gif_whose_frame_is_larger_than_its_screen_is_broken():
    """Pillow would make room for it."""
    content = bytearray(animated("GIF", 2))
    at = content.rindex(b"!\xf9\x04") + 8
    assert content[at : at + 1] == b","
    content[at + 5 : at + 9] = b"\xff" * 4
    assert "broken" == known(bytes(content)).fault


def test_library_that_is_not_there_is_a_fault():
    """Told for pictures only."""
    program = """
import sys
sys.modules["PIL"] = None
from proxy.core.fingerprint import fingerprint
print(fingerprint(b"GIF89a...").fault, fingerprint(b"%PDF"))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert "no_images None" == done.stdout.strip()
