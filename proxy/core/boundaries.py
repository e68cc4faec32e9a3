"""Where a long stream may be ended: between two frames of a WebSocket, and after an event of an event stream.

Both are followed as their bytes pass, in pieces of any size; nothing is kept but where in the stream they are. Frames
are known by their lengths alone (RFC 6455 §5.2): nothing is unmasked, and no message looked into. Who ends streams, and
when, is for `traffic/closing`.
"""

from __future__ import annotations

import re
from itertools import repeat

MOST_FRAMES = 4_096  # in one piece, 0.7 ms of a worker's time: a flood of tiny frames gets no more of it
_MAX_HEAD_BYTES = 14  # RFC 6455 §5.2: two bytes, a length of eight, a mask of four
_FINAL = _MASKED = 0x80  # in the first byte, and in the second
_MASK_BYTES = 4
_CLOSE = 0x8
_DATA = (0x0, 0x1, 0x2)  # continuation, text, binary
_CONTROL = (_CLOSE, 0x9, 0xA)  # with ping and pong
_SMALL = 125  # the longest payload whose length stands in the second byte; of a control frame the longest at all (§5.5)
_LENGTH_BYTES = {126: 2, 127: 8}
_GOING_AWAY = (1001).to_bytes(2)  # RFC 6455 §7.4.1: a server that goes down, a page that is left

# By a frame's first byte: whether it is one that needs no second look. Its reserved bits belong to extensions (§5.2).
_IS_PLAIN = bytes(first & 0xF in _DATA or (first & 0xF in _CONTROL[1:] and first >= _FINAL) for first in range(256))
# By its second byte: how long the whole frame is; 0 where that can't be said yet, or can't be in this direction.
_SIZES = bytes(second + 2 if second <= _SMALL else 0 for second in range(256))
_MASKED_SIZES = bytes(
    second - _MASKED + 2 + _MASK_BYTES if 0 <= second - _MASKED <= _SMALL else 0 for second in range(256)
)

# HTML §9.2.6 has lines end in CRLF, LF or CR. A CR after a CRLF may still become one: it ends nothing by itself.
_EMPTY_LINE = re.compile(rb"(?<=\n)\r?\n|(?<=\r)\r\n?")
_MAX_EMPTY_LINE_BYTES = 3  # with what must stand before it


def going_away(mask: bytes = b"") -> bytes:
    """A close frame with code 1001; what a client sends is masked with four bytes of chance (RFC 6455 §5.3)."""
    if not mask:
        return b"\x88\x02" + _GOING_AWAY
    return b"\x88\x82" + mask + bytes(byte ^ key for byte, key in zip(_GOING_AWAY, mask, strict=False))


class Frames:
    """The frames of one direction of a WebSocket.

    `is_lost` once something came that is no frame of this direction, or too many of them at once: nobody knows any more
    where one ends. `has_close` once a close frame has begun, after which there are no frames (RFC 6455 §5.5.1).
    """

    __slots__ = ("_are_masked", "_head", "_left", "_sizes", "has_close", "is_lost")

    def __init__(self, *, are_masked: bool) -> None:
        """What a client sends is masked, what a server sends is not (RFC 6455 §5.1)."""
        self._are_masked = are_masked
        self._sizes = _MASKED_SIZES if are_masked else _SIZES
        self._head = b""  # of the frame under way, as long as its length isn't known
        self._left = 0  # what is still to come of it
        self.has_close = self.is_lost = False

    @property
    def is_closed(self) -> bool:
        """Whether a close frame has come whole."""
        return self.has_close and not self._left

    def feed(self, data: bytes) -> None:
        """Follows all of `data`."""
        at = self.feed_one(data)
        if at is not None and not self.has_close:
            self._walk(data, at)

    def feed_one(self, data: bytes) -> int | None:
        """Follows `data` to the end of the frame under way, and says where that is (0: there is none); None where it
        isn't in `data`, all of which was followed then.
        """
        if self.is_lost:
            return None
        if self._head:
            known = self._head + data[:_MAX_HEAD_BYTES]
            size = self._size_at(known, 0)
            if not size:
                self._head = known[:_MAX_HEAD_BYTES]
                return None
            self._left = size - len(self._head)
            self._head = b""
        left = self._left
        if left > len(data):
            self._left = left - len(data)
            return None
        self._left = 0
        return left

    def _walk(self, data: bytes, at: int) -> None:
        """From frame to frame, from the one that begins at `at`."""
        sizes, last = self._sizes, len(data) - 1
        for _ in repeat(None, MOST_FRAMES):
            if at >= last:
                break
            size = sizes[data[at + 1]] if _IS_PLAIN[data[at]] else 0
            if not size:
                size = self._size_at(data, at)
                if not size:
                    break
            at += size
            if self.has_close:
                self._left = max(0, at - len(data))
                return
        else:
            self.is_lost = at < last
        if at > last:
            self._left = at - len(data)
        else:
            self._head = data[at : at + _MAX_HEAD_BYTES]

    def _size_at(self, data: bytes, at: int) -> int:
        """How long the frame is that begins there; 0 where its length isn't there yet, or it is no frame."""
        if len(data) - at < 2:
            return 0
        first, second = data[at], data[at + 1]
        opcode, size = first & 0xF, second & 0x7F
        is_sound = opcode in _DATA or (opcode in _CONTROL and first >= _FINAL and size <= _SMALL)  # RFC 6455 §5.5
        if not is_sound or (second >= _MASKED) != self._are_masked:
            self.is_lost = True
            return 0
        length_bytes = _LENGTH_BYTES.get(size, 0)
        if length_bytes:
            length = data[at + 2 : at + 2 + length_bytes]
            if len(length) < length_bytes:
                return 0
            size = int.from_bytes(length)
        self.has_close = opcode == _CLOSE
        return 2 + length_bytes + self._are_masked * _MASK_BYTES + size


class Events:
    """The events of a stream; an empty line ends each (HTML §9.2.6)."""

    __slots__ = ("_tail",)

    def __init__(self) -> None:
        self._tail = b"\n\n"  # what came last; before the first event there is none under way either

    def feed(self, data: bytes) -> None:
        """Follows all of `data`."""
        if len(data) < _MAX_EMPTY_LINE_BYTES:
            data = self._tail + data
        self._tail = data[-_MAX_EMPTY_LINE_BYTES:]

    def last_end(self, data: bytes) -> int | None:
        """Where in `data`, which comes next and is not followed yet, the last event ends that is whole then; None where
        one is under way, and ends later.
        """
        before, end = len(self._tail), -1
        for line in _EMPTY_LINE.finditer(self._tail + data):
            end = line.end()
        return end - before if end >= before else None
