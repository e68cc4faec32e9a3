"""Two pictures: what differs between their fingerprints, and what holds for any two."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from proxy.core.compare import compare
from proxy.core.evidence import Answer, Verdict
from proxy.core.mask import Masker
from proxy.core.model import CompareRules, ImageRule, Redaction
from proxy.core.observation import Observation
from proxy.core.picture import PLACES, Picture, picture_differences
from proxy.core.rule_use import LOOK_EVERY, RuleWatch
from tests.core.answers import make_rules
from tests.core.photos import encoded, make_photo

if TYPE_CHECKING:
    from proxy.core.compare import Comparison

RULES = CompareRules(images=ImageRule())
MASKER = Masker(Redaction(), b"k" * 16)
KINDS = ["PNG", "JPEG", "GIF", "WEBP"]
small = st.builds(
    lambda pixels, width, mode, kind: encoded(
        Image.frombytes("RGBA", (width, 64 // width), pixels).convert("RGB" if kind == "JPEG" else mode), kind
    ),
    st.binary(min_size=256, max_size=256),
    st.sampled_from([1, 4, 8, 16, 64]),
    st.sampled_from(["RGBA", "RGB", "L"]),
    st.sampled_from(KINDS),
)


def seen(*contents: bytes) -> list[Answer]:
    observation = Observation(MASKER, 1_000_000, has_pictures=True)
    return [observation.answer(200, (("content-type", "image/x"),), content) for content in contents]


def compared(*contents: bytes) -> Comparison:
    control, candidate = seen(*contents)
    return compare(control, candidate, RULES)


@given(small)
def test_picture_looks_like_itself(content: bytes):
    """Also where its bytes aren't the same."""
    found = compared(content, content)
    assert (Verdict.MATCH, "") == (found.verdict, found.reason)
    (one,) = seen(content)
    assert one.picture is not None
    assert [] == picture_differences(one.picture, one.picture, RULES)


@given(small, small)
def test_pictures_are_as_far_apart_from_either_side(one: bytes, other: bytes):
    """The same places differ, whoever is control."""
    there, back = compared(one, other), compared(other, one)
    assert (there.verdict, there.reason) == (back.verdict, back.reason)
    assert [each.path for each in there.differences] == [each.path for each in back.differences]


@given(small)
def test_fingerprint_survives_its_encoding(content: bytes):
    """As it goes up the link and into the store."""
    (answer,) = seen(content)
    assert answer.picture is not None
    assert answer.picture == Picture.of(json.loads(json.dumps(answer.picture.plain())))


def test_look_names_the_tile_that_is_furthest_apart():
    """Its colours, where it is, and how far apart they are, in percent."""
    one, other = make_photo(), make_photo()
    other.paste((0, 0, 0), (80, 60, 100, 75))
    (found,) = compared(encoded(one, "PNG"), encoded(other, "PNG")).differences
    assert (5, 5, 0) == tuple(found.after[name] for name in ("column", "row", "frame"))
    assert ("#000000ff", found.before["distance"]) == (found.after["colour"], found.after["distance"])
    assert found.before["distance"] > 4


def test_every_frame_is_looked_at():
    """The last one too."""
    first, second, third, other = (make_photo(hue=number * 40) for number in range(4))
    animations = [
        encoded(first, "WEBP", save_all=True, append_images=[second, last], lossless=True) for last in (third, other)
    ]
    (found,) = compared(*animations).differences
    assert ("looks different", 2) == (found.change, found.after["frame"])


@pytest.mark.parametrize(("distance", "expected"), [(0, 1), (3.9, 1), (4, 0)])
def test_distance_is_a_share_of_the_whole_range(distance: float, expected: int):
    """A tile that is just as far apart as that is alike."""
    control, candidate = seen(*(encoded(Image.new("L", (8, 8), level), "PNG") for level in (100, 110)))
    rules = CompareRules(images=ImageRule(distance))
    assert expected == len(compare(control, candidate, rules).differences)


def test_rules_for_places_of_pictures_are_no_stale_ones():
    """They are found where a picture is."""
    watch = RuleWatch(make_rules(ignore=('$["@size"]', '$["@sise"]')))
    control, candidate = seen(encoded(make_photo(), "PNG"), encoded(make_photo(hue=9), "PNG"))
    found = [watch.look(control, candidate) for _ in range(LOOK_EVERY)][-1]
    assert frozenset({'ignore: $["@size"]'}) == found


@pytest.mark.parametrize("fault", ["size", "no_images"])
def test_what_could_not_be_decoded_is_never_equal(fault: str):
    """Law 10: without a difference it is a gap, and a missing library is one that somebody can fill."""
    control, candidate = seen(encoded(make_photo(), "PNG"), encoded(make_photo(hue=9), "PNG"))
    broken = [replace(answer, picture=Picture("png", fault=fault)) for answer in (control, candidate)]  # type: ignore[arg-type]
    found = compare(broken[0], broken[1], RULES)
    expected = Verdict.SKIPPED if fault == "no_images" else Verdict.GAVE_UP
    assert (expected, fault, ()) == (found.verdict, found.reason, found.differences)
    assert Verdict.MATCH == compare(broken[0], broken[0], RULES).verdict


def test_places_are_those_that_differ():
    """None is left out of the list that rules are looked for in."""
    assert len(set(PLACES)) == len(PLACES) == 7
