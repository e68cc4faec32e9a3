"""Bodies of several parts (RFC 2046 §5.1): split in the worker, byte for byte, and written as JSON, each part masked.

1. The boundary, and what stands before the first and after the last part, are no content.
2. A body that isn't well-formed, or has more than MAX_PARTS, is not split: it stays bytes.
3. Each part is an answer of its own: fields, and a body that is masked or represented by its digest. What travels is a
   JSON list, which is shown, stored and cut as any other text.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from proxy.core.evidence import Answer
from proxy.core.picture import Picture

if TYPE_CHECKING:
    from collections.abc import Iterable

Fields = tuple[tuple[str, str], ...]

# Masking a part takes 20 µs and more: this many take no longer than the largest body.
MAX_PARTS = 256
MAX_NESTED = 3  # of multipart in multipart: mail has two (alternative in mixed)
_MAX_FIELDS = 64
_MAX_BOUNDARY = 70  # RFC 2046 §5.1.1
_PARAMETER = re.compile(r';\s*([^=;\s]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^;"]*)')
_AFTER_DELIMITER = re.compile(rb"(--)|[ \t]*\r\n")
_FOLD = re.compile(rb"\r\n[ \t]+")
_WORDS = re.compile(r"[^\w.\-]+")


@dataclass(frozen=True, slots=True)
class Part:
    """As it was sent; field names in lower case."""

    fields: Fields
    content: bytes


def split(content_type: str, body: bytes) -> list[Part] | None:
    """The parts in order; None where the body isn't well-formed from the first to the closing delimiter."""
    boundary = _boundary(content_type)
    if boundary is None:
        return None
    delimiter = b"--" + boundary
    parts: list[Part] = []
    start: int | None = None
    at = body.find(delimiter)
    while at >= 0:
        after = _AFTER_DELIMITER.match(body, at + len(delimiter))
        if after is not None and (at == 0 or body[at - 2 : at] == b"\r\n"):
            if start is not None:
                part = _part(body[start : max(at - 2, start)])
                if part is None or len(parts) == MAX_PARTS:
                    return None
                parts.append(part)
            if after[1]:
                return parts or None
            start = after.end()
        at = body.find(delimiter, at + len(delimiter))
    return None


def _boundary(content_type: str) -> bytes | None:
    found = [value for name, value in _PARAMETER.findall(content_type) if name.lower() == "boundary"]
    if len(found) != 1:  # two readers might take two different ones
        return None
    boundary = re.sub(r"\\(.)", r"\1", found[0][1:-1]) if found[0].startswith('"') else found[0].strip()
    return boundary.encode("latin-1") if 0 < len(boundary) <= _MAX_BOUNDARY else None


def _part(block: bytes) -> Part | None:
    if block.startswith(b"\r\n"):
        return Part((), block[2:])
    head, blank, content = block.partition(b"\r\n\r\n")
    lines = _FOLD.sub(b" ", head).split(b"\r\n")
    fields = [line.partition(b":") for line in lines]
    if not blank or len(fields) > _MAX_FIELDS or any(not name or not colon for name, colon, _ in fields):
        return None
    named = ((name.strip().lower().decode("latin-1"), value.strip().decode("latin-1")) for name, _, value in fields)
    return Part(tuple(named), content)


def words_of_name(fields: Iterable[tuple[str, str]]) -> list[str]:
    """What may name the part: every word of its Content-Disposition, however it is quoted (RFC 7578 §4.2).

    A name in mail's notation (RFC 2047), which no browser writes, counts as a secret one.
    """
    named = [value.replace("\\", "") for name, value in fields if name == "content-disposition"]
    return [word for value in named for word in ("secret" if "=?" in value else "", *_WORDS.split(value)) if word]


def is_encoded(fields: Iterable[tuple[str, str]]) -> bool:
    """Whether the content is written otherwise than it is (RFC 2045 §6), so that nobody sees a secret in it."""
    codings = (value.lower() for name, value in fields if name == "content-transfer-encoding")
    return any(coding not in {"", "7bit", "8bit", "binary"} for coding in codings)


# --- as it travels ---
def write_parts(parts: Iterable[Answer]) -> bytes:
    """Parts, masked, as a body. Of a part whose body is there no digest goes along: it might be guessed from that."""
    return json.dumps([_written(part) for part in parts], separators=(",", ":"), ensure_ascii=False).encode()


def read_parts(body: bytes) -> list[Answer]:
    """The inverse of `write_parts`. Raises ValueError for anything else."""
    try:
        return [_read(part) for part in json.loads(body)]
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"no parts: {error}") from error


def _written(part: Answer) -> dict[str, Any]:
    fields = [list(field) for field in part.headers]
    if part.body is None:
        content = {"length": part.length, "sha256": part.digest, "content_length": part.content_length}
        content |= {"content_sha256": part.content_digest, "unkept": part.unkept}
        return {"headers": fields, **content, "picture": None if part.picture is None else part.picture.plain()}
    try:
        return {"headers": fields, "text": part.body.decode()}
    except UnicodeDecodeError:
        return {"headers": fields, "base64": b64encode(part.body).decode("ascii")}


def _read(part: dict[str, Any]) -> Answer:
    fields = tuple((name, value) for name, value in part["headers"])
    if "text" in part or "base64" in part:
        body = part["text"].encode() if "text" in part else b64decode(part["base64"])
        return Answer(0, fields, body, len(body), "")
    return Answer(
        0,
        fields,
        None,
        part["length"],
        part["sha256"],
        content_length=part["content_length"],
        content_digest=part["content_sha256"],
        unkept=part["unkept"],
        picture=None if part["picture"] is None else Picture.of(part["picture"]),
    )
