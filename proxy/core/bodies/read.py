"""Which form a body has: by its declared type first, then by its look; text that has none is text, the rest bytes.

`may_travel` is the worker's part: a body leaves the worker only decoded, and only when it is text, because nothing else
can be masked; several parts are taken apart in `observation`. `read_body` is the comparer's part. A new form of text is
a module with a `TextForm`, listed in `_FORMS`.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from proxy.core.bodies.body import Body
from proxy.core.bodies.events import EVENTS
from proxy.core.bodies.form import FORM
from proxy.core.bodies.html import HTML
from proxy.core.bodies.json_form import JSON
from proxy.core.bodies.multipart import read_parts
from proxy.core.bodies.ndjson import NDJSON
from proxy.core.bodies.xml import XHTML_PAGE, XML
from proxy.core.charset import is_broken_text, text_of
from proxy.core.content_type import parse_content_type
from proxy.core.document_pair import parse_documents

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proxy.core.bodies.body import TextForm
    from proxy.core.content_type import ContentType

# In the order in which they are tried.
_FORMS = (JSON, NDJSON, EVENTS, FORM, HTML, XHTML_PAGE, XML)


def read_body(content_type: str, body: bytes) -> Body:
    """The body in the first form that reads it: of those declared, then of those that it looks like.

    Raises document.Unreadable for JSON that is nested too deeply to be parsed, and nothing else whatever comes in.
    """
    if not body:
        return Body("empty", None)
    declared = parse_content_type(content_type)
    if declared.is_multipart:
        try:
            return Body("multipart", read_parts(body))
        except ValueError:
            return Body("bytes", body)
    text = text_of(declared, body)
    if text is None:
        return Body("broken text" if is_broken_text(declared, body) else "bytes", body)
    bare = text.removeprefix("\ufeff")
    for form in _candidates(declared, bare):
        try:
            return Body(form.kind, form.read(bare))
        except ValueError:
            continue
    return Body("text", bare)


def read_bodies(before_type: str, before: bytes, after_type: str, after: bytes) -> tuple[Body, Body, frozenset[int]]:
    """Both as `read_body` reads them, and of two documents what they share (`document_pair.Documents`).

    A text whose type has no form is read as the other one where that is what it is: the types are compared themselves.
    """
    declared = parse_content_type(before_type), parse_content_type(after_type)
    if before and after and declared[0].is_json and declared[1].is_json:
        one, other = text_of(declared[0], before), text_of(declared[1], after)
        if one is not None and other is not None:
            with suppress(ValueError):
                found = parse_documents(one.removeprefix("\ufeff"), other.removeprefix("\ufeff"))
                return Body("json", found.before), Body("json", found.after), found.shared
    old, new = read_body(before_type, before), read_body(after_type, after)
    return _as_other(old, new, declared[1]), _as_other(new, old, declared[0]), frozenset()


def _as_other(body: Body, other: Body, declared: ContentType) -> Body:
    """The body in the form of the other one, whose type this is; as it is where it is no text, or not of that form."""
    for form in _FORMS if body.kind == "text" != other.kind else ():
        if form.kind == other.kind and form.looks_like(declared, body.value):
            with suppress(ValueError):
                return Body(form.kind, form.read(body.value))
    return body


def _candidates(declared: ContentType, text: str) -> Iterator[TextForm]:
    """The declared forms, then what it looks like, where nothing is declared or the declaration isn't true."""
    tried = [form for form in _FORMS if form.is_declared(declared)]
    yield from tried
    if tried or not declared.essence:
        yield from (form for form in _FORMS if form not in tried and form.looks_like(declared, text))


def may_travel(content_type: str, body: bytes) -> bool:
    """Whether the decoded body may leave the worker: it is empty, or text through and through (law 6)."""
    return not body or text_of(parse_content_type(content_type), body) is not None
