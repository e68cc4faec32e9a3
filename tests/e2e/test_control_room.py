"""Chromium in the control room of a real node with both example backends: what ops and developers see and do there."""

from __future__ import annotations

import json
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.e2e.browser import Browser, Page, chromium, running_chromium
from tests.e2e.node import Node, example_backend, serving, write_example
from tests.e2e.program import until
from tests.e2e.sides import installed

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(120)]

DEBUG_TOKEN = "tell-me-who-answered"
SCRIPT = "<script>window.pwned=1</script><img src=x onerror=window.pwned=1>"
AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text()
# Its rules that follow the Web Content Accessibility Guidelines 2.2, levels A and AA, and its best practices.
RUN_AXE = """
window.found = null;
axe.run(document, {resultTypes: ["violations"]}).then(
    (result) => {
        window.found = result.violations.map((each) => `${each.id}: ${each.nodes.map((node) => node.target)}`);
    },
    (error) => { window.found = [String(error)]; },
);
"""
# What a page must never do, collected from its first line on.
WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => window.violations.push(event.violatedDirective));
"""


@dataclass(slots=True)
class Room:
    """The node, a browser, and its users."""

    node: Node
    browser: Browser
    users: httpx.Client

    def read(self, times: int) -> None:
        """Requests whose answers differ: new has its bugs. Paths and fields are those of somebody hostile."""
        for number in range(times):
            fields = {"x-user-id": f"user-{number % 8}", "x-note": SCRIPT}
            self.users.get("/api/feeds/7", params={"q": SCRIPT}, headers=fields).raise_for_status()

    @contextmanager
    def page(self, path: str, width: int = 1280, scheme: str = "light", *, has_scripts: bool = True) -> Iterator[Page]:
        """A page of its own; at its end it has broken no policy and run no script but ours."""
        with self.browser.new_page() as page:
            tell = page.call
            tell("Page.enable")
            tell("Page.addScriptToEvaluateOnNewDocument", source=WATCH)
            tell("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600)
            tell("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
            tell("Emulation.setScriptExecutionDisabled", value=not has_scripts)
            self.visit(page, path)
            yield page
            if has_scripts:
                assert "[]" == page.ask("JSON.stringify(window.violations)")
            assert "undefined" == page.ask("typeof window.pwned")

    def visit(self, page: Page, path: str) -> None:
        page.visit(self.node.admin_url + path)
        page.wait("location.protocol == 'http:' && document.readyState == 'complete'")

    def signature(self, name: str) -> str:
        """The id of a difference whose place has this name."""

        def found() -> list[str]:
            return [row["id"] for row in self.node.get("diffs") if name in row["path"]]

        until(found, f"the difference in {name}", within_s=20)
        return found()[0]


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    path = installed("chromium", chromium())
    folder = tmp_path_factory.mktemp("room")
    with ExitStack() as stack:
        legacy = stack.enter_context(example_backend("legacy_backend", folder))
        new = stack.enter_context(example_backend("new_backend", folder))
        node = stack.enter_context(
            serving(write_example(folder, legacy, new), folder, CHANGEOVER_DEBUG_TOKEN=DEBUG_TOKEN)
        )
        users = stack.enter_context(httpx.Client(base_url=node.url, trust_env=False))
        users.post("/api/session", json={"username": "reader01", "password": "paper-boat-01"}).raise_for_status()
        room = Room(node, stack.enter_context(running_chromium(path, folder)), users)
        room.read(16)
        room.signature("site_url")
        until(lambda: sum(node.route("feeds")["users"].values()) >= 8, "the users in the store", within_s=20)
        yield room
        assert node.stop() == 0


def fill(page: Page, form: str, **values: str) -> None:
    """Writes into a form's fields and sends it by its button, as a person does; waits for the next page."""
    page.ask("window.isLeft = false")
    page.ask(
        f"""(() => {{
        const form = document.querySelector({json.dumps(form)});
        for (const [name, value] of Object.entries({json.dumps(values)})) form.elements[name].value = value;
        form.querySelector("button:not([type=button])").click();
        }})()"""
    )
    page.wait("window.isLeft === undefined && document.readyState == 'complete'")


def test_overview_is_live(room: Room):
    """What users do appears without a reload, and the page stays the same document."""
    with room.page("/") as page:
        page.wait("document.getElementById('live-state')?.textContent == 'Live'")
        page.ask("window.isSame = true")
        before = room.node.route("feeds")["requests"]
        room.read(3)
        total = sum(before.values()) + 3
        sum_shown = "[...document.querySelectorAll('#route-feeds td:nth-of-type(3) .number')]"
        page.wait(f"{sum_shown}.map((each) => Number(each.textContent)).reduce((a, b) => a + b) == {total}")
        assert page.ask("window.isSame")
        assert "Live" == page.ask("document.getElementById('live-state').textContent")
        assert [] == [path for path in asked(page) if path != "/live"]


def asked(page: Page) -> list[str]:
    """What the page's scripts have asked for and got in full: not a stream that goes on."""
    entries = "performance.getEntriesByType('resource')"
    found = page.ask(f"JSON.stringify([...new Set({entries}.map((each) => new URL(each.name).pathname))])")
    return [path for path in json.loads(found) if not path.startswith("/static/")]


NO_STREAM = """
window.EventSource = class {
    static CLOSED = 2;
    readyState = 2;
    addEventListener(name, listener) { if (name === "error") setTimeout(listener); }
    close() {}
};
"""


def test_overview_asks_where_no_stream_comes_through(room: Room):
    """As before a proxy that knows no streams; the page stays the same document."""
    with room.page("/audit") as page:
        page.call("Page.addScriptToEvaluateOnNewDocument", source=NO_STREAM)
        room.visit(page, "/")
        page.wait("document.getElementById('live-state')?.textContent == 'Live'")
        page.ask("window.isSame = true")
        room.read(2)
        total = sum(room.node.route("feeds")["requests"].values())
        sum_shown = "[...document.querySelectorAll('#route-feeds td:nth-of-type(3) .number')]"
        page.wait(f"{sum_shown}.map((each) => Number(each.textContent)).reduce((a, b) => a + b) >= {total}")
        assert page.ask("window.isSame")


def test_slider_and_number_are_one(room: Room):
    """Whichever is moved; only with scripts there is a slider."""
    slider, number = (f"document.querySelector('input[type={kind}]')" for kind in ("range", "number"))
    with room.page("/routes/feeds") as page:
        page.ask(f"{slider}.value = 40; {slider}.dispatchEvent(new Event('input'))")
        assert "40" == page.ask(f"{number}.value")
        page.ask(f"{number}.value = 7; {number}.dispatchEvent(new Event('input'))")
        assert ["7", False] == [page.ask(f"{slider}.value"), page.ask(f"{slider}.hidden")]
    with room.page("/routes/feeds", has_scripts=False) as page:
        assert page.ask(f"{slider}.hidden")


def test_difference_is_found_read_accepted_and_reopened(room: Room):
    """From the list to the decision, by the page's own buttons; the hostile request is shown as text."""
    id_ = room.signature("site_url")
    with room.page("/diffs?route=feeds&text=site_url") as page:
        page.ask("window.isLeft = false")
        page.call("Input.dispatchKeyEvent", type="keyDown", key="j", text="j")
        assert f"/diffs/{id_}?route=feeds&text=site_url" == page.ask("document.activeElement.getAttribute('href')")
        page.ask("document.activeElement.click()")
        page.wait("window.isLeft === undefined && document.readyState == 'complete'")
        assert "New leaves out $.site_url." == page.ask("document.querySelector('h1').textContent.trim()")
        assert page.ask(f"document.body.textContent.includes({json.dumps('x-note: ' + SCRIPT)})")
        fill(page, "form:has([value=accept])", reason=f"later {SCRIPT}", owner="bo", ticket="T-1", who="Åda")
        assert "known" == page.ask("document.querySelector('.chip').textContent")
        assert page.ask(f"document.getElementById('decided').textContent.includes({json.dumps('later ' + SCRIPT)})")
        assert "Åda" == page.ask("document.querySelector('[name=who]').value")  # remembered
        fill(page, "form:has([value=reopen])", reason="sooner")
        assert "new" == page.ask("document.querySelector('.chip').textContent")
    actions = [(line["action"], line["who"]) for line in room.node.get("audit", subject=id_)]
    assert [("diff.state", "Åda")] * 2 == actions


def test_ignoring_shows_the_line_and_writes_it(room: Room):
    """What is shown is what stands in the file then; the difference leaves those to be decided."""
    id_ = room.signature("latest")
    with room.page(f"/diffs/{id_}") as page:
        fill(page, f"form[action='/diffs/{id_}/ignore']", reason="on purpose", who="ada")
        line = page.ask("document.querySelector('.lines .added code').textContent")
        assert line not in room.node.config.read_text().splitlines()
        fill(page, "form:has([value=ignore])")
        assert "ignored" == page.ask("document.querySelector('.chip').textContent")
    assert line in room.node.config.read_text().splitlines()


def test_second_of_two_browsers_gets_a_conflict(room: Room):
    """Both look at the same preview; the first sets it, the second is told, and nothing is overwritten."""
    now = room.node.route("feeds")["percentage"]
    path = "/routes/feeds?percentage="
    with room.page(f"{path}{now + 1}") as one, room.page(f"{path}{now + 2}") as two:
        assert "move forward" in one.ask("document.querySelector('.preview').textContent")
        fill(one, "form[action$=rollout]", reason="first", who="ada")
        fill(two, "form[action$=rollout]", reason="second", who="bo")
        assert "Nothing was changed." in two.ask("document.querySelector('[role=alert]').textContent")
    assert now + 1 == room.node.route("feeds")["percentage"]
    lines = room.node.get("audit", subject="feeds")
    assert ["first"] == [each["reason"] for each in lines if each["who"] in {"ada", "bo"}]


def test_hold_and_release(room: Room):
    """At once and without the file."""
    before = room.node.config.read_text()
    with room.page("/routes/feeds") as page:
        fill(page, "form[action$=hold]", percentage="1", reason="errors")
        until(lambda: room.node.route("search")["effective_percentage"] == 1, "the hold", within_s=10)
        assert "At most 1 %" in page.ask("document.querySelector('.steer').textContent")
        fill(page, "form[action$=release]", reason="repaired")
    assert None is room.node.route("feeds")["hold"]
    assert before == room.node.config.read_text()


@pytest.mark.parametrize("has_scripts", [True, False], ids=["scripts", "no scripts"])
def test_pages_fit_and_can_be_read(room: Room, has_scripts: bool):
    """On any width nothing sticks out, in light and dark, with scripts and without; each has one heading."""
    paths = ("/", "/diffs", f"/diffs/{room.signature('site_url')}", "/routes/feeds?percentage=50", "/progress")
    for path in (*paths, "/explain?path=/api/feeds/7&user=9", "/audit"):
        for width, scheme in ((390, "dark"), (1280, "light"), (1920, "light")):
            with room.page(path, width, scheme, has_scripts=has_scripts) as page:
                sticking_out = page.ask("Math.max(document.documentElement.scrollWidth - innerWidth, 0)")
                assert (0, 1) == (sticking_out, page.ask("document.querySelectorAll('h1').length")), (path, width)


PAGES = {
    "overview": "/",
    "differences": "/diffs",
    "difference": "/diffs/{id}",
    "ignore": "/diffs/{id}/ignore?reason=r",
    "route": "/routes/feeds?percentage=50",
    "progress": "/progress",
    "explain": "/explain?path=/api/feeds/7&user=9",
    "audit": "/audit",
    "kill switch": "/kill-switch",
    "error": "/nothing",
}


@pytest.mark.parametrize("name", PAGES)
def test_page_is_accessible(room: Room, name: str):
    """Axe finds no violation: small and dark, large and light."""
    path = PAGES[name].format(id=room.signature("site_url"))
    for width, scheme in ((390, "dark"), (1280, "light")):
        with room.page(path, width, scheme) as page:
            page.ask(AXE)
            page.ask(RUN_AXE)
            page.wait("window.found !== null")
            assert [] == page.ask("window.found"), (width, scheme)


def test_kill_switch_is_put_on_from_any_page_and_taken_off(room: Room):
    """A reason is enough; then nobody is on new, and it stands on each page."""
    with room.page("/audit") as page:
        page.ask("document.querySelector('.kill summary').click()")
        fill(page, "form[action='/kill-switch']", reason="errors on new")
        assert "It is on" == page.ask("document.querySelector('.panel h2').textContent")
        assert {0} == {route["effective_percentage"] for route in room.node.get("routes")}
        until(lambda: decision(room) == "kill_switch", "the workers to follow", within_s=5)
        assert "errors on new" in page.ask("document.getElementById('notices').textContent")
        fill(page, "form[action='/kill-switch/off']", reason="repaired", confirm="off")
        assert "It is off" == page.ask("document.querySelector('.panel h2').textContent")
    until(lambda: decision(room) != "kill_switch", "the workers to follow", within_s=5)
    assert ["kill_switch.off", "kill_switch.on"] == [line["action"] for line in room.node.get("audit", subject="*")][:2]


def decision(room: Room) -> str:
    """Why a worker sent a request where it went."""
    answer = room.users.get("/api/feeds/7", headers={"x-changeover-debug": DEBUG_TOKEN})
    return dict(part.split("=") for part in answer.headers["x-changeover-backend"].split("; ")[1:])["reason"]
