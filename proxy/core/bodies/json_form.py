"""JSON, declared or found: one document, as `core/document` parses it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.core.bodies.body import TextForm
from proxy.core.document import parse_document

if TYPE_CHECKING:
    from proxy.core.content_type import ContentType


def _is_declared(declared: ContentType) -> bool:
    return declared.is_json


def _looks_like(declared: ContentType, text: str) -> bool:
    return declared.may_be_json and text.lstrip(" \t\r\n")[:1] in {"{", "["}


JSON = TextForm("json", _is_declared, _looks_like, parse_document)
