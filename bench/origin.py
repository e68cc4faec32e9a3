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
from bench.nginx import render_tls, started_nginx
from bench.scenarios import CORE
from bench.urgency import ORIGIN, put_first

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from bench.certificate import Certificate
    from bench.scenarios import Scenario

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
ECHO_BODY = f'{EQUAL_BODY[:-1]},"session":"$cookie_session"}}'
"""As nginx reads it: with a variable, which makes each answer another one where each cookie is."""

FILE_NAME = "answer.json"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the origins answer: `expected` to a request without cookie. A `file` holds what is too long for a config."""

    expected: str
    location: str
    file: str | None = None


def choose_answer(scenario: Scenario) -> Answer:
    """The answer of a scenario's origins."""
    if scenario.varying == "everything":
        return Answer(ECHO_BODY.replace("$cookie_session", ""), render_return(ECHO_BODY))
    if scenario.answer_bytes:
        body = make_body(scenario.answer_bytes)
        return Answer(body, FILE_LOCATION, body)
    return Answer(EQUAL_BODY, render_return(EQUAL_BODY))


def make_body(size: int) -> str:
    """A JSON list of items, `size` bytes long in all."""
    item_bytes = len(EQUAL_BODY) + 1
    items = [EQUAL_BODY] * ((size - len('[""]')) // item_bytes)
    bare = f"[{','.join([*items, json.dumps('')])}]"
    return f"{bare[:-2]}{'x' * (size - len(bare))}{bare[-2:]}"


def render_return(body: str) -> str:
    """The directive that answers with `body`, which holds no `'` and a `$` only before nginx's own variables."""
    return f"return 200 '{body}';"


# As from memory: the file stays open, and nothing of the answer tells one origin from the other.
FILE_LOCATION = f"""rewrite ^ /{FILE_NAME} break;
            open_file_cache max=8 inactive=1h;
            open_file_cache_valid 1h;
            sendfile on;
            tcp_nopush on;
            etag off;
            add_header Last-Modified "";"""


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
    serving_tls_port: int | None = None

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
def running_origins(
    cores: Sequence[int],
    folder: Path,
    scenario: Scenario = CORE,
    certificate: Certificate | None = None,
    *,
    is_first: bool = False,
) -> Iterator[Origins]:
    """Both origins, answering, on these cores; with a certificate the serving one speaks TLS on a port of its own.

    With `is_first` they go before the other programs on their cores (`bench.urgency`).
    """
    serving, equal, reordered = find_free_port(), find_free_port(), find_free_port()
    answer = choose_answer(scenario)
    serving_folder, mirror_folder = _make_folder(folder, "serving", answer), _make_folder(folder, "mirror", answer)
    serving_http = render_server(serving, answer.location)
    serving_tls = find_free_port() if certificate else None
    if serving_tls and certificate:
        serving_http += render_server(serving_tls, answer.location, certificate)
    mirror_http = render_server(equal, answer.location) + render_server(reordered, render_return(REORDERED_BODY))
    with (
        started_nginx("origin", serving_http, cores=cores, folder=serving_folder) as serving_child,
        started_nginx("mirror-origin", mirror_http, cores=cores, folder=mirror_folder) as mirror_child,
    ):
        serving_child.wait_until(lambda: is_answering(serving, COUNT_PATH))
        mirror_child.wait_until(lambda: is_answering(equal, COUNT_PATH) and is_answering(reordered, COUNT_PATH))
        if is_first:
            put_first(serving_child.pid, ORIGIN)
            put_first(mirror_child.pid, ORIGIN)
        yield Origins(serving, equal, reordered, Counter(serving), Counter(equal), serving_tls)


def _make_folder(parent: Path, name: str, answer: Answer) -> Path:
    folder = parent / name
    folder.mkdir()
    if answer.file is not None:
        (folder / "html").mkdir()  # nginx's default root, below its prefix
        (folder / "html" / FILE_NAME).write_text(answer.file)
    return folder


def render_server(port: int, location: str, certificate: Certificate | None = None) -> str:
    """A server block that answers every path as the directives of `location` say, by TLS with a certificate."""
    return f"""
    server {{
        listen 127.0.0.1:{port}{render_tls(certificate)};
        default_type application/json;
        types {{ application/json json; }}
        location = {COUNT_PATH} {{ stub_status; }}
        location / {{
            {location}
        }}
    }}
"""


def parse_requests(page: str) -> int:
    """The request count of an nginx stub_status page; `ValueError` when it isn't one."""
    found = REQUESTS.search(page)
    if not found:
        raise ValueError(f"not a stub_status page: {page!r}")
    return int(found[1])
