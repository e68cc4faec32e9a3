"""Secrets of each kind, and each place in which an answer may hold one, as the real world writes them."""

from __future__ import annotations

import html
import json
import string
from base64 import b64encode
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus, unquote_plus

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable

_LETTERS = string.ascii_letters + string.digits
_words = st.text(_LETTERS, min_size=12, max_size=30)


def _luhn(digits: str) -> str:
    """The digits with their check digit."""
    total = sum(
        int(digit) if place % 2 else sum(divmod(2 * int(digit), 10)) for place, digit in enumerate(digits[::-1])
    )
    return f"{digits}{-total % 10}"


_cards = (
    st.tuples(
        st.sampled_from(
            [("4", 15), ("51", 15), ("2221", 15), ("37", 14), ("6011", 15), ("3530", 15), ("30", 13), ("4", 18)]
        ),
        st.text(string.digits, min_size=18, max_size=18),
    )
    .map(lambda drawn: _luhn((drawn[0][0] + drawn[1])[: drawn[0][1]]))
    .filter(lambda card: len(set(card)) > 3)
)
_cards_in_groups = _cards.filter(lambda card: len(card) == 16).flatmap(
    lambda card: st.sampled_from([sign.join(card[at : at + 4] for at in range(0, 16, 4)) for sign in " -."])
)

# What is recognised by its look: the secret, and what it is written with.
BY_LOOK = {
    "JWT": _words.map(lambda word: f"eyJhbGciOiJIUzI1NiJ9.eyJ{word}.{word[::-1]}"),
    "card number": _cards,
    "card number in groups": _cards_in_groups,
    "e-mail address": _words.map(lambda word: f"{word}@Mail-{word[:3]}.example"),
    "AWS key": st.text(string.ascii_uppercase + string.digits, min_size=16, max_size=16).map(lambda key: f"AKIA{key}"),
    "GitHub token": st.text(_LETTERS, min_size=36, max_size=36).map(lambda token: f"ghp_{token}"),
    "Google key": st.text(_LETTERS, min_size=35, max_size=35).map(lambda token: f"AIza{token}"),
    "GitLab token": st.text(_LETTERS, min_size=20, max_size=20).map(lambda token: f"glpat-{token}"),
    "Slack token": st.text(_LETTERS, min_size=20, max_size=20).map(lambda token: f"xoxb-{token}"),
    "Stripe key": st.text(_LETTERS, min_size=24, max_size=24).map(lambda token: f"sk_live_{token}"),
}
WITH_SCHEME: dict[str, st.SearchStrategy[tuple[str, str]]] = {
    "bearer token": _words.map(lambda word: (f"Bearer {word}", word)),
    "basic credentials": _words.map(lambda word: b64encode(f"user:{word}".encode()).decode().rstrip("=")).map(
        lambda coded: (f"Basic {coded}", coded)
    ),
    "Slack webhook": _words.map(lambda word: (f"https://hooks.slack.com/services/T{word}", f"T{word}")),
    "URL with a password": _words.map(lambda word: (f"postgres://app:{word}@db.example/feeds", word)),
}

JSON = "application/json"
HTML = "text/html; charset=utf-8"
XML = "application/xml"
TEXT = "text/plain"
FORM = "application/x-www-form-urlencoded"


def _escaped(text: str) -> str:
    """A JSON string of nothing but escapes."""
    return '"' + "".join(f"\\u{ord(letter):04x}" for letter in text) + '"'


def _percent(text: str) -> str:
    return "".join(f"%{ord(letter):02X}" for letter in text)


def _entities(text: str) -> str:
    return "".join(f"&#{ord(letter)};" for letter in text)


# Places for a text in which a secret stands: its type, and how the text is written there.
ANYWHERE: dict[str, tuple[str, Callable[[str], str]]] = {
    "JSON string": (JSON, lambda text: json.dumps({"a": [1, text]})),
    "JSON string among words": (JSON, lambda text: json.dumps({"a": f"see {text}, and more\n"})),
    "JSON member name": (JSON, lambda text: json.dumps({text: 1})),
    "JSON with every letter escaped": (JSON, lambda text: f'{{"a": {_escaped(text)}}}'),
    "JSON with slashes escaped": (JSON, lambda text: json.dumps({"a": f"/x/ {text}"}).replace("/", "\\/")),
    "JSON in a string": (JSON, lambda text: json.dumps({"a": json.dumps({"b": text})})),
    "JSON in a string in a string": (JSON, lambda text: json.dumps({"a": json.dumps([json.dumps({"b": text})])})),
    "JSON seven strings deep": (JSON, lambda text: _deep(json.dumps({"b": text}))),
    "JSON that breaks off": (JSON, lambda text: json.dumps({"a": text, "b": 1})[:-1]),
    "lines of JSON": ("application/x-ndjson", lambda text: f'{{"a": 1}}\n{json.dumps({"a": text})}\n{{"b": 2}}\n'),
    "record that is a string": (
        "application/jsonl",
        lambda text: f'{{"a": 1}}\n{_escaped(text)}\n"{_percent(text)}"\n',
    ),
    "broken record": ("application/x-ndjson", lambda text: f'{{"a": 1}}\n{{"b": {json.dumps(text)}, "c"\n{{"b": 2}}\n'),
    "JSON sequence": ("application/json-seq", lambda text: f'\x1e{{"a": 1}}\n\x1e{json.dumps({"a": text})}\n\x1e"x"\n'),
    "data over several lines": (
        "text/event-stream",
        lambda text: f'data: {{"a":\r\ndata\r\n: x\r\ndata:{json.dumps(text)},\r\ndata: "b": 1}}\r\n\r\n',
    ),
    "event that is a string": ("text/event-stream", lambda text: f"data: {_escaped(text)}\r\rdata: {text}"),
    "id of an event": ("text/event-stream", lambda text: f"\ufeffid: {text}\n: see {text}\nevent: {text}\ndata: 1\n\n"),
    "events": ("text/event-stream", lambda text: f"event: news\ndata: {json.dumps({'a': text})}\n\ndata: x\n\n"),
    "JSONP": ("application/javascript", lambda text: f"/**/ call({json.dumps({'a': text})});"),
    "script": ("application/javascript", lambda text: f"var a = '{text}';"),
    "form": (FORM, lambda text: f"a=1&b={quote_plus(text)}&c=2"),
    "form, as a name": (FORM, lambda text: f"a=1&{quote_plus(text)}=1&c=2"),
    "form with all encoded": (FORM, lambda text: f"a=1&b={_percent(text)}"),
    "form with JSON": (FORM, lambda text: f"a={quote_plus(json.dumps({'b': text}))}"),
    "page": (HTML, lambda text: f"<p>see <b>{text}</b>, and more</p>"),
    "page, attribute": (HTML, lambda text: f'<a title="{text}" href="/">x</a>'),
    "page, all as entities": (HTML, lambda text: f"<p title='{_entities(text)}'>{_entities(text)}</p>"),
    "page, JSON in an attribute": (HTML, lambda text: f'<div data-a="{html.escape(json.dumps({"b": text}))}"></div>'),
    "page, JSON in a script": (HTML, lambda text: f"<script>var a = {json.dumps({'b': [text]})};</script>"),
    "page in JSON": (JSON, lambda text: json.dumps({"a": f'<p class="x">{text}</p>'})),
    "escaped page in XML": (XML, lambda text: f"<d>{html.escape(f'<p>{text}</p>', quote=False)}</d>"),
    "XML text": (XML, lambda text: f"<a><b>{text}</b></a>"),
    "XML attribute": (XML, lambda text: f"<a b='{text}'/>"),
    "XML CDATA": (XML, lambda text: f"<a><![CDATA[{text}]]></a>"),
    "text": (TEXT, lambda text: f"2026-11-23 12:30:00 INFO {text}\nnext"),
    "table": ("text/csv", lambda text: f"id,what\n1,{text}\n"),
    "URL in JSON, encoded": (JSON, lambda text: json.dumps({"a": f"https://x.example/b?c={quote(text, safe='')}#d"})),
    "URL in a URL in JSON": (
        JSON,
        lambda text: json.dumps({"a": f"/b?u={quote('/c?d=' + quote(text, safe=''), safe='')}"}),
    ),
}


def _deep(text: str) -> str:
    for _ in range(7):
        text = json.dumps([text])
    return text


# Places for a secret that only its name gives away.
UNDER_A_NAME: dict[str, tuple[str, Callable[[str, str], str]]] = {
    "JSON": (JSON, lambda name, secret: json.dumps({"a": {name: secret}})),
    "JSON with white space": (JSON, lambda name, secret: f'{{ "{name}"\t:\n "{secret}" }}'),
    "JSON, name escaped": (JSON, lambda name, secret: f'{{{_escaped(name)}:"{secret}"}}'),
    "JSON, in a list": (JSON, lambda name, secret: json.dumps({name: ["x", {"b": secret}]})),
    "JSON, name as a value": (JSON, lambda name, secret: json.dumps([{"name": name, "id": 1, "value": secret}])),
    "JSON, name far from the value": (
        JSON,
        lambda name, secret: json.dumps({"key": name, "meta": {"a": [1, {}]}, "note": "é", "value": secret}),
    ),
    "JSON, value before the name": (
        JSON,
        lambda name, secret: json.dumps({"value": secret, "note": 1, "tags": [], "key": name}),
    ),
    "JSON, field and val": (JSON, lambda name, secret: json.dumps({"field": name, "val": {"a": secret}})),
    "JSON, a list of two": (JSON, lambda name, secret: json.dumps({"headers": [["Accept", "*/*"], [name, secret]]})),
    "JSON, name as a later value": (JSON, lambda name, secret: json.dumps({"Value": secret, "Key": name})),
    "JSON in a string": (JSON, lambda name, secret: json.dumps({"a": json.dumps({name: secret})})),
    "JSON seven strings deep": (JSON, lambda name, secret: _deep(json.dumps({name: secret}))),
    "JSON that breaks off": (JSON, lambda name, secret: json.dumps({name: secret, "b": 1})[:-1]),
    "JSON that breaks off in the secret": (JSON, lambda name, secret: f'{{"a": 1,\n"{name}": "{secret}'),
    "JSON in a string that breaks off in the secret": (
        JSON,
        lambda name, secret: f'{{"a": "{{\\"{name}\\": \\"{secret}',
    ),
    "record that breaks off in the secret": (
        "application/x-ndjson",
        lambda name, secret: f'{{"a": 1}}\n{{"{name}": "{secret}',
    ),
    "JSON in a string that breaks off": (
        JSON,
        lambda name, secret: json.dumps({"a": json.dumps({name: f'{secret}"{secret}'}), "b": 1})[:-1],
    ),
    "lines of JSON": ("application/x-ndjson", lambda name, secret: f'{{"a": 1}}\n{json.dumps({name: secret})}\n'),
    "JSON under the type of lines": (
        "application/x-ndjson",
        lambda name, secret: json.dumps({"a": {name: secret}}, indent=1).replace(": ", ":\n"),
    ),
    "JSON sequence": (
        "application/json-seq",
        lambda name, secret: f"\x1e{json.dumps({name: secret}, indent=1)}\n\x1e1\n",
    ),
    "broken record": ("application/x-ndjson", lambda name, secret: f'{{"a": 1}}\n{{"{name}": "{secret}", "b\n'),
    "data over several lines": (
        "text/event-stream",
        lambda name, secret: f'data: {{"{name}":\ndata: "{secret}"\ndata: }}\n\n',
    ),
    "data between other lines": (
        "text/event-stream",
        lambda name, secret: f'data: {{"{name}":\r: x\rdata\rid: 1\rdata:"{secret}"}}\r\r',
    ),
    "data that breaks off": ("text/event-stream", lambda name, secret: f'data: {{"{name}":\ndata: "{secret}",'),
    "page under the type of events": (
        "text/event-stream",
        lambda name, secret: f"<input name='{name}'\n  value='{secret}'>",
    ),
    "events": ("text/event-stream", lambda name, secret: f"data: {json.dumps({name: secret})}\n\n"),
    "JSONP": ("application/javascript", lambda name, secret: f"call({json.dumps({name: secret})})"),
    "script": ("application/javascript", lambda name, secret: f"x = {{ '{name}': '{secret}', b: 1 }};"),
    "script with brackets": (HTML, lambda name, secret: f"<script>window['{name}'] = '{secret}';</script>"),
    "form": (FORM, lambda name, secret: f"a=1&{quote_plus(name)}={quote_plus(secret)}"),
    "form, name encoded": (FORM, lambda name, secret: f"{_percent(name)}={secret}"),
    "lines under the type of forms": (FORM, lambda name, secret: f"a=1\n{name}={secret}\n"),
    "JSON under the type of forms": (FORM, lambda name, secret: json.dumps({"a": "b=c", name: secret})),
    "URL in a form": (FORM, lambda name, secret: f"a={quote_plus(f'/b?{name}={secret}&c=1')}"),
    "URL in JSON": (JSON, lambda name, secret: json.dumps({"a": f"/b?c=1&{name}={secret}&d=1"})),
    "URL in JSON, escaped for HTML": (JSON, lambda name, secret: f'{{"a": "/b?c=1\\u0026{name}\\u003d{secret}"}}'),
    "URL in a page": (HTML, lambda name, secret: f'<a href="/b?c=1&amp;{name}={secret}&amp;d=1">x</a>'),
    "URL in a URL in JSON": (
        JSON,
        lambda name, secret: json.dumps({"a": f"/b?u={quote(f'/c?{name}={secret}', safe='')}"}),
    ),
    "input": (HTML, lambda name, secret: f'<input type="hidden" name="{name}" value="{secret}">'),
    "input in JSON": (JSON, lambda name, secret: json.dumps({"a": f'<input name="{name}" value="{secret}">'})),
    "input in XML, escaped": (XML, lambda name, secret: f"<d>&lt;input name='{name}' value='{secret}'&gt;</d>"),
    "input with white space": (HTML, lambda name, secret: f"<INPUT NAME = '{name}'\n  VALUE = '{secret}'>"),
    "meta tag": (HTML, lambda name, secret: f"<meta name='{name}' content='{secret}'>"),
    "text area": (HTML, lambda name, secret: f'<textarea name="{name}">{secret}</textarea>'),
    "JSON in an attribute": (HTML, lambda name, secret: f'<i data-a="{html.escape(json.dumps({name: secret}))}"></i>'),
    "XML element": (XML, lambda name, secret: f"<a><x:{name} b='1'>{secret}</x:{name}></a>"),
    "XML element with elements": (XML, lambda name, secret: f"<{name}><b>1</b><c>{secret}</c></{name}>"),
    "XML attribute": (XML, lambda name, secret: f'<a {name}="{secret}"/>'),
    "XML setting": (XML, lambda name, secret: f'<add key="{name}" value="{secret}"/>'),
    "XML property": (XML, lambda name, secret: f'<property name="{name}">{secret}</property>'),
    "settings": (TEXT, lambda name, secret: f"a = 1\n{name} = {secret}\nb = 2"),
    "YAML": ("application/yaml", lambda name, secret: f"a: 1\n{name}: {secret}\nb: 2"),
    "YAML list": ("application/yaml", lambda name, secret: f"a: 1\n{name}:\n  - x\n  - {secret}\nb: 2"),
    "YAML block": ("application/yaml", lambda name, secret: f"{name}: |\n  x\n  {secret}\nb: 2"),
    "log": (TEXT, lambda name, secret: f"12:30:00 {name}={secret}, user=anna"),
}


def readings(written: str) -> set[str]:
    """The text, and what it says once decoded as JSON's escapes, percent encoding and HTML entities."""
    found = {written}
    for _ in range(3):
        found |= {reading for text in found for reading in (unquote_plus(text), html.unescape(text), _unescaped(text))}
    return found


def _unescaped(text: str) -> str:
    parts = text.split("\\u")
    decoded = [chr(int(part[:4], 16)) + part[4:] if _is_hex(part[:4]) else part for part in parts[1:]]
    return "".join((parts[0], *decoded)).replace("\\/", "/").replace('\\"', '"')


def _is_hex(text: str) -> bool:
    return len(text) == 4 and all(letter in string.hexdigits for letter in text)
