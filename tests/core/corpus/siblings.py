"""Children of one element: which of them came, went, moved or changed, each told once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.core.corpus.row import Row, Sent, body, differs, equal, sent

if TYPE_CHECKING:
    from collections.abc import Iterable

ITEMS = [f"<i>item {number}</i><b>{number * 7 % 13}</b>" for number in range(30)]
CHANGED = [f"{item}!" for item in ITEMS]
MANY = [f"<i>item {number}</i>" for number in range(450)]
NEW = "<i>new</i>"
EXTRA, MISSING, CHANGE, MOVED = ("li", "extra"), ("li", "missing"), ('li["#text"]', "extra"), ("", "reordered")


def page(items: Iterable[str]) -> Sent:
    return sent(f"<!doctype html><ul>{_listed(items)}</ul>", "text/html")


def feed(items: Iterable[str]) -> Sent:
    return sent(f"<ul>{_listed(items)}</ul>", "application/xml")


def _listed(items: Iterable[str]) -> str:
    return "".join(f"<li>{item}</li>" for item in items)


def both(name: str, before: list[str], after: list[str], *places: tuple[str, str]) -> tuple[Row, Row]:
    """The same for a page and for XML."""
    html, xml = (
        [body(f"{root}.{place}".removesuffix("."), shape) for place, shape in places]
        for root in ("$.html.body.ul", "$.ul")
    )
    return (
        differs(f"siblings: {name}, page", page(before), page(after), *html),
        differs(f"siblings: {name}, XML", feed(before), feed(after), *xml),
    )


def text(name: str, before: str, after: str, **rules: Any) -> Row:
    return equal(f"siblings: {name}", sent(before, "text/html"), sent(after, "text/html"), **rules)


ROWS = (
    *both("one came first", ITEMS, [NEW, *ITEMS], EXTRA),
    *both("one went", ITEMS, [*ITEMS[:7], *ITEMS[8:]], MISSING),
    *both("one came, and each changed", ITEMS, [NEW, *CHANGED], EXTRA, CHANGE),
    *both("one came in the middle, and each changed", ITEMS, [*CHANGED[:9], NEW, *CHANGED[9:]], EXTRA, CHANGE),
    *both("one went, and each changed", ITEMS, CHANGED[1:], MISSING, CHANGE),
    *both("one came, one went, and each changed", ITEMS, [NEW, *CHANGED[:-1]], EXTRA, MISSING, CHANGE),
    *both("one moved", ITEMS, [*ITEMS[1:9], ITEMS[0], *ITEMS[9:]], MOVED),
    *both("one moved, another changed", ITEMS, [*ITEMS[1:9], ITEMS[0], *ITEMS[9:-1], CHANGED[-1]], MOVED, CHANGE),
    *both("one moved beside a changed one", ITEMS, [*ITEMS[1:8], CHANGED[8], ITEMS[0], *ITEMS[9:]], MOVED, CHANGE),
    *both("one moved, another went", ITEMS, [*ITEMS[1:9], ITEMS[0], *ITEMS[9:-1]], MOVED, MISSING),
    *both("two of very many came", MANY, [*MANY[:9], NEW, *MANY[9:440], f"{NEW}2", *MANY[440:]], EXTRA),
    *both(
        "one of very many moved, one changed",
        MANY,
        [*MANY[1:200], MANY[200] + "!", *MANY[201:], MANY[0]],
        MOVED,
        CHANGE,
    ),
    differs(
        "siblings: known by an attribute",
        sent("<ul><li data-id=1>a<b>x</b><li data-id=2>b<b>x</b></ul>", "text/html"),
        sent("<ul><li data-id=0>z<b>y</b><li data-id=1>a<b>y</b><li data-id=2>b<b>y</b></ul>", "text/html"),
        body("$.html.body.ul.li", "extra"),
        body('$.html.body.ul.li.b["#text"]', "value"),
    ),
    text("texts around what is ignored", "<p>one <time>1</time> two</p>", "<p>one two</p>", ignore=("$..time",)),
    text("texts around comments", "<p>one <!-- c --> two</p>", "<p>one two</p>"),
)
