"""Every table of the pages as CSV and as JSON: the same rows, and nothing that a spreadsheet would run."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from proxy.admin.room import files, tables
from proxy.admin.room.tables import TABLES
from proxy.errors import StoreError
from tests.admin.hostile import HOSTILE
from tests.fakes import covered, route_row, signature_row

if TYPE_CHECKING:
    import httpx

    from tests.fakes import FakeControl

FORMULA = '=HYPERLINK("http://evil.example","x")'


def lines_of(client: httpx.Client, address: str) -> list[dict[str, str]]:
    answer = client.get(address).raise_for_status()
    assert ("text/csv; charset=utf-8", True) == (
        answer.headers["content-type"],
        answer.headers["content-disposition"].startswith("attachment; "),
    )
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))


@pytest.mark.parametrize("name", TABLES)
def test_table_has_as_many_lines_as_rows(client: httpx.Client, control: FakeControl, name: str):
    """Both forms say the same; every line has every column."""
    control.route_rows = [route_row("feeds"), route_row("items", match_rate=None, coverage=covered(0))]
    control.signature_rows = [signature_row(f"{number:012x}", route="items") for number in range(3)]
    rows = client.get(f"/{name}.json").raise_for_status().json()
    lines = lines_of(client, f"/{name}.csv")
    assert len(rows) == len(lines) > 0
    assert {tuple(TABLES[name].columns)} == {tuple(line) for line in lines}
    assert [] == [line for line in lines if None in line.values()]


def test_routes_are_numbers_that_can_be_added_up(client: httpx.Client):
    """In full, without separators or signs; what isn't known is empty, not zero."""
    line = lines_of(client, "/routes.csv")[0]
    expected = {
        "name": "feeds",
        "percentage": "5",
        "held at": "",
        "requests legacy": "950",
        "coverage": "0.9",
        "p99 ms legacy": "81.25",
        "p99 ms new": "",
    }
    assert expected == {heading: line[heading] for heading in expected}
    assert client.get("/api/v1/routes").json() == client.get("/routes.json").json()


def test_differences_have_the_filters_of_their_page(client: httpx.Client, control: FakeControl):
    """The address of the list, with an ending."""
    control.signature_rows = [
        signature_row("a" * 12, route="feeds", state="new"),
        signature_row("b" * 12, route="items", state="known", owner="bo"),
        signature_row("c" * 12, route="items", state="fixed"),
    ]
    found = {
        query: [line["id"][0] for line in lines_of(client, f"/diffs.csv?{query}")]
        for query in ("", "route=items", "state=undecided", "text=bo", "kind=header")
    }
    assert {"": ["a", "b", "c"], "route=items": ["b", "c"], "state=undecided": ["a"], "text=bo": ["b"]} | {
        "kind=header": []
    } == {query: sorted(ids) for query, ids in found.items()}
    assert {"sentence"} == set(client.get("/diffs.json").json()[0]) - set(control.signature_rows[0])
    assert 400 == client.get("/diffs.csv?state=gone").status_code
    assert 400 == client.get("/diffs.json?colour=red").status_code


def test_page_leads_to_its_files_with_its_filters(client: httpx.Client, control: FakeControl):
    """Every link to a file is one that answers."""
    control.signature_rows = [signature_row(route="feeds")]
    pages = ["/", "/diffs?route=feeds&text=score", "/progress", "/audit?subject=feeds", "/routes/feeds"]
    links = {
        link.replace("&amp;", "&")
        for page in pages
        for link in re.findall(r'href="(/[a-z-]+\.(?:csv|json)[^"]*)"', client.get(page).text)
    }
    assert {"/diffs.csv?route=feeds&text=score", "/audit.json?subject=feeds", "/history.csv?route=feeds"} <= links
    assert {f"/{name}.csv" for name in TABLES} == {link.partition("?")[0] for link in links if ".csv" in link}
    assert {200} == {client.get(link).status_code for link in links}


@pytest.mark.parametrize("text", [FORMULA, *HOSTILE])
def test_nothing_in_a_file_is_run(client: httpx.Client, control: FakeControl, text: str):
    """What a backend or a person wrote is text in a spreadsheet, and JSON in JSON."""
    control.signature_rows = [signature_row(path=text, owner=text, reason=text)]
    for line in lines_of(client, "/diffs.csv"):
        assert [] == [cell for cell in line.values() if cell.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r"))]
        assert [] == [cell for cell in line.values() if any(ord(character) < 32 for character in cell)]
    assert text == json.loads(client.get("/diffs.json").content)[0]["owner"]


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_file_says_that_it_is_not_all(
    client: httpx.Client, control: FakeControl, monkeypatch: pytest.MonkeyPatch, kind: str
):
    """By a header, and in a spreadsheet by a last line: who adds up its lines must not believe that these are all."""
    control.signature_rows = [signature_row(f"{number:012x}") for number in range(4)]
    for module in (files, tables):
        monkeypatch.setattr(module, "MAX_LINES", 3)
    cut = client.get(f"/diffs.{kind}")
    assert "3" == cut.headers["x-changeover-truncated"]
    if kind == "csv":
        *_, third, last = cut.content.decode("utf-8-sig").splitlines()
        assert (True, "only the first 3 lines are here") == (third.startswith("000000000002"), last.partition(":")[0])
    else:
        assert 3 == len(cut.json())
    monkeypatch.setattr(tables, "MAX_LINES", 4)
    monkeypatch.setattr(files, "MAX_LINES", 4)
    whole = client.get(f"/diffs.{kind}")
    assert ("x-changeover-truncated" in whole.headers, "only the first" in whole.text) == (False, False)


def test_history_is_of_one_route_or_all(client: httpx.Client, control: FakeControl):
    """Sixty lines for each, oldest first."""
    control.route_rows = [route_row("feeds"), route_row("items")]
    assert (120, 60) == (len(lines_of(client, "/history.csv")), len(lines_of(client, "/history.csv?route=items")))
    assert 404 == client.get("/history.json?route=nowhere").status_code


def test_file_says_that_the_store_is_away(client: httpx.Client, control: FakeControl):
    """Never an empty file in the place of rows that are not known."""
    control.fault = StoreError("store: away")
    assert {503} == {client.get(f"/{name}.{kind}").status_code for name in TABLES for kind in ("csv", "json")}


def test_page_of_the_docs_names_each_file():
    """docs/control-room.md has a row for every table."""
    text = (Path(__file__).parents[2] / "docs" / "control-room.md").read_text()
    assert sorted(TABLES) == sorted(re.findall(r"^\| `/([\w-]+)\.csv`", text, re.MULTILINE))
