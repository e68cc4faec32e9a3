"""The control room of a real node with both example backends: its pages, and what ops and developers do there."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.e2e.browser import SCHEMES, WIDTHS, new_page
from tests.e2e.program import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx
    from playwright.sync_api import Browser, Page

    from tests.e2e.node import Node

DEBUG_TOKEN = "tell-me-who-answered"
SCRIPT = "<script>window.pwned=1</script><img src=x onerror=window.pwned=1>"
AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text()
# Its rules that follow the Web Content Accessibility Guidelines 2.2, levels A and AA, and its best practices.
RUN_AXE = """
axe.run(document, {resultTypes: ["violations"]}).then((result) =>
    result.violations.map((each) => `${each.id}: ${each.nodes.map((node) => node.target)}`));
"""
AXE_AT = ((390, "dark"), (1280, "light"))
OPEN_ALL = "document.querySelectorAll('details').forEach((each) => { each.open = true; })"
# The pages of a listener that asks nobody who they are: the pattern of their address -> addresses.
PAGES = {
    "/": ("/",),
    "/audit": ("/audit", "/audit?subject=nothing"),
    "/diffs": ("/diffs", "/diffs?route=feeds&state=undecided", "/diffs?text=nothing"),
    "/diffs/{id}": ("/diffs/{id}",),
    "/diffs/{id}/ignore": ("/diffs/{id}/ignore?reason=r",),
    "/explain": ("/explain", "/explain?path=/api/feeds/7&user=9"),
    "/kill-switch": ("/kill-switch",),
    "/progress": ("/progress",),
    "/routes/{name}": ("/routes/feeds", "/routes/feeds?percentage=50"),
    "no page": ("/nothing", "/diffs?state=nothing"),
}
# Those of one that does; tests/e2e/test_access.py sees them.
SIGNED_PAGES = {
    "/sign-in": ("/sign-in", "/audit"),
    "/shared/{token}": ("/shared/nothing",),
}


@dataclass(slots=True)
class Room:
    """The node, its users, and the browser that the test module has."""

    node: Node
    users: httpx.Client
    browser: Browser = field(init=False)
    asked: int = 0  # of the route `feeds`

    def read(self, times: int) -> None:
        """Requests whose answers differ: new has its bugs. Paths and fields are those of somebody hostile."""
        for number in range(times):
            fields = {"x-user-id": f"user-{number % 8}", "x-note": SCRIPT}
            self.users.get("/api/feeds/7", params={"q": SCRIPT}, headers=fields).raise_for_status()
            self.asked += 1

    def seen(self) -> int:
        """The requests of the route that the overview counts, once all that were made have been counted."""

        def counted() -> int:
            return sum(self.node.route("feeds")["requests"].values())

        until(lambda: counted() >= self.asked, f"{self.asked} requests to be counted", within_s=20)
        return sum(self.node.route("feeds")["evidence"]["requests"].values())

    @contextmanager
    def page(
        self, path: str, width: int = 1280, scheme: str = "light", *, has_scripts: bool = True, before: str = ""
    ) -> Iterator[Page]:
        """A page of its own, watched. `before`: a script that runs first in each document."""
        with new_page(self.browser, self.node.admin_url, width, scheme, has_scripts=has_scripts) as page:
            page.add_init_script(before)
            page.goto(path)
            yield page

    @contextmanager
    def held(self, route: str, percentage: float, reason: str) -> Iterator[None]:
        """A hold of this route and its group, and none afterwards: other tests expect to find none."""
        self.node.put(f"routes/{route}/hold", percentage=percentage, reason=reason)
        try:
            yield
        finally:
            self.node.delete(f"routes/{route}/hold", reason="seen")

    def signature(self, name: str) -> str:
        """The id of a difference whose place has this name."""

        def found() -> list[str]:
            return [row["id"] for row in self.node.get("diffs") if name in row["path"]]

        until(found, f"the difference in {name}", within_s=20)
        return found()[0]


def fill(page: Page, form: str, **values: str) -> None:
    """Writes into a form's fields and sends it by its button, as a person does; waits for the next page."""
    closed = page.locator("details:not([open])").filter(has=page.locator(form))
    if closed.count():
        closed.locator("summary").click()
    for name, value in values.items():
        page.locator(form).locator(f"[name={name}]").fill(value)
    with page.expect_navigation():
        page.locator(form).locator("button:not([type=button])").click()


def look_over(page: Page) -> None:
    """Each width, light and dark: nothing sticks out, there is one heading; axe looks at two of them.

    Everything that can be opened is open.
    """
    page.evaluate(OPEN_ALL)
    page.evaluate(AXE)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        for scheme in SCHEMES:
            page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            where = f"{page.url} at {width}, {scheme}"
            assert (where, []) == (where, sticking_out(page))
            if (width, scheme) in AXE_AT:
                assert (where, []) == (where, page.evaluate(RUN_AXE))
    assert 1 == page.locator("h1").count()


def sticking_out(page: Page) -> list[str]:
    """The tags that reach beyond the right edge, where the page can be scrolled to them."""
    found: list[str] = page.evaluate(
        """() => {
        const edge = document.documentElement.clientWidth;
        if (document.documentElement.scrollWidth <= edge) return [];
        return [...document.querySelectorAll("body *")]
            .filter((each) => each.getBoundingClientRect().right > edge + 1)
            .map((each) => each.outerHTML.slice(0, 80));
        }"""
    )
    return found
