"""The reading pages in HTML, from templates, and the files they need: byte for byte what legacy answers."""

from __future__ import annotations

from functools import cache
from html import escape
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING

from starlette.responses import HTMLResponse, Response

from new_backend.bugs import Bug
from new_backend.migration import FEEDS, ITEMS
from new_backend.refusal import Refusal
from new_backend.subscriptions import count_unread

if TYPE_CHECKING:
    from new_backend.call import Call
    from new_backend.documents import Document

ITEMS_ON_PAGE = 20
STATIC = {"reader.css": "text/css", "reader.js": "text/javascript"}


async def show_overview(call: Call) -> Response:
    """200 with the user's feeds; 401 with a sign-in form when nobody is signed in."""
    user = await _signed_in(call)
    if user is None:
        return _page("Sign in", _fill("sign_in"), 401)
    feeds = await call.service.store.get_many(FEEDS, user["feed_ids"])
    rows = (
        _fill("overview_feed", id=feed["id"], title=escape(feed["title"]), unread=count_unread(user, feed))
        for feed in feeds
    )
    return _page("Your feeds", _fill("overview", name=escape(user["name"]), feeds="".join(rows)))


async def show_reading_page(call: Call) -> Response:
    """200 with the newest items of a feed; 401 as the overview; 404 for an unknown feed."""
    user = await _signed_in(call)
    if user is None:
        return _page("Sign in", _fill("sign_in"), 401)
    try:
        feed = await call.feed(call.request.path_params["feed_id"])
    except Refusal:
        return _page("No such feed", _fill("no_feed"), 404)
    items = await call.service.store.get_many(ITEMS, feed["item_ids"][:ITEMS_ON_PAGE])
    read = set(user["read"].get(str(feed["id"]), ()))
    heading = escape(feed["title"])
    if Bug.DOUBLE_ESCAPED_TITLE in call.service.bugs:
        heading = escape(heading)
    rows = "".join(_item(item, "read" if item["id"] in read else "unread") for item in items)
    return _page(feed["title"], _fill("feed", title=heading, items=rows))


async def show_static(call: Call) -> Response:
    """200 with a stylesheet or a script. Refuses with 404."""
    name = call.request.path_params["name"]
    if name not in STATIC:
        raise Refusal(404, f"file {name!r} doesn't exist")
    return Response(_file(name), headers={"cache-control": "public, max-age=3600"}, media_type=STATIC[name])


async def _signed_in(call: Call) -> Document | None:
    try:
        return await call.user()
    except Refusal:
        return None


def _item(item: Document, state: str) -> str:
    time = item["published"][:16].replace("T", " ")
    texts = {name: escape(item[name]) for name in ("url", "title", "summary", "author")}
    return _fill("item", id=item["id"], state=state, time=time, **texts)


def _page(title: str, main: str, status: int = 200) -> Response:
    return HTMLResponse(_fill("page", title=escape(title), main=main), status)


def _fill(template: str, /, **values: object) -> str:
    return _template(template).substitute(values)


@cache
def _template(name: str) -> Template:
    return Template(files("new_backend").joinpath("templates", f"{name}.html").read_text("utf-8"))


@cache
def _file(name: str) -> bytes:
    return files("new_backend").joinpath("static", name).read_bytes()
