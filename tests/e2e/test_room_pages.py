"""Every page of the control room and the HTML report in Chromium: each width, light and dark, with scripts and without.

That no document breaks its policy, throws or runs what somebody wrote is watched in each page that any test opens
(`tests.e2e.browser.new_page`).
"""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from proxy.admin.room.files import files
from proxy.admin.room.pages import pages
from proxy.admin.room.signing_in import SigningIn
from tests.e2e.browser import WIDTHS, new_page, wait
from tests.e2e.room import PAGES, SIGNED_PAGES, Room, look_over, sticking_out
from tests.fakes import FakeControl

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

    from proxy.admin.access.door import Door
    from proxy.admin.access.session import Sessions

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(120)]

VENDOR = Path(__file__).parent / "vendor"
NO_PAGES = {"/live", "/diffs/{id}/har"}  # a stream, a file
ENDLESS = "https://tickets.example/" + "a" * 320
# Layout Instability API: what has moved without anybody's doing.
SHIFTS = """
window.shifted = 0;
new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifted += entry.value;
}).observe({type: "layout-shift"});
"""
ROUTES_TEXT = "document.querySelector('.routes').innerText"
HEADINGS = "[...document.querySelectorAll('h1, h2, h3')].map((each) => each.innerText).filter(Boolean)"


@pytest.fixture(scope="module")
def disturbed(room: Room) -> Iterator[Room]:
    """With a hold whose reason is a word that is longer than any screen."""
    with room.held("search", percentage=5, reason=ENDLESS):
        yield room


def test_every_page_has_a_row():
    """A new one without a row fails here."""
    signing_in = SigningIn(cast("Door", None), cast("Sessions", None)).routes()
    there = {path for path, methods in pages(FakeControl()).items() if "GET" in methods} - files().keys() - NO_PAGES
    signed = {route.path for route in signing_in if "GET" in (route.methods or ())}
    assert (there, signed) == (PAGES.keys() - {"no page"}, set(SIGNED_PAGES))


def test_what_no_document_may_do_is_heard(room: Room):
    """The watch over all the others' documents has ears: here is a script that the policy forbids."""
    with pytest.raises(AssertionError, match="policy broken: script-src-elem by inline"), room.page("/audit") as page:
        page.evaluate(
            "document.body.append(Object.assign(document.createElement('script'), {text: 'window.pwned = 1'}))"
        )


@pytest.mark.parametrize("address", [each for addresses in PAGES.values() for each in addresses])
def test_page_fits_and_is_accessible(disturbed: Room, address: str):
    """Nothing sticks out and axe finds no violation; without scripts it says the same."""
    path = address.format(id=disturbed.signature("site_url"))
    with disturbed.page(path) as page:
        headings = page.evaluate(HEADINGS)
        look_over(page)
    with disturbed.page(path, has_scripts=False) as page:
        assert headings == page.evaluate(HEADINGS)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            assert [] == sticking_out(page)


def test_report_fits_and_is_accessible(disturbed: Room, tmp_path: Path):
    """It is one file with a policy of its own."""
    file = tmp_path / "report.html"
    made = disturbed.node.run("report", "--format", "html", "--out", str(file))
    assert (0, "") == (made.returncode, made.stdout), made.stderr
    with new_page(disturbed.browser, "") as page:
        page.goto(file.as_uri())
        look_over(page)


def test_live_numbers_move_nothing(room: Room):
    """While requests come in and the overview changes, everything stays in its place: on a phone and on a desk."""
    with room.page("/", 390) as narrow, room.page("/", 1280) as wide:
        looking = {page: watch_shifts(page) for page in (narrow, wide)}
        for _ in range(3):
            room.read(40)
            for page, before in looking.items():
                wait(page, f"{ROUTES_TEXT} !== {json.dumps(before)}")
                looking[page] = page.evaluate(ROUTES_TEXT)
        assert [True, True] == [page.evaluate("window.shifted") < 0.001 for page in looking]


def watch_shifts(page: Page) -> str:
    page.evaluate(SHIFTS)
    shown: str = page.evaluate(ROUTES_TEXT)
    return shown


def test_names_of_routes_stay_whole(room: Room):
    """Beside all their figures on a desk, and on a phone."""
    with room.page("/") as page:
        name = page.get_by_role("link", name="subscriptions", exact=True)
        for width in (*WIDTHS, 1201):  # the last one is the narrowest at which the table is one
            page.set_viewport_size({"width": width, "height": 900})
            assert (width, 1) == (width, name.evaluate("(link) => link.getClientRects().length"))


def test_sides_of_an_example_share_the_width(room: Room):
    """The columns of signs are as wide as a sign, and both answers have the rest."""
    with room.page(f"/diffs/{room.signature('site_url')}") as page:
        widths = page.evaluate(
            "[...document.querySelector('.beside tbody tr:not(.left-out)').cells].map((cell) => cell.offsetWidth)"
        )
        assert widths[0] == widths[2] < 40 < 10 * widths[0] < widths[1], widths
        assert abs(widths[1] - widths[3]) <= 2


def test_progress_prints(disturbed: Room):
    """Without what can only be clicked, dark on light whatever the screen prefers, and nothing cut off at the side."""
    with disturbed.page("/progress", scheme="dark") as page:
        page.emulate_media(media="print", color_scheme="dark")
        page.set_viewport_size({"width": 720, "height": 1000})  # A4 within its margins
        clickable = page.locator("nav, form, .kill, .files")
        assert not any(each.is_visible() for each in clickable.all())
        colours = "getComputedStyle(document.body)"
        ink, paper = (luminance(page.evaluate(f"{colours}.{name}")) for name in ("color", "backgroundColor"))
        assert (True, True) == (ink < 60, paper > 200), (ink, paper)
        assert [] == sticking_out(page)
        assert page.pdf(format="A4").startswith(b"%PDF-")


def luminance(colour: str) -> float:
    """Of `rgb(1, 2, 3)`, 0 to 255."""
    parts: list[float] = [float(each) for each in colour.partition("(")[2].rstrip(")").split(",")[:3]]
    return sum(parts) / 3


def test_vendored_files_are_those_of_the_manifest():
    """What looks at the pages is what was published."""
    listed: list[dict[str, Any]] = json.loads((VENDOR / "manifest.json").read_text())["files"]
    found = {path.name: sha256(path.read_bytes()).hexdigest() for path in VENDOR.glob("*.js")}
    assert found == {each["file"]: each["sha256"] for each in listed}
