"""The examples of signatures: the first few show a difference as it began, the latest few as it is now."""

from __future__ import annotations

import zlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select

from proxy.errors import StoreError
from proxy.store.tables import EXAMPLES
from proxy.store.values import Example

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import Connection

    from proxy.store.limits import Limits
    from proxy.store.values import Sighting

# A pair of 65 kB of JSON with prose: level 1 makes 16.5 kB of it in 0.4 ms, level 9 15.3 kB in 1.1 ms.
_COMPRESSION = 1


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A stored example (`id`) or a new one (`payload`)."""

    at: float
    id: int | None = None
    payload: bytes = b""


def add_examples(connection: Connection, groups: Mapping[str, Sequence[Sighting]], limits: Limits) -> Mapping[str, int]:
    """Keeps what belongs among each signature's first and latest; route -> examples too large to keep."""
    fresh = {id_: _fresh(group) for id_, group in groups.items() if any(one.example for one in group)}
    if not fresh:
        return {}
    stored = _stored(connection, fresh)
    superseded: list[int] = []
    rows: list[dict[str, Any]] = []
    oversized: Counter[str] = Counter()
    for id_, candidates in fresh.items():
        kept, dropped = _chosen([*stored.get(id_, ()), *candidates], limits)
        superseded += [candidate.id for candidate in dropped if candidate.id is not None]
        packed = [_row(id_, candidate) for candidate in kept if candidate.id is None]
        fitting = [row for row in packed if len(row["payload"]) <= limits.example_bytes]
        oversized[groups[id_][0].signature.route] += len(packed) - len(fitting)
        rows += fitting
    if superseded:
        connection.execute(delete(EXAMPLES).where(EXAMPLES.c.id.in_(superseded)))
    if rows:
        connection.execute(insert(EXAMPLES), rows)
    return +oversized


def examples(connection: Connection, signature: str) -> tuple[Example, ...]:
    """The kept examples in the order of time."""
    table = EXAMPLES.c
    rows = connection.execute(
        select(table.id, table.at, table.payload, table.payload_bytes)
        .where(table.signature == signature)
        .order_by(table.at, table.id)
    )
    return tuple(Example(at, _unpacked(id_, payload, size)) for id_, at, payload, size in rows)


def _fresh(group: Sequence[Sighting]) -> list[_Candidate]:
    return [_Candidate(one.at, payload=one.example) for one in group if one.example]


def _stored(connection: Connection, ids: Iterable[str]) -> dict[str, list[_Candidate]]:
    table = EXAMPLES.c
    rows = connection.execute(
        select(table.signature, table.id, table.at).where(table.signature.in_(ids)).order_by(table.at, table.id)
    )
    stored: dict[str, list[_Candidate]] = {}
    for signature, id_, at in rows:
        stored.setdefault(signature, []).append(_Candidate(at, id_))
    return stored


def _chosen(candidates: list[_Candidate], limits: Limits) -> tuple[list[_Candidate], list[_Candidate]]:
    """The candidates to keep and those to drop. Of equal times the stored one counts as the earlier."""
    ordered = sorted(candidates, key=lambda candidate: candidate.at)
    first, latest = limits.first_examples, limits.latest_examples
    end = max(len(ordered) - latest, first)
    return ordered[:first] + ordered[end:], ordered[first:end]


def _row(signature: str, candidate: _Candidate) -> dict[str, Any]:
    return {
        "signature": signature,
        "at": candidate.at,
        "payload_bytes": len(candidate.payload),
        "payload": zlib.compress(candidate.payload, _COMPRESSION),
    }


def _unpacked(id_: int, payload: bytes, size: int) -> bytes:
    """The payload, never larger than it was when it was packed."""
    try:
        unpacked = zlib.decompressobj().decompress(payload, size + 1)  # one more would show
    except zlib.error as error:
        raise StoreError(f"store: example {id_} can't be unpacked ({error}); restore a backup") from error
    if len(unpacked) != size:
        raise StoreError(f"store: example {id_} doesn't have its {size} bytes; restore a backup")
    return unpacked
