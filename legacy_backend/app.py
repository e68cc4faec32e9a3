"""The application: which path is answered by which handler, and how refusals look."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import Response

from legacy_backend import feeds, photos, reader, search, sessions, subscriptions
from legacy_backend.call import MAX_PHOTO_BYTES, Call, Handler, Json, Service, resource
from legacy_backend.database import prepare_database
from legacy_backend.problem import Problem

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.routing import Route
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from legacy_backend.settings import Settings


def create_app(settings: Settings) -> Starlette:
    """The application, its database ready. Raises DatabaseError."""
    database_path = prepare_database(settings.state_dir)
    service = Service(database_path, settings.session_secret.get_secret_value())
    app = Starlette(
        routes=_routes(service),
        middleware=[Middleware(Runtime)],
        exception_handlers={Problem: _refuse, HTTPException: _refuse_early, Exception: _fail},
    )
    app.router.redirect_slashes = False  # a redirect would carry the proxy's or the backend's host
    return app


def _routes(service: Service) -> list[Route]:
    tables: dict[str, dict[str, Handler]] = {
        "/healthz": {"GET": show_health},
        "/api/session": {"GET": sessions.show_session, "POST": sessions.sign_in, "DELETE": sessions.sign_out},
        "/api/feeds": {"GET": feeds.list_feeds},
        "/api/feeds/{feed_id}": {"GET": feeds.show_feed},
        "/api/feeds/{feed_id}/items": {"GET": feeds.list_items},
        "/api/subscriptions": {"GET": subscriptions.list_subscriptions, "POST": subscriptions.subscribe},
        "/api/subscriptions/{feed_id}": {"DELETE": subscriptions.unsubscribe},
        "/api/items/{item_id}/read": {"POST": subscriptions.mark_read},
        "/api/unread": {"GET": subscriptions.show_unread},
        "/api/search": {"GET": search.search},
        "/api/photos/{photo_id}": {"GET": photos.show_photo},
        "/api/photos/{photo_id}/original": {"GET": photos.show_original},
        "/api/photos/{photo_id}/thumbnail": {"GET": photos.show_thumbnail},
        "/read": {"GET": reader.show_overview},
        "/read/{feed_id}": {"GET": reader.show_reading_page},
        "/static/{name}": {"GET": reader.show_static},
    }
    album: dict[str, Handler] = {"GET": photos.list_photos, "POST": photos.upload_photo}
    return [
        *(resource(path, handlers, service) for path, handlers in tables.items()),
        resource("/api/photos", album, service, MAX_PHOTO_BYTES),
    ]


def show_health(call: Call) -> Response:
    """200 when the database answers."""
    call.database.execute("SELECT 1 FROM users LIMIT 1").fetchone()
    return Json({"status": "ok"})


class Runtime:
    """Adds `x-runtime`, the seconds until the answer began, as the frameworks of its age did."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on; touch only the start of an HTTP answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()

        async def send_timed(message: Message) -> None:
            if message["type"] == "http.response.start":
                runtime = f"{time.perf_counter() - began:.6f}".encode()
                message["headers"] = [*message["headers"], (b"x-runtime", runtime)]
            await send(message)

        await self.app(scope, receive, send_timed)


def _refuse(_: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)  # noqa: S101  # Starlette calls it for no other
    content = json.dumps(error.document())
    return Response(content, error.status, error.headers, "application/problem+json")


def _refuse_early(request: Request, error: Exception) -> Response:
    """404 and 405 of the router. It lists the allowed methods in the order of a set: any."""
    assert isinstance(error, HTTPException)  # noqa: S101
    headers = dict(error.headers or {})
    if "Allow" in headers:
        headers["Allow"] = ", ".join(sorted(headers["Allow"].split(", ")))
    detail = f"{request.method} {request.scope['path']} can't be answered here"
    return _refuse(request, Problem(error.status_code, detail, headers))


def _fail(request: Request, _: Exception) -> Response:
    return _refuse(request, Problem(500, "the server failed; the reason is in its log"))
