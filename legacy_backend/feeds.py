"""Feeds and their items. One query for the list, and then one or more for each row of it: the N+1 of its age."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from legacy_backend.call import Json
from legacy_backend.problem import Problem

if TYPE_CHECKING:
    import sqlite3

    from starlette.responses import Response

    from legacy_backend.call import Call

LATEST_COUNT = 10
DEFAULT_PER_PAGE = 20
MAX_PER_PAGE = 100
MAX_PAGE = 10_000


def list_feeds(call: Call) -> Response:
    """200 with all feeds by id, and which of them the user subscribed to."""
    user = call.sign_in_required()
    ids = [row["id"] for row in call.database.execute("SELECT id FROM feeds ORDER BY id")]
    feeds = [
        {
            "id": feed_id,
            "title": find_feed(call.database, feed_id)["title"],
            "item_count": count_items(call.database, feed_id),
            "subscribed": _is_subscribed(call.database, user["id"], feed_id),
        }
        for feed_id in ids
    ]
    return Json({"total": len(feeds), "feeds": feeds})


def show_feed(call: Call) -> Response:
    """200 with one feed and the ids of its latest items, newest first."""
    call.sign_in_required()
    feed = feed_in_path(call)
    tags = call.database.execute("SELECT tag FROM feed_tags WHERE feed_id = ? ORDER BY position", [feed["id"]])
    return Json(
        {
            "id": feed["id"],
            "title": feed["title"],
            "site_url": feed["site_url"],
            "description": feed["description"],
            "language": feed["language"],
            "tags": [row["tag"] for row in tags],
            "item_count": count_items(call.database, feed["id"]),
            "latest": page_of_item_ids(call.database, feed["id"], LATEST_COUNT, 0),
        }
    )


def list_items(call: Call) -> Response:
    """200 with one page of a feed's items, newest first; a page after the last one is empty."""
    user = call.sign_in_required()
    feed = feed_in_path(call)
    page = call.query_number("page", 1, MAX_PAGE)
    per_page = call.query_number("per_page", DEFAULT_PER_PAGE, MAX_PER_PAGE)
    total = count_items(call.database, feed["id"])
    ids = page_of_item_ids(call.database, feed["id"], per_page, (page - 1) * per_page)
    items = [_describe_item(call.database, user["id"], item_id) for item_id in ids]
    return Json(
        {
            "feed_id": feed["id"],
            "page": page,
            "per_page": per_page,
            "total": total,
            "has_more": page * per_page < total,
            "generated_at": datetime.now(UTC).isoformat(),
            "tags": _tags_of_items(call.database, ids),
            "items": items,
        }
    )


def feed_in_path(call: Call) -> sqlite3.Row:
    """The row of the feed that the path names. Raises Problem 404."""
    return find_feed(call.database, call.path_id("feed_id", "feed"))


def find_feed(database: sqlite3.Connection, feed_id: int) -> sqlite3.Row:
    """A feed's row. Raises Problem 404."""
    row: sqlite3.Row | None = database.execute("SELECT * FROM feeds WHERE id = ?", [feed_id]).fetchone()
    if row is None:
        raise Problem(404, f"feed '{feed_id}' doesn't exist")
    return row


def count_items(database: sqlite3.Connection, feed_id: int) -> int:
    """How many items a feed has."""
    count: int = database.execute("SELECT count(*) FROM items WHERE feed_id = ?", [feed_id]).fetchone()[0]
    return count


def page_of_item_ids(database: sqlite3.Connection, feed_id: int, limit: int, offset: int) -> list[int]:
    """Ids of a feed's items, newest first, the higher id first among equal timestamps."""
    query = "SELECT id FROM items WHERE feed_id = ? ORDER BY published DESC, id DESC LIMIT ? OFFSET ?"
    return [row["id"] for row in database.execute(query, [feed_id, limit, offset])]


def is_read(database: sqlite3.Connection, user_id: int, item_id: int) -> bool:
    """Whether the user read the item."""
    query = "SELECT 1 FROM read_marks WHERE user_id = ? AND item_id = ?"
    return database.execute(query, [user_id, item_id]).fetchone() is not None


def _is_subscribed(database: sqlite3.Connection, user_id: int, feed_id: int) -> bool:
    query = "SELECT 1 FROM subscriptions WHERE user_id = ? AND feed_id = ?"
    return database.execute(query, [user_id, feed_id]).fetchone() is not None


def _describe_item(database: sqlite3.Connection, user_id: int, item_id: int) -> dict[str, object]:
    item = database.execute("SELECT * FROM items WHERE id = ?", [item_id]).fetchone()
    return {
        "id": item_id,
        "title": item["title"],
        "author": item["author"],
        "url": item["url"],
        "summary": item["summary"],
        "published": datetime.fromtimestamp(item["published"], UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "score": item["score"],
        "tags": _item_tags(database, item_id),
        "read": is_read(database, user_id, item_id),
        "etag": f"v{item['version']}-{item_id}",
    }


def _item_tags(database: sqlite3.Connection, item_id: int) -> list[str]:
    rows = database.execute("SELECT tag FROM item_tags WHERE item_id = ? ORDER BY position", [item_id])
    return [row["tag"] for row in rows]


def _tags_of_items(database: sqlite3.Connection, item_ids: list[int]) -> list[str]:
    """Each tag of these items once, in the order of its first appearance."""
    return list(dict.fromkeys(tag for item_id in item_ids for tag in _item_tags(database, item_id)))
