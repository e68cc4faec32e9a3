"""The control room's frame: headers, files, refusals as pages; no script or style but its own."""

from __future__ import annotations

import json
import re
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from proxy.admin.render import STATIC
from proxy.admin.room.files import files
from proxy.admin.room.frame import NAVIGATION
from proxy.admin.room.pages import pages
from proxy.errors import StoreError
from tests.admin.structure import Structure

if TYPE_CHECKING:
    import httpx

    from tests.fakes import FakeControl

BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
POLICY = {
    "default-src": "'none'",
    "style-src": "'self'",
    "script-src": "'self'",
    "img-src": "'self' data:",
    "connect-src": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
}


def policy_of(response: httpx.Response) -> dict[str, str]:
    given = (each.strip().partition(" ") for each in response.headers["content-security-policy"].split(";"))
    return {name: sources for name, _, sources in given}


@pytest.mark.parametrize("path", ["/", "/nothing-here"])
def test_page_comes_with_its_policy_and_headers(client: httpx.Client, path: str):
    """Found or not: no script or style but ours, no frame around it, no copy kept."""
    response = client.get(path, headers=BROWSER)
    assert POLICY == policy_of(response)
    wanted = {
        "content-type": "text/html; charset=utf-8",
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "referrer-policy": "same-origin",
        "cross-origin-opener-policy": "same-origin",
    }
    assert wanted == {name: response.headers[name] for name in wanted}


def test_page_has_neither_inline_script_nor_style(client: httpx.Client):
    """What the policy forbids isn't there; every tag is closed."""
    page = client.get("/", headers=BROWSER).text
    assert [] == re.findall(r"<style|<script(?![^>]* src=)| style=| on[a-z]+=|javascript:", page)
    assert [] == Structure(page).open


def test_page_begins_with_a_way_past_the_navigation(client: httpx.Client):
    """The first link leads to the content, one item of the navigation is the present page, and there is one heading."""
    page = client.get("/", headers=BROWSER).text
    first = re.search(r'<a class="([^"]*)" href="([^"]*)"', page)
    assert first is not None
    assert ("skip", "#content") == first.groups()
    assert ('<main id="content"' in page, 1, 1) == (True, page.count('aria-current="page"'), page.count("<h1"))
    assert '<html lang="en">' in page


def test_rebound_name_gets_no_page(client: httpx.Client):
    """The Host header is checked before pages too."""
    assert 421 == client.get("/", headers={**BROWSER, "host": "evil.example"}).status_code


@pytest.mark.parametrize(("accept", "expected"), [("text/html", "text/html"), ("*/*", "application/problem+json")])
def test_refusal_is_a_page_for_people_and_a_problem_for_programs(client: httpx.Client, accept: str, expected: str):
    """By what the client accepts."""
    response = client.get("/nothing-here", headers={"accept": accept})
    assert (404, expected) == (response.status_code, response.headers["content-type"].partition(";")[0])


def test_api_answers_problems_to_browsers_too(client: httpx.Client):
    """Its addresses are for programs, whoever asks."""
    response = client.get("/api/v1/nothing", headers=BROWSER)
    assert "application/problem+json" == response.headers["content-type"]


def test_error_of_ours_is_said_on_the_page(client: httpx.Client, control: FakeControl):
    """What went wrong stands there, escaped, with the status that programs get."""
    control.fault = StoreError("store <b>: away")
    response = client.get("/", headers=BROWSER)
    assert (503, True) == (response.status_code, "store &lt;b&gt;: away" in response.text)


def test_fault_of_ours_keeps_its_content_to_the_log(client: httpx.Client, control: FakeControl):
    """The page says that it failed, not on what."""
    control.fault = RuntimeError("secret value")
    response = client.get("/", headers=BROWSER)
    assert (500, False) == (response.status_code, "secret" in response.text)


def test_manifest_lists_every_file_with_its_digest():
    """What is served is what was reviewed; `scripts/assets` writes the digests."""
    listed = json.loads((STATIC / "manifest.json").read_text())["files"]
    found = {path.name: sha256(path.read_bytes()).hexdigest() for path in STATIC.iterdir() if path.suffix != ".json"}
    assert found == {each["file"]: each["sha256"] for each in listed}
    assert [] == [each for each in listed if not (each["name"] and each["version"] and each["licence"])]


def test_page_names_files_by_their_content(client: httpx.Client):
    """A browser keeps them for good, and asks anew when they change."""
    urls = re.findall(r'(?:href|src)="(/static/[^"]+)"', client.get("/", headers=BROWSER).text)
    answers = [client.get(url) for url in urls]
    assert {200} == {answer.status_code for answer in answers}
    assert {True} == {"immutable" in answer.headers["cache-control"] for answer in answers}
    kinds = {answer.headers["content-type"].partition(";")[0] for answer in answers}
    assert {"text/css", "text/javascript", "image/svg+xml"} == kinds


@pytest.mark.parametrize(
    ("url", "expected"), [("/static/room.css?v=old", "no-cache"), ("/static/room.css", "no-cache")]
)
def test_file_by_another_name_is_asked_for_each_time(client: httpx.Client, url: str, expected: str):
    """An old page must not fix a new file under the old name."""
    assert expected == client.get(url).headers["cache-control"]


@pytest.mark.parametrize("name", ["manifest.json", "..%2froom.css", "%2e%2e%2frender.py", "nothing"])
def test_only_listed_files_are_served(client: httpx.Client, name: str):
    """No path leads out of the folder."""
    assert 404 == client.get(f"/static/{name}").status_code


def test_style_is_for_light_dark_small_screens_and_calm_ones():
    """Its cases are there; nothing is loaded from elsewhere."""
    style = (STATIC / "room.css").read_text() + (STATIC / "tokens.css").read_text()
    wanted = (
        "prefers-color-scheme: dark",
        "@media print",
        "@media (max-width",
        ":focus-visible",
        "prefers-reduced-motion",
    )
    assert [] == [each for each in wanted if each not in style]
    assert [] == re.findall(r"@import|url\(", style)


def luminance(colour: str) -> float:
    """WCAG 2.2's relative luminance of #rgb or #rrggbb."""
    digits = "".join(each * 2 for each in colour[1:]) if len(colour) == 4 else colour[1:]
    parts = [int(digits[index : index + 2], 16) / 255 for index in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_colours_of_text_have_enough_contrast(scheme: int):
    """WCAG AA: 4.5:1 for text, 3:1 for what is drawn, on everything it stands on."""
    tokens = re.findall(r":root \{(.*?)\}", (STATIC / "tokens.css").read_text(), re.DOTALL)
    own = re.findall(r":root \{(.*?)\}", (STATIC / "room.css").read_text(), re.DOTALL)
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]+)", tokens[scheme] + own[scheme]))

    def contrast(one: str, other: str) -> float:
        lighter, darker = sorted((luminance(colours[one]), luminance(colours[other])), reverse=True)
        return (lighter + 0.05) / (darker + 0.05)

    texts = [(text, back) for text in ("ink", "quiet", "accent", "bad", "good", "warn") for back in ("page", "card")]
    texts += [(kind, f"{kind}-back") for kind in ("bad", "good", "warn")]
    assert [] == [(pair, contrast(*pair)) for pair in texts if contrast(*pair) < 4.5]
    drawn = [(each, back) for each in ("legacy", "new", "focus") for back in ("page", "card")]
    assert [] == [(pair, contrast(*pair)) for pair in drawn if contrast(*pair) < 3]


def test_guide_lists_every_page_and_no_other(control: FakeControl):
    """docs/control-room.md has a line for each address that a browser may show; files have a table of their own."""
    text = (Path(__file__).parents[2] / "docs" / "control-room.md").read_text()
    documented = set(re.findall(r"^\| `(/[^`]*)` \|", text, re.MULTILINE))
    assert {path for path, handlers in pages(control).items() if "GET" in handlers} - set(files()) == documented


def test_navigation_leads_to_pages(client: httpx.Client):
    """Each of its links is answered."""
    assert {200} == {client.get(path).status_code for path, _ in NAVIGATION}
