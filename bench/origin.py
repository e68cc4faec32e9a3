"""The backends behind every contender: two nginx processes that answer from memory and count their requests.

The serving origin answers the users. The mirror origin takes the mirrored requests, on one port with equal
answers and on another with the same JSON in another key order. Their counts show which contender really mirrors.
"""

from __future__ import annotations

import json
import re
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.children import find_free_port
from bench.fetch import fetch, is_answering
from bench.nginx import started_nginx

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COUNT_PATH = "/bench/count"
REQUESTS = re.compile(r"^ \d+ \d+ (\d+)\s*$", re.MULTILINE)

SETTLE_S = 3.0
SETTLE_POLL_S = 0.1

ITEM: dict[str, object] = {
    "id": 4711,
    "title": "Moving house without losing any box",
    "feed": "engineering",
    "read": False,
    "score": 0.75,
    "tags": ["proxy", "json", "small"],
}
"""A small API answer: 136 bytes as compact JSON, the size of the other published figures of this project."""

EQUAL_BODY = json.dumps(ITEM, separators=(",", ":"))
REORDERED_BODY = json.dumps(dict(reversed(ITEM.items())), separators=(",", ":"))


@dataclass(slots=True)
class Counter:
    """The requests that one origin process has got, without those that ask for the count."""

    port: int
    asked: int = 0

    def read(self) -> int:
        _, page = fetch(self.port, COUNT_PATH)
        self.asked += 1
        return parse_requests(page.decode()) - self.asked


@dataclass(frozen=True, slots=True)
class Origins:
    """Ports of the running origins, and their counters."""

    serving_port: int
    equal_port: int
    reordered_port: int
    serving: Counter
    mirror: Counter

    def settled_counts(self) -> tuple[int, int]:
        """Requests (served, mirrored) so far, read when no more arrive, or after `SETTLE_S`."""
        end = time.monotonic() + SETTLE_S
        latest = self._counts()
        while time.monotonic() < end:
            time.sleep(SETTLE_POLL_S)
            earlier, latest = latest, self._counts()
            if earlier == latest:
                break
        return latest

    def _counts(self) -> tuple[int, int]:
        return self.serving.read(), self.mirror.read()


@contextmanager
def running_origins(core: int, folder: Path) -> Iterator[Origins]:
    """Both origins, answering, on one core."""
    serving, equal, reordered = find_free_port(), find_free_port(), find_free_port()
    serving_folder, mirror_folder = folder / "serving", folder / "mirror"
    serving_folder.mkdir()
    mirror_folder.mkdir()
    serving_http = render_server(serving, EQUAL_BODY)
    mirror_http = render_server(equal, EQUAL_BODY) + render_server(reordered, REORDERED_BODY)
    with (
        started_nginx("origin", serving_http, core=core, folder=serving_folder) as serving_child,
        started_nginx("mirror-origin", mirror_http, core=core, folder=mirror_folder) as mirror_child,
    ):
        serving_child.wait_until(lambda: is_answering(serving, COUNT_PATH))
        mirror_child.wait_until(lambda: is_answering(equal, COUNT_PATH) and is_answering(reordered, COUNT_PATH))
        yield Origins(serving, equal, reordered, Counter(serving), Counter(equal))


def render_server(port: int, body: str) -> str:
    """A server block that answers every path with `body`, which holds neither `'` nor `$`."""
    return f"""
    server {{
        listen 127.0.0.1:{port};
        default_type application/json;
        location = {COUNT_PATH} {{ stub_status; }}
        location / {{ return 200 '{body}'; }}
    }}
"""


def parse_requests(page: str) -> int:
    """The request count of an nginx stub_status page; `ValueError` when it isn't one."""
    found = REQUESTS.search(page)
    if not found:
        raise ValueError(f"not a stub_status page: {page!r}")
    return int(found[1])
