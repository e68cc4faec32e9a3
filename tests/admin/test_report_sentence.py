"""What differs, in plain words: every shape of the vocabulary has a sentence of its own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from proxy.admin.report.sentence import MAX_CODE_CHARACTERS, sentence_of, sentence_text
from tests.admin.hostile import HOSTILE
from tests.fakes import signature_row

VOCABULARY = (Path(__file__).parents[2] / "docs" / "comparing.md").read_text()


def said(**changes: str) -> str:
    return sentence_text(sentence_of(signature_row(**changes)))


@pytest.mark.parametrize(
    ("kind", "path", "shape", "expected"),
    [
        ("body", "$.site_url", "missing", "New leaves out $.site_url."),
        ("body", "$.x", "extra", "New adds $.x, which legacy doesn't send."),
        ("body", "$.total", "value", "New sends another value for $.total."),
        ("body", '$["@format"]', "format jpeg→png", "New sends the picture as png, legacy as jpeg."),
        ("body", '$["@frames"]', "frames n→1", "New sends a still picture where legacy sends an animation."),
        (
            "body",
            '$["@transparency"]',
            "transparent→opaque",
            "New sends the picture without its transparency.",
        ),
        (
            "body",
            "$",
            "body image→broken image",
            "New answers with a picture that can't be decoded where legacy answers with a picture.",
        ),
        ("body", "$.latest", "reordered", "New sends the items of $.latest in another order."),
        (
            "body",
            "$.items[*].score",
            "number→numeric string",
            "New sends $.items[*].score as a string that holds a number where legacy sends a number.",
        ),
        ("body", "$.a", "string→null", "New sends $.a as null where legacy sends a string."),
        ("body", "$.a", "jwt→card", "New sends $.a as card where legacy sends jwt."),
        ("body", "$", "body json→text", "New answers with text where legacy answers with JSON."),
        ("body", "$", "body json→csv", "New answers with csv where legacy answers with JSON."),
        ("body", "$", "bytes", "New sends other bytes."),
        ("body", "$", "html-escaped", "New sends the text of the body with more HTML escapes than legacy."),
        ("body", "$", "line html-escaped", "New sends a line of the text with more HTML escapes than legacy."),
        ("body", "$", "line numbers", "New sends a line of the text with other numbers."),
        ("body", "$", "line jwt→card", "New differs in a line of the text: jwt→card."),
        ("status", "status", "200→500", "New answers with status 500, legacy with 200."),
        ("header", "x-runtime", "missing", "New leaves out the header x-runtime."),
        ("header", "content-type.charset", "value", "New sends another value for the header content-type.charset."),
        ("header", "set-cookie.session", "extra", "New adds the cookie session, which legacy doesn't send."),
        (
            "header",
            "set-cookie.session.samesite",
            "missing",
            "New leaves out the attribute samesite of the cookie session.",
        ),
        ("body", "$.a", "something new", "New differs in $.a: something new."),
        ("status", "status", "value", "New sends another value for the status."),
        ("body", "$.a", "", "New differs in $.a: unknown."),
    ],
)
def test_sentence_says_what_differs(kind: str, path: str, shape: str, expected: str):
    """One for each kind of change; a shape that isn't known is named."""
    assert expected == said(kind=kind, path=path, shape=shape)


def test_each_shape_of_the_vocabulary_has_its_words():
    """The table of docs/comparing.md, row by row; none falls back to naming the shape."""
    table = VOCABULARY.partition("| shape | the change |")[2].partition("\n\n")[0]
    shapes = [
        shape
        for row in table.splitlines()
        for shape in re.findall("`([^`]+)`", row.split("|")[1] if "|" in row else "")
    ]
    shapes = [shape for shape in shapes if "…" not in shape]
    assert len(shapes) > 20
    assert [] == [shape for shape in shapes if "differs in" in said(shape=shape)]


@pytest.mark.parametrize("text", HOSTILE)
def test_foreign_text_is_marked_as_such(text: str):
    """What came from an answer is a part of its own, so that each format can escape it."""
    parts = sentence_of(signature_row(path=text, shape="missing"))
    assert [text] == [part.text for part in parts if part.is_code]


def test_long_path_is_cut():
    """A sentence stays one."""
    assert len(said(path="$." + "x" * 9_000)) < MAX_CODE_CHARACTERS + 60
