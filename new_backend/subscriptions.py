"""A user's subscriptions, read marks and unread counts: all of them members of the user's own document."""

from __future__ import annotations

import bisect
from typing import TYPE_CHECKING, TypeVar

from starlette.responses import JSONResponse, Response

from new_backend.bugs import Bug
from new_backend.migration import FEEDS, ITEMS, USERS
from new_backend.refusal import Refusal

if TYPE_CHECKING:
    from new_backend.call import Call
    from new_backend.documents import Document

Sortable = TypeVar("Sortable", int, str)


async def list_subscriptions(call: Call) -> Response:
    """200 with the user's feeds by id."""
    user = await call.user()
    feeds = await call.service.store.get_many(FEEDS, user["feed_ids"])
    return JSONResponse({"subscriptions": [_describe(feed) for feed in feeds]})


async def subscribe(call: Call) -> Response:
    """201 with the subscription, new or not. Refuses with 400 or 404."""
    user = await call.user()
    feed_id = call.read_object().get("feed_id")
    if not isinstance(feed_id, int) or isinstance(feed_id, bool):
        raise Refusal(400, "feed_id is required, a number")
    feed = await call.feed(feed_id)
    await call.service.store.update(USERS, user["id"], lambda user: insert_once(user["feed_ids"], feed["id"]))
    return JSONResponse(_describe(feed), 201)


async def unsubscribe(call: Call) -> Response:
    """204, subscribed or not; the read marks stay. Refuses with 404 for an unknown feed."""
    user = await call.user()
    feed = await call.feed(call.request.path_params["feed_id"])

    def remove(user: Document) -> None:
        user["feed_ids"] = [feed_id for feed_id in user["feed_ids"] if feed_id != feed["id"]]

    await call.service.store.update(USERS, user["id"], remove)
    return Response(status_code=204)


async def mark_read(call: Call) -> Response:
    """200; marking twice is marking once. Refuses with 404."""
    user = await call.user()
    text = call.request.path_params["item_id"]
    item = await call.service.store.get(ITEMS, text)
    if item is None:
        raise Refusal(404, f"item {text!r} doesn't exist")

    def mark(user: Document) -> None:
        insert_once(user["read"].setdefault(str(item["feed_id"]), []), item["id"])

    await call.service.store.update(USERS, user["id"], mark)
    return JSONResponse({"read": True, "item_id": item["id"]})


async def show_unread(call: Call) -> Response:
    """200 with the unread items of each subscribed feed, by feed id, and their sum."""
    user = await call.user()
    feeds = await call.service.store.get_many(FEEDS, user["feed_ids"])
    counts = [{"feed_id": feed["id"], "unread": count_unread(user, feed)} for feed in feeds]
    first = 1 if Bug.UNREAD_OFF_BY_ONE in call.service.bugs else 0
    return JSONResponse({"feeds": counts, "total": sum((count["unread"] for count in counts), first)})


def count_unread(user: Document, feed: Document) -> int:
    """A feed's items that the user has not read."""
    return len(feed["item_ids"]) - len(user["read"].get(str(feed["id"]), ()))


def insert_once(values: list[Sortable], value: Sortable) -> None:
    """Puts the value into a sorted list, unless it is there."""
    index = bisect.bisect_left(values, value)
    if values[index : index + 1] != [value]:
        values.insert(index, value)


def _describe(feed: Document) -> Document:
    return {"title": feed["title"], "feed_id": feed["id"]}
