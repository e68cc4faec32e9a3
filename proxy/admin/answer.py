"""JSON answers that can carry whatever a backend sent: lone surrogates and NaN survive as text.

Starlette's own JSONResponse raises on both, so that one odd example would hide a whole list of differences.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Mapping

# Answers are live state of an operator's console: never cached, never sniffed, never framed.
_HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


class JsonAnswer(Response):
    """Any JSON-able value as an answer in ASCII JSON (RFC 8259); non-finite numbers become text."""

    media_type = "application/json"

    def __init__(
        self,
        content: Any,
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        media_type: str | None = None,
    ) -> None:
        super().__init__(content, status_code, {**_HEADERS, **(headers or {})}, media_type)

    def render(self, content: Any) -> bytes:
        try:
            text = json.dumps(content, allow_nan=False, separators=(",", ":"))
        except ValueError:
            text = json.dumps(_finite(content), allow_nan=False, separators=(",", ":"))
        return text.encode("ascii")


def _finite(value: Any) -> Any:
    """A copy in which NaN and the infinities are text: JSON has no such numbers (RFC 8259 §6)."""
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    if isinstance(value, dict):
        return {key: _finite(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
