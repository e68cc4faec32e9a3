"""Bodies of several parts: split byte for byte, and no secret in what travels."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.bodies.multipart import MAX_PARTS, Part, read_parts, split, write_parts
from proxy.core.evidence import Answer
from proxy.core.mask import Masker
from proxy.core.model import Redaction
from proxy.core.observation import Observation
from proxy.core.paths import Path, parse

MASKER = Masker(Redaction(), b"k" * 16)
contents = st.binary(max_size=20) | st.lists(st.sampled_from([b"\r\n", b"--", b"--x", b"x", b"a"])).map(b"".join)
fields = st.lists(st.tuples(st.sampled_from(["content-type", "x-a"]), st.sampled_from(["", "a: b", "text/plain"])))


def written(parts: list[tuple[list[tuple[str, str]], bytes]], boundary: bytes) -> bytes:
    lines = b""
    for own, content in parts:
        head = b"".join(f"{name}: {value}\r\n".encode() for name, value in own)
        lines += b"--" + boundary + b"\r\n" + head + b"\r\n" + content + b"\r\n"
    return lines + b"--" + boundary + b"--\r\n"


@given(st.lists(st.tuples(fields, contents), min_size=1, max_size=5))
def test_parts_are_split_byte_for_byte(parts: list[tuple[list[tuple[str, str]], bytes]]):
    """Whatever is in them but for the boundary itself."""
    found = split('multipart/mixed; a="; boundary=no"; boundary="the one"', written(parts, b"the one"))
    assert found == [Part(tuple(own), content) for own, content in parts]


@given(st.binary(max_size=60) | st.lists(st.sampled_from([b"--x", b"--", b"\r\n", b"a", b":"])).map(b"".join))
def test_any_bytes_are_split_or_not(body: bytes):
    """Never an exception."""
    found = split("multipart/mixed; boundary=x", body)
    assert found is None or 1 <= len(found) <= MAX_PARTS


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/mixed",
        "multipart/mixed; boundary=",
        'multipart/mixed; boundary=""',
        "multipart/mixed; boundary=x; boundary=y",
        f"multipart/mixed; boundary={'x' * 71}",
    ],
)
def test_boundary_that_readers_may_take_differently_is_none(content_type: str):
    """Then nothing is split."""
    assert None is split(content_type, b"--x\r\n\r\na\r\n--x--")


def travelling(*parts: tuple[list[tuple[str, str]], bytes]) -> Answer:
    lines = (("content-type", "multipart/form-data; boundary=x"),)
    return Observation(MASKER, 10_000).answer(200, lines, written([*parts], b"x"))


def disposition(name: str) -> tuple[str, str]:
    return "Content-Disposition", f"form-data; {name}"


@pytest.mark.parametrize(
    "own",
    [
        [disposition('name="password"')],
        [disposition("name=password")],
        [disposition("name=user[password]")],
        [disposition('name="pass\\word"')],
        [disposition("name*=utf-8''password")],
        [disposition(f'name="=?utf-8?B?{b64encode(b"password").decode()}?="')],
        [("content-disposition", 'form-data;\r\n name="password"')],
        [disposition('name="password"'), ("content-type", "application/octet-stream")],
        [disposition('name="password"'), ("content-transfer-encoding", "base64")],
    ],
)
def test_secret_field_does_not_travel(own: list[tuple[str, str]]):
    """However its name is written; nor does anything of which it could be guessed."""
    found = travelling((own, b"hunter2"), ([], b"a"))
    assert found.body is not None
    assert b"hunter2" not in found.body
    assert sha256(b"hunter2").hexdigest().encode() not in found.body


def test_secrets_in_parts_are_masked_as_elsewhere():
    """By the part's own type; other parts stay as they are, and have no digest."""
    found = travelling(
        ([("Content-Type", "application/json")], b'{"token": "abcdef", "a": 1}'),
        ([("Content-Type", "application/http"), ("Set-Cookie", "sid=abcdef")], b"\0abcdef"),
        ([], b"plain"),
    )
    assert found.body is not None
    assert b"abcdef" not in found.body
    document, octets, plain = read_parts(found.body)
    assert document.body is not None
    assert b'"a": 1' in document.body
    assert (None, sha256(b"\0abcdef").hexdigest(), "bytes") == (octets.body, octets.digest, octets.unkept)
    assert (b"plain", "") == (plain.body, plain.digest)


def test_parts_that_grow_by_their_marks_stay():
    """All together; each for itself would do."""
    found = travelling(*[([disposition("name=pin")], b"1")] * 200, *[([], b"pin=1&" * 20)] * 40)
    assert (None, "size") == (found.body, found.unkept)


@given(
    st.lists(
        st.builds(
            Answer,
            status=st.just(0),
            headers=st.just((("content-type", "é"),)),
            body=st.binary(max_size=9).map(bytes)
            | st.text(max_size=9).map(lambda text: text.encode("utf-8", "replace")),
            length=st.just(0),
            digest=st.just(""),
        )
    )
)
def test_parts_survive_their_encoding(parts: list[Answer]):
    """Text and bytes."""
    assert [part.body for part in parts] == [part.body for part in read_parts(write_parts(parts))]


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b"{}x", b'[{"headers": 1}]', b"--x"])
def test_what_is_no_list_of_parts_is_refused(body: bytes):
    """With one class of error."""
    with pytest.raises(ValueError, match=r"."):
        read_parts(body)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("$[*].a", ["$.a"]),
        ("$[2].a", ["$.a"]),
        ("$[1].a", []),
        ("$.a", []),
        ("$", []),
        ("$..a", ["$..a"]),
        ("$..[2].a", ["$..[2].a", "$.a"]),
        ("$[*]", ["$"]),
    ],
)
def test_path_below_is_the_rest_of_the_way(path: str, expected: list[str]):
    """From the third item of a list on."""
    assert tuple(map(parse, expected)) == parse(path).below(2)
    assert all(isinstance(found, Path) for found in parse(path).below(2))
