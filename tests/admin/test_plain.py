"""Foreign text, made safe for a terminal and for Markdown."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.admin.plain import markdown, markdown_code, plain

ANY_TEXT = st.text(st.characters(codec=None))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("GET /api/feeds", "GET /api/feeds"),
        ("\x1b[2J\x07", "\\x1b[2J\\x07"),
        ("a\nb\rc", "a\\nb\\rc"),
        ("\u202egpj.exe", "\\u202egpj.exe"),
        ("\u200b", "\\u200b"),
        ("\x9b31m", "\\x9b31m"),
        ("\ud800", "\\ud800"),
        ("Zürich 東京", "Zürich 東京"),
    ],
)
def test_plain_shows_controls_as_escapes(text: str, expected: str):
    """Escape sequences, line ends, bidi overrides and lone surrogates become visible; letters stay."""
    assert expected == plain(text)


@given(ANY_TEXT)
def test_plain_never_lets_a_control_through(text: str):
    """Whatever comes in, what goes out is one encodable line without control characters."""
    result = plain(text)
    assert [] == [character for character in result if not (character.isprintable() or character.isspace())]
    assert (0, result) == (len(re.findall(r"[\x00-\x1f\x7f-\x9f]", result)), result.encode().decode())


def test_plain_marks_its_cut():
    """A long text keeps its beginning, within the limit."""
    assert plain("abcdef", limit=4) == "abc…"


@given(ANY_TEXT)
def test_markdown_has_no_active_character_left(text: str):
    """Every character that Markdown or HTML reads is escaped by a backslash."""
    unescaped = re.sub(r"\\.", "", markdown(text))
    assert [] == re.findall(r"[`*_{}\[\]()<>#+!|~@&$]", unescaped)


@given(ANY_TEXT)
def test_markdown_code_can_not_be_left(text: str):
    """The fence is longer than any run of backticks within, and no cell of a table ends inside."""
    result = markdown_code(text)
    fence = re.match("`+", result)
    assert fence is not None
    inner = result[len(fence[0]) : -len(fence[0])]
    assert [] == [run for run in re.findall("`+", inner) if len(run) >= len(fence[0])]
    assert [] == re.findall(r"(?<!\\)\|", inner)
