"""How far pictures are apart that look alike, and that don't: `python -m bench.pictures`, for docs/comparing.md.

Photos, charts and plain drawings are made from seeds, changed, encoded, and compared by their fingerprints as workers
make them. Of what should look alike the table has the largest distance of all pictures, of faults the least one.
"""

from __future__ import annotations

import random
from io import BytesIO
from typing import TYPE_CHECKING

from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from proxy.core.fingerprint import fingerprint
from proxy.core.picture import distance_of

if TYPE_CHECKING:
    from collections.abc import Callable

    Make = Callable[[Image.Image], bytes]

SIZE, NUMBER = (640, 480), 20
_TO = Image.Resampling


def photo(seed: int) -> Image.Image:
    """Clouds of colours, coarse to fine, with things in front of them."""
    chance = random.Random(seed)
    image = Image.new("RGB", SIZE, _colour(chance))
    for across in (3, 6, 12, 40, 120):
        down = across * 3 // 4
        cloud = Image.frombytes("RGB", (across, down), chance.randbytes(across * down * 3)).resize(SIZE, _TO.BICUBIC)
        image = Image.blend(image, cloud, 0.45 if across < 20 else 0.2)
    draw = ImageDraw.Draw(image)
    for _ in range(chance.randrange(2, 8)):
        x, y, side = chance.randrange(SIZE[0]), chance.randrange(SIZE[1]), chance.randrange(20, 200)
        draw.ellipse((x, y, x + side, y + side), fill=_colour(chance))
    return image


def chart(seed: int) -> Image.Image:
    chance = random.Random(seed)
    image = Image.new("RGB", SIZE, "white")
    draw = ImageDraw.Draw(image)
    for left in range(30, SIZE[0] - 40, 50):
        draw.rectangle((left, chance.randrange(60, 430), left + 35, 450), fill=(40, 90, 200))
        draw.text((left, 455), str(chance.randrange(1000)), fill="black")
    return image


def drawing(seed: int) -> Image.Image:
    chance = random.Random(seed)
    image = Image.new("RGB", SIZE, _colour(chance))
    ImageDraw.Draw(image).ellipse((100, 80, 380, 330), fill=_colour(chance))
    return image


def _colour(chance: random.Random) -> tuple[int, int, int]:
    return chance.randrange(256), chance.randrange(256), chance.randrange(256)


def jpeg(quality: int, **options: object) -> Make:
    return lambda image: encoded(image, "JPEG", quality=quality, **options)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    out = BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def after(change: Callable[[Image.Image], Image.Image]) -> Make:
    return lambda image: jpeg(85)(change(image))


def scaled(by: Image.Resampling, quality: int) -> Make:
    return lambda image: jpeg(quality)(image.resize((160, 120), by))


def cropped(share: float) -> Make:
    return after(lambda image: image.crop((int(SIZE[0] * share), 0, *SIZE)).resize(SIZE, _TO.LANCZOS))


def covered(box: tuple[float, float, float, float]) -> Make:
    def change(image: Image.Image) -> Image.Image:
        image = image.copy()
        corners = [int(share * SIZE[index % 2]) for index, share in enumerate(box)]
        ImageDraw.Draw(image).rectangle(corners, fill=(128, 128, 128))
        return image

    return after(change)


ORIGINAL = jpeg(90)
ALIKE: dict[str, tuple[Make, Make]] = {
    "JPEG, quality 90 and 75": (ORIGINAL, jpeg(75)),
    "JPEG, quality 90 and 50": (ORIGINAL, jpeg(50)),
    "JPEG, quality 90 and 30": (ORIGINAL, jpeg(30)),
    "JPEG, quality 75, progressive, colours in full": (ORIGINAL, jpeg(75, progressive=True, subsampling=0)),
    "JPEG and PNG": (ORIGINAL, lambda image: encoded(image, "PNG")),
    "JPEG and WebP, quality 50": (ORIGINAL, lambda image: encoded(image, "WEBP", quality=50)),
    "thumbnail by another filter (Lanczos, box)": (scaled(_TO.LANCZOS, 90), scaled(_TO.BOX, 75)),
    "thumbnail without a filter": (scaled(_TO.LANCZOS, 90), scaled(_TO.NEAREST, 75)),
    "GIF of 256 colours": (ORIGINAL, lambda image: encoded(image, "GIF")),
}
FAULTS: dict[str, tuple[Make, Make]] = {
    "mirrored": (ORIGINAL, after(ImageOps.mirror)),
    "upside down": (ORIGINAL, after(lambda image: image.transpose(Image.Transpose.ROTATE_180))),
    "red and blue swapped": (ORIGINAL, after(lambda image: Image.merge("RGB", image.split()[::-1]))),
    "without colours": (ORIGINAL, after(lambda image: image.convert("L").convert("RGB"))),
    "the lower half grey": (ORIGINAL, covered((0, 0.5, 1, 1))),
    "a logo of 10 % by 10 %": (ORIGINAL, covered((0.85, 0.85, 0.95, 0.95))),
    "a crop of 10 %": (ORIGINAL, cropped(0.1)),
    "a crop of 5 %": (ORIGINAL, cropped(0.05)),
    "a crop of 2 %": (ORIGINAL, cropped(0.02)),
    "shifted by 5 %": (ORIGINAL, after(lambda image: ImageChops.offset(image, 32, 0))),
    "10 % brighter": (ORIGINAL, after(lambda image: ImageEnhance.Brightness(image).enhance(1.1))),
    "5 % brighter": (ORIGINAL, after(lambda image: ImageEnhance.Brightness(image).enhance(1.05))),
    "blurred": (ORIGINAL, after(lambda image: image.filter(ImageFilter.GaussianBlur(8)))),
}


def distances(before: Make, other: Make, images: list[Image.Image]) -> list[float]:
    """Of each image, in percent."""
    found = []
    for image in images:
        one, two = fingerprint(before(image)), fingerprint(other(image))
        if one is None or two is None or one.fault or two.fault:
            raise ValueError("a picture of our own isn't read")
        found.append(distance_of(one, two))
    return found


def main() -> None:
    """Prints the table."""
    kinds = [[make(seed) for seed in range(NUMBER)] for make in (photo, chart, drawing)]
    print("| | photos | charts | drawings |\n|---|---:|---:|---:|")
    for rows, worst in ((ALIKE, max), (FAULTS, min)):
        for name, (before, other) in rows.items():
            cells = [f"{worst(distances(before, other, images)):.1f}" for images in kinds]
            print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
