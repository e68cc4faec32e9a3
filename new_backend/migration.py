"""The first documents: what legacy started from, reshaped. A feed knows its items, a user what they read."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from legacy_backend.dataset import ITEMS_PER_FEED, build_dataset, find_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from legacy_backend.dataset import Feed, Item, User
    from new_backend.documents import Document

FEEDS, ITEMS, USERS, PHOTOS = "feeds", "items", "users", "photos"


def migrate_dataset() -> Iterator[tuple[str, Document]]:
    """(collection, document) for every feed, item and user. Users have their login as id."""
    dataset = build_dataset()
    item_ids: defaultdict[int, list[int]] = defaultdict(list)
    for item in sorted(dataset.items, key=lambda item: (item.published, item.id), reverse=True):
        item_ids[item.feed_id].append(item.id)
        yield ITEMS, _item(item)
    for feed in dataset.feeds:
        yield FEEDS, _feed(feed, item_ids[feed.id])
    for user in dataset.users:
        yield USERS, _user(user)


def _feed(feed: Feed, item_ids: list[int]) -> Document:
    return {
        "id": feed.id,
        "title": feed.title,
        "about": {"description": feed.description, "language": feed.language, "site_url": feed.site_url},
        "tags": list(feed.tags),
        "item_ids": item_ids,
    }


def _item(item: Item) -> Document:
    return {
        "id": item.id,
        "feed_id": item.feed_id,
        "title": item.title,
        "words": find_words(item.title),
        "author": item.author,
        "url": item.url,
        "summary": item.summary,
        "published": datetime.fromtimestamp(item.published, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "score": item.score,
        "tags": list(item.tags),
    }


def _user(user: User) -> Document:
    read: defaultdict[str, list[int]] = defaultdict(list)
    for item_id in user.read_item_ids:
        read[str((item_id - 1) // ITEMS_PER_FEED + 1)].append(item_id)
    return {
        "id": user.login,
        "number": user.id,
        "name": user.name,
        "password_hash": user.password_hash,
        "feed_ids": list(user.feed_ids),
        "read": dict(read),
        "photo_ids": [],
    }
