"""Search over the titles of all items, through a table of words with an index."""

from __future__ import annotations

from typing import TYPE_CHECKING

from legacy_backend.call import Json
from legacy_backend.dataset import find_words
from legacy_backend.problem import Problem

if TYPE_CHECKING:
    import sqlite3

    from starlette.responses import Response

    from legacy_backend.call import Call

MAX_QUERY_CHARACTERS = 100
DEFAULT_LIMIT = 20
MAX_LIMIT = 100


def search(call: Call) -> Response:
    """200 with the newest items that have all words of `q` in their title, and how many there are."""
    call.sign_in_required()
    query = call.request.query_params.get("q", "")
    words = find_words(query)
    if not words or len(query) > MAX_QUERY_CHARACTERS:
        raise Problem(400, f"q is {query[:MAX_QUERY_CHARACTERS]!r}; give at least a word, at most 100 characters")
    limit = call.query_number("limit", DEFAULT_LIMIT, MAX_LIMIT)
    ids = _find_items(call.database, words)
    results = [_describe_result(call.database, item_id) for item_id in ids[:limit]]
    return Json({"query": query, "total": len(ids), "results": results})


def _find_items(database: sqlite3.Connection, words: list[str]) -> list[int]:
    """Ids of the items with all words, newest first, the higher id first among equal timestamps."""
    marks = ", ".join("?" * len(words))
    query = f"""
        SELECT items.id FROM item_words JOIN items ON items.id = item_words.item_id WHERE word IN ({marks})
        GROUP BY items.id HAVING count(*) = ? ORDER BY published DESC, items.id DESC"""  # noqa: S608  # only marks
    return [row["id"] for row in database.execute(query, [*words, len(words)])]


def _describe_result(database: sqlite3.Connection, item_id: int) -> dict[str, object]:
    item = database.execute("SELECT feed_id, title, url FROM items WHERE id = ?", [item_id]).fetchone()
    return {"id": item_id, "feed_id": item["feed_id"], "title": item["title"], "url": item["url"]}
