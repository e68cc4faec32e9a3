"""Law 6, place by place: no secret of any kind survives in any place or encoding, and masking is a function."""

from __future__ import annotations

import json
import string
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.core.mark import Mark
from proxy.core.mask import Masker
from proxy.core.model import Redaction
from tests.core.secret_places import ANYWHERE, BY_LOOK, JSON, UNDER_A_NAME, WITH_SCHEME, readings

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = b"0123456789abcdef0123456789abcdef"
MASKER = Masker(Redaction(), KEY)
few = settings(max_examples=25, deadline=None)

looks = st.one_of(*(look.map(lambda secret: (secret, secret)) for look in BY_LOOK.values()), *WITH_SCHEME.values())
names = st.sampled_from(["password", "apiKey", "access_token", "client-secret", "cvv", "cardNumber", "csrf_token"])
# Letters that no harmless part of a place has.
secrets = st.text("QXZJ0123456789", min_size=8, max_size=24).filter(lambda text: not text.isdigit())


def masked(content_type: str, text: str) -> str:
    return MASKER.body(content_type, text.encode()).decode()


def survivors(secret: str, text: str) -> list[str]:
    """The halves of the secret that can still be read in the text."""
    half = len(secret) // 2
    return [part for part in (secret[:half], secret[half:]) if any(part in reading for reading in readings(text))]


@pytest.mark.parametrize(("content_type", "write"), ANYWHERE.values(), ids=ANYWHERE.keys())
@few
@given(look=looks)
def test_what_looks_like_a_secret_survives_nowhere(
    content_type: str, write: Callable[[str], str], look: tuple[str, str]
):
    """JWTs, cards, addresses, keys and credentials are found by value, whatever notation they are written in."""
    written, secret = look
    assert [] == survivors(secret, masked(content_type, write(written)))


@pytest.mark.parametrize(("content_type", "write"), UNDER_A_NAME.values(), ids=UNDER_A_NAME.keys())
@few
@given(name=names, secret=secrets)
def test_what_a_name_gives_away_survives_nowhere(
    content_type: str, write: Callable[[str, str], str], name: str, secret: str
):
    """Secrets that look like nothing are found by their names, whatever notation they are written in."""
    assert [] == survivors(secret, masked(content_type, write(name, secret)))


@pytest.mark.parametrize(("content_type", "write"), UNDER_A_NAME.values(), ids=UNDER_A_NAME.keys())
@few
@given(name=names, secret=secrets, other=secrets)
def test_equal_secrets_are_masked_alike_and_others_are_not(
    content_type: str, write: Callable[[str, str], str], name: str, secret: str, other: str
):
    """A difference between two secrets is still one, and what was equal stays equal."""
    one, two = (masked(content_type, write(name, each)) for each in (secret, other))
    assert (secret == other) == (one == two)


@pytest.mark.parametrize(("content_type", "write"), ANYWHERE.values(), ids=ANYWHERE.keys())
@few
@given(look=looks, name=names, secret=secrets)
def test_what_is_masked_stays_as_it_is(
    content_type: str, write: Callable[[str], str], look: tuple[str, str], name: str, secret: str
):
    """Masking twice is masking once."""
    for text in (look[0], f"{name}={secret}", f"{name}: {secret}"):
        once = masked(content_type, write(text))
        assert masked(content_type, once) == once


@pytest.mark.parametrize(("content_type", "write"), UNDER_A_NAME.values(), ids=UNDER_A_NAME.keys())
@few
@given(name=names, secret=secrets)
def test_what_is_masked_by_its_name_stays_as_it_is(
    content_type: str, write: Callable[[str, str], str], name: str, secret: str
):
    """Masking twice is masking once."""
    once = masked(content_type, write(name, secret))
    assert masked(content_type, once) == once


HEADERS: dict[str, Callable[[str], tuple[str, str]]] = {
    "location": lambda text: ("location", f"https://x.example/b?c={quote(text, safe='')}"),
    "location, path": lambda text: ("location", f"/b/{quote(text, safe='')}/c"),
    "referer": lambda text: ("Referer", f"https://x.example/?d=1&e={quote(text)}#f"),
    "any": lambda text: ("x-any", text),
    "JSON": lambda text: ("x-any", json.dumps({"a": text})),
    "link": lambda text: ("Link", f'</b?c={quote(text)}>; rel="next"'),
    "cookie": lambda text: ("Cookie", f"a={text}; b=1"),
    "set-cookie": lambda text: ("Set-Cookie", f"a={text}; Path=/"),
    "authorization": lambda text: ("Authorization", f"Custom {text}"),
}


@pytest.mark.parametrize("write", HEADERS.values(), ids=HEADERS.keys())
@few
@given(look=looks)
def test_what_looks_like_a_secret_survives_in_no_header(write: Callable[[str], tuple[str, str]], look: tuple[str, str]):
    """In URLs, JSON, cookies and plain values."""
    written, secret = look
    once = MASKER.headers([write(written)])
    assert [] == survivors(secret, once[0][1])
    assert MASKER.headers(once) == once


@pytest.mark.parametrize(
    "write",
    [
        lambda text: f"/a/{quote(text, safe='')}/b",
        lambda text: f"/a?b={quote(text, safe='')}&c",
        lambda text: f"/a?{quote(text, safe='')}",
        lambda text: f"/a?b={quote(json.dumps({'c': text}), safe='')}",
    ],
    ids=["path", "query", "query without a name", "JSON in the query"],
)
@few
@given(look=looks)
def test_what_looks_like_a_secret_survives_in_no_target(write: Callable[[str], str], look: tuple[str, str]):
    """Targets stand in evidence and in the request log."""
    written, secret = look
    once = MASKER.target(write(written))
    assert [] == survivors(secret, once)
    assert MASKER.target(once) == once


plain_values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(10**20), 10**20),
        st.floats(allow_nan=False),
        st.text(string.printable, max_size=12),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["a", "b", "token", "pin", "\u00e9"]), inner, max_size=3),
    ),
    max_leaves=8,
)


@given(plain_values, st.data())
def test_equal_documents_stay_equal(value: object, data: st.DataObject):
    """Order of members, white space, escapes and number forms mean nothing, in what is masked neither."""
    indent, is_ascii = data.draw(st.sampled_from([None, 1])), data.draw(st.booleans())
    one = json.dumps(value)
    two = json.dumps(_turned(value), indent=indent, ensure_ascii=is_ascii)
    assert json.loads(masked(JSON, one)) == json.loads(masked(JSON, two))


def _turned(value: object) -> object:
    """The same document, with its members in the opposite order."""
    if isinstance(value, dict):
        return {name: _turned(value[name]) for name in reversed(value)}
    return [_turned(item) for item in value] if isinstance(value, list) else value


@given(plain_values, plain_values)
def test_documents_that_differ_stay_different(one: object, other: object):
    """No two documents become equal by being masked."""
    written = [json.dumps(value, sort_keys=True) for value in (one, other)]
    marked = [json.dumps(json.loads(masked(JSON, text)), sort_keys=True) for text in written]
    assert (written[0] == written[1]) == (marked[0] == marked[1])


def test_secret_has_the_same_digits_whatever_its_type():
    """A token can be followed from a header into a text, and a pin that became a string is still the same pin."""
    mark = Mark(KEY)
    assert mark("1234").rpartition(":")[2] == mark("1234", "number").rpartition(":")[2]
    assert mark(mark("1234"), "token") == mark("1234")
