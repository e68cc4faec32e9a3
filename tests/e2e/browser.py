"""A headless Chromium, told what to do through the DevTools protocol: what a page shows there is what a user sees.

Source of the methods' names: https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import itertools
import json
import re
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from websockets.sync.client import connect

from tests.e2e.program import Program, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from websockets.sync.connection import Connection

NAMES = ("chromium", "chromium-browser", "google-chrome")
PATIENCE_S = 30.0
# As few processes and calls home as can be; without a sandbox, which the root of a container can't have.
_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--no-proxy-server"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions"),
)


def chromium() -> str | None:
    """The program, or None where it isn't installed."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One connection to a running Chromium."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._numbers = itertools.count(1)

    def call(self, method: str, session: str | None = None, /, **parameters: Any) -> dict[str, Any]:
        """What a method returns. AssertionError where it can't."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        self._connection.send(json.dumps(message if session is None else message | {"sessionId": session}))
        while True:
            answer = json.loads(self._connection.recv(timeout=PATIENCE_S))
            if answer.get("id") == number:  # all else is an event
                assert "error" not in answer, f"{method}: {answer['error']}"
                result: dict[str, Any] = answer["result"]
                return result

    @contextmanager
    def new_page(self) -> Iterator[Page]:
        """A page with cookies of its own: another user."""
        context = self.call("Target.createBrowserContext")["browserContextId"]
        target = self.call("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        yield Page(self, session)
        self.call("Target.disposeBrowserContext", browserContextId=context)


class Page:
    """What one user sees."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser = browser
        self._session = session

    def call(self, method: str, /, **parameters: Any) -> dict[str, Any]:
        """What a method of the protocol returns for this page."""
        return self._browser.call(method, self._session, **parameters)

    def visit(self, url: str) -> None:
        failure = self._browser.call("Page.navigate", self._session, url=url).get("errorText")
        assert failure is None, f"{url}: {failure}"

    def ask(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page. AssertionError when it throws."""
        answer = self._browser.call("Runtime.evaluate", self._session, expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait(self, expression: str) -> Any:
        """The first true value of an expression."""
        return until(lambda: self.ask(expression), expression, within_s=PATIENCE_S)


@contextmanager
def running_chromium(program: str, folder: Path) -> Iterator[Browser]:
    """With a fresh profile in `folder`."""
    argv = (program, *_FLAGS, "--remote-debugging-port=0", f"--user-data-dir={folder / 'profile'}", "about:blank")
    with Program("chromium", argv, folder) as running:
        said = running.wait_until(
            lambda: re.search(r"DevTools listening on (ws://\S+)", running.stderr.read_text()), "its DevTools address"
        )
        assert said is not None
        with connect(said[1], proxy=None, max_size=None, compression=None, open_timeout=PATIENCE_S) as connection:
            yield Browser(connection)
