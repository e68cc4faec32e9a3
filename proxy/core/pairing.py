"""Whether two answers are the same as they stand, so that no comparer need look at them.

Equal here means: same status, same body bytes, same fields but for those that no two answers share. Anything else is
for `compare` to judge; this never says "different", only "the same" or "not settled".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from proxy.core.headers import RawHeaders

# Framing and bookkeeping of one exchange; `normalise` ignores them too.
_UNCOMPARED = frozenset(
    {
        b"date",
        b"server",
        b"via",
        b"age",
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"transfer-encoding",
        b"content-length",
        b"x-request-id",
    }
)


def is_same(
    status: int,
    headers: RawHeaders,
    body: list[bytes],
    other_status: int,
    other_headers: RawHeaders,
    other_body: list[bytes],
    ignored: frozenset[bytes],
) -> bool:
    """Whether both answers are byte-equal. Header names are in lower case; bodies are lists of chunks.

    `ignored` are the names the route's rules ignore. The order of differently named fields carries no meaning
    (RFC 9110 §5.3), that of equally named ones does.
    """
    if status != other_status:
        return False
    if body != other_body and b"".join(body) != b"".join(other_body):
        return False
    if headers == other_headers:
        return True
    return _comparable(headers, ignored) == _comparable(other_headers, ignored)


def _comparable(headers: RawHeaders, ignored: frozenset[bytes]) -> RawHeaders:
    kept = [field for field in headers if field[0] not in _UNCOMPARED and field[0] not in ignored]
    kept.sort(key=_name)
    return kept


def _name(field: tuple[bytes, bytes]) -> bytes:
    return field[0]
