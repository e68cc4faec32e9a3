"""Takes the pictures of the documents from a running demo: `scripts/pictures`. Not a test.

Runs the demo in a folder of its own, decides a little as people do, and photographs every page of the control room and
the HTML report, wide and narrow; some in the dark, very wide, or printed as well. Each says on stdout where it is.
"""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from click.testing import CliRunner
from PIL import Image

from proxy.cli import main as changeover
from tests.e2e.browser import chromium, new_page, running_chromium
from tests.e2e.node import EXAMPLE, serving, write_config
from tests.e2e.program import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.e2e.node import Node

PICTURES = ROOT / "docs" / "img"
TRAFFIC_S = 70
NARROW, WIDE, WIDEST = 390, 1280, 1920
HIGHEST = 2_000  # pixels: nobody scrolls through a picture for long
COLOURS = 256  # of a picture: pages have few, and it takes a third of the room
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
    "error": "/diffs?state=nothing",
}
DARK = {"overview-dark": ("/", WIDE), "difference-dark": ("/diffs/{id}", NARROW)}
VERY_WIDE = {"overview": "/", "progress": "/progress"}


def main() -> None:
    program = chromium()
    if program is None:
        raise SystemExit("chromium is not installed")
    PICTURES.mkdir(exist_ok=True)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="changeover-")))
        config = write_config(folder, EXAMPLE.read_text())
        browser = stack.enter_context(running_chromium(program))
        with serving(config, folder, verb="demo") as node:
            time.sleep(TRAFFIC_S)
            take_all(browser, node, folder / "report.html")
        tokens = folder / "tokens"
        link = make_link(tokens)
        with serving(config, folder, verb="demo", CHANGEOVER_ADMIN_TOKENS_FILE=str(tokens)) as node:
            take_signed(browser, node, link)


def take_all(browser: Browser, node: Node, report: Path) -> None:
    id_ = decide(node)
    node.run("report", "--format", "html", "--out", str(report))
    for name, path in PAGES.items():
        for width in (WIDE, NARROW):
            photograph(browser, node.admin_url, path.format(id=id_), f"{name}-{width}", width)
    for name, (path, width) in DARK.items():
        photograph(browser, node.admin_url, path.format(id=id_), f"{name}-{width}", width, "dark")
    for name, path in VERY_WIDE.items():
        photograph(browser, node.admin_url, path, f"{name}-{WIDEST}", WIDEST)
    photograph(browser, node.admin_url, "/progress", "progress-printed", 720, is_printed=True)
    for width in (WIDE, NARROW):
        photograph(browser, "", report.as_uri(), f"report-{width}", width)
    node.run("rollout", "kill-switch", "on", "--reason", "new answers 500 to sign-ins")
    photograph(browser, node.admin_url, "/kill-switch", f"kill-switch-on-{WIDE}", WIDE)
    node.run("rollout", "kill-switch", "off", "--reason", "repaired")


def take_signed(browser: Browser, node: Node, link: str) -> None:
    """What a listener shows that asks who somebody is."""
    for width in (WIDE, NARROW):
        photograph(browser, node.admin_url, "/sign-in", f"sign-in-{width}", width)
    photograph(browser, node.admin_url, link, f"shared-{WIDE}", WIDE)


def make_link(file: Path) -> str:
    made = CliRunner().invoke(changeover, ["access", "link", "board", "--days", "1", "--file", str(file)])
    assert made.exit_code == 0, made.output
    return made.stdout.strip()


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


def photograph(
    browser: Browser,
    base_url: str,
    path: str,
    name: str,
    width: int,
    scheme: str = "light",
    *,
    is_printed: bool = False,
) -> None:
    """The whole page, down to HIGHEST."""
    with new_page(browser, base_url, width, scheme) as page:
        page.goto(path)
        if is_printed:
            page.emulate_media(media="print")
        time.sleep(1.5)  # live figures come
        save(page, name, width)


def save(page: Page, name: str, width: int) -> None:
    height = min(HIGHEST, int(page.evaluate("document.documentElement.scrollHeight")))
    taken = page.screenshot(full_page=True, clip={"x": 0, "y": 0, "width": width, "height": height})
    file = PICTURES / f"{name}.png"
    with Image.open(BytesIO(taken)) as image:
        image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(file, optimize=True)
    print(f"{file.relative_to(ROOT)}: {width} x {height}, {file.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
