"""Secrets replaced by marks before anything leaves the worker (law 6): in headers, targets and bodies.

A mark is `masked:<type>:<12 hex digits of HMAC-SHA256>`: equal secrets get equal marks, so that both sides of a pair
can still be compared, and without the node's key nobody gets back from a mark to its secret. Only the secret's own
characters are replaced; everything else stays byte for byte, so that number forms, repeated keys, order and white
space reach the comparer as they were. Which names are secret is in `secret_names`; JSON is scanned in `mask_json`,
other text in `mask_text`. Masking errs on the side of too much.
"""

from __future__ import annotations

import hmac
import json
import re
from typing import TYPE_CHECKING
from urllib.parse import quote_plus, unquote_plus

from proxy.core.content_type import parse_content_type, text_of
from proxy.core.mask_json import mask_json
from proxy.core.mask_text import is_mark, mask_markup, mask_pairs, mask_queries, mask_values
from proxy.core.secret_names import SecretNames

if TYPE_CHECKING:
    from collections.abc import Iterable

    from proxy.core.content_type import ContentType
    from proxy.core.model import Redaction

_COOKIE_HEADERS = frozenset({"cookie", "cookie2"})
_SCHEME = re.compile(r"(?:Basic|Bearer|Digest|Negotiate|NTLM|Token|ApiKey|AWS4-HMAC-SHA256)(?= )", re.IGNORECASE)
_FIELD = re.compile(r"(?P<name>[^=&;]*)=(?P<value>[^&;]*)")


class Mark:
    """Makes marks with one key. The same secret has the same mark wherever it stands."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def __call__(self, secret: str, kind: str = "string") -> str:
        """The mark; an empty secret stays empty, because that there is none is no secret."""
        if not secret:
            return secret
        digest = hmac.digest(self._key, f"{kind}\0{secret}".encode("utf-8", "surrogatepass"), "sha256")
        return f"masked:{kind}:{digest.hex()[:12]}"


class Masker:
    """Masks what the built-in lists and `redaction` name. `key` is the node's, at least 16 bytes.

    Path rules mask wherever their last member name occurs: `$.user.name` masks every `name`. Threads may
    share it.
    """

    def __init__(self, redaction: Redaction, key: bytes) -> None:
        last_names = [path.last_name for path in redaction.fields]
        self._names = SecretNames(name for name in last_names if name is not None)
        self._headers = redaction.headers
        self._masks_all = None in last_names
        self._mark = Mark(key)

    def headers(self, pairs: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
        """The header lines (names in any case), in order, with secret values masked; cookies keep their names."""
        return tuple((name, self._header(name.lower(), value)) for name, value in pairs)

    def target(self, target: str) -> str:
        """A request target with the secret values of its query masked, and what looks like a token in its path."""
        path, question_mark, query = target.partition("?")
        return self._line(path) + question_mark + self._fields(query)

    def body(self, content_type: str, body: bytes) -> bytes:
        """A decoded body, masked. Bodies for which `normalise.may_travel` says no come back empty."""
        declared = parse_content_type(content_type)
        text = text_of(declared, body)
        if text is None:
            return b""
        masked = self._content(declared, text)
        return body if masked == text else masked.encode(declared.codec or "utf-8")

    def _content(self, declared: ContentType, text: str) -> str:
        if self._masks_all:
            return json.dumps(self._mark(text))
        if declared.is_form:
            return self._fields(text)
        document = mask_json(text, self._names, self._mark) if _may_be_json(text) else None
        return document if document is not None else self._text(text, is_markup=declared.is_markup)

    def _header(self, name: str, value: str) -> str:
        if name == "set-cookie":
            first, semicolon, attributes = value.partition(";")
            return self._cookie(first) + semicolon + attributes
        if name in _COOKIE_HEADERS:
            return ";".join(self._cookie(cookie) for cookie in value.split(";"))
        if name in self._headers or self._names.has(name):
            return self._credentials(value)
        return self._line(value)

    def _line(self, value: str) -> str:
        """A header value that isn't secret as a whole: a URL with secrets in it, a link, a stray token."""
        return mask_queries(mask_values(value, self._mark), self._names, self._mark)

    def _credentials(self, value: str) -> str:
        scheme = _SCHEME.match(value)
        if scheme is None:
            return self._mark(value)
        return f"{scheme[0]} {self._mark(value[scheme.end() :].strip())}"

    def _cookie(self, pair: str) -> str:
        name, equals, value = pair.partition("=")
        if not equals:
            return self._mark(name.strip())
        spaces = len(value) - len(value.lstrip())
        return name + equals + value[:spaces] + self._mark(value.strip())

    def _fields(self, query: str) -> str:
        """A form or a query string; names and values may be percent-encoded, marks need no encoding."""
        return _FIELD.sub(self._field, mask_values(query, self._mark))

    def _field(self, field: re.Match[str]) -> str:
        name, value = field["name"], unquote_plus(field["value"])
        if self._names.has(unquote_plus(name)):
            return f"{name}={value if is_mark(value) else self._mark(value)}"
        if "%" not in field["value"]:
            return field[0]
        masked = self._nested(value)
        return field[0] if masked == value else f"{name}={quote_plus(masked, safe=':/?')}"

    def _nested(self, value: str) -> str:
        """A field's value, decoded: a URL or a JSON document with secrets of its own."""
        document = mask_json(value, self._names, self._mark) if _may_be_json(value) else None
        return document if document is not None else self._line(value)

    def _text(self, text: str, *, is_markup: bool) -> str:
        text = mask_values(text, self._mark)
        text = mask_pairs(text, self._names, self._mark)
        return mask_markup(text, self._names, self._mark) if is_markup else text


def _may_be_json(text: str) -> bool:
    return text.lstrip("\ufeff \t\r\n")[:1] in {"{", "[", '"'}
