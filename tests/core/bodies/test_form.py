"""Forms as objects of decoded fields."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.bodies.body import Body
from proxy.core.bodies.read import read_body

FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"a=1&b=2", {"a": "1", "b": "2"}),
        (b"a=1&a=2&b=&c", {"a": ["1", "2"], "b": "", "c": ""}),
        (b"a+b=c%20d%2B&&%c3%a9=\xc3\xa9\r\n", {"a b": "c d+", "é": "é"}),
        (b"a=%ff&b=%fe", {"a": "\udcff", "b": "\udcfe"}),
        (b"a=1;b=2", {"a": "1;b=2"}),
        (b"=1&a==", {"": "1", "a": "="}),
    ],
)
def test_fields_are_decoded(body: bytes, expected: dict[str, object]):
    """WHATWG's URL standard §5.1; bytes that are no UTF-8 stay apart."""
    assert read_body(FORM, body) == Body("form", expected)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"a": "b=c"}', Body("json", {"a": "b=c"})),
        (b"<a b=c>", Body("text", "<a b=c>")),
        (b"no field", Body("text", "no field")),
        (b"a=1\nb=2", Body("text", "a=1\nb=2")),
    ],
)
def test_what_is_no_form_is_read_as_what_it_is(body: bytes, expected: Body):
    """The type is often kept when an error page or a document is sent."""
    assert read_body(FORM, body) == expected


@given(st.dictionaries(st.text(max_size=5), st.lists(st.text(max_size=5), min_size=1, max_size=3), min_size=1))
def test_what_was_written_is_read(fields: dict[str, list[str]]):
    """Any names and values come back."""
    expected = {name: values if len(values) > 1 else values[0] for name, values in fields.items()}
    assert read_body(FORM, urlencode(fields, doseq=True).encode()) == Body("form", expected)
