"""The reading pages in HTML, put together line by line, and the files they need."""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING

from starlette.responses import HTMLResponse, Response

from legacy_backend.feeds import find_feed, is_read, page_of_item_ids
from legacy_backend.problem import Problem
from legacy_backend.subscriptions import count_unread, subscribed_feed_ids

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from legacy_backend.call import Call

ITEMS_ON_PAGE = 20
STATIC = {"reader.css": "text/css", "reader.js": "text/javascript"}

_SIGN_IN_FORM = (
    '<form id="sign-in">',
    '<label>Name <input name="username" autocomplete="username" required></label>',
    '<label>Password <input name="password" type="password" autocomplete="current-password" required></label>',
    "<button>Sign in</button>",
    '<p role="alert"></p>',
    "</form>",
)


def show_overview(call: Call) -> Response:
    """200 with the user's feeds; 401 with a sign-in form when nobody is signed in."""
    user = _signed_in(call)
    if user is None:
        return _sign_in_page()
    lines = [f"<h1>{escape(user['name'])}'s feeds</h1>", '<ul class="feeds">']
    for feed_id in subscribed_feed_ids(call.database, user["id"]):
        title = escape(find_feed(call.database, feed_id)["title"])
        unread = count_unread(call.database, user["id"], feed_id)
        lines.append(f'<li><a href="/read/{feed_id}">{title}</a> <span class="unread">{unread}</span></li>')
    return _page("Your feeds", [*lines, "</ul>"])


def show_reading_page(call: Call) -> Response:
    """200 with the newest items of a feed; 401 as the overview; 404 for an unknown feed."""
    user = _signed_in(call)
    if user is None:
        return _sign_in_page()
    try:
        feed = find_feed(call.database, call.path_id("feed_id", "feed"))
    except Problem:
        return _page("No such feed", ["<h1>No such feed</h1>", '<p><a href="/read">Your feeds</a></p>'], 404)
    title = escape(feed["title"])
    lines = ['<p><a href="/read">Your feeds</a></p>', f"<h1>{title}</h1>", '<ol class="items">']
    for item_id in page_of_item_ids(call.database, feed["id"], ITEMS_ON_PAGE, 0):
        lines += _item_lines(call.database, user["id"], item_id)
    return _page(feed["title"], [*lines, "</ol>"])


def show_static(call: Call) -> Response:
    """200 with a stylesheet or a script."""
    name = call.request.path_params["name"]
    if name not in STATIC:
        raise Problem(404, f"file {name!r} doesn't exist")
    content = files("legacy_backend").joinpath("static", name).read_bytes()
    return Response(content, headers={"cache-control": "public, max-age=3600"}, media_type=STATIC[name])


def _signed_in(call: Call) -> sqlite3.Row | None:
    try:
        return call.sign_in_required()
    except Problem:
        return None


def _item_lines(database: sqlite3.Connection, user_id: int, item_id: int) -> list[str]:
    item = database.execute("SELECT * FROM items WHERE id = ?", [item_id]).fetchone()
    published = datetime.fromtimestamp(item["published"], UTC)
    time = f"<time>{published:%Y-%m-%d %H:%M}</time>"
    button = f'<button data-item="{item_id}">Mark as read</button>'
    state = "read" if is_read(database, user_id, item_id) else "unread"
    return [
        f'<li id="item-{item_id}" class="{state}">',
        f'<h2><a href="{escape(item["url"])}">{escape(item["title"])}</a></h2>',
        f"<p>{escape(item['summary'])}</p>",
        f'<p class="meta">{escape(item["author"])}, {time} {button}</p>',
        "</li>",
    ]


def _sign_in_page() -> Response:
    return _page("Sign in", ["<h1>Sign in</h1>", *_SIGN_IN_FORM], 401)


def _page(title: str, main: Iterable[str], status: int = 200) -> Response:
    lines = [
        "<!doctype html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title>",
        '<link rel="stylesheet" href="/static/reader.css">',
        '<script src="/static/reader.js" defer></script>',
        "</head>",
        "<body>",
        "<main>",
        *main,
        "</main>",
        "</body>",
        "</html>",
        "",
    ]
    return HTMLResponse("\n".join(lines), status)
