"""Frames on the link between a worker and control: five bytes of head, then the payload.

Up: HELLO, TALLY (a delta of counters, acknowledged by its `seq`), PAIR (a number and an encoded pair, acknowledged).
Down: ROLLOUT (the last value wins), TALLY_ACK, PAIR_ACK, CREDIT (how many pairs may be unacknowledged).
Everything but PAIR is a JSON object.
"""

from __future__ import annotations

import json
import struct
from enum import IntEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

HEAD = struct.Struct("!IB")  # payload length in bytes, kind
_NUMBER = struct.Struct("!I")
MAX_PAYLOAD_BYTES = 64 * 1024 * 1024  # far above any pair (two bodies of max_compared_bytes); a longer one is a fault


class Kind(IntEnum):
    HELLO = 1
    TALLY = 2
    PAIR = 3
    ROLLOUT = 16
    TALLY_ACK = 17
    PAIR_ACK = 18
    CREDIT = 19


class FrameError(ValueError):
    """Bytes that are no frame of ours: the link they came over can't be trusted any more."""


def head(kind: int, length: int) -> bytes:
    """What stands before a payload of so many bytes."""
    return HEAD.pack(length, kind)


def encode(kind: int, payload: bytes) -> bytes:
    return HEAD.pack(len(payload), kind) + payload


def encode_json(kind: int, value: Mapping[str, Any]) -> bytes:
    return encode(kind, json.dumps(value, separators=(",", ":")).encode())


def encode_numbered(kind: int, number: int, payload: bytes) -> bytes:
    """A PAIR frame: `number` (unsigned, 32 bits) identifies it in the acknowledgement."""
    return head_numbered(kind, number, len(payload)) + payload


def head_numbered(kind: int, number: int, length: int) -> bytes:
    """What stands before so many bytes of a PAIR."""
    return HEAD.pack(_NUMBER.size + length, kind) + _NUMBER.pack(number)


def decode_numbered(payload: bytes) -> tuple[int, bytes]:
    """The number and the rest of a PAIR's payload. Raises FrameError."""
    if len(payload) < _NUMBER.size:
        raise FrameError("a numbered frame without a number")
    return _NUMBER.unpack_from(payload)[0], payload[_NUMBER.size :]


def decode_json(payload: bytes) -> dict[str, Any]:
    """A JSON payload. Raises FrameError where it isn't an object."""
    try:
        value = json.loads(payload)
    except ValueError as error:
        raise FrameError(f"a frame's JSON is broken: {error}") from error
    if not isinstance(value, dict):
        raise FrameError("a frame's JSON is not an object")
    return value


class Decoder:
    """Cuts a stream of bytes into frames, however it is split."""

    def __init__(self, max_payload_bytes: int = MAX_PAYLOAD_BYTES) -> None:
        self._buffer = bytearray()
        self._max_payload_bytes = max_payload_bytes

    def feed(self, data: bytes) -> Iterator[tuple[Kind, bytes]]:
        """The frames that are whole now, as (kind, payload). Raises FrameError on a length or kind that can't be."""
        self._buffer += data
        while len(self._buffer) >= HEAD.size:
            length, number = HEAD.unpack_from(self._buffer)
            if length > self._max_payload_bytes:
                raise FrameError(f"a frame of {length} bytes; at most {self._max_payload_bytes} are allowed")
            end = HEAD.size + length
            if len(self._buffer) < end:
                return
            payload = bytes(memoryview(self._buffer)[HEAD.size : end])
            del self._buffer[:end]
            yield _kind(number), payload


def _kind(number: int) -> Kind:
    try:
        return Kind(number)
    except ValueError:
        raise FrameError(f"a frame of unknown kind {number}") from None
