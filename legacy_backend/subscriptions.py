"""A user's subscriptions, read marks, and the unread counts that follow from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from legacy_backend.call import Json
from legacy_backend.database import transaction
from legacy_backend.feeds import count_items, find_feed
from legacy_backend.problem import Problem

if TYPE_CHECKING:
    import sqlite3

    from legacy_backend.call import Call


def list_subscriptions(call: Call) -> Response:
    """200 with the user's feeds by id."""
    user = call.sign_in_required()
    ids = subscribed_feed_ids(call.database, user["id"])
    feeds = [{"feed_id": feed_id, "title": find_feed(call.database, feed_id)["title"]} for feed_id in ids]
    return Json({"subscriptions": feeds})


def subscribe(call: Call) -> Response:
    """201 with the subscription, new or not. Raises Problem 400 or 404."""
    user = call.sign_in_required()
    feed_id = call.json_object().get("feed_id")
    if not isinstance(feed_id, int) or isinstance(feed_id, bool):
        raise Problem(400, "feed_id is required, a number")
    if not 0 < feed_id < 10**9:
        raise Problem(404, f"feed '{feed_id}' doesn't exist")
    feed = find_feed(call.database, feed_id)
    with transaction(call.database):
        call.database.execute("INSERT OR IGNORE INTO subscriptions VALUES (?, ?)", [user["id"], feed_id])
    return Json({"feed_id": feed_id, "title": feed["title"]}, 201)


def unsubscribe(call: Call) -> Response:
    """204, subscribed or not; the read marks stay. Raises Problem 404 for an unknown feed."""
    user = call.sign_in_required()
    feed = find_feed(call.database, call.path_id("feed_id", "feed"))
    with transaction(call.database):
        call.database.execute("DELETE FROM subscriptions WHERE user_id = ? AND feed_id = ?", [user["id"], feed["id"]])
    return Response(status_code=204)


def mark_read(call: Call) -> Response:
    """200; marking twice is marking once. Raises Problem 404."""
    user = call.sign_in_required()
    item_id = call.path_id("item_id", "item")
    if call.database.execute("SELECT 1 FROM items WHERE id = ?", [item_id]).fetchone() is None:
        raise Problem(404, f"item '{item_id}' doesn't exist")
    with transaction(call.database):
        call.database.execute("INSERT OR IGNORE INTO read_marks VALUES (?, ?)", [user["id"], item_id])
    return Json({"item_id": item_id, "read": True})


def show_unread(call: Call) -> Response:
    """200 with the unread items of each subscribed feed, by feed id, and their sum."""
    user = call.sign_in_required()
    counts = [
        {"feed_id": feed_id, "unread": count_unread(call.database, user["id"], feed_id)}
        for feed_id in subscribed_feed_ids(call.database, user["id"])
    ]
    return Json({"total": sum(count["unread"] for count in counts), "feeds": counts})


def subscribed_feed_ids(database: sqlite3.Connection, user_id: int) -> list[int]:
    """The feeds that a user subscribed to, in the order of their ids."""
    rows = database.execute("SELECT feed_id FROM subscriptions WHERE user_id = ? ORDER BY feed_id", [user_id])
    return [row["feed_id"] for row in rows]


def count_unread(database: sqlite3.Connection, user_id: int, feed_id: int) -> int:
    """A feed's items without a read mark of the user."""
    query = """
        SELECT count(*) FROM items JOIN read_marks ON read_marks.item_id = items.id AND read_marks.user_id = ?
        WHERE items.feed_id = ?"""
    read: int = database.execute(query, [user_id, feed_id]).fetchone()[0]
    return count_items(database, feed_id) - read
