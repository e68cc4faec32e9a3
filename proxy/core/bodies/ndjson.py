"""Lines of JSON (NDJSON, JSON Lines) and JSON text sequences (RFC 7464): a list with one document for each record.

A record that isn't JSON, as the last one of an answer that was cut short, is its text. No such text is JSON, so records
that are strings are written as JSON here: the two are never equal.
"""

from __future__ import annotations

import json
from itertools import islice
from typing import TYPE_CHECKING, Any

from proxy.core.bodies.body import TextForm
from proxy.core.document import parse_document

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proxy.core.content_type import ContentType

_SEPARATOR = "\x1e"  # RFC 7464 §2.2
_SPACE = " \t\r\n"
# Two lines that are each an object or a list are no accident: a broken document has none, or one.
_MIN_LINES = 2


def _is_declared(declared: ContentType) -> bool:
    return declared.is_records


def _looks_like(declared: ContentType, text: str) -> bool:
    if not declared.may_be_json or text.lstrip(_SPACE)[:1] not in {"{", "["}:
        return False
    first = [*islice(_written(text), _MIN_LINES)]
    return len(first) == _MIN_LINES and all(line[0] in "{[" and _is_json(line) for line in first)


def _read(text: str) -> list[Any]:
    """The records in order. Raises ValueError where there is text, and not one record in it is JSON."""
    records = [*map(_record, _written(text))]
    if records and all(is_broken for _, is_broken in records):
        raise ValueError("no record is JSON")
    return [value for value, _ in records]


def _written(text: str) -> Iterator[str]:
    """Each record's text without white space around it; empty ones are none."""
    if _SEPARATOR in text:
        before, *written = text.split(_SEPARATOR)
        pieces = iter((before.strip(_SPACE), *map(_whole, written)))
    else:
        pieces = (line.strip(_SPACE) for line in text.split("\n"))
    return (piece for piece in pieces if piece)


def _whole(written: str) -> str:
    """A record of a sequence. A number or constant that no white space ends may be cut short (RFC 7464 §2.4)."""
    stripped = written.strip(_SPACE)
    is_certain = stripped[:1] in {"{", "[", '"', ""} or written[-1] in _SPACE
    return stripped if is_certain else f"{stripped} (cut short)"


def _record(written: str) -> tuple[Any, bool]:
    """The record's value, and whether it is broken."""
    try:
        value = parse_document(written)
    except ValueError:
        return written, True
    return (json.dumps(value) if isinstance(value, str) else value), False


def _is_json(written: str) -> bool:
    return not _record(written)[1]


NDJSON = TextForm("ndjson", _is_declared, _looks_like, _read)
