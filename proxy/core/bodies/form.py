"""Forms (application/x-www-form-urlencoded, WHATWG's URL standard §5.1): an object of names and decoded values.

A name that is repeated has a list of its values in their order; order between different names means nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from proxy.core.bodies.body import TextForm

if TYPE_CHECKING:
    from proxy.core.content_type import ContentType

_NO_FORM = ("<", "{", "[", '"')


def _is_declared(declared: ContentType) -> bool:
    return declared.is_form


def _looks_like(_declared: ContentType, _text: str) -> bool:
    return False  # a query string in a text is no form


def _read(text: str) -> dict[str, str | list[str]]:
    """The fields. Raises ValueError for what is no form: pages, documents, several lines, a text without any field."""
    written = text.strip("\r\n")
    if "=" not in written or "\n" in written or written.startswith(_NO_FORM):
        raise ValueError("not a form")
    fields: dict[str, list[str]] = {}
    # Bytes that are no UTF-8 stay apart from each other: as U+FFFD they would all be equal.
    for name, value in parse_qsl(written, keep_blank_values=True, errors="surrogateescape"):
        fields.setdefault(name, []).append(value)
    return {name: values if len(values) > 1 else values[0] for name, values in fields.items()}


FORM = TextForm("form", _is_declared, _looks_like, _read)
