"""Both answers of one pair as they were received, unmasked: what stays with the worker and its masking child (law 6).

`observed` makes of it the pair that may travel on.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from proxy.core.evidence import Pair
from proxy.core.head import fields_of
from proxy.core.observation import Observation

if TYPE_CHECKING:
    from proxy.core.evidence import Answer
    from proxy.core.mask import Masker
    from proxy.core.model import Side

_HEAD_LENGTH = struct.Struct("!I")


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """One side's answer: its field lines and body as received, and the time to its last byte."""

    status: int
    lines: bytes
    body: bytes
    elapsed_us: int


@dataclass(frozen=True, slots=True)
class RawPair:
    """As `evidence.Pair`, before it is masked. `has_pictures`: whether the route compares pictures."""

    request_id: str
    route: str
    kind: Literal["candidate", "noise"]
    served: Side
    at: float
    method: str
    target: bytes
    request_lines: bytes
    control: RawAnswer
    candidate: RawAnswer
    has_pictures: bool

    @property
    def size(self) -> int:
        """The bytes of both bodies."""
        return len(self.control.body) + len(self.candidate.body)


def observed(raw: RawPair, masker: Masker, max_body_bytes: int) -> Pair:
    """The pair as it may be seen by anybody. `max_body_bytes` bounds one decoded body."""
    seen = Observation(masker, max_body_bytes, has_pictures=raw.has_pictures)
    control, candidate = (_answer(seen, each) for each in (raw.control, raw.candidate))
    return Pair(
        request_id=raw.request_id,
        route=raw.route,
        kind=raw.kind,
        served=raw.served,
        at=raw.at,
        method=raw.method,
        target=masker.target(raw.target.decode("latin-1")),
        request_headers=masker.headers(_text(raw.request_lines)),
        control=control,
        candidate=candidate,
        first_difference=seen.first_difference(),
    )


def _answer(seen: Observation, raw: RawAnswer) -> Answer:
    return seen.answer(raw.status, _text(raw.lines), raw.body, raw.elapsed_us)


def _text(lines: bytes) -> tuple[tuple[str, str], ...]:
    return tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in fields_of(lines))


def encode_raw(raw: RawPair) -> bytes:
    """For the pipe to the masking child: the length of its JSON, the JSON, then the parts that are bytes."""
    control, candidate = raw.control, raw.candidate
    parts = (raw.target, raw.request_lines, control.lines, control.body, candidate.lines, candidate.body)
    head = json.dumps(
        [
            *(raw.request_id, raw.route, raw.kind, raw.served, raw.at, raw.method, raw.has_pictures),
            *((answer.status, answer.elapsed_us) for answer in (control, candidate)),
            *map(len, parts),
        ]
    ).encode()
    return b"".join((_HEAD_LENGTH.pack(len(head)), head, *parts))


def decode_raw(encoded: bytes) -> RawPair:
    """What `encode_raw` made. Raises ValueError on anything else."""
    try:
        begin = _HEAD_LENGTH.size + _HEAD_LENGTH.unpack_from(encoded)[0]
        request_id, route, kind, served, at, method, has_pictures, *rest = json.loads(
            encoded[_HEAD_LENGTH.size : begin]
        )
        first, second, *lengths = rest
        parts = []
        for length in lengths:
            parts.append(encoded[begin : begin + length])
            begin += length
        target, request_lines, *answers = parts
        return RawPair(
            *(request_id, route, kind, served, at, method, target, request_lines),
            control=RawAnswer(first[0], answers[0], answers[1], first[1]),
            candidate=RawAnswer(second[0], answers[2], answers[3], second[1]),
            has_pictures=has_pictures,
        )
    except (struct.error, TypeError, IndexError) as error:
        raise ValueError(f"these {len(encoded)} bytes are no raw pair: {error}") from error
