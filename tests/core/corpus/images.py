"""Pictures, on routes that compare them by how they look: on others they are bytes."""

from __future__ import annotations

from typing import Any

from PIL import Image, ImageOps

from proxy.core.model import ImageRule
from tests.core.corpus.row import MAX_BYTES, Row, body, differs, equal, gives_up, header, sent
from tests.core.photos import SIZE, animated, encoded, make_photo, turned

PHOTO = make_photo()
WIDTH, HEIGHT = SIZE
HALF = (WIDTH // 2, HEIGHT // 2)
JPEG = encoded(PHOTO, quality=90)
PNG = encoded(PHOTO, "PNG")
LOOK = body('$["@look"]', "looks different")
SIZES = body('$["@size"]', "size")
LARGE = encoded(Image.new("L", (3000, 3000)), "PNG")
LOGO = PHOTO.convert("RGBA")
LOGO.putalpha(Image.radial_gradient("L").resize(SIZE))
ON_WHITE = Image.alpha_composite(Image.new("RGBA", SIZE, "white"), LOGO).convert("RGB")


def picture(content: bytes, kind: str = "jpeg") -> Any:
    return sent(content, f"image/{kind}")


def alike(name: str, one: Any, other: Any, **rules: Any) -> Row:
    return equal(f"images: {name}", one, other, images=ImageRule(), **rules)


def unlike(name: str, one: Any, other: Any, *expected: tuple[str, str, str], **rules: Any) -> Row:
    return differs(f"images: {name}", one, other, *expected, **({"images": ImageRule()} | rules))


def changed(name: str, image: Image.Image, *expected: tuple[str, str, str], **rules: Any) -> Row:
    return unlike(name, picture(JPEG), picture(encoded(image, quality=85)), *expected, **rules)


ROWS = (
    alike("another quality", picture(JPEG), picture(encoded(PHOTO, quality=60))),
    alike(
        "another encoder's ways", picture(JPEG), picture(encoded(PHOTO, quality=80, progressive=True, subsampling=0))
    ),
    alike("PNG packed otherwise", picture(PNG, "png"), picture(encoded(PHOTO, "PNG", compress_level=1), "png")),
    alike("a palette", picture(PNG, "png"), picture(encoded(PHOTO.quantize(256), "PNG"), "png")),
    alike("stored upright and turned by Exif", picture(JPEG), picture(turned(6))),
    alike("comments and Exif", picture(JPEG), picture(encoded(PHOTO, quality=90, comment=b"made by new"))),
    alike(
        "an alpha channel without any transparency",
        picture(PNG, "png"),
        picture(encoded(PHOTO.convert("RGBA"), "PNG"), "png"),
    ),
    alike(
        "an animation packed otherwise",
        picture(animated("PNG", 3), "png"),
        picture(animated("PNG", 3, compress_level=1), "png"),
    ),
    alike(
        "another format on purpose",
        sent(JPEG, "image/jpeg"),
        sent(encoded(PHOTO, "WEBP"), "image/webp"),
        ignore=('$["@format"]',),
        ignore_headers=("content-type",),
    ),
    alike("ignored as a whole", picture(JPEG), picture(encoded(PHOTO.rotate(180))), ignore=("$",)),
    equal(
        "images: within a wide distance",
        picture(JPEG),
        picture(encoded(PHOTO.point(lambda level: level * 0.9))),
        images=ImageRule(15),
    ),
    changed("upside down", PHOTO.transpose(Image.Transpose.ROTATE_180), LOOK),
    changed("mirrored", ImageOps.mirror(PHOTO), LOOK),
    changed("red and blue swapped", Image.merge("RGB", PHOTO.split()[::-1]), LOOK),
    changed("without colours", PHOTO.convert("L"), LOOK),
    changed("another crop", PHOTO.crop((16, 0, *SIZE)).resize(SIZE), LOOK),
    changed("another picture", make_photo(hue=90), LOOK),
    changed("blank", Image.new("RGB", SIZE, "white"), LOOK),
    changed("smaller", PHOTO.resize(HALF, Image.Resampling.BOX), SIZES),
    changed("another size on purpose", PHOTO.rotate(180).resize(HALF), LOOK, ignore=('$["@size"]',)),
    changed("squeezed", PHOTO.resize((WIDTH, HALF[1]), Image.Resampling.BOX), body('$["@size"]', "proportions")),
    changed("cut at a side", PHOTO.crop((WIDTH // 4, 0, *SIZE)), LOOK, body('$["@size"]', "proportions")),
    changed(
        "less and smaller than wished",
        PHOTO.rotate(180).resize(HALF),
        SIZES,
        LOOK,
    ),
    unlike(
        "not turned although Exif is gone",
        picture(turned(6)),
        picture(encoded(PHOTO.transpose(Image.Transpose.ROTATE_90), quality=90)),
        LOOK,
        body('$["@size"]', "proportions"),
    ),
    unlike("another format", picture(JPEG), picture(PNG, "png"), body('$["@format"]', "format jpeg→png")),
    unlike("another format than declared", picture(JPEG), picture(PNG), body('$["@format"]', "format jpeg→png")),
    unlike(
        "another type declared",
        picture(PNG, "png"),
        picture(encoded(PHOTO, "PNG", compress_level=1), "gif"),
        header("content-type", "value"),
    ),
    unlike(
        "a logo on white",
        picture(encoded(LOGO, "PNG"), "png"),
        picture(encoded(ON_WHITE, "PNG"), "png"),
        body('$["@transparency"]', "transparent→opaque"),
    ),
    unlike(
        "a logo on black",
        picture(encoded(LOGO, "PNG"), "png"),
        picture(encoded(LOGO.convert("RGB"), "PNG"), "png"),
        body('$["@transparency"]', "transparent→opaque"),
        LOOK,
    ),
    unlike(
        "colours of another profile",
        picture(JPEG),
        picture(encoded(PHOTO, quality=90, icc_profile=b"Display P3")),
        body('$["@profile"]', "colour profile"),
    ),
    unlike(
        "an animation that stands still",
        picture(animated("GIF", 3), "gif"),
        picture(encoded(make_photo(), "GIF"), "gif"),
        body('$["@frames"]', "frames n→1"),
    ),
    unlike(
        "an animation with fewer frames",
        picture(animated("GIF", 5), "gif"),
        picture(animated("GIF", 4), "gif"),
        body('$["@frames"]', "frames"),
    ),
    unlike(
        "a faster animation",
        picture(animated("GIF", 3), "gif"),
        picture(animated("GIF", 3, duration=50), "gif"),
        body('$["@duration"]', "duration"),
    ),
    unlike("cut short", picture(JPEG), picture(JPEG[:-200]), body("$", "body image→broken image")),
    unlike("both cut short", picture(JPEG[:-100]), picture(JPEG[:-200]), body("$", "bytes")),
    unlike("a page", picture(JPEG), sent("<p>not found", "text/html"), body("$", "body image→html")),
    unlike("something else", picture(JPEG), picture(b"\0\1\2"), body("$", "body image→bytes")),
    unlike("something else on both sides", picture(b"\0\1"), picture(b"\0\2"), body("$", "bytes")),
    unlike("vanished", picture(JPEG), picture(b""), body("$", "body image→empty")),
    unlike(
        "of a size and more pixels than are read",
        picture(LARGE, "png"),
        picture(encoded(Image.new("L", (4000, 4000)), "PNG"), "png"),
        SIZES,
        reason="size",
    ),
    gives_up(
        "images: more pixels than are read",
        picture(LARGE, "png"),
        picture(encoded(Image.new("L", (3000, 3000), 9), "PNG"), "png"),
        "size",
        images=ImageRule(),
    ),
    gives_up(
        "images: more bytes than are read",
        picture(JPEG + bytes(MAX_BYTES)),
        picture(JPEG + bytes(MAX_BYTES + 1)),
        "size",
        images=ImageRule(),
    ),
    differs("images: without the rule", picture(JPEG), picture(encoded(PHOTO, quality=60)), body("$", "bytes")),
)
