"""Chromium on the demo's reading page: what readers see and do, at whichever side they are."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.e2e.browser import new_page
from tests.e2e.node import Node, example_backend, serving, write_example
from tests.e2e.program import until
from tests.e2e.sides import PERCENTAGES, at_percentages, sides_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(120)]

PATIENCE_S = 10.0
FEED = 5
READERS = 10  # on both sides at 50 %: their session cookies say who they are


@dataclass(slots=True)
class Demo:
    """The demo's reader behind a node, and a browser."""

    node: Node
    browser: Browser


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Demo]:
    """Both real backends, which answer alike here."""
    folder = tmp_path_factory.mktemp("demo")
    with ExitStack() as stack:
        legacy = stack.enter_context(example_backend("legacy_backend", folder))
        new = stack.enter_context(example_backend("new_backend", folder, NEW_BACKEND_BUGS="none"))
        node = stack.enter_context(serving(write_example(folder, legacy, new), folder))
        yield Demo(node, browser)
        assert 0 == node.get("status")["totals"]["mismatches"]
        assert node.stop() == 0


@at_percentages
def test_chromium_shows_the_reading_page(percentage: int, demo: Demo, figure: Callable[[str], None]):
    """A reader signs in on the page, sees its items in their style, marks one as read, and finds it read again."""
    node = demo.node
    node.put("routes/feeds/rollout", percentage=percentage, reason="browser")
    until(lambda: node.route("pages")["effective_percentage"] == percentage, "the percentage", within_s=PATIENCE_S)
    before = marks(node)
    first = PERCENTAGES.index(percentage) * READERS + 1  # everybody has something left to read
    for number in range(READERS):
        with new_page(demo.browser, node.url) as page:
            read_as(page, first + number)
        until(lambda: marks(node).total() > before.total() + number, "the mark counted", within_s=PATIENCE_S)  # noqa: B023
        sides = set(marks(node) - before)
        if sides == sides_at(percentage):
            break
    figure(f"chromium at {percentage} %: {number + 1} readers, served by {', '.join(sorted(sides))}")
    assert sides_at(percentage) == sides


def marks(node: Node) -> Counter[str]:
    """Items marked as read so far, by side."""
    return Counter(node.route("marks")["requests"])


def read_as(page: Page, reader: int) -> None:
    """What a reader does with the page, and sees."""
    items = page.locator("ol.items > li")
    page.goto(f"/read/{FEED}")
    assert "Sign in" == page.title()
    page.locator("[name=username]").fill(f"reader{reader:02}")
    page.locator("[name=password]").fill(f"paper-boat-{reader:02}")
    page.locator("#sign-in button").click()  # the page's own script does the rest
    items.nth(19).wait_for()
    assert 20 == items.count()
    assert "none" == page.locator("ol.items").evaluate(
        "(list) => getComputedStyle(list).listStyleType"
    )  # the stylesheet
    assert items.nth(19).locator("h2").text_content()
    unread = page.locator("li.unread").first
    marked = unread.get_attribute("id")
    unread.locator("button").click()
    page.locator(f"li.read[id='{marked}']").wait_for()  # the script, once the backend agreed
    page.goto(f"/read/{FEED}")
    assert (20, 1) == (items.count(), page.locator(f"li.read[id='{marked}']").count())
