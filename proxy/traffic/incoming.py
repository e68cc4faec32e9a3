"""A request's body as it arrives: its framing undone, its bytes counted and kept until they are taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.core.framing import Chunked, Malformed
from proxy.errors import RequestRefused
from proxy.traffic.turns import LARGE_BYTES, in_pieces

if TYPE_CHECKING:
    from proxy.core.headers import RequestHead

_MIN_BYTES_PER_S = 500  # as Apache's mod_reqtimeout: slower uploads hold a backend's connection for nothing


class Incoming:
    """The body of one request, or what an upgraded connection sends, which has no end of its own (`is_raw`)."""

    __slots__ = (
        "_chunked",
        "_given",
        "_left",
        "_limit",
        "_moved_at",
        "_pieces",
        "_seen",
        "_since",
        "is_complete",
        "is_raw",
        "may_continue",
    )

    def __init__(self, head: RequestHead, limit: int, now: float, *, is_raw: bool = False) -> None:
        """Raises RequestRefused where the length is said to be over `limit` bytes (0: any)."""
        self._left = head.content_length or 0
        if limit and self._left > limit:
            raise _too_long(limit)
        self._chunked = Chunked() if head.is_chunked else None
        self._limit = limit
        self._pieces: list[bytes] = []
        self._given = 0
        self.is_complete = False
        self.is_raw = is_raw
        self.may_continue = head.expects_continue
        self._since = self._moved_at = now  # on the loop's clock: when its time began, and when more of it was found
        self._seen = 0  # bytes that had come by then

    @property
    def waiting_bytes(self) -> int:
        return sum(map(len, self._pieces))

    @property
    def is_whole(self) -> bool:
        """Whether all of it has come and was taken."""
        return self.is_complete and not self._pieces

    @property
    def has_pieces(self) -> bool:
        return bool(self._pieces)

    def feed(self, data: bytes) -> bytes:
        """Takes in what has come; returns what follows the body. Raises RequestRefused where it can't be the body."""
        self.may_continue = False
        piece, rest = self._unframed(data)
        if piece:
            self._pieces += in_pieces([piece])
        if self._limit and self._given + self.waiting_bytes > self._limit:
            raise _too_long(self._limit)
        return rest

    def _unframed(self, data: bytes) -> tuple[bytes, bytes]:
        if self.is_raw:
            return data, b""
        if self._chunked is None:
            piece = data[: self._left]
            self._left -= len(piece)
            self.is_complete = not self._left
            return piece, data[len(piece) :]
        try:
            piece, rest = self._chunked.feed(data)
        except Malformed as error:
            raise RequestRefused(400, f"the request's body is malformed: {error} (RFC 9112 §7.1)") from error
        self.is_complete = self._chunked.is_whole
        return piece, rest

    def take(self) -> bytes:
        """What has come since the last call, or the first part of it, where that is much."""
        if len(self._pieces) > 1 and self.waiting_bytes > LARGE_BYTES:
            piece = self._pieces.pop(0)
        else:
            pieces, self._pieces = self._pieces, []
            piece = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        self._given += len(piece)
        return piece

    def drop(self) -> None:
        """What wasn't taken yet isn't wanted any more."""
        self._pieces.clear()

    def rested(self, seconds: float) -> None:
        """For so long nothing was read: that time is not the user's."""
        self._since += seconds
        self._moved_at += seconds

    def is_late(self, now: float, timeout_s: float) -> bool:
        """Whether nothing has come for `timeout_s`, or less in all than has to come in the time beyond that.

        To be asked at times: what has come is noticed by that.
        """
        if self.is_complete or self.is_raw:
            return False
        received = self._given + self.waiting_bytes
        if received != self._seen:
            self._seen = received
            self._moved_at = now
        return now - self._moved_at > timeout_s or now - self._since > timeout_s + received / _MIN_BYTES_PER_S


def _too_long(limit: int) -> RequestRefused:
    return RequestRefused(413, f"the request's body is over {limit} bytes; send a smaller one")
