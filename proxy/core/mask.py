"""Secrets replaced by marks before anything leaves the worker (law 6): in headers, targets and bodies.

Only the secret's own characters are replaced; everything else stays byte for byte, so that number forms, repeated
keys, order and white space reach the comparer as they were. Which names are secret is in `secret_names`, what a secret
looks like in `secret_values`; texts are masked in `mask_text`, JSON in `mask_json`, lines of JSON and events in
`mask_lines`; marks are made in `mark`. Masking errs on the side of too much, and what is masked already stays as it is.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING
from urllib.parse import quote_plus, unquote_plus

from proxy.core.bodies.form import is_form
from proxy.core.charset import read_text
from proxy.core.content_type import parse_content_type
from proxy.core.mark import Mark, form_of
from proxy.core.mask_lines import mask_events, mask_records
from proxy.core.mask_text import TextMask
from proxy.core.secret_names import SecretNames

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from proxy.core.content_type import ContentType
    from proxy.core.model import Redaction

_COOKIE_HEADERS = frozenset({"cookie", "cookie2"})
_SCHEME = re.compile(r"(?:Basic|Bearer|Digest|Negotiate|NTLM|Token|ApiKey|AWS4-HMAC-SHA256)(?= )", re.IGNORECASE)
_BETWEEN_FIELDS = re.compile(r"([&;])")
# Header values and paths repeat: those without a secret are remembered, up to bounds of number and length.
_MAX_PLAIN = 4_096
_MAX_PLAIN_CHARS = 200


class Masker:
    """Masks what the built-in lists and `redaction` name. `key` is the installation's, at least 16 bytes.

    Path rules mask wherever their last member name occurs: `$.user.name` masks every `name`. Threads may
    share it.
    """

    def __init__(self, redaction: Redaction, key: bytes) -> None:
        last_names = [path.last_name for path in redaction.fields]
        self._names = SecretNames(name for name in last_names if name is not None)
        self._headers = redaction.headers
        self._masks_all = None in last_names
        self._mark = Mark(key)
        self._texts = TextMask(self._names, self._mark)
        self._plain: set[str] = set()

    def headers(self, pairs: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
        """The header lines (names in any case), in order, with secret values masked; cookies keep their names."""
        return tuple((name, self._header(name.lower(), value)) for name, value in pairs)

    def target(self, target: str) -> str:
        """A request target with the secret values of its query masked, and what looks like a secret in its path."""
        path, question_mark, query = target.partition("?")
        return self._line(path) + question_mark + self._fields(query)

    def body(self, content_type: str, body: bytes) -> bytes:
        """A decoded body, masked. Bodies for which `bodies.read.may_travel` says no come back empty."""
        declared = parse_content_type(content_type)
        text = read_text(declared, body)
        if text is None:
            return b""
        bare = text.characters.removeprefix("\ufeff")
        masked = self._content(declared, bare)
        if masked == bare:
            return body
        order_mark = text.characters[: len(text.characters) - len(bare)]  # without it the rest might be no text
        return (order_mark + masked).encode(text.codec, "replace")

    def field(self, names: Iterable[str], content: bytes) -> bytes:
        """The mark of a field under any of these names, if one of them is secret; otherwise nothing."""
        is_secret = any(map(self._names.has, names))
        return self._mark(content.decode("utf-8", "surrogateescape")).encode() if is_secret and content else b""

    def _content(self, declared: ContentType, text: str) -> str:
        if self._masks_all:
            return json.dumps(self._mark(text))
        if declared.is_form and is_form(text):
            return self._fields(text)
        if declared.is_records:
            return mask_records(text, self._texts.document, self._texts.masked)
        if declared.is_events:
            return mask_events(text, self._texts.document, self._texts.masked)
        return self._texts.masked(text, is_markup=declared.is_markup)

    def _header(self, name: str, value: str) -> str:
        if name == "set-cookie":
            first, semicolon, attributes = value.partition(";")
            return self._cookie(first, form_of) + semicolon + attributes
        if name in _COOKIE_HEADERS:
            return ";".join(self._cookie(cookie) for cookie in value.split(";"))
        if name in self._headers or self._names.has(name):
            return self._credentials(value)
        return self._line(value)

    def _line(self, value: str) -> str:
        """A header value that isn't secret as a whole, or a path: a URL with secrets in it, a link, a stray token."""
        if value in self._plain:
            return value
        masked = self._texts.masked(value)
        if masked == value and len(value) <= _MAX_PLAIN_CHARS:
            if len(self._plain) >= _MAX_PLAIN:
                self._plain.clear()
            self._plain.add(value)
        return masked

    def _credentials(self, value: str) -> str:
        scheme = _SCHEME.match(value)
        if scheme is None:
            return self._mark(value)
        return f"{scheme[0]} {self._mark(value[scheme.end() :].strip())}"

    def _cookie(self, pair: str, kind_of: Callable[[str], str] = lambda _: "string") -> str:
        name, equals, value = pair.partition("=")
        if not equals:
            return self._mark(name.strip())
        spaces = len(value) - len(value.lstrip())
        return name + equals + value[:spaces] + self._mark(value.strip(), kind_of(value.strip()))

    def _fields(self, query: str) -> str:
        """A form or a query string; names and values may be percent-encoded, marks need no encoding."""
        return "".join(map(self._field, _BETWEEN_FIELDS.split(query))) if query else query

    def _field(self, field: str) -> str:
        name, equals, value = field.partition("=")
        if equals and self._names.has(unquote_plus(name)):
            return f"{self._encoded(name)}={self._mark(unquote_plus(value))}"
        return self._encoded(name) + equals + self._encoded(value)

    def _encoded(self, written: str) -> str:
        """A field's name or value that may hold a secret: a URL, a JSON document, an e-mail address."""
        if not ("%" in written or "+" in written):
            return self._texts.masked(written)
        plain = unquote_plus(written)
        masked = self._texts.masked(plain)
        return written if masked == plain else quote_plus(masked, safe=":/?")
