"""Feeds and their items: a feed's document lists its items newest first, so that a page is a slice."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response

from legacy_backend.dataset import FEED_COUNT
from new_backend.bugs import Bug
from new_backend.migration import FEEDS, ITEMS
from new_backend.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from new_backend.call import Call
    from new_backend.documents import Document

LATEST_COUNT = 10
DEFAULT_PER_PAGE = 20
MAX_PER_PAGE = 100
MAX_PAGE = 10_000


async def list_feeds(call: Call) -> Response:
    """200 with all feeds by id, and which of them the user subscribed to."""
    user = await call.user()
    documents = await call.service.store.get_many(FEEDS, range(1, FEED_COUNT + 1))
    feeds = [
        {
            "id": feed["id"],
            "title": feed["title"],
            "subscribed": feed["id"] in user["feed_ids"],
            "item_count": len(feed["item_ids"]),
        }
        for feed in documents
    ]
    return JSONResponse({"feeds": feeds, "total": len(feeds)})


async def show_feed(call: Call) -> Response:
    """200 with one feed and the ids of its latest items."""
    await call.user()
    feed = await _find_shown_feed(call)
    document = {
        "id": feed["id"],
        "title": feed["title"],
        **feed["about"],
        "tags": feed["tags"],
        "latest": await _latest_ids(call, feed),
        "item_count": len(feed["item_ids"]),
    }
    if Bug.MISSING_SITE_URL in call.service.bugs:
        del document["site_url"]
    return JSONResponse(document)


async def list_items(call: Call) -> Response:
    """200 with one page of a feed's items, newest first; a page after the last one is empty."""
    user = await call.user()
    feed = await call.feed(call.request.path_params["feed_id"])
    page = call.number("page", 1, MAX_PAGE)
    per_page = call.number("per_page", DEFAULT_PER_PAGE, MAX_PER_PAGE)
    total = len(feed["item_ids"])
    ids = feed["item_ids"][(page - 1) * per_page : page * per_page]
    items = await call.service.store.get_many(ITEMS, ids)
    read = set(user["read"].get(str(feed["id"]), ()))
    has_more = len(ids) == per_page if Bug.LAST_PAGE in call.service.bugs else page * per_page < total
    return JSONResponse(
        {
            "feed_id": feed["id"],
            "generated_at": datetime.now(UTC).isoformat(),
            "page": page,
            "per_page": per_page,
            "has_more": has_more,
            "total": total,
            "items": [_describe_item(item, item["id"] in read, call.service.bugs) for item in items],
            "tags": sorted({tag for item in items for tag in item["tags"]}),
        }
    )


async def _find_shown_feed(call: Call) -> Document:
    """The feed that the path names, as `Call.feed`, but for the words of the refusal."""
    feed_id = call.request.path_params["feed_id"]
    try:
        return await call.feed(feed_id)
    except Refusal:
        if Bug.NOT_FOUND_DETAIL in call.service.bugs:
            raise Refusal(404, f"no document {feed_id!r} in collection 'feeds'") from None
        raise


async def _latest_ids(call: Call, feed: Document) -> list[int]:
    ids: list[int] = feed["item_ids"][:LATEST_COUNT]
    if Bug.TIE_ORDER in call.service.bugs:
        return _newest_first(await call.service.store.get_many(ITEMS, sorted(ids)))
    return ids


def _newest_first(items: Iterable[Document]) -> list[int]:
    """By time alone: the sort is stable, so equal times stay in the order of the import."""
    return [item["id"] for item in sorted(items, key=lambda item: item["published"], reverse=True)]


def _describe_item(item: Document, is_read: bool, bugs: frozenset[Bug]) -> Document:  # noqa: FBT001
    published = item["published"]
    return {
        "id": item["id"],
        "title": item["title"],
        "url": item["url"],
        "author": item["author"],
        "summary": item["summary"],
        "published": published.replace("T", " ").rstrip("Z") if Bug.DATE_FORMAT in bugs else published,
        "score": str(item["score"]) if Bug.SCORE_AS_STRING in bugs else item["score"],
        "read": is_read,
        "tags": item["tags"],
        "etag": hashlib.sha256(json.dumps(item).encode()).hexdigest()[:16],
    }
