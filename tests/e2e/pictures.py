"""Takes the pictures of the documents from a running demo: `scripts/pictures`. Not a test.

Runs the demo in a folder of its own, decides a little as people do, and photographs each page of the control room and
the HTML report, wide and narrow; the overview in the dark as well. Each picture says on stdout where it is.
"""

from __future__ import annotations

import tempfile
import time
from base64 import b64decode
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from tests.e2e.browser import chromium, running_chromium
from tests.e2e.node import EXAMPLE, serving, write_config
from tests.e2e.program import ROOT

if TYPE_CHECKING:
    from tests.e2e.browser import Browser
    from tests.e2e.node import Node

PICTURES = ROOT / "docs" / "img"
TRAFFIC_S = 70
WIDE, NARROW = 1280, 390
HIGHEST = 2_000  # pixels: nobody scrolls through a picture for long
SHOWN = "set-cookie.session.samesite"  # the path of the difference that is shown
PAGES = {
    "overview": "/",
    "differences": "/diffs",
    "difference": "/diffs/{id}",
    "ignore": "/diffs/{id}/ignore?reason=a+new+attribute&owner=ada",
    "route": "/routes/feeds?percentage=50",
    "progress": "/progress",
    "explain": "/explain?method=GET&path=/api/feeds/1&user=ada",
    "audit": "/audit",
    "kill-switch": "/kill-switch",
}


def main() -> None:
    program = chromium()
    if program is None:
        raise SystemExit("chromium is not installed")
    PICTURES.mkdir(exist_ok=True)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="changeover-pictures-")))
        config = write_config(folder, EXAMPLE.read_text())
        node = stack.enter_context(serving(config, folder, verb="demo"))
        browser = stack.enter_context(running_chromium(program, folder))
        time.sleep(TRAFFIC_S)
        id_ = decide(node)
        report = folder / "report.html"
        node.run("report", "--format", "html", "--out", str(report))
        for name, path in PAGES.items():
            for width in (WIDE, NARROW):
                photograph(browser, f"{node.admin_url}{path.format(id=id_)}", f"{name}-{width}", width)
        photograph(browser, node.admin_url, f"overview-dark-{WIDE}", WIDE, scheme="dark")
        for width in (WIDE, NARROW):
            photograph(browser, report.as_uri(), f"report-{width}", width)


def decide(node: Node) -> str:
    """What people do on a first day; the id of the difference that is shown."""
    found = {row["path"]: row["id"] for row in node.get("diffs")}
    node.run("rollout", "set", "feeds", "25", "--reason", "first wave")
    node.run("rollout", "hold", "search", "5", "--reason", "slow answers, bo looks at it")
    date = found["$.items[*].published"]
    node.run("diffs", "accept", date, "--owner", "bo", "--ticket", "FEED-12", "--reason", "comes with the next version")
    time.sleep(3)
    id_: str = found[SHOWN]
    return id_


def photograph(browser: Browser, url: str, name: str, width: int, scheme: str = "light") -> None:
    """The whole page, down to HIGHEST."""
    with browser.new_page() as page:
        page.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        page.visit(url)
        page.wait("document.readyState == 'complete'")
        time.sleep(1.5)  # live figures come
        height = min(HIGHEST, int(page.ask("document.documentElement.scrollHeight")))
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        taken = page.call("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)
    file = PICTURES / f"{name}.png"
    file.write_bytes(b64decode(taken["data"]))
    print(f"{file.relative_to(ROOT)}: {width} x {height}, {file.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
