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


def is_form(text: str) -> bool:
    """Whether a text under the type of forms is one: not a page, a document, several lines, or without any field."""
    written = text.strip("\r\n")
    return "=" in written and "\n" not in written and not written.startswith(_NO_FORM)


def _read(text: str) -> dict[str, str | list[str]]:
    """The fields. Raises ValueError for what is no form."""
    if not is_form(text):
        raise ValueError("not a form")
    written = text.strip("\r\n")
    fields: dict[str, list[str]] = {}
    # Bytes that are no UTF-8 stay apart from each other: as U+FFFD they would all be equal.
    for name, value in parse_qsl(written, keep_blank_values=True, errors="surrogateescape"):
        fields.setdefault(name, []).append(value)
    return {name: values if len(values) > 1 else values[0] for name, values in fields.items()}


FORM = TextForm("form", _is_declared, _looks_like, _read)
