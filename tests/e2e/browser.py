"""Debian's Chromium, driven by Playwright: what a page shows there is what a user sees.

Playwright's synchronous half runs an event loop in the thread that uses it, so that nothing else may begin one there
while a browser is open: a browser belongs to one test module, and ends with it.
"""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from playwright.sync_api import Browser, Page, sync_playwright

from tests.e2e.program import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import ConsoleMessage, Response

NAMES = ("chromium", "chromium-browser", "google-chrome")
PATIENCE_S = 30.0
WIDTHS, SCHEMES = (390, 1280, 1920), ("light", "dark")
# No calls home; without a sandbox, which the root of a container can't have.
_FLAGS = ("--disable-gpu", "--disable-dev-shm-usage", "--no-proxy-server", "--disable-sync", "--disable-extensions")
# In each document, from before its first line on: what it must never do reaches the console, which is listened to.
_WATCH = """
document.addEventListener("securitypolicyviolation", (event) => {
    console.error(`policy broken: ${event.violatedDirective} by ${event.blockedURI}`);
});
Object.defineProperty(window, "pwned", {set: () => console.error("a text was run as a script")});
"""
# Chromium's own word about any answer of 400 and more; `watch` judges those by what was asked for.
_REFUSED = "Failed to load resource: the server responded with a status of 4"


def chromium() -> str | None:
    """The program, or None where it isn't installed."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def running_chromium(program: str) -> Iterator[Browser]:
    """With a fresh profile."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(_FLAGS))
        yield browser
        browser.close()


@contextmanager
def new_page(
    browser: Browser, base_url: str, width: int = 1280, scheme: str = "light", *, has_scripts: bool = True
) -> Iterator[Page]:
    """A page with cookies of its own: another user. At its end no document of it has done what none may do.

    That is: break its policy, run a text as a script, throw, warn, or ask for a file that isn't there.
    """
    faults: list[str] = []
    context = browser.new_context(
        base_url=base_url,
        viewport={"width": width, "height": 900},
        color_scheme="dark" if scheme == "dark" else "light",
        java_script_enabled=has_scripts,
    )
    context.set_default_timeout(PATIENCE_S * 1000)
    context.add_init_script(_WATCH)

    def hear(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not message.text.startswith(_REFUSED):
            faults.append(f"{message.type}: {message.text} ({message.location['url']})")

    def look(response: Response) -> None:
        if response.status >= 400 and response.request.resource_type != "document":
            faults.append(f"{response.status}: {response.url}")

    context.on("console", hear)
    context.on("response", look)
    context.on("weberror", lambda error: faults.append(f"thrown: {error.error}"))
    yield context.new_page()
    context.close()
    assert not faults, "\n".join(faults)


def wait(page: Page, expression: str) -> None:
    """Until it is true. Asked from outside: Playwright's own way evaluates a text in the page; policies forbid it."""
    until(lambda: page.evaluate(expression), expression, within_s=PATIENCE_S)
