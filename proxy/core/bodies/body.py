"""What a body is once it is read: its kind, and a value of the form that its comparison takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.core.content_type import ContentType

Kind = Literal["empty", "json", "ndjson", "events", "form", "html", "xml", "multipart", "text", "broken text", "bytes"]
"""The words of the shape `body json→text`, as docs/comparing.md lists them."""


@dataclass(frozen=True, slots=True)
class Body:
    """A body as it is compared: a parsed document, a str, or bytes; `value` is None where it is empty."""

    kind: Kind
    value: Any


@dataclass(frozen=True, slots=True)
class TextForm:
    """One form of text. `read` takes the characters without a byte order mark, and returns the body's value.

    `read` raises ValueError where the text isn't of this form after all, and document.Unreadable("depth").
    """

    kind: Kind
    is_declared: Callable[[ContentType], bool]
    looks_like: Callable[[ContentType, str], bool]
    read: Callable[[str], Any]
