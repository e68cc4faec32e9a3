"""An example as a report shows it: both sides of the difference, and what stands around it."""

from __future__ import annotations

import json

import pytest

from proxy.admin.report.example import MAX_DIFF_LINES, MAX_LINE_CHARACTERS, Example, example_of, marked_parts
from proxy.admin.signature_text import ABSENT, MAX_VALUE_CHARACTERS
from tests.fakes import answer, difference, example, signature_row


def shown(*examples: dict[str, object]) -> Example:
    found = example_of({**signature_row(), "examples": list(examples)})
    assert found is not None
    return found


def test_example_has_the_request_and_both_sides():
    """Who was asked what, and what each answered at the place."""
    found = shown(example())
    assert ("GET", "/api/feeds?page=2", "r-1") == (found.method, found.target, found.request_id)
    assert ("body $.items[0].score", "legacy", "1", "new", '"1"') == (
        found.place,
        found.control.name,
        found.control.value,
        found.candidate.name,
        found.candidate.value,
    )


def test_example_is_the_latest():
    """How it differs now, not how it began."""
    assert shown(example(at=1.0), example(at=2.0)).at == 2.0


def test_no_example_is_none():
    """Retention takes examples before signatures."""
    assert example_of({**signature_row(), "examples": []}) is None


@pytest.mark.parametrize(
    ("shape", "before", "after", "expected"),
    [
        ("missing", "x", None, ('"x"', ABSENT)),
        ("extra", None, "x", (ABSENT, '"x"')),
        ("line missing", "x", None, ('"x"', ABSENT)),
        ("string→null", "x", None, ('"x"', "null")),
        ("null→string", None, "x", ("null", '"x"')),
        ("extra", None, None, (ABSENT, "null")),
    ],
)
def test_null_is_not_the_same_as_nothing(shape: str, before: object, after: object, expected: tuple[str, str]):
    """Both travel as null."""
    found = shown(example(differences=[difference(shape=shape, before=before, after=after)]))
    assert expected == (found.control.value, found.candidate.value)


@pytest.mark.parametrize(
    ("shape", "before", "after", "expected"),
    [
        ("value", "abcd", "abXd", (('"ab', "c", 'd"'), ('"ab', "X", 'd"'))),
        ("value", 12, 13, (("1", "2", ""), ("1", "3", ""))),
        ("extra", None, "x", ((ABSENT, "", ""), ('"x"', "", ""))),
    ],
)
def test_changed_part_of_a_value_is_told_from_the_rest(shape: str, before: object, after: object, expected: object):
    """The page marks it; what has no other side is not marked."""
    assert expected == marked_parts(shown(example(differences=[difference(shape=shape, before=before, after=after)])))


def test_diff_shows_the_changed_part_of_long_lines():
    """A minified page is one line, and its beginning is equal."""
    ends = "a" * 1_000, "z" * 1_000
    control, candidate = (answer(word.join(ends)) for word in ("old", "new"))
    found = shown(example(control=control, candidate=candidate, differences=[difference(path="$", shape="line value")]))
    assert ["-…" + "a" * 60 + "old" + "z" * 137 + "…", "+…" + "a" * 60 + "new" + "z" * 137 + "…"] == [
        line.text for line in found.diff
    ]


def test_noise_is_legacy_against_itself():
    """The second answer isn't called new's."""
    assert shown(example(kind="noise")).candidate.name == "legacy, asked again"


def test_difference_that_was_not_kept_is_said_to_be():
    """A pair keeps fifty; the signature's own may be beyond."""
    found = shown(example(differences=[difference(signature="another")]))
    assert ("", "(not kept: the pair had too many differences)", ()) == (found.place, found.control.value, found.diff)


def test_diff_shows_the_place_and_not_what_stands_elsewhere():
    """Order of members means nothing, and a part that doesn't have the name is left out."""
    rest = {f"m{number:02}": number for number in range(20)}
    control = answer(json.dumps({"a": "ignored", **rest, "score": 1}))
    candidate = answer(json.dumps({"score": "1", **rest, "a": "otherwise"}))
    found = shown(example(control=control, candidate=candidate))
    assert [("same", '   "m18": 18,'), ("same", '   "m19": 19,')] == [(line.kind, line.text) for line in found.diff[:2]]
    assert [("removed", '-  "score": 1'), ("added", '+  "score": "1"')] == [
        (line.kind, line.text) for line in found.diff[2:4]
    ]


def test_diff_has_a_mark_for_what_is_ignored():
    """The reader is told of one difference, and shouldn't look for it among timestamps."""
    sides = [answer(json.dumps({"at": number, "etag": {"n": number}, "score": number})) for number in (1, 2)]
    differing = difference(path="$.score")
    detail = {**signature_row(), "examples": [example(control=sides[0], candidate=sides[1], differences=[differing])]}
    found = example_of({**detail, "ignored": ["$.at", "$.etag"]})
    assert found is not None
    assert ['   "at": (ignored),', '   "etag": (ignored),', '-  "score": 1', '+  "score": 2', " }"] == [
        line.text for line in found.diff
    ]
    without = example_of(detail)
    assert without is not None
    assert '-  "at": 1,' in {line.text for line in without.diff}


def test_diff_of_a_text_begins_where_it_differs():
    """A text has no names: its first change is shown."""
    place = {"path": "$", "shape": "line value"}
    found = shown(example(control=answer("a\nb\nc"), candidate=answer("a\nx\nc"), differences=[difference(**place)]))
    assert [" a", "-b", "+x", " c"] == [line.text for line in found.diff]


@pytest.mark.parametrize("kind", ["status", "header"])
def test_header_and_status_need_no_bodies(kind: str):
    """Their two values say all."""
    assert shown(example(differences=[difference(kind=kind, path="x-a")])).diff == ()


def test_everything_long_is_cut_and_said_to_be():
    """Values, lines, and the number of lines."""
    control = answer("\n".join(["x" * 900, *map(str, range(400))]))
    candidate = answer("\n".join(["y" * 900, *(f"n{number}" for number in range(400))]))
    long = difference(path="$", shape="line value", before="b" * 9_000, after="a")
    found = shown(example(control=control, candidate=candidate, differences=[long]))
    assert (MAX_DIFF_LINES, 802 - MAX_DIFF_LINES) == (len(found.diff), found.diff_left_out)
    assert max(len(line.text) for line in found.diff) == MAX_LINE_CHARACTERS + 2
    assert len(found.control.value) < MAX_VALUE_CHARACTERS + 30


def test_body_that_was_not_kept_is_said_to_be():
    """Its length and digest stand for it."""
    gone = answer(None, length=1_234, digest="ab" * 32)
    found = shown(example(control=gone, candidate=answer("x"), differences=[difference(path="$", shape="bytes")]))
    assert found.diff[0].text == "-(the body was not kept; 1,234 bytes, SHA-256 abababababab)"


def test_body_of_very_many_lines_is_looked_at_in_part():
    """Comparing line by line is quadratic: the beginning is, and the cut is shown."""
    control = answer("\n".join(map(str, range(5_000))))
    candidate = answer("\n".join(["x", *map(str, range(1, 5_000))]))
    found = shown(example(control=control, candidate=candidate, differences=[difference(path="$", shape="line value")]))
    assert ["-0", "+x", " 1", " 2"] == [line.text for line in found.diff]
