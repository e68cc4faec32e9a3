"""Masking: which secrets are found where, what a mark looks like, and that nothing else changes."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from proxy.core.mark import Mark, is_mark
from proxy.core.mask import Masker
from proxy.core.model import Redaction
from proxy.core.paths import parse
from proxy.core.secret_names import SecretNames

KEY = b"0123456789abcdef0123456789abcdef"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MiJ9.c2lnbmF0dXJl"
CARD = '{"a":[1],"b":"}]"}'  # without white space, members in order
PLAIN_LIST = '["a","b"]'
NINES = "9" * 5000
mark = Mark(KEY)


def make_masker(*fields: str, headers: tuple[str, ...] = ()) -> Masker:
    return Masker(Redaction(frozenset(headers), tuple(map(parse, fields))), KEY)


MASKER = make_masker()


def json_body(text: str, masker: Masker = MASKER) -> str:
    masked = masker.body("application/json", text.encode()).decode()
    json.loads(masked)
    return masked


def text_body(text: str, content_type: str = "text/plain") -> str:
    return MASKER.body(content_type, text.encode()).decode()


# --- marks ----------------------------------------------------------------------------------------------------


def test_mark_shows_type_and_twelve_hex_digits():
    """Reports show that there was something, of which type, and whether it is the same as elsewhere."""
    assert re.fullmatch(r"masked:string:[0-9a-f]{12}", mark("hunter2")) is not None
    assert is_mark(mark("12", "number"))


def test_mark_is_equal_for_equal_secrets_only():
    """So both sides of a pair can still be compared."""
    assert mark("hunter2") == Mark(KEY)("hunter2")
    assert len({mark("hunter2"), mark("hunter3"), mark("hunter2", "token"), Mark(b"x" * 32)("hunter2")}) == 4


def test_mark_of_nothing_is_nothing():
    """That a password is empty is what developers need to see, and no secret."""
    assert mark("") == ""


# --- names ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "newPassword",
        "PASSWORD_CONFIRMATION",
        "user[password]",
        "access_token",
        "accessToken",
        "Access-Token",
        "client_secret",
        "apiKey",
        "api-key",
        "card",
        "card.number",
        "card_number",
        "cvv",
        "ssn",
        "IBAN",
        "pin",
        "session_id",
        "X-Amz-Signature",
        "x" * 257,
    ],
)
def test_name_is_secret_in_any_spelling(name: str):
    """Case and separators mean nothing; parts of a name count."""
    assert SecretNames().has(name) is True


@pytest.mark.parametrize("name", ["id", "title", "shopping", "passage", "author", "tokenizer", "pinned", "", "-", "é"])
def test_name_is_not_secret_for_looking_alike(name: str):
    """Words that only contain one are shown."""
    assert SecretNames().has(name) is False


def test_names_of_the_operator_are_added():
    """In any spelling too, and beside the built-in ones."""
    names = SecretNames(["nick_name"])
    assert [names.has(name) for name in ("nickName", "password", "name")] == [True, True, False]


def test_names_remember_a_bounded_number():
    """Names come from whoever sends requests."""
    names = SecretNames()
    for number in range(20_010):
        names.has(f"field{number}")
    assert len(names._remembered) == 10


# --- headers and targets --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("Authorization", "Bearer abc", f"Bearer {mark('abc')}"),
        ("authorization", "abc", mark("abc")),
        ("proxy-authorization", "Basic dTpw", f"Basic {mark('dTpw')}"),
        ("X-Api-Key", "abc", mark("abc")),
        ("x-auth-token", "abc", mark("abc")),
        ("x-csrf-token", "abc", mark("abc")),
        ("x-own", "abc", mark("abc")),
        ("Cookie", "session=abc; theme=dark", f"session={mark('abc')}; theme={mark('dark')}"),
        ("cookie", "a=; flag", f"a=; {mark('flag')}".replace("; masked", ";masked")),
        (
            "Set-Cookie",
            "session=abc; Path=/; SameSite=Lax",
            f"session={mark('abc')}; Path=/; SameSite=Lax",
        ),
        ("set-cookie", "session=; Max-Age=0", "session=; Max-Age=0"),
        ("location", "/in?token=abc&page=2", f"/in?token={mark('abc')}&page=2"),
        ("location", "/in#access_token=abc", f"/in#access_token={mark('abc')}"),
        ("link", '</a?token=abc>; rel="next"', f'</a?token={mark("abc")}>; rel="next"'),
        ("referer", "https://ann:pw@host/", f"https://{mark('ann:pw', 'token')}@host/"),
        ("x-other", JWT, mark(JWT, "token")),
        ("accept", "text/html", "text/html"),
        ("etag", '"abc"', '"abc"'),
    ],
)
def test_header_values_are_masked(name: str, value: str, expected: str):
    """By name, by cookie, by URL parameter and by look; names, cookie names and attributes stay."""
    masker = make_masker(headers=("x-own",))
    assert masker.headers([(name, value)]) == ((name, expected),)


def test_headers_keep_their_order_and_repetitions():
    """What is compared is the list as it came."""
    pairs = (("b", "1"), ("a", "2"), ("b", "1"))
    assert MASKER.headers(pairs) == pairs


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/a/b", "/a/b"),
        ("/a?page=2&q=x+y", "/a?page=2&q=x+y"),
        ("/a?Token=abc&page=2", f"/a?Token={mark('abc')}&page=2"),
        ("/a?token=", "/a?token="),
        ("/a?user%5Bpassword%5D=p%20w", f"/a?user%5Bpassword%5D={mark('p w')}"),
        ("/a;jsessionid=abc?x=1", f"/a;jsessionid={mark('abc')}?x=1"),
        (f"/confirm/{JWT}", f"/confirm/{mark(JWT, 'token')}"),
        ("/a?next=%2Fb%3Ftoken%3Dabc", f"/a?next=/b?token%3D{mark('abc')}"),
        ("/a?b=%7B%22pin%22%3A1%7D", f"/a?b=%7B%22pin%22:%22{mark('1', 'number')}%22%7D"),
        ("*", "*"),
    ],
)
def test_target_is_masked_in_its_query(target: str, expected: str):
    """Parameters by decoded name, and what is wrapped in one."""
    assert MASKER.target(target) == expected


# --- JSON -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": 1.00, "b" : [1e5]}', '{"a": 1.00, "b" : [1e5]}'),
        ('{"password":"x","a":1}', f'{{"password":"{mark("x")}","a":1}}'),
        ('{ "Pass\\u0077ord" :\t"x" }', f'{{ "Pass\\u0077ord" :\t"{mark("x")}" }}'),
        ('{"token":"\\u0078"}', f'{{"token":"{mark("x")}"}}'),
        ('{"token":"a","token":"b"}', f'{{"token":"{mark("a")}","token":"{mark("b")}"}}'),
        ('{"pin":1234}', f'{{"pin":"{mark("1234", "number")}"}}'),
        ('{"pin":-1.50e3}', f'{{"pin":"{mark("-1500.0", "number")}"}}'),
        ('{"pin":null,"cvv":true,"otp":""}', '{"pin":null,"cvv":true,"otp":""}'),
        (
            '{"card":{"b":"}]","a":[1]},"x":1}',
            f'{{"card":"{mark(CARD, "object")}","x":1}}',
        ),
        ('{"tokens":["a","b"]}', f'{{"tokens":"{mark(PLAIN_LIST, "list")}"}}'),
        ('[{"a":{"secret":"x"}}]', f'[{{"a":{{"secret":"{mark("x")}"}}}}]'),
        ('["password","token","pin"]', '["password","token","pin"]'),
        ('{"a":"password","b":"x"}', '{"a":"password","b":"x"}'),
        ('{"a":"v",":token":"x"}', f'{{"a":"v",":token":"{mark("x")}"}}'),
        (f'{{"a":"x {JWT} y"}}', f'{{"a":"x {mark(JWT, "token")} y"}}'),
        (f'["\\n{JWT}"]', f'["\\n{mark(JWT, "token")}"]'),
        (f'["\\u0065{JWT[1:]}"]', f'["{mark(JWT, "token")}"]'),
        ('["\\u000eyJabcdefgh"]', '["\\u000eyJabcdefgh"]'),
        ('["Bearer abcdefgh1"]', f'["Bearer {mark("abcdefgh1", "token")}"]'),
        ('["Bearer abcd\\/efgh1"]', f'["Bearer {mark("abcd/efgh1", "token")}"]'),
        ('{"u":"/a?token=x&b=1"}', f'{{"u":"/a?token={mark("x")}&b=1"}}'),
        ('{"u":"/a?b=1\\u0026token=x"}', f'{{"u":"/a?b=1&token={mark("x")}"}}'),
        ('{"j":"{\\"pin\\": 1, \\"a\\": 2}"}', f'{{"j":"{{\\"pin\\": \\"{mark("1", "number")}\\", \\"a\\": 2}}"}}'),
        ('{"j":"[\\"a\\"]"}', '{"j":"[\\"a\\"]"}'),
        ('{"j":"{\\"not json"}', '{"j":"{\\"not json"}'),
        (f'{{"pin":{NINES}}}', f'{{"pin":"{mark(f"!<token {NINES}>", "number")}"}}'),
        ('\ufeff{"pin":"x"}', f'\ufeff{{"pin":"{mark("x")}"}}'),
        ('"eyJ"', '"eyJ"'),
    ],
)
def test_json_is_masked_in_place(text: str, expected: str):
    """Values of secret names and what looks like a token; all other characters stay where they are."""
    masked = MASKER.body("application/json", text.encode()).decode()
    assert masked == expected
    assert isinstance(json.loads(masked.removeprefix("\ufeff")), (dict, list, str))


def test_same_object_has_the_same_mark_in_another_order():
    """Masking must not make a difference out of the order of members."""
    one, other = json_body('{"card":{"a":1,"b":2}}'), json_body('{"card": {"b":2, "a":1}}')
    assert json.loads(one) == json.loads(other)


def test_secret_has_one_mark_wherever_it_stands():
    """Header, cookie, query, form and JSON agree, so that a developer can follow it."""
    expected = mark("hunter22")
    assert expected in json_body('{"password":"hunter22"}')
    assert MASKER.target("/?password=hunter22") == f"/?password={expected}"
    assert MASKER.headers([("cookie", "a=hunter22"), ("x-token", "hunter22")]) == (
        ("cookie", f"a={expected}"),
        ("x-token", expected),
    )


@pytest.mark.parametrize(
    ("field", "text", "expected"),
    [
        ("$..nick", '{"nick":"x","a":[{"nick":"y"}]}', f'{{"nick":"{mark("x")}","a":[{{"nick":"{mark("y")}"}}]}}'),
        ("$.user.nick", '{"nick":"x"}', f'{{"nick":"{mark("x")}"}}'),
        ("$.nicks[*]", '{"nicks":["x"]}', f'{{"nicks":"{mark(json.dumps(["x"]), "list")}"}}'),
        ("$.größe", '{"Größe":1}', f'{{"Größe":"{mark("1", "number")}"}}'),
        ("$[*]", '["x"]', json.dumps(mark('["x"]'))),
    ],
)
def test_path_rules_mask_by_their_last_name(field: str, text: str, expected: str):
    """Everywhere, which is more than the path says; a path without a name masks the whole body."""
    assert json_body(text, make_masker(field)) == expected


def test_deeply_nested_body_is_masked_as_text():
    """What can't be parsed is still searched."""
    body = "[" * 5000 + '{"password": "hunter22"}' + "]" * 5000
    assert "hunter22" not in MASKER.body("application/json", body.encode()).decode()


# --- forms and texts ------------------------------------------------------------------------------------------


def test_form_is_masked_by_field():
    """Names and values percent-decoded, everything else as it was."""
    form = "user=ann&pass%77ord=a%20b+c&note=x%20y&token="
    masked = text_body(form, "application/x-www-form-urlencoded")
    assert masked == f"user=ann&pass%77ord={mark('a b c')}&note=x%20y&token="


PEM = "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nothing to see, and pin boards: two", "nothing to see, and pin boards: two"),
        ("password = hunter2 done", f"password = {mark('hunter2')} done"),
        ("Password: correct horse\nnext", f"Password: {mark('correct horse')}\nnext"),
        ("{secret: 'a\\'b', n: 1}", f"{{secret: '{mark(chr(97) + chr(92) + chr(39) + 'b')}', n: 1}}"),
        ("var token = `x`;", f"var token = `{mark('x')}`;"),
        ("--api-key=x y", f"--api-key={mark('x')} y"),
        ('{"pin": "x"}\n{"pin": "y"}', f'{{"pin": "{mark("x")}"}}\n{{"pin": "{mark("y")}"}}'),
        (
            'data: {"card": {"n": 1}, "a": 2}',
            f'data: {{"card": "{mark(chr(123) + chr(34) + "n" + chr(34) + ":1}", "object")}", "a": 2}}',
        ),
        ("tokens: [not json\nnext", f'tokens: "{mark("[not json", "object")}"\nnext'),
        ("token:\nnext", "token:\nnext"),
        (f"see {JWT}.", f"see {mark(JWT + '.', 'token')}"),
        ("postgres://ann:pw@db/x", f"postgres://{mark('ann:pw', 'token')}@db/x"),
        (PEM, mark(PEM, "token")),
        ("AKIAABCDEFGHIJKLMNOP", mark("AKIAABCDEFGHIJKLMNOP", "token")),
        ("key sk_live_0123456789", f"key {mark('sk_live_0123456789', 'token')}"),
    ],
)
def test_text_is_masked_by_name_and_by_look(text: str, expected: str):
    """Settings, logs, scripts, lines of JSON: the value after a secret name, and what looks like a key."""
    assert text_body(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            '<input type="hidden" name="csrf_token" value="x">',
            f'<input type="hidden" name="csrf_token" value="{mark("x")}">',
        ),
        ("<INPUT value='x' type=password>", f"<INPUT value='{mark('x')}' type=password>"),
        ("<meta name=csrf-token content=x>", f"<meta name=csrf-token content={mark('x')}>"),
        ('<input name="q" value="x">', '<input name="q" value="x">'),
        ('<input name="token">', '<input name="token">'),
        ("<ns:password a='1'>x</ns:password>", f"<ns:password a='1'>{mark('x')}</ns:password>"),
        ("<token><![CDATA[x<y]]></token>", f"<token>{mark('<![CDATA[x<y]]>')}</token>"),
        ('<user password="x"/>', f'<user password="{mark("x")}"/>'),
        ('<a href="/x?token=y">pin</a>', f'<a href="/x?token={mark("y")}">pin</a>'),
        ("<p>token</p>", "<p>token</p>"),
    ],
)
@pytest.mark.parametrize("content_type", ["text/html", "application/xml", "image/svg+xml"])
def test_markup_is_masked(text: str, expected: str, content_type: str):
    """Inputs, meta tags, elements and attributes with secret names."""
    assert text_body(text, content_type) == expected


def test_text_is_masked_in_its_own_charset():
    """The body stays in the charset that its type declares."""
    content_type = "text/plain; charset=iso-8859-1"
    masked = MASKER.body(content_type, "größe=1 password=é".encode("latin-1"))
    assert masked == f"größe=1 password={mark('é')}".encode("latin-1")


@pytest.mark.parametrize(("content_type", "body"), [("image/png", b"\x89PNG"), ("application/json", b'"\xff"')])
def test_what_is_no_text_does_not_pass(content_type: str, body: bytes):
    """Law 6: what can't be searched doesn't leave; the caller has asked `may_travel` before."""
    assert MASKER.body(content_type, body) == b""


def test_body_without_secrets_is_the_same_object():
    """The usual case costs no copy."""
    body = b'{"a": [1, 2, "x"]}'
    assert MASKER.body("application/json", body) is body


HOSTILE: list[tuple[str, str, Any]] = [
    ("words", "text/plain", "a"),
    ("base64", "text/plain", "eyJ"),
    ("keys", "text/plain", "-----BEGIN PRIVATE KEY-----"),
    ("brackets", "text/plain", 'token:["'),
    ("quotes", "text/plain", "token:'\"`"),
    ("cdata", "text/xml", "<a><![CDATA["),
    ("attributes", "text/html", "<input a"),
    ("urls", "text/plain", "://a:"),
    ("spaces", "text/plain", "a" + " " * 99),
    ("escapes", "text/plain", "\\'"),
    ("addresses", "text/plain", "@a"),
    ("percent", "text/plain", "%2541"),
    ("entities", "text/html", "&quot;"),
    ("nodes", "text/html", "<a>&lt;"),
    ("elements", "text/html", "<token></x>"),
    ("inputs", "text/html", "<input name=token "),
    ("broken lists", "text/plain", '"token":[\n'),
    ("broken lines", "text/plain", '{"a":["b",\n'),
    ("deep quotes", "text/plain", 'token:\\\\"x'),
    ("settings", "application/json", '"name":"token",'),
    ("cards", "text/plain", "0000 0000 0000 "),
    ("blocks", "text/plain", "token: |\n "),
    ("records", "application/x-ndjson", '{"token":"a"}\n'),
    ("broken records", "application/x-ndjson", '{"token":"a\n'),
    ("separators", "application/json-seq", '\x1e["a'),
    ("lines of data", "text/event-stream", 'data: {"token":"a"}\n'),
    ("events", "text/event-stream", 'data\ndata:"token"\n\n'),
    ("unclosed", "text/plain", "token:'a "),
]


@pytest.mark.parametrize(("content_type", "unit"), [each[1:] for each in HOSTILE], ids=[each[0] for each in HOSTILE])
def test_masking_takes_time_in_proportion(content_type: str, unit: str):
    """No text makes a pattern start over and over: 40 times the text takes less than 400 times the steps."""
    import time

    def seconds(chars: int) -> float:
        body = (unit * (chars // len(unit) + 1)).encode()
        started = time.process_time()
        MASKER.body(content_type, body)
        return time.process_time() - started

    short = min(seconds(20_000) for _ in range(5))
    assert seconds(800_000) < 400 * max(short, 0.0005)
