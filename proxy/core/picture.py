"""What is known of a picture outside of the worker, its fingerprint, and what differs between two of them.

1. A fingerprint is no picture: of the pixels it has the mean colours of 8 × 8 tiles, for each frame.
2. Two pictures look alike when no tile's colour is further apart than the route's `distance`, in percent of the whole
   range. The furthest tile, not their mean: a logo that is missing changes one. Measured in docs/comparing.md.
3. Each fact has a place of its own, `$["@size"]`, so that rules can ignore it.
4. A picture that can't be decoded is broken, one that is too large is only known by its head: neither is ever equal.
"""

from __future__ import annotations

from base64 import b64decode
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any, Literal

from proxy.core.difference import Difference

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proxy.core.model import CompareRules

TILES = 8
CHANNELS = 4
# Two lengths are in one proportion if a pixel more or less, which is how scaling rounds, explains what differs.
_ROUNDING_PIXELS = 1
PLACES = ("@format", "@size", "@frames", "@duration", "@transparency", "@profile", "@look")

Fault = Literal["", "broken", "size", "no_images"]


@dataclass(frozen=True, slots=True)
class Picture:
    """A fingerprint. `width` and `height` are as it is shown, and 0 where they aren't known.

    `looks` has for each frame the tiles' colours, row by row, as Base64 of red, green, blue (each times alpha) and
    alpha. `profile` stands for a colour profile other than sRGB. `fault` says why there are no looks.
    """

    format: str
    width: int = 0
    height: int = 0
    duration_ms: int = 0
    is_transparent: bool = False
    profile: str = ""
    looks: tuple[str, ...] = ()
    fault: Fault = ""

    def plain(self) -> list[Any]:
        """As JSON can hold it."""
        return list(astuple(self))

    @classmethod
    def of(cls, plain: list[Any]) -> Picture:
        """The inverse of `plain`, also after JSON."""
        format_, width, height, duration_ms, is_transparent, profile, looks, fault = plain
        return cls(format_, width, height, duration_ms, is_transparent, profile, tuple(looks), fault)


def picture_differences(before: Picture, after: Picture, rules: CompareRules) -> list[Difference]:
    """What differs between two pictures that aren't broken, without what the rules ignore.

    Of those that are too large to be decoded only what their heads say is compared.
    """
    found = [*_head_differences(before, after)]
    if not before.fault and not after.fault and rules.images is not None:
        found += _shown_differences(before, after, rules.images.distance)
    return [each for each in found if not rules.ignores(each.path)]


def _head_differences(before: Picture, after: Picture) -> Iterator[Difference]:
    if before.format != after.format:
        yield _difference("@format", f"format {before.format}→{after.format}", before.format, after.format)
    sizes = [(picture.width, picture.height) for picture in (before, after)]
    if sizes[0] != sizes[1] and all(width for width, _ in sizes):
        change = "size" if _has_proportion(sizes[0], sizes[1]) else "proportions"
        yield _difference("@size", change, *(f"{width}×{height}" for width, height in sizes))


def _has_proportion(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether one is the other scaled, with its sides rounded to whole pixels."""
    room = _ROUNDING_PIXELS * max(*one, *other)
    return abs(one[0] * other[1] - one[1] * other[0]) <= room


def _shown_differences(before: Picture, after: Picture, distance: float) -> Iterator[Difference]:
    frames = len(before.looks), len(after.looks)
    if frames[0] != frames[1]:
        was, became = ("1" if number == 1 else "n" for number in frames)
        yield _difference("@frames", "frames" if was == became else f"frames {was}→{became}", *frames)
    elif before.duration_ms != after.duration_ms:
        yield _difference("@duration", "duration", before.duration_ms, after.duration_ms)
    if before.is_transparent != after.is_transparent:
        change = "transparent→opaque" if before.is_transparent else "opaque→transparent"
        yield _difference("@transparency", change, *(p.is_transparent for p in (before, after)))
    if before.profile != after.profile:
        yield _difference("@profile", "colour profile", *(p.profile or "sRGB" for p in (before, after)))
    is_on_white = before.is_transparent != after.is_transparent  # as the page shows both
    compared = len(before.looks) if frames[0] == frames[1] else 1
    for frame, (old, new) in enumerate(zip(before.looks[:compared], after.looks[:compared], strict=True)):
        if apart := _furthest(old, new, distance, is_on_white=is_on_white):
            yield _difference("@look", "looks different", *({**each, "frame": frame} for each in apart))
            return


def distance_of(before: Picture, after: Picture) -> float:
    """How far the first frames are apart, in percent: the furthest of their tiles' colours."""
    apart, _ = _apart(*(_colours(picture.looks[0]) for picture in (before, after)))
    return apart / 2.55


def _furthest(old: str, new: str, distance: float, *, is_on_white: bool) -> tuple[dict[str, Any], ...]:
    """Both sides of the tile whose colours are furthest apart; () where it is within the distance."""
    if old == new and not is_on_white:
        return ()
    colours = [_colours(look, is_on_white=is_on_white) for look in (old, new)]
    apart, tile = _apart(*colours)
    if apart * 100 <= distance * 255:
        return ()
    place = {"column": tile % TILES + 1, "row": tile // TILES + 1, "distance": round(apart / 2.55, 1)}
    return tuple({"colour": f"#{side[tile].hex()}", **place} for side in colours)


def _apart(old: list[bytes], new: list[bytes]) -> tuple[int, int]:
    """How far the furthest tile's colours are apart, from 0 to 255, and its index."""
    apart = [max(abs(one - other) for one, other in zip(*pair, strict=True)) for pair in zip(old, new, strict=True)]
    furthest = max(apart)
    return furthest, apart.index(furthest)


def _colours(look: str, *, is_on_white: bool = False) -> list[bytes]:
    """Of each tile; where it lies on white, as a page shows it, without its alpha."""
    written = b64decode(look)
    tiles = [written[start : start + CHANNELS] for start in range(0, len(written), CHANNELS)]
    return [_on_white(tile) for tile in tiles] if is_on_white else tiles


def _on_white(tile: bytes) -> bytes:
    *colour, alpha = tile
    return bytes(min(channel + 255 - alpha, 255) for channel in colour)


def _difference(place: str, change: str, before: Any, after: Any) -> Difference:
    return Difference("body", (place,), change, before, after)
