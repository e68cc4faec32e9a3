"""Both answers of one pair as they may be seen outside of the process that asked for them (law 6).

Bodies are decoded and masked. What can't be masked (images, unknown codings, what grows too large by its marks) is
represented by length and digest, and by where the two begin to differ: nobody else could find that out. Of pictures the
fingerprint goes along where the route's rules ask for it.
"""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING

from proxy.core.bodies.multipart import MAX_NESTED, is_encoded, split, words_of_name, write_parts
from proxy.core.bodies.read import may_travel
from proxy.core.charset import is_broken_text
from proxy.core.codings import decoded
from proxy.core.content_type import parse_content_type
from proxy.core.evidence import Answer
from proxy.core.fingerprint import fingerprint
from proxy.core.intraline import common_beginning

if TYPE_CHECKING:
    from proxy.core.bodies.multipart import Part
    from proxy.core.evidence import Unkept
    from proxy.core.mask import Masker

Fields = tuple[tuple[str, str], ...]
_OCTETS = ("content-type", "application/octet-stream")
# A mark may be longer than what it hides; the comparer has the same limit.
_MAX_GROWTH = 1.25


class Observation:
    """One pair. `max_body_bytes` bounds one decoded body. Not shared between threads."""

    def __init__(self, masker: Masker, max_body_bytes: int, *, has_pictures: bool = False, nested: int = 0) -> None:
        self._masker = masker
        self._max_bytes = max_body_bytes
        self._has_pictures = has_pictures
        self._nested = nested
        self._unkept: list[bytes | None] = []  # the content of each body that may not travel, where it is known
        self._last: tuple[str, bytes, bytes | Unkept] | None = None

    def answer(self, status: int, fields: Fields, wire: bytes, elapsed_us: int = 0) -> Answer:
        """One side, masked. `wire` is its body as received; field names are in lower case."""
        codings = _joined(fields, "content-encoding")
        content = decoded(wire, codings, self._max_bytes)
        seen = content if isinstance(content, str) else self._seen(_first(fields, "content-type"), content)
        known = content if isinstance(content, bytes) else None if codings else wire
        answer = Answer(
            status, self._masker.headers(fields), None, len(wire), sha256(wire).hexdigest(), elapsed_us=elapsed_us
        )
        if isinstance(seen, bytes):
            return replace(answer, body=seen)
        self._unkept.append(known)
        answer = replace(answer, unkept=seen)
        if self._has_pictures and seen == "bytes" and known is not None:
            answer = replace(answer, picture=fingerprint(known))
        if known is None or known is wire:
            return answer
        return replace(answer, content_length=len(known), content_digest=sha256(known).hexdigest())

    def first_difference(self) -> int | None:
        """The index of the first byte in which the two contents differ; None where one travels or isn't known."""
        if len(self._unkept) != 2:
            return None
        one, other = self._unkept
        return None if one is None or other is None or one == other else common_beginning(one, other)

    def _seen(self, content_type: str, content: bytes) -> bytes | Unkept:
        """The masked body, or why it must stay. Masked once, where both are the same and only their heads differ."""
        if self._last is None or self._last[:2] != (content_type, content):
            self._last = content_type, content, self._masked(content_type, content)
        return self._last[2]

    def _masked(self, content_type: str, content: bytes) -> bytes | Unkept:
        if may_travel(content_type, content):
            masked = self._masker.body(content_type, content)
        elif (
            parse_content_type(content_type).is_multipart and (parts := self._parts(content_type, content)) is not None
        ):
            masked = parts
        else:
            return "charset" if is_broken_text(parse_content_type(content_type), content) else "bytes"
        return masked if len(masked) <= self._max_bytes * _MAX_GROWTH else "size"

    def _parts(self, content_type: str, content: bytes) -> bytes | None:
        """A body of several parts, each masked; None where it has none."""
        parts = split(content_type, content) if self._nested < MAX_NESTED else None
        return None if parts is None else write_parts(map(self._part, parts))

    def _part(self, part: Part) -> Answer:
        """A part as an answer without status."""
        if mark := self._masker.field(words_of_name(part.fields), part.content):
            return Answer(0, self._masker.headers(part.fields), mark, len(mark), "")
        inner = Observation(self._masker, self._max_bytes, has_pictures=self._has_pictures, nested=self._nested + 1)
        fields = (_OCTETS,) if is_encoded(part.fields) else part.fields
        return replace(inner.answer(0, fields, part.content), headers=self._masker.headers(part.fields))


def _first(fields: Fields, wanted: str) -> str:
    return next((value for name, value in fields if name == wanted), "")


def _joined(fields: Fields, wanted: str) -> str:
    """Lines of a list-valued field as one (RFC 9110 §5.3)."""
    return ", ".join(value for name, value in fields if name == wanted)
