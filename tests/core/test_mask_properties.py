"""Law 6: no planted secret survives, wherever and however it is written, and nothing else changes."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote, quote_plus

from hypothesis import example, given
from hypothesis import strategies as st

from proxy.core.mark import Mark
from proxy.core.mask import Masker
from proxy.core.model import Redaction

KEY = b"0123456789abcdef0123456789abcdef"
MASKER = Masker(Redaction(), KEY)
mark = Mark(KEY)

# Secrets in letters that no other generated text has, so that finding one in the output is finding it.
secrets = st.text("QXZ7@$ü", min_size=3, max_size=12).filter(lambda text: not text.isdigit())
secret_names = st.sampled_from(
    ["password", "accessToken", "API-Key", "client_secret", "card", "cvv", "user[pin]", "Session_ID", "iban"]
)
harmless_names = st.sampled_from(["a", "id", "title", "x y", "", "é", ":", '"', "\\", "{"])
harmless = st.one_of(
    st.integers().map(str),
    st.sampled_from(
        ["null", "true", "1.50", "1e5", "-0.0", '""', '"a\\"b"', '"\\\\"', '"}]"', '"x: y"', '"\\u00e9\\n"']
    ),
    st.text('abc é{}[]:,"\\\n', max_size=8).map(json.dumps),
)
spaces = st.sampled_from(["", " ", "\n", "\t ", "\r\n"])


@st.composite
def written_strings(draw: st.DrawFn, text: str) -> str:
    """The text as a JSON string, each character escaped or not."""
    parts = [
        f"\\u{ord(letter):04x}" if draw(st.booleans()) else json.dumps(letter, ensure_ascii=False)[1:-1]
        for letter in text
    ]
    return f'"{"".join(parts)}"'


@st.composite
def planted(draw: st.DrawFn, depth: int = 0) -> tuple[str, str, list[str]]:
    """JSON text, the same masked, and the secrets in it."""
    if depth >= 3 or draw(st.integers(0, 3)) == 0:
        text = draw(harmless)
        return text, text, []
    is_object = draw(st.booleans())
    before, after, found = [], [], []
    for _ in range(draw(st.integers(0, 4))):
        space = draw(spaces)
        if is_object and draw(st.booleans()):
            secret = draw(secrets)
            key = draw(secret_names.flatmap(written_strings))
            before.append(f"{space}{key}{space}:{space}{draw(written_strings(secret))}")
            after.append(f'{space}{key}{space}:{space}"{mark(secret)}"')
            found.append(secret)
            continue
        key = f"{draw(harmless_names.flatmap(written_strings))}{space}:" if is_object else ""
        one, other, more = draw(planted(depth + 1))
        before.append(f"{key}{space}{one}{space}")
        after.append(f"{key}{space}{other}{space}")
        found += more
    opening, closing = "{}" if is_object else "[]"
    return f"{opening}{','.join(before)}{closing}", f"{opening}{','.join(after)}{closing}", found


@given(planted())
def test_json_loses_its_secrets_and_nothing_else(case: tuple[str, str, list[str]]):
    """Escaped keys, odd white space, repeated keys, any depth: the secret's characters become its mark."""
    text, expected, found = case
    masked = MASKER.body("application/json", text.encode()).decode()
    assert masked == expected
    assert [secret for secret in found if secret in masked] == []
    json.loads(masked)


@given(planted(), secret_names, st.sampled_from(["application/json", "text/plain", ""]))
def test_secret_lists_and_objects_go_as_a_whole(case: tuple[str, str, list[str]], name: str, content_type: str):
    """Whatever is inside the value of a secret name goes with it."""
    text, _, found = case
    body = f'{{"before": 1, {json.dumps(name)}: [{text}, "QXZ"], "after": 2}}'
    masked = MASKER.body(content_type, body.encode()).decode()
    assert [secret for secret in [*found, "QXZ"] if secret in masked] == []
    document = json.loads(masked)
    assert (document["before"], document["after"]) == (1, 2)


@example(('{\n"password"\n:\n"77@"}', "", []), "password", "77@")
@given(planted(), secret_names, secrets)
def test_broken_json_loses_its_secrets_too(case: tuple[str, str, list[str]], name: str, secret: str):
    """A body that is cut off is searched as a text."""
    body = f'{{{json.dumps(name)}: "{secret}", "rest": {case[0]}'
    assert secret not in MASKER.body("application/json", body.encode()).decode()


@given(st.lists(st.tuples(secret_names, secrets), min_size=1, max_size=4), st.booleans())
def test_forms_and_targets_lose_their_secrets(fields: list[tuple[str, str]], is_encoded: bool):
    """Percent-encoded or not; the harmless fields between them stay as they are."""

    def write(text: str) -> str:
        return quote_plus(text) if is_encoded else quote(text, safe="[]@$ü")

    form = "&".join(f"page=%32&{write(name)}={write(secret)}" for name, secret in fields)
    expected = "&".join(f"page=%32&{write(name)}={mark(secret)}" for name, secret in fields)
    assert MASKER.body("application/x-www-form-urlencoded", form.encode()).decode() == expected
    assert MASKER.target(f"/a?{form}") == f"/a?{expected}"


@given(
    secrets,
    st.sampled_from(["Authorization", "proxy-authorization", "X-API-KEY", "x-auth-token", "X-Refresh-Token"]),
    st.sampled_from(["", "Bearer ", "Basic ", "bearer "]),
)
def test_headers_lose_their_secrets(secret: str, name: str, scheme: str):
    """The scheme stays, so that a change of it is seen; the credentials go."""
    assert MASKER.headers([(name, scheme + secret)]) == ((name, scheme + mark(secret)),)


@given(st.lists(st.tuples(st.sampled_from(["session", "a", "theme"]), secrets), min_size=1, max_size=4))
def test_cookies_lose_their_values(cookies: list[tuple[str, str]]):
    """All of them: which one is the session's, only the backend knows."""
    request = "; ".join(f"{name}={secret}" for name, secret in cookies)
    answers = [("set-cookie", f"{name}={secret}; Path=/; HttpOnly") for name, secret in cookies]
    assert MASKER.headers([("cookie", request)]) == (
        ("cookie", "; ".join(f"{name}={mark(secret)}" for name, secret in cookies)),
    )
    assert MASKER.headers(answers) == tuple(
        ("set-cookie", f"{name}={mark(secret)}; Path=/; HttpOnly") for name, secret in cookies
    )


@given(secrets, secrets)
def test_marks_are_equal_for_equal_secrets_only(one: str, other: str):
    """Masked answers differ where the answers did."""
    bodies = [MASKER.body("application/json", json.dumps({"token": secret}).encode()) for secret in (one, other)]
    assert (bodies[0] == bodies[1]) == (one == other)


@given(st.text(max_size=60), st.sampled_from(["text/plain", "text/html", "application/json", "application/xml"]))
def test_masking_any_text_never_fails(text: str, content_type: str):
    """Whatever a backend answers, the worker goes on."""
    assert isinstance(MASKER.body(content_type, text.encode("utf-8", "replace")), bytes)


@given(st.from_regex(r"[?&;#=:\"'<>{}\[\]/a-z\\ ]*", fullmatch=True), secret_names, secrets)
def test_masking_leaves_json_valid(text: str, name: str, secret: str):
    """Patterns that look for tokens and parameters never cut a string in two."""
    document: Any = {"text": f"{text}?{name}={secret}&x {text}", "more": [text]}
    for written in (json.dumps(document), json.dumps(document, ensure_ascii=False)):
        masked = json.loads(MASKER.body("application/json", written.encode()))
        assert masked.keys() == document.keys()
