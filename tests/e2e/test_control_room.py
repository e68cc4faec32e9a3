"""Chromium in the control room of a real node with both example backends: what ops and developers do there."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.browser import wait
from tests.e2e.program import until
from tests.e2e.room import DEBUG_TOKEN, SCRIPT, Room, fill, look_over
from tests.e2e.sides import installed

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(120)]

LIVE = "document.getElementById('live-state')?.textContent == 'Live'"
SHOWN = "[...document.querySelectorAll('#route-feeds td:nth-of-type(3) .number')]"
SUM_SHOWN = f"{SHOWN}.map((each) => Number(each.textContent)).reduce((a, b) => a + b)"
NO_STREAM = """
window.EventSource = class {
    static CLOSED = 2;
    readyState = 2;
    addEventListener(name, listener) { if (name === "error") setTimeout(listener); }
    close() {}
};
"""
NO_CLIPBOARD = "Object.defineProperty(navigator, 'clipboard', {value: undefined});"
LINKS = "[data-keys] tbody th a"
with_and_without_scripts = pytest.mark.parametrize("has_scripts", [True, False], ids=["scripts", "no scripts"])


# --- the overview ---
@pytest.mark.parametrize("before", ["", NO_STREAM], ids=["by the stream", "by asking"])
def test_overview_is_live(room: Room, before: str):
    """What users do appears without a reload, also where no stream comes through; the page stays the same document."""
    with room.page("/", before=before) as page:
        wait(page, LIVE)
        page.evaluate("window.isSame = true")
        total = room.seen() + 3
        room.read(3)
        wait(page, f"{SUM_SHOWN} == {total}")
        assert page.evaluate("window.isSame")
        assert "Live" == page.locator("#live-state").text_content()
        assert ({"/"} if before else set()) == asked(page) - {"/live"}


def asked(page: Page) -> set[str]:
    """What the page's scripts have asked for and got in full: not a stream that goes on."""
    entries = "performance.getEntriesByType('resource')"
    found: list[str] = page.evaluate(f"{entries}.map((each) => new URL(each.name).pathname)")
    return {path for path in found if not path.startswith("/static/")}


# --- steering ---
def test_slider_and_number_are_one(room: Room):
    """Whichever is moved; only with scripts there is a slider."""
    with room.page("/routes/feeds") as page:
        slider, number = (page.locator(f"input[type={kind}]").first for kind in ("range", "number"))
        slider.fill("40")
        assert "40" == number.input_value()
        number.fill("7")
        assert ("7", True) == (slider.input_value(), slider.is_visible())
    with room.page("/routes/feeds", has_scripts=False) as page:
        assert not page.locator("input[type=range]").is_visible()


@with_and_without_scripts
def test_percentage_is_previewed_set_and_set_back(room: Room, has_scripts: bool):
    """A preview moves nobody; a large step wants the route's name; a step back doesn't."""
    before = room.node.route("feeds")["percentage"]
    with room.page("/routes/feeds", has_scripts=has_scripts) as page:
        fill(page, "form[method=get]", percentage=f"{before + 20:g}")
        assert "move forward" in str(page.locator(".preview").text_content())
        assert before == room.node.route("feeds")["percentage"]
        fill(page, "form[action$=rollout]", reason="a wave", confirm="search")
        assert "Nothing was changed. from" in str(page.locator("[role=alert]").text_content())
        assert before == room.node.route("feeds")["percentage"]
        assert "a wave" == page.locator("form[action$=rollout] [name=reason]").input_value()  # what was given stays
        fill(page, "form[action$=rollout]", confirm="feeds")
        assert before + 20 == room.node.route("feeds")["percentage"]
        fill(page, "form[method=get]", percentage=f"{before:g}")
        assert "go back" in str(page.locator(".preview").text_content())
        assert 0 == page.locator("[name=confirm]").count()
        fill(page, "form[action$=rollout]", reason="enough")
    assert before == room.node.route("feeds")["percentage"]


def test_second_of_two_browsers_gets_a_conflict(room: Room):
    """Both look at the same preview; the first sets it, the second is told, and nothing is overwritten."""
    now = room.node.route("feeds")["percentage"]
    path = "/routes/feeds?percentage="
    with room.page(f"{path}{now + 1}") as one, room.page(f"{path}{now + 2}") as two:
        fill(one, "form[action$=rollout]", reason="first", who="ada")
        fill(two, "form[action$=rollout]", reason="second", who="bo")
        assert "Nothing was changed." in str(two.locator("[role=alert]").text_content())
    assert now + 1 == room.node.route("feeds")["percentage"]
    lines = room.node.get("audit", subject="feeds")
    assert ["first"] == [each["reason"] for each in lines if each["who"] in {"ada", "bo"}]


@with_and_without_scripts
def test_hold_and_release(room: Room, has_scripts: bool):
    """At once and without the file."""
    before = room.node.config.read_text()
    with room.page("/routes/feeds", has_scripts=has_scripts) as page:
        fill(page, "form[action$=hold]", percentage="1", reason="errors")
        until(lambda: room.node.route("search")["effective_percentage"] == 1, "the hold", within_s=10)
        assert "At most 1 %" in str(page.locator(".steer").text_content())
        large = {"confirm": "feeds"} if page.locator("form[action$=release] [name=confirm]").count() else {}
        fill(page, "form[action$=release]", reason="repaired", **large)
    assert None is room.node.route("feeds")["hold"]
    assert before == room.node.config.read_text()


@with_and_without_scripts
def test_kill_switch_is_put_on_from_any_page_and_taken_off(room: Room, has_scripts: bool):
    """A reason is enough; then nobody is on new, and it stands on each page."""
    with room.page("/audit", has_scripts=has_scripts) as page:
        fill(page, "form[action='/kill-switch']", reason="errors on new")
        assert "It is on" == page.locator(".panel h2").text_content()
        assert {0} == {route["effective_percentage"] for route in room.node.get("routes")}
        until(lambda: decision(room) == "kill_switch", "the workers to follow", within_s=5)
        page.goto("/progress")
        assert "errors on new" in str(page.locator("#notices").text_content())
        page.locator("#notices a").click()
        fill(page, "form[action='/kill-switch/off']", reason="repaired", confirm="off")
        assert "It is off" == page.locator(".panel h2").text_content()
    until(lambda: decision(room) != "kill_switch", "the workers to follow", within_s=5)
    assert ["kill_switch.off", "kill_switch.on"] == [line["action"] for line in room.node.get("audit", subject="*")][:2]


def decision(room: Room) -> str:
    """Why a worker sent a request where it went."""
    answer = room.users.get("/api/feeds/7", headers={"x-changeover-debug": DEBUG_TOKEN})
    room.asked += 1
    return dict(part.split("=") for part in answer.headers["x-changeover-backend"].split("; ")[1:])["reason"]


# --- differences ---
def test_keys_go_along_the_list_and_from_page_to_page(room: Room):
    """`j` down, `k` up, Enter opens, `n` and `p` from one to the next; none of them where somebody writes."""
    with room.page("/diffs?route=feeds") as page:
        first, second = page.locator(LINKS).evaluate_all("(all) => all.slice(0, 2).map((each) => each.href)")
        for key, expected in (("j", first), ("j", second), ("k", first), ("k", first)):
            page.keyboard.press(key)
            assert expected == page.evaluate("document.activeElement.href")
        for key, expected in (("Enter", first), ("n", second), ("p", first)):
            with page.expect_navigation():
                page.keyboard.press(key)
            assert expected == page.url
        page.locator("summary", has_text="Accept").click()
        reason = page.locator("form:has([value=accept]) [name=reason]")
        reason.press_sequentially("jnp")
        assert ("jnp", first) == (reason.input_value(), page.url)


@with_and_without_scripts
def test_difference_is_found_read_accepted_and_reopened(room: Room, has_scripts: bool):
    """From the list to the decision, by the page's own buttons; the hostile request is shown as text."""
    id_ = room.signature("site_url")
    with room.page("/diffs", has_scripts=has_scripts) as page:
        fill(page, "form[role=search]", text="site_url")
        page.locator(LINKS).click()
        page.wait_for_url(f"**/diffs/{id_}?text=site_url")
        assert "New leaves out $.site_url." == str(page.locator("h1").text_content()).strip()
        assert f"x-note: {SCRIPT}" in str(page.locator("body").text_content())
        fill(page, "form:has([value=accept])", reason=f"later {SCRIPT}", owner="bo", ticket="T-1", who="Åda")
        assert "known" == page.locator(".chip").first.text_content()
        assert f"later {SCRIPT}" in str(page.locator("#decided").text_content())
        assert "Åda" == page.locator("[name=who]").first.input_value()  # remembered
        fill(page, "form:has([value=reopen])", reason="sooner")
        assert "new" == page.locator(".chip").first.text_content()
    actions = [(line["action"], line["who"]) for line in room.node.get("audit", subject=id_)]
    assert [("diff.state", "Åda")] * 2 == actions[:2]


@pytest.mark.parametrize(
    ("place", "has_scripts"), [("latest", True), ("published", False)], ids=["scripts", "no scripts"]
)
def test_ignoring_shows_the_line_and_writes_it(room: Room, place: str, has_scripts: bool):
    """What is shown is what stands in the file then; the difference leaves those to be decided."""
    id_ = room.signature(place)
    with room.page(f"/diffs/{id_}", has_scripts=has_scripts) as page:
        fill(page, f"form[action='/diffs/{id_}/ignore']", reason="on purpose", who="ada")
        line = page.locator(".lines .added code").text_content()
        assert line not in room.node.config.read_text().splitlines()
        fill(page, "form:has([value=ignore])")
        assert "ignored" == page.locator(".chip").first.text_content()
    assert line in room.node.config.read_text().splitlines()


def test_example_is_tried_again(room: Room):
    """What both backends answer now stands above the page, and what they were not sent: the session is masked."""
    with room.page(f"/diffs/{room.signature('site_url')}") as page:
        fill(page, "form.again")
        said = page.locator(".notice[role=status]").inner_text()
        wanted = (
            "Tried again: nothing can be concluded.",
            "legacy 401, new 401",
            "Sent without what is masked: cookie",
        )
        assert [] == [each for each in wanted if each not in said], said
        look_over(page)


def test_curl_command_is_copied_and_works(room: Room):
    """By a button that only scripts show; the text itself stands there to be selected."""
    installed("curl", shutil.which("curl"))
    path = f"/diffs/{room.signature('site_url')}"
    with room.page(path) as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.locator("summary", has_text="curl").first.click()
        page.get_by_role("button", name="Copy", exact=False).first.click()
        page.get_by_text("Copied").first.wait_for()
        copied = str(page.evaluate("navigator.clipboard.readText()"))
        assert shown_command(page) == copied
    with_cookie = f"{copied} -H 'cookie: session={room.users.cookies['session']}'"  # which is masked
    said = subprocess.run(["sh", "-c", with_cookie], capture_output=True, text=True, timeout=30, check=False)
    assert (0, "HTTP/1.1 200 OK") == (said.returncode, said.stdout.partition("\n")[0].strip()), said
    with room.page(path, before=NO_CLIPBOARD) as page:  # as on http:// of another machine
        page.locator("summary", has_text="curl").first.click()
        page.get_by_role("button", name="Copy", exact=False).first.click()
        page.get_by_text("Copied").first.wait_for()
        page.locator("summary", has_text="Accept").click()
        reason = page.locator("form:has([value=accept]) [name=reason]")
        reason.evaluate("(field) => field.removeAttribute('maxlength')")
        reason.press("Control+V")
        assert shown_command(page).replace("\n", " ").split() == reason.input_value().split()
    with room.page(path, has_scripts=False) as page:
        page.locator("summary", has_text="curl").first.click()
        assert 0 == page.get_by_role("button", name="Copy", exact=False).count()
        assert copied == shown_command(page)


def shown_command(page: Page) -> str:
    """The first one."""
    return page.locator("pre.command").first.inner_text()


def test_files_are_downloaded(room: Room):
    """A difference's examples for other tools, and the audit for a spreadsheet."""
    id_ = room.signature("site_url")
    with room.held("feeds", percentage=5, reason=f"={SCRIPT}"), room.page(f"/diffs/{id_}") as page:
        name, har = download(page, "all as HAR")
        assert (f"changeover-{id_}.har", "1.2") == (name, json.loads(har)["log"]["version"])
        page.goto("/audit?subject=feeds")
        name, table = download(page, "CSV")
        lines = list(csv.DictReader(table.removeprefix("\ufeff").splitlines()))
        assert ("changeover-audit.csv", f"'={SCRIPT}") == (name, lines[0]["reason"])


def download(page: Page, link: str) -> tuple[str, str]:
    """Its name and its text."""
    with page.expect_download() as loading:
        page.get_by_role("link", name=link, exact=True).click()
    return loading.value.suggested_filename, Path(loading.value.path()).read_text()
