"""The application: which path is answered by which handler, and how refusals look."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from new_backend import feeds, pages, photos, search, sessions, subscriptions
from new_backend.bugs import Bug
from new_backend.call import MAX_PHOTO_BYTES, Call, Handler, Service, resource
from new_backend.documents import open_store
from new_backend.migration import migrate_dataset
from new_backend.refusal import Refusal
from new_backend.search import Scan, build_index
from new_backend.thumbnails import Thumbnails
from new_backend.tokens import Signer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request
    from starlette.routing import Route

    from new_backend.settings import Settings


def create_app(settings: Settings) -> Starlette:
    """The application, its documents ready. Raises StoreError."""
    service = _create_service(settings)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with service.thumbnails.working():
            yield

    app = Starlette(
        routes=_routes(service),
        lifespan=lifespan,
        exception_handlers={Refusal: _refuse, HTTPException: _refuse_early, Exception: _fail},
    )
    app.router.redirect_slashes = False  # as legacy
    return app


def _create_service(settings: Settings) -> Service:
    store = open_store(settings.state_dir, migrate_dataset)
    bugs = settings.active_bugs
    originals = settings.state_dir / "photos"
    return Service(
        store=store,
        signer=Signer(settings.session_secret.get_secret_value().encode()),
        search=Scan(store.path) if Bug.SLOW_SEARCH in bugs else build_index(store.path),
        thumbnails=Thumbnails(originals, settings.state_dir / "thumbnails"),
        originals=originals,
        decoding=asyncio.Semaphore(photos.DECODERS),
        bugs=bugs,
    )


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
        "/read": {"GET": pages.show_overview},
        "/read/{feed_id}": {"GET": pages.show_reading_page},
        "/static/{name}": {"GET": pages.show_static},
    }
    album: dict[str, Handler] = {"GET": photos.list_photos, "POST": photos.upload_photo}
    return [
        *(resource(path, handlers, service) for path, handlers in tables.items()),
        resource("/api/photos", album, service, MAX_PHOTO_BYTES),
    ]


async def show_health(call: Call) -> Response:
    """200 when the documents can be read."""
    await call.service.store.ping()
    return JSONResponse({"status": "ok"})


async def _refuse(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)  # noqa: S101  # Starlette calls it for no other
    return error.answer()


async def _refuse_early(request: Request, error: Exception) -> Response:
    """404 and 405 of the router. It lists the allowed methods in the order of a set: any."""
    assert isinstance(error, HTTPException)  # noqa: S101
    headers = dict(error.headers or {})
    if "Allow" in headers:
        headers["Allow"] = ", ".join(sorted(headers["Allow"].split(", ")))
    detail = f"{request.method} {request.scope['path']} can't be answered here"
    return Refusal(error.status_code, detail, headers).answer()


async def _fail(_: Request, __: Exception) -> Response:
    return Refusal(500, "the server failed; the reason is in its log").answer()
