"""An example's body line by line, as people look at it. JSON is indented, its members by name: their order is nothing.

What the route's rules ignore is a mark, on both sides: a reader who is told of one difference shouldn't have to find it
among timestamps. Other bodies are shown as they are. Pure.
"""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from proxy.core.paths import Path, parse
from proxy.core.prepare import mark_ignored

if TYPE_CHECKING:
    from collections.abc import Sequence

Json = dict[str, Any]
MARK = "(ignored)"
CUT = "(the body goes on; it was cut)"


def ignored_places(detail: Json) -> tuple[Path, ...]:
    """What is ignored where the signature was seen, by `GET /api/v1/diffs/{id}`."""
    return tuple(map(parse, detail.get("ignored", ())))


def body_lines(answer: Json, ignored: Sequence[Path] = (), most: int | None = None) -> list[str]:
    """The lines, `most` of them; or why there are none. They hold foreign characters."""
    body = answer["body"]
    if body is None:
        return [f"(the body was not kept; {answer['length']:,} bytes, SHA-256 {answer['digest'][:12] or 'unknown'})"]
    lines = str(body).splitlines() if answer["is_body_cut"] else _indented(str(body), ignored)
    is_whole = not answer["is_body_cut"] and (most is None or len(lines) <= most)
    return lines if is_whole else [*lines[:most], CUT]


def _indented(body: str, ignored: Sequence[Path]) -> list[str]:
    mark = sha256(body.encode("utf-8", "surrogatepass")).hexdigest()  # which no body has a value like
    try:
        document = mark_ignored(json.loads(body), ignored, mark)
        text = json.dumps(document, indent=2, ensure_ascii=False, sort_keys=True)
    except (ValueError, RecursionError):
        return body.splitlines()
    return text.replace(f'"{mark}"', MARK).split("\n")
