"""Lists in pages: each row once, whatever changes meanwhile, and an address that leads on."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes import route_row, signature_row

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from tests.fakes import FakeControl

IDS = [f"{number * 7_919 % 65_536:012x}" for number in range(25)]


def next_of(answer: httpx.Response) -> str | None:
    """The next page's address, as RFC 8288 writes it."""
    link = answer.headers.get("link")
    if link is None:
        return None
    found = re.fullmatch(r'<(/[!-~]*)>; rel="next"', link)
    assert found is not None
    return found[1]


def follow(client: httpx.Client, address: str, between: Callable[[], None] = lambda: None) -> list[list[Any]]:
    """All pages from an address on; something may happen between two of them."""
    pages = []
    following: str | None = address
    while following is not None:
        answer = client.get(following).raise_for_status()
        pages.append(answer.json())
        following = next_of(answer)
        between()
    return pages


def test_pages_have_each_signature_once_while_counts_grow(client: httpx.Client, control: FakeControl):
    """The most frequent one changes with each page; no page loses or repeats one that was there all the while."""
    control.signature_rows = [signature_row(id_, count=number) for number, id_ in enumerate(IDS)]

    def change() -> None:
        control.signature_rows.reverse()
        control.signature_rows[0]["count"] += 100
        control.signature_rows.insert(3, signature_row(f"{len(control.signature_rows) * 31:012x}"))

    pages = follow(client, "/api/v1/diffs?limit=4", change)
    found = [row["id"] for rows in pages for row in rows]
    assert (sorted(found), set()) == (found, set(IDS) - set(found))
    assert len(set(found)) == len(found)
    assert {4} == {len(rows) for rows in pages[:-1]}


def test_next_page_asks_for_the_same(client: httpx.Client, control: FakeControl):
    """Filters and limit go along, whatever is in them."""
    control.signature_rows = [signature_row(id_, reason="a&b <c>") for id_ in IDS[:5]] + [signature_row("f" * 12)]
    answer = client.get("/api/v1/diffs", params={"limit": 2, "text": "a&b <c>"})
    assert f"/api/v1/diffs?limit=2&text=a%26b+%3Cc%3E&after={sorted(IDS[:5])[1]}" == next_of(answer)
    pages = follow(client, str(answer.request.url.raw_path, "ascii"))
    assert [2, 2, 1] == [len(rows) for rows in pages]


def test_routes_come_in_pages_of_their_names(client: httpx.Client, control: FakeControl):
    """And without a limit in the config's order, all at once."""
    names = ["search", "feeds", "items", "a b&c"]
    control.route_rows = [route_row(name) for name in names]
    assert [["a b&c", "feeds", "items"], ["search"]] == [
        [row["name"] for row in rows] for rows in follow(client, "/api/v1/routes?limit=3")
    ]
    answer = client.get("/api/v1/routes")
    assert (names, None) == ([row["name"] for row in answer.json()], next_of(answer))


def test_audit_leads_to_older_lines(client: httpx.Client):
    """Newest first, until there is nothing older."""
    assert [[2], [1]] == [[line["id"] for line in lines] for lines in follow(client, "/api/v1/audit?limit=1")]


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "limit=1&limit=2", "after=a&after=b"])
def test_page_that_makes_no_sense_is_refused(client: httpx.Client, query: str):
    """With the bounds."""
    assert 400 == client.get(f"/api/v1/diffs?{query}").status_code
