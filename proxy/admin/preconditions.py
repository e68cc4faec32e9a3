"""If-Match on changes: nobody overwrites what they have not seen (RFC 9110 §13.1.1).

Whoever changes something reads its address first, and sends the ETag it got back with the change. Where the thing is
another one by then, the change is refused with 412. Tags are strong: one for each representation.
"""

from __future__ import annotations

import json
import re
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from proxy.admin.answer import JsonAnswer
from proxy.admin.fields import refuse
from proxy.errors import Conflict, Stale

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from starlette.requests import Request

Json = dict[str, Any]
_TAGS = re.compile(r'(?:W/)?"[\x21\x23-\x7e]*"(?:[ \t]*,[ \t]*(?:W/)?"[\x21\x23-\x7e]*")*')
_TAG = re.compile(r'(?:W/)?"[^"]*"')
_TAG_CHARACTERS = 16


def etag_of(representation: Json) -> str:
    """The strong tag of a representation."""
    text = json.dumps(representation, sort_keys=True, separators=(",", ":"))
    return f'"{sha256(text.encode()).hexdigest()[:_TAG_CHARACTERS]}"'


def tagged(representation: Json) -> JsonAnswer:
    """The representation with its tag."""
    return JsonAnswer(representation, headers={"etag": etag_of(representation)})


@asynccontextmanager
async def if_match(request: Request, read: Callable[[], Awaitable[Json]]) -> AsyncIterator[Json | None]:
    """What the request's If-Match has seen, or None where it has none; a conflict within is Stale then.

    `read` gives the present representation. Raises Stale where no tag is its own, RequestRefused for what is no tag.
    """
    fields = request.headers.getlist("if-match")
    if not fields:
        yield None
        return
    given = ", ".join(fields).strip()
    present = await read()
    if given != "*":
        if not _TAGS.fullmatch(given):
            refuse(f"If-Match is {given[:60]!r}: send the ETag that a GET of this address answers, in its quotes")
        if etag_of(present) not in _TAG.findall(given):  # a weak one never matches: RFC 9110 §8.8.3.2
            raise Stale(f"{request.url.path}: somebody changed it meanwhile; look again, and repeat")
    try:
        yield present
    except Conflict as error:
        raise Stale(str(error)) from error
