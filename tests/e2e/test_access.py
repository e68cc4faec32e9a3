"""Chromium at a listener that asks who somebody is: signing in, what a role may do, links from elsewhere, the end."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx
import pytest
from click.testing import CliRunner

from proxy.admin.access.roster import make_token, written
from proxy.cli import main
from tests.e2e.browser import new_page
from tests.e2e.node import Node, example_backend, serving, write_example
from tests.e2e.program import until
from tests.e2e.room import SIGNED_PAGES, fill, look_over
from tests.live import serve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from playwright.sync_api import Browser, Page
    from starlette.types import Receive, Scope, Send

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(120)]

OVER = make_token()  # an admin's once
SIGN_IN = "form[action='/sign-in']"


@dataclass(slots=True)
class House:
    """A node whose admin listener has a tokens file, and a browser."""

    node: Node
    browser: Browser
    file: Path

    def make(self, verb: str, *arguments: str) -> str:
        made = CliRunner().invoke(main, ["access", verb, *arguments, "--file", str(self.file)])
        assert made.exit_code == 0, made.output
        return made.stdout.strip()

    def page(self) -> AbstractContextManager[Page]:
        return new_page(self.browser, self.node.admin_url)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("house")
    file = folder / "tokens"
    file.write_text(f"# who may\nperson nobody viewer\n{written('token', 'old', 'admin', '2020-01-01', OVER)}\n")
    with ExitStack() as stack:
        legacy = stack.enter_context(example_backend("legacy_backend", folder))
        new = stack.enter_context(example_backend("new_backend", folder))
        node = stack.enter_context(
            serving(write_example(folder, legacy, new), folder, CHANGEOVER_ADMIN_TOKENS_FILE=str(file))
        )
        yield House(node, browser, file)
        assert node.stop() == 0


def test_person_signs_in_acts_and_is_out_when_revoked(house: House) -> None:
    """A token made while the node runs is good at once; what is done has its name; revoked, it is over."""
    token = house.make("token", "ada", "--role", "operator")
    with house.page() as page:
        page.goto("/routes/feeds?percentage=7")
        assert "Sign in" == heading(page)
        fill_when_known(house, page, token)
        assert page.url.endswith("/routes/feeds?percentage=7")
        assert "ada, operator" in page.locator("header").inner_text()
        assert "" == page.evaluate("document.cookie")
        fill(page, "form[action$=rollout]", reason="by hand")
        headers = {"authorization": f"Bearer {token}"}
        lines = httpx.get(f"{house.node.admin_url}/api/v1/audit", headers=headers, trust_env=False).json()
        assert ("ada", "by hand") == (lines[0]["who"], lines[0]["reason"])
        house.make("revoke", "ada")
        until(lambda: is_out(page), "the session to end", within_s=5)


def heading(page: Page) -> str:
    return page.locator("h1").inner_text()


def fill_when_known(house: House, page: Page, token: str) -> None:
    """The node looks at the file once a second."""
    headers = {"authorization": f"Bearer {token}"}
    url = f"{house.node.admin_url}/api/v1/status"
    until(lambda: httpx.get(url, headers=headers, trust_env=False).is_success, "the token to be known", within_s=5)
    fill(page, SIGN_IN, token=token)


def is_out(page: Page) -> bool:
    page.goto("/audit")
    return heading(page) == "Sign in"


def test_wrong_token_and_one_that_is_over_are_told_so(house: House) -> None:
    """In words, on the form, which still leads on to where somebody was going; a right one then does."""
    token = house.make("token", "eve", "--role", "viewer")
    with house.page() as page:
        page.goto("/progress")
        for wrong in (make_token(), OVER):
            fill(page, SIGN_IN, token=wrong)
            assert "not known here, or its time is over" in page.locator("[role=alert]").inner_text()
            look_over(page)
        fill_when_known(house, page, token)
        assert ("How far the migration is", "Progress") == (heading(page), page.locator("[aria-current]").inner_text())
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url("**/sign-in")


@pytest.mark.parametrize("address", [each for addresses in SIGNED_PAGES.values() for each in addresses])
def test_page_before_signing_in_fits_and_is_accessible(house: House, address: str) -> None:
    """On each width, light and dark."""
    with house.page() as page:
        page.goto(address)
        look_over(page)


def test_who_is_signed_in_and_follows_a_link_from_elsewhere_stays_signed_in(house: House) -> None:
    """Though a strict cookie stays away on the first step."""
    token = house.make("token", "bo", "--role", "viewer")
    target = f"{house.node.admin_url}/audit"

    async def elsewhere(scope: Scope, receive: Receive, send: Send) -> None:
        page = f'<!doctype html><title>x</title><a id="there" href="{target}">there</a>'.encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]})
        await send({"type": "http.response.body", "body": page})

    with serve(elsewhere) as url, house.page() as page:
        page.goto("/sign-in")
        fill_when_known(house, page, token)
        page.goto(url.replace("127.0.0.1", "localhost"))  # another site to the browser
        page.locator("#there").click()
        page.locator("h1", has_text="Audit").wait_for()


def test_link_shows_progress_only(house: House) -> None:
    """Whoever has it, without signing in."""
    link = house.make("link", "board", "--days", "1")
    url = f"{house.node.admin_url}{link}"
    until(lambda: httpx.get(url, trust_env=False).status_code == 303, "the link to be known", within_s=5)
    with house.page() as page:
        page.goto(link)
        assert (True, "How far the migration is") == (page.url.endswith("/progress"), heading(page))
        assert 0 == page.locator("header nav a, main form, .kill").count()
        look_over(page)
        page.goto("/audit")
        assert "Forbidden" == heading(page)
        look_over(page)
