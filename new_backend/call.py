"""What a handler is given: the request, and the service that all requests share."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.responses import Response
from starlette.routing import Route

from new_backend.migration import FEEDS, USERS
from new_backend.refusal import CHALLENGE, Refusal
from new_backend.tokens import COOKIE

if TYPE_CHECKING:
    from asyncio import Semaphore
    from pathlib import Path

    from starlette.requests import Request

    from new_backend.bugs import Bug
    from new_backend.documents import Document, DocumentStore
    from new_backend.search import Search
    from new_backend.thumbnails import Thumbnails
    from new_backend.tokens import Signer

MAX_JSON_BYTES = 64 * 1024  # as legacy
MAX_PHOTO_BYTES = 5_000_000

_ID = re.compile(r"[1-9][0-9]{0,8}")


Handler = Callable[["Call"], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Service:
    """What all requests share.

    `originals` is the folder of the uploaded photos, by id; `decoding` bounds how many are decoded at a time.
    """

    store: DocumentStore
    signer: Signer
    search: Search
    thumbnails: Thumbnails
    originals: Path
    decoding: Semaphore
    bugs: frozenset[Bug]


@dataclass(frozen=True, slots=True)
class Call:
    """One request with its whole body."""

    request: Request
    body: bytes
    service: Service

    async def user(self) -> Document:
        """The signed-in user. Refuses with 401."""
        login = self.service.signer.check(self.request.cookies.get(COOKIE, ""))
        user = await self.service.store.get(USERS, login) if login else None
        if user is None:
            raise Refusal(401, "sign in first: POST /api/session", CHALLENGE)
        return user

    async def feed(self, feed_id: object) -> Document:
        """The feed, from a number or the path's text. Refuses with 404."""
        feed = await self.service.store.get(FEEDS, feed_id) if _ID.fullmatch(str(feed_id)) else None
        if feed is None:
            raise Refusal(404, f"feed {str(feed_id)!r} doesn't exist")
        return feed

    def number(self, name: str, default: int, highest: int) -> int:
        """A number from 1 to `highest` from the query. Refuses with 400."""
        text = self.request.query_params.get(name, str(default))
        if not _ID.fullmatch(text) or int(text) > highest:
            raise Refusal(400, f"{name} is {text!r}; give a number from 1 to {highest}")
        return int(text)

    @property
    def media_type(self) -> str:
        """What the request's body is said to be, in lower case, without parameters."""
        return self.request.headers.get("content-type", "").partition(";")[0].strip().lower()

    def read_object(self) -> Document:
        """The body as a JSON object. Refuses with 415 or 400."""
        if self.media_type != "application/json":
            raise Refusal(415, f"content-type is {self.media_type!r}; send application/json")
        try:
            document = json.loads(self.body)
        except (ValueError, RecursionError):
            raise Refusal(400, "the body is not JSON") from None
        if not isinstance(document, dict):
            raise Refusal(400, "the body is not a JSON object")
        return document


def resource(
    path: str, handlers: Mapping[str, Handler], service: Service, max_body_bytes: int = MAX_JSON_BYTES
) -> Route:
    """A route for all methods of one path; HEAD is answered by GET's handler."""

    async def endpoint(request: Request) -> Response:
        body = await read_body(request, max_body_bytes)
        handler = handlers["GET" if request.method == "HEAD" else request.method]
        return await handler(Call(request, body, service))

    return Route(path, endpoint, methods=sorted(handlers))


async def read_body(request: Request, max_bytes: int) -> bytes:
    """The whole body. Refuses with 413 as soon as it is longer than `max_bytes`."""
    announced = request.headers.get("content-length", "")
    length = int(announced) if announced.isascii() and announced.isdecimal() else 0
    body = bytearray()
    if length <= max_bytes:
        async for chunk in request.stream():
            body += chunk
            if len(body) > max_bytes:
                break
    if max(length, len(body)) > max_bytes:
        raise Refusal(413, f"the body is longer than {max_bytes} bytes")
    return bytes(body)
