"""One request as the handlers see it, and the way from ASGI to them: read the body, then run in a thread.

Handlers are plain synchronous functions from a `Call` to a response. Each call has a database connection of its
own, opened in the thread that uses it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.routing import Route

from legacy_backend.database import connect
from legacy_backend.problem import Problem, not_signed_in
from legacy_backend.token import COOKIE, read_login

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

    from starlette.requests import Request

MAX_JSON_BYTES = 64 * 1024  # the longest document here has two fields
MAX_PHOTO_BYTES = 5_000_000

_ID = re.compile(r"[1-9][0-9]{0,8}")  # nine digits: far above any id, far below SQLite's 64 bits


@dataclass(frozen=True, slots=True)
class Service:
    """What all calls share."""

    database_path: Path
    session_secret: str


@dataclass(frozen=True, slots=True)
class Call:
    """A request with its whole body."""

    request: Request
    body: bytes
    database: sqlite3.Connection
    service: Service

    def sign_in_required(self) -> sqlite3.Row:
        """The signed-in user's row (id, login, name). Raises Problem 401."""
        login = read_login(self.request.cookies.get(COOKIE, ""), self.service.session_secret)
        if login is None:
            raise not_signed_in()
        row: sqlite3.Row | None = self.database.execute(
            "SELECT id, login, name FROM users WHERE login = ?", [login]
        ).fetchone()
        if row is None:
            raise not_signed_in()
        return row

    def path_id(self, name: str, noun: str) -> int:
        """A positive id from the path. Raises Problem 404 for anything that can't be one."""
        text = self.request.path_params[name]
        if not _ID.fullmatch(text):
            raise Problem(404, f"{noun} {text!r} doesn't exist")
        return int(text)

    def query_number(self, name: str, default: int, highest: int) -> int:
        """A number from 1 to `highest` from the query. Raises Problem 400."""
        text = self.request.query_params.get(name)
        if text is None:
            return default
        if not _ID.fullmatch(text) or int(text) > highest:
            raise Problem(400, f"{name} is {text!r}; give a number from 1 to {highest}")
        return int(text)

    def json_object(self) -> dict[str, object]:
        """The body as a JSON object. Raises Problem 415 or 400."""
        media_type = self.request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type != "application/json":
            raise Problem(415, f"content-type is {media_type!r}; send application/json")
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError):
            raise Problem(400, "the body is not JSON") from None
        if not isinstance(value, dict):
            raise Problem(400, "the body is not a JSON object")
        return value


Handler = Callable[[Call], Response]


class Json(Response):
    """A JSON answer as the standard library writes it: ASCII only, with blanks."""

    media_type = "application/json"

    def render(self, content: object) -> bytes:
        """The document's bytes."""
        return json.dumps(content).encode()


def resource(
    path: str, handlers: Mapping[str, Handler], service: Service, max_body_bytes: int = MAX_JSON_BYTES
) -> Route:
    """A route for all methods of one path; HEAD is answered by GET's handler."""

    async def endpoint(request: Request) -> Response:
        body = await read_body(request, max_body_bytes)
        handler = handlers["GET" if request.method == "HEAD" else request.method]
        return await run_in_threadpool(_run, handler, request, body, service)

    return Route(path, endpoint, methods=sorted(handlers))


def _run(handler: Handler, request: Request, body: bytes, service: Service) -> Response:
    with closing(connect(service.database_path)) as database:
        return handler(Call(request, body, database, service))


async def read_body(request: Request, max_bytes: int) -> bytes:
    """The whole body. Raises Problem 413 as soon as it is longer than `max_bytes`."""
    announced = request.headers.get("content-length", "")
    length = int(announced) if announced.isascii() and announced.isdecimal() else 0
    chunks: list[bytes] = []
    received = 0
    if length <= max_bytes:
        async for chunk in request.stream():
            received += len(chunk)
            chunks.append(chunk)
            if received > max_bytes:
                break
    if max(length, received) > max_bytes:
        raise Problem(413, f"the body is longer than {max_bytes} bytes")
    return b"".join(chunks)
