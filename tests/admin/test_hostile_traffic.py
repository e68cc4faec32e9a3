"""Hostile text on its real way: from pairs through comparers and store, and from the API, to all that shows it.

Each string is a member's name, a value, a header's value and a part of the target at once, and the reason, owner and
ticket of what is decided about it. A harmless string goes the same way: nobody's page may have another structure.
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
import re
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from xml.etree import ElementTree as ET

import httpx
from prometheus_client.parser import text_string_to_metric_families

from proxy.admin.api import create_app
from proxy.admin.plain import plain
from proxy.admin.report.content import Scope, build_report
from proxy.admin.report.formats import FORMATS
from proxy.admin.signature_text import signature_lines
from proxy.cli.output import print_lines
from tests.admin.hostile import HOSTILE
from tests.admin.structure import Structure
from tests.control.nodes import linked, make_settings, running, until_answer
from tests.control.pairs import encoded_pair, make_answer

if TYPE_CHECKING:
    from pathlib import Path

HARMLESS = "harmless"
FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1")
FENCED = re.compile(r"^(`{3,})[^\n]*\n.*?^\1$", re.MULTILINE | re.DOTALL)
CODE_SPAN = re.compile(r"(?<![\\`])(`+)(?!`).*?(?<!`)\1(?!`)")
RAW = re.compile(r"(?<!\\)<(?!/?(?:details|summary)\b)[\w/!?]|(?<!\\)\]\(")  # HTML that isn't ours, a link
CONTROLS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")  # less line ends
TEXTS = (HARMLESS, *HOSTILE, *FORMULAS)
PAGES = ("/diffs/{id}", "/diffs/{id}/ignore?reason=r", "/diffs?text={text}", "/explain?path=/{text}&user={text}")
TOGETHER = ("/", "/audit", "/progress", "/routes/feeds", "/kill-switch", "/diffs")


def test_what_is_hostile_is_text_wherever_it_is_shown(tmp_path: Path) -> None:
    """In pages, files, reports, terminal and metrics."""

    async def bounded() -> None:
        settings = make_settings(tmp_path)
        async with asyncio.timeout(110), running(settings) as control:
            transport = httpx.ASGITransport(create_app(control, settings))
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:9000") as client:
                await send_all(client, settings)
                await look_at_all(client)

    asyncio.run(bounded())


async def get(client: httpx.AsyncClient, target: str) -> Any:
    return (await client.get(target)).raise_for_status().json()


async def send_all(client: httpx.AsyncClient, settings: Any) -> None:
    async with linked(settings.link_path) as worker:
        for number, text in enumerate(TEXTS):
            odd = (("content-type", "application/json"), ("x-odd", text.encode("utf-8", "replace").decode("latin-1")))
            member = f"{text} {number}"
            pair = encoded_pair(
                make_answer({member: 1, "text": text}, headers=odd),
                make_answer({member: "1", "text": f"{text}!"}, headers=odd),
                target=f"/api/feeds?q={text.encode('utf-8', 'replace').decode('latin-1')}",
                request_headers=odd,
            )
            worker.send(pair)
            await until_answer(lambda: asyncio.sleep(0, worker.unsettled), lambda unsettled: unsettled < 8)
        await until_answer(lambda: get(client, "/api/v1/diffs"), lambda rows: len(rows) > len(TEXTS))


async def look_at_all(client: httpx.AsyncClient) -> None:
    rows = await get(client, "/api/v1/diffs")
    details: dict[str, Any] = {}
    texts = {}
    for number, text in enumerate(TEXTS):
        row = next(row for row in rows if row["path"].rstrip("\"']").endswith(f" {number}"))
        said = {"state": "known", "reason": text, "owner": text, "ticket": text}
        answer = await client.post(f"/api/v1/diffs/{row['id']}/state", content=json.dumps(said))
        assert answer.status_code in {200, 400}, answer.text  # 400: control characters in an owner
        await client.put("/api/v1/routes/feeds/hold", content=json.dumps({"percentage": 1, "reason": text}))
        details[row["id"]] = await get(client, f"/api/v1/diffs/{row['id']}")
        texts[row["id"]] = text
    rows = await get(client, "/api/v1/diffs")
    await look_at_pages(client, texts)
    look_at_reports(await get(client, "/api/v1/status"), await get(client, "/api/v1/routes"), rows, details)
    for id_ in texts:
        har = await get(client, f"/diffs/{id_}/har")
        assert har["log"]["entries"]
    for file in ("diffs.csv", "audit.csv"):
        cells = [cell for line in csv.reader(io.StringIO((await client.get(f"/{file}")).text[1:])) for cell in line]
        assert [] == [cell for cell in cells if cell.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert list(text_string_to_metric_families((await client.get("/metrics")).text))


async def look_at_pages(client: httpx.AsyncClient, texts: dict[str, str]) -> None:
    """Each has the tags and attributes of its harmless twin and no other; links lead nowhere else."""
    known: dict[str, set[Any]] = {}
    for id_, text in texts.items():
        for page in PAGES:
            target = page.format(id=id_, text=quote(text.encode("utf-8", "replace"), safe=""))
            shown = Structure((await client.get(target, headers={"accept": "text/html"})).text)
            tags = set(shown.tags)
            assert tags <= known.setdefault(page, tags) | {("mark", ()), ("wbr", ())}, (page, text)
            if page == PAGES[0]:
                assert plain(text) in shown.text, text
    for page in TOGETHER:
        shown = Structure((await client.get(page, headers={"accept": "text/html"})).text)
        assert [] == [tag for tag, names in shown.tags if any(name.startswith("on") for name in names)]
        assert {"script"} >= {tag for tag, _ in shown.tags} & {"script", "iframe", "object", "embed", "base", "style"}
        assert [] == [link for link in shown.links if link and not link.startswith(("/", "?", "#", "data:image/svg"))]


def look_at_reports(status: Any, routes: Any, rows: Any, details: dict[str, Any]) -> None:
    """Of all that was found, and what a terminal shows of each."""
    report = build_report(status, routes, rows, scope=Scope(0), details=details)
    written = {name: write(report) for name, write in FORMATS.items()}
    tags = {tag for tag, _ in Structure(written["html"]).tags}
    assert set() == tags & {"script", "iframe", "object", "embed", "base", "img", "svg", "form", "input"}
    prose = CODE_SPAN.sub("", FENCED.sub("", written["markdown"]))
    assert [] == RAW.findall(prose)
    ET.fromstring(written["junit"])
    json.loads(written["json"])
    with redirect_stdout(io.StringIO()) as terminal:  # as `changeover diffs show` does
        for detail in details.values():
            print_lines(*signature_lines(detail))
    for shown in (terminal.getvalue(), written["text"]):
        assert len(shown) > 1_000
        assert [] == CONTROLS.findall(shown)
