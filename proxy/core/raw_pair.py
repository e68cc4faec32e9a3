"""Both answers of one pair as they were received, unmasked: what stays with the worker and its masking child (law 6).

`observed` makes of it the pair that may travel on.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from proxy.core.evidence import Pair
from proxy.core.head import fields_of
from proxy.core.observation import Observation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proxy.core.evidence import Answer
    from proxy.core.mask import Masker
    from proxy.core.model import Side

_HEAD_LENGTH = struct.Struct("!I")


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """One side's answer: its field lines and the pieces of its body as received, and the time to its last byte."""

    status: int
    lines: bytes
    pieces: Sequence[bytes]
    elapsed_us: int

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    @property
    def size(self) -> int:
        """The bytes of its body."""
        return sum(map(len, self.pieces))


@dataclass(frozen=True, slots=True)
class RawPair:
    """As `evidence.Pair`, before it is masked. `has_pictures`: whether the route compares pictures. `again` is legacy's
    second answer.
    """

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
    is_other_equal: bool = False
    again: RawAnswer | None = None

    @property
    def answers(self) -> tuple[RawAnswer, ...]:
        """Two, or three."""
        return (self.control, self.candidate, *([self.again] if self.again is not None else []))

    @property
    def size(self) -> int:
        """The bytes of all bodies."""
        return sum(answer.size for answer in self.answers)


def observed(raw: RawPair, masker: Masker, max_body_bytes: int) -> Pair:
    """The pair as it may be seen by anybody. `max_body_bytes` bounds one decoded body."""
    again = None
    if raw.again is not None:
        again = observed(replace(raw, kind="noise", candidate=raw.again, again=None), masker, max_body_bytes)
    seen = Observation(masker, max_body_bytes, has_pictures=raw.has_pictures)
    control, candidate = (_answer(seen, each) for each in (raw.control, raw.candidate))
    return Pair(
        request_id=masker.headers([("x-request-id", raw.request_id)])[0][1],  # it may be the user's own
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
        is_other_equal=raw.is_other_equal,
        again=again,
    )


def _answer(seen: Observation, raw: RawAnswer) -> Answer:
    return seen.answer(raw.status, _text(raw.lines), raw.body, raw.elapsed_us)


def _text(lines: bytes) -> tuple[tuple[str, str], ...]:
    return tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in fields_of(lines))


def encode_raw(raw: RawPair) -> list[bytes]:
    """For the pipe to the masking child: the length of its JSON, the JSON, then the parts that are bytes.

    In pieces: to join megabytes would hold up users.
    """
    parts, lengths = [raw.target, raw.request_lines], [len(raw.target), len(raw.request_lines)]
    for answer in raw.answers:
        parts += answer.lines, *answer.pieces
        lengths += len(answer.lines), answer.size
    head = json.dumps(
        [
            *(raw.request_id, raw.route, raw.kind, raw.served, raw.at, raw.method),
            *(raw.has_pictures, raw.is_other_equal),
            [(answer.status, answer.elapsed_us) for answer in raw.answers],
            lengths,
        ]
    ).encode()
    return [_HEAD_LENGTH.pack(len(head)), head, *parts]


def decode_raw(encoded: bytes) -> RawPair:
    """What `encode_raw` made, each body in one piece. Raises ValueError on anything else."""
    try:
        begin = _HEAD_LENGTH.size + _HEAD_LENGTH.unpack_from(encoded)[0]
        request_id, route, kind, served, at, method, has_pictures, is_other_equal, measured, lengths = json.loads(
            encoded[_HEAD_LENGTH.size : begin]
        )
        parts = []
        for length in lengths:
            parts.append(encoded[begin : begin + length])
            begin += length
        target, request_lines, *rest = parts
        control, candidate, *again = (
            RawAnswer(status, lines, (body,), elapsed_us)
            for (status, elapsed_us), lines, body in zip(measured, rest[::2], rest[1::2], strict=True)
        )
        return RawPair(
            *(request_id, route, kind, served, at, method, target, request_lines),
            control=control,
            candidate=candidate,
            has_pictures=has_pictures,
            is_other_equal=is_other_equal,
            again=again[0] if again else None,
        )
    except (struct.error, TypeError, IndexError) as error:
        raise ValueError(f"these {len(encoded)} bytes are no raw pair: {error}") from error
