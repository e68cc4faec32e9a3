"""Both answers of one pair as they may be seen outside of the process that asked for them (law 6).

Bodies are decoded and masked. What can't be masked (images, unknown codings, what grows too large by its marks) is
represented by length and digest, and by where the two begin to differ: nobody else could find that out.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from proxy.core.bodies.read import may_travel
from proxy.core.codings import decoded
from proxy.core.evidence import Answer
from proxy.core.intraline import common_beginning

if TYPE_CHECKING:
    from proxy.core.mask import Masker

Fields = tuple[tuple[str, str], ...]
# A mark may be longer than what it hides; the comparer has the same limit.
_MAX_GROWTH = 1.25


class Observation:
    """One pair. `max_body_bytes` bounds one decoded body. Not shared between threads."""

    def __init__(self, masker: Masker, max_body_bytes: int) -> None:
        self._masker = masker
        self._max_bytes = max_body_bytes
        self._unkept: list[bytes | None] = []  # the content of each body that may not travel, where it is known
        self._last: tuple[str, bytes, bytes | None] | None = None

    def answer(self, status: int, fields: Fields, wire: bytes, elapsed_us: int = 0) -> Answer:
        """One side, masked. `wire` is its body as received; field names are in lower case."""
        codings = _joined(fields, "content-encoding")
        content = decoded(wire, codings, self._max_bytes)
        body = self._masked(_first(fields, "content-type"), content) if isinstance(content, bytes) else None
        digest = sha256(wire).hexdigest()
        known = content if isinstance(content, bytes) else None if codings else wire
        if body is None:
            self._unkept.append(known)
        is_coded = known is not None and known is not wire and body is None
        return Answer(
            status=status,
            headers=self._masker.headers(fields),
            body=body,
            length=len(wire),
            digest=digest,
            elapsed_us=elapsed_us,
            content_length=len(known) if known is not None and is_coded else 0,
            content_digest=sha256(known).hexdigest() if known is not None and is_coded else "",
        )

    def first_difference(self) -> int | None:
        """The index of the first byte in which the two contents differ; None where one travels or isn't known."""
        if len(self._unkept) != 2:
            return None
        one, other = self._unkept
        return None if one is None or other is None or one == other else common_beginning(one, other)

    def _masked(self, content_type: str, content: bytes) -> bytes | None:
        """The masked body; None where it may not travel, or is too large by its marks.

        Masked once, where both are the same and only their heads differ.
        """
        if self._last is not None and self._last[:2] == (content_type, content):
            return self._last[2]
        masked = self._masker.body(content_type, content) if may_travel(content_type, content) else None
        if masked is not None and len(masked) > self._max_bytes * _MAX_GROWTH:
            masked = None
        self._last = content_type, content, masked
        return masked


def _first(fields: Fields, wanted: str) -> str:
    return next((value for name, value in fields if name == wanted), "")


def _joined(fields: Fields, wanted: str) -> str:
    """Lines of a list-valued field as one (RFC 9110 §5.3)."""
    return ", ".join(value for name, value in fields if name == wanted)
