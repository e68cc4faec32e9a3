"""Chromium at a listener that asks who somebody is: signing in, what a role may do, links from elsewhere, the end."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx
import pytest
from click.testing import CliRunner

from proxy.cli import main
from tests.e2e.browser import Browser, Page, chromium, running_chromium
from tests.e2e.node import Node, example_backend, serving, write_example
from tests.e2e.program import until
from tests.e2e.sides import installed
from tests.e2e.test_control_room import fill
from tests.live import serve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.types import Receive, Scope, Send

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(120)]


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

    def visit(self, page: Page, url: str) -> None:
        page.visit(url)
        page.wait("document.readyState == 'complete'")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    path = installed("chromium", chromium())
    folder = tmp_path_factory.mktemp("house")
    file = folder / "tokens"
    file.write_text("# who may\nperson nobody viewer\n")
    with ExitStack() as stack:
        legacy = stack.enter_context(example_backend("legacy_backend", folder))
        new = stack.enter_context(example_backend("new_backend", folder))
        node = stack.enter_context(
            serving(write_example(folder, legacy, new), folder, CHANGEOVER_ADMIN_TOKENS_FILE=str(file))
        )
        yield House(node, stack.enter_context(running_chromium(path, folder)), file)
        assert node.stop() == 0


def test_person_signs_in_acts_and_is_out_when_revoked(house: House) -> None:
    """A token made while the node runs is good at once; what is done has its name; revoked, it is over."""
    token = house.make("token", "ada", "--role", "operator")
    with house.browser.new_page() as page:
        house.visit(page, f"{house.node.admin_url}/routes/feeds?percentage=7")
        assert "Sign in" == page.ask("document.querySelector('h1').textContent")
        fill_when_known(house, page, token)
        assert "/routes/feeds?percentage=7" == page.ask("location.pathname + location.search")
        assert "ada, operator" in page.ask("document.querySelector('header').textContent")
        assert "" == page.ask("document.cookie")
        fill(page, "form[action$=rollout]", reason="by hand")
        headers = {"authorization": f"Bearer {token}"}
        lines = httpx.get(f"{house.node.admin_url}/api/v1/audit", headers=headers, trust_env=False).json()
        assert ("ada", "by hand") == (lines[0]["who"], lines[0]["reason"])
        house.make("revoke", "ada")
        until(lambda: is_out(house, page), "the session to end", within_s=5)


def fill_when_known(house: House, page: Page, token: str) -> None:
    """The node looks at the file once a second."""
    headers = {"authorization": f"Bearer {token}"}
    url = f"{house.node.admin_url}/api/v1/status"
    until(lambda: httpx.get(url, headers=headers, trust_env=False).is_success, "the token to be known", within_s=5)
    fill(page, "form[action='/sign-in']", token=token)


def is_out(house: House, page: Page) -> bool:
    house.visit(page, f"{house.node.admin_url}/audit")
    return bool(page.ask("document.querySelector('h1').textContent == 'Sign in'"))


def test_who_is_signed_in_and_follows_a_link_from_elsewhere_stays_signed_in(house: House) -> None:
    """Though a strict cookie stays away on the first step."""
    token = house.make("token", "bo", "--role", "viewer")
    target = f"{house.node.admin_url}/audit"

    async def elsewhere(scope: Scope, receive: Receive, send: Send) -> None:
        page = f'<!doctype html><title>x</title><a id="there" href="{target}">there</a>'.encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]})
        await send({"type": "http.response.body", "body": page})

    with serve(elsewhere) as url, house.browser.new_page() as page:
        house.visit(page, f"{house.node.admin_url}/sign-in")
        fill_when_known(house, page, token)
        house.visit(page, url.replace("127.0.0.1", "localhost"))  # another site to the browser
        page.ask("document.getElementById('there').click()")
        page.wait("document.querySelector('h1')?.textContent == 'Audit'")


def test_link_shows_progress_only(house: House) -> None:
    """Whoever has it, without signing in."""
    link = house.make("link", "board", "--days", "1")
    url = f"{house.node.admin_url}{link}"
    until(lambda: httpx.get(url, trust_env=False).status_code == 303, "the link to be known", within_s=5)
    with house.browser.new_page() as page:
        house.visit(page, url)
        assert ("/progress", "How far the migration is") == (
            page.ask("location.pathname"),
            page.ask("document.querySelector('h1').textContent"),
        )
        assert 0 == page.ask("document.querySelectorAll('header nav a').length")
        house.visit(page, f"{house.node.admin_url}/audit")
        assert "Forbidden" == page.ask("document.querySelector('h1').textContent")
