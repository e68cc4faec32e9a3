"""What of an example's masked request can be sent again. Masked values are no values: they are left out, and named.

Who sends it may give fields of their own in their place, such as their session's cookie.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Headers = list[tuple[str, str]]
MARK = "masked:"  # core/mask writes masked:<type>:<digits>
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})  # RFC 9110 §9.2.1; TRACE would echo what is secret
# The client that sends the request again makes these itself (RFC 9110 §7.6.1, §8.6); accept-encoding is what it can
# decode, and with the other fields a backend answers with a part, or with nothing.
_OWN_FIELDS = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "if-match",
        "if-modified-since",
        "if-none-match",
        "if-range",
        "if-unmodified-since",
        "keep-alive",
        "proxy-connection",
        "range",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)

_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110 §5.6.2
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")  # RFC 9110 §5.5


def is_masked(value: str) -> bool:
    """Whether a header's value or a target holds a mark."""
    return MARK in value


def sendable_headers(headers: Iterable[Sequence[str]]) -> tuple[Headers, list[str]]:
    """The fields that can be sent again, and the names of those left out because they are masked, each once."""
    given = [(name, value) for name, value in headers if name.lower() not in _OWN_FIELDS]
    kept = [(name, value) for name, value in given if not is_masked(value)]
    return kept, sorted({name for name, value in given if is_masked(value)})


def replace_fields(headers: Iterable[Sequence[str]], own: Mapping[str, str]) -> Headers:
    """The fields with `own` ones (lower-case name -> value) in place of all that have their name."""
    return [(name, value) for name, value in headers if name.lower() not in own] + list(own.items())


def unsendable(name: str, value: str) -> str | None:
    """Why this field can't be sent by who sends the request again; None where it can. It never says the value."""
    if not _NAME.fullmatch(name):
        return "no name of a header field"
    if name.lower() in _OWN_FIELDS:
        return "set by the client that sends the request"
    if not _VALUE.fullmatch(value):
        return "its value holds characters that no header field can"
    return "its value is masked: give the real one" if is_masked(value) else None
