"""What of an example's masked request can be sent again. Masked values are no values: they are left out, and named."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

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


def is_masked(value: str) -> bool:
    """Whether a header's value or a target holds a mark."""
    return MARK in value


def sendable_headers(headers: Iterable[Sequence[str]]) -> tuple[Headers, list[str]]:
    """The fields that can be sent again, and the names of those left out because they are masked, each once."""
    given = [(name, value) for name, value in headers if name.lower() not in _OWN_FIELDS]
    kept = [(name, value) for name, value in given if not is_masked(value)]
    return kept, sorted({name for name, value in given if is_masked(value)})
