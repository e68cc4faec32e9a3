"""Which characters a body's bytes are, and that a masked text can be read again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.charset import Text, read_text, text_of
from proxy.core.content_type import parse_content_type
from proxy.core.mask import Masker
from proxy.core.model import Redaction
from proxy.core.paths import parse

MASKER = Masker(Redaction(), b"k" * 16)
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
META = b'<!doctype html><meta charset="windows-1251">\xcf\xf0\xe8'
OLD_META = b'<META http-equiv="Content-Type" content="text/html; charset=shift_jis">\x82\xa0'


@pytest.mark.parametrize(
    ("content_type", "body", "expected"),
    [
        ("text/plain", "é".encode(), Text("é", "utf-8")),
        ("text/plain; charset=iso-8859-1", b"\xe9", Text("é", "latin-1")),
        ("text/plain; charset=us-ascii", b"\x80", Text("€", "cp1252")),
        ("application/json; charset=iso-8859-1", "é".encode(), Text("é", "utf-8")),
        ("text/plain", b"\xe9 \x80", Text("é €", "cp1252")),
        ("", b"\xe9", Text("é", "cp1252")),
        ("text/html", b"<p>\xe9", Text("<p>é", "cp1252")),
        ("text/html", META, Text('<!doctype html><meta charset="windows-1251">При', "cp1251")),
        ("text/html", OLD_META, Text(OLD_META[:-2].decode() + "あ", "shift_jis")),
        ("text/html", b"<meta charset=utf-16>\xc3\xa9", Text("<meta charset=utf-16>é", "utf-8")),
        ("text/html", b"<meta charset=klingon>a", Text("<meta charset=klingon>a", "utf-8")),
        ("text/html", b"<!--" + b"-" * 1024 + META, Text("<!--" + "-" * 1024 + META.decode("cp1252"), "cp1252")),
        ("text/html; charset=utf-8", META[:-3], Text(META[:-3].decode(), "utf-8")),
        (
            "application/xml",
            b"<?xml version='1.0' encoding='ISO-8859-1'?><a>\xe9</a>",
            Text("<?xml version='1.0' encoding='ISO-8859-1'?><a>é</a>", "latin-1"),
        ),
        ("text/plain; charset=iso-8859-1", b"\xef\xbb\xbf\xc3\xa9", Text("\ufeffé", "utf-8")),
        ("text/plain; charset=utf-8", "\ufeffé".encode("utf-16-be"), Text("\ufeffé", "utf-16-be")),
        ("application/json", "\ufeff[1]".encode("utf-16-le"), Text("\ufeff[1]", "utf-16-le")),
        ("text/plain; charset=hex", b"61", Text("61", "utf-8")),
        ("text/html; charset=utf8mb4", "é".encode(), Text("é", "utf-8")),
        ("text/plain; charset=x-cp1251", b"\xcf", Text("П", "cp1251")),
    ],
)
def test_characters_are_found_as_browsers_find_them(content_type: str, body: bytes, expected: Text):
    """A mark wins, then the header, then what the text says of itself, then UTF-8, then windows-1252."""
    assert read_text(parse_content_type(content_type), body) == expected


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/plain; charset=utf-8", b"\xe9"),
        ("application/json", b'"\xe9"'),
        ("application/xml", b"<a>\xe9</a>"),
        ("text/plain", b"\xe9\x81"),
        ("text/plain", b"a\x00b"),
        ("text/plain", PNG),
        ("text/plain; charset=iso-8859-1", PNG),
        ("text/plain", b"\x1f\x8b\x08\x01\x02"),
        ("text/plain; charset=iso-8859-1", b"\x1f\x8b\x08\x01\x02"),
        ("text/plain; charset=utf-7", b"+AGE-"),
        ("text/plain; charset=ibm037", "password=a".encode("cp037")),
        ("text/plain; charset=klingon", b"\xe9"),
        ("text/plain", b"\xff\xfe\x00\xd8"),
        ("text/plain", b"\xff\xfe\x00\x00" + "password=hunter2".encode("utf-16-le")),
        ("text/plain; charset=utf-16", "é".encode("utf-16-le")),
        ("text/plain; charset=utf-16le", b"password=hunter2"),
        ("text/plain", b"\xff\xfepassword=hunter2"),
        ("text/plain", "\ufeffa".encode("utf-16-le") + b"pass=word"),
        ("text/plain", b"\xff\xfe" + "password=hunter2".encode("utf-16-be")),
        ("text/plain", b"\xfe\xff" + "password=hunter2".encode("utf-16-le")),
        ("image/png", b"text"),
    ],
)
def test_text_is_none_where_bytes_are_no_text(content_type: str, body: bytes):
    """Type, charset and bytes must all say text, and masking must be able to write it again."""
    assert text_of(parse_content_type(content_type), body) is None


CHARSETS = ["", "utf-8", "utf-16", "utf-16be", "us-ascii", "iso-8859-1", "windows-1258", "shift_jis", "gb18030", "big5"]


@given(st.binary(max_size=40), st.sampled_from(["text/plain", "text/html", ""]), st.sampled_from(CHARSETS))
def test_what_is_read_is_written_back(body: bytes, essence: str, charset: str):
    """Otherwise masking one word would change others."""
    text = read_text(parse_content_type(f"{essence}; charset={charset}"), body)
    assert text is None or text.characters.encode(text.codec) == body


@pytest.mark.parametrize(
    ("content_type", "codec", "mark"),
    [
        ("text/plain", "cp1252", ""),
        ("text/plain", "utf-16-le", "\ufeff"),
        ("application/json", "utf-16-be", "\ufeff"),
        ("text/plain; charset=windows-1258", "cp1258", ""),
        ("text/plain; charset=shift_jis", "shift_jis", ""),
    ],
)
def test_secrets_are_masked_in_every_charset(content_type: str, codec: str, mark: str):
    """Law 6, and what is left is read again as the same characters."""
    written = '{"password": "hunter2", "a": "§"}'
    masked = MASKER.body(content_type, (mark + written).encode(codec))
    found = text_of(parse_content_type(content_type), masked)
    assert found is not None
    assert (found.startswith(mark), "hunter2" in found, "masked:string:" in found, '"§"' in found) == (
        True,
        False,
        True,
        True,
    )


def test_a_mask_of_everything_keeps_the_byte_order_mark(redact_all: Masker):
    """Without it nobody could read the mark."""
    masked = redact_all.body("text/plain", "\ufeffa".encode("utf-16-le"))
    found = text_of(parse_content_type("text/plain"), masked)
    assert found is not None
    assert found.startswith('\ufeff"masked:string:')


@pytest.fixture
def redact_all() -> Masker:
    """Masks whole bodies."""
    return Masker(Redaction(fields=(parse("$"),)), b"k" * 16)
