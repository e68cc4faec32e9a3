"""Whether two answers are the same as they stand, so that no comparer need look at them.

Equal here means: same status, same body bytes, same fields but for those that no two answers share. Anything else is
for `compare` to judge; this never says "different", only "the same" or "not settled".
"""

from __future__ import annotations

from proxy.core.head import RawHeaders, fields_of


def is_same(
    status: int,
    lines: bytes,
    body: list[bytes],
    other_status: int,
    other_lines: bytes,
    other_body: list[bytes],
    uncompared: frozenset[bytes],
) -> bool:
    """Whether both answers are byte-equal. `lines` are field lines, each with its CRLF; bodies are lists of chunks.

    `uncompared` are the names of fields that don't count (`compared_headers.uncompared_names`). Without a body a length
    isn't one of them: it is that of what HEAD asked for (RFC 9110 §9.3.2). The order of
    differently named fields carries no meaning (RFC 9110 §5.3), that of equally named ones does.
    """
    if status != other_status:
        return False
    if body != other_body and (_size(body) != _size(other_body) or b"".join(body) != b"".join(other_body)):
        return False
    if lines == other_lines:
        return True
    if not any(body):
        uncompared -= {b"content-length"}
    return _comparable(lines, uncompared) == _comparable(other_lines, uncompared)


def _size(chunks: list[bytes]) -> int:
    return sum(map(len, chunks))


def _comparable(lines: bytes, uncompared: frozenset[bytes]) -> RawHeaders:
    kept = [field for field in fields_of(lines) if field[0] not in uncompared]
    kept.sort(key=_name)
    return kept


def _name(field: tuple[bytes, bytes]) -> bytes:
    return field[0]
