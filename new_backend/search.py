"""Search over the titles of all items: an index in memory, or a scan of every document.

The scan is what this backend was shipped with. SQLite indexes no member of a JSON list, so each search reads all
10,000 documents. Both ways find the same items in the same order.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from legacy_backend.dataset import find_words
from new_backend.documents import read_rows
from new_backend.migration import ITEMS
from new_backend.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from new_backend.call import Call
    from new_backend.documents import Document

MAX_QUERY_CHARACTERS = 100
DEFAULT_LIMIT = 20
MAX_LIMIT = 100

_ALL = "SELECT body FROM documents WHERE collection = ?"
_SCAN = """
SELECT CAST(id AS INTEGER) AS number FROM documents
WHERE collection = ? AND NOT EXISTS (
    SELECT 1 FROM json_each(?) AS wanted
    WHERE wanted.value NOT IN (SELECT value FROM json_each(documents.body, '$.words')))
ORDER BY json_extract(body, '$.published') DESC, number DESC
"""


class Search(Protocol):
    """Finds items."""

    async def find(self, words: list[str]) -> list[int]:
        """Ids of the items with all words, newest first, the higher id first among equal times."""


@dataclass(frozen=True, slots=True)
class Scan:
    """Reads all items for each search, in a thread."""

    path: Path

    async def find(self, words: list[str]) -> list[int]:
        """As `Search.find`."""
        rows = await run_in_threadpool(read_rows, self.path, _SCAN, [ITEMS, json.dumps(words)])
        return [row[0] for row in rows]


@dataclass(frozen=True, slots=True)
class Index:
    """Word -> the ranks of the items that have it; `ids` are all items, newest first: a rank is a place in it."""

    ids: list[int]
    ranks: Mapping[str, set[int]]

    async def find(self, words: list[str]) -> list[int]:
        """As `Search.find`."""
        common = set.intersection(*(self.ranks.get(word, set()) for word in words))
        return [self.ids[rank] for rank in sorted(common)]


def build_index(path: Path) -> Index:
    """The index of all items of a store. Blocks, for about a tenth of a second."""
    items: list[Document] = [json.loads(row[0]) for row in read_rows(path, _ALL, [ITEMS])]
    items.sort(key=lambda item: (item["published"], item["id"]), reverse=True)
    ranks: defaultdict[str, set[int]] = defaultdict(set)
    for rank, item in enumerate(items):
        for word in item["words"]:
            ranks[word].add(rank)
    return Index([item["id"] for item in items], dict(ranks))


async def search(call: Call) -> Response:
    """200 with the newest items that have all words of `q` in their title, and how many there are."""
    await call.user()
    query = call.request.query_params.get("q", "")
    words = find_words(query)
    if not words or len(query) > MAX_QUERY_CHARACTERS:
        raise Refusal(400, f"q is {query[:MAX_QUERY_CHARACTERS]!r}; give at least a word, at most 100 characters")
    limit = call.number("limit", DEFAULT_LIMIT, MAX_LIMIT)
    ids = await call.service.search.find(words)
    items = await call.service.store.get_many(ITEMS, ids[:limit])
    results = [{member: item[member] for member in ("id", "feed_id", "url", "title")} for item in items]
    return JSONResponse({"total": len(ids), "query": query, "results": results})
