"""A reader of server-sent events, and curl with ranges, resumed downloads and uploads, through the proxy."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import random
import shutil
import subprocess
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from tests import live
from tests.e2e.node import Node, serving, write_config
from tests.e2e.program import until
from tests.e2e.sides import CONFIG, USERS, at_percentages, installed, side_of, sides_at

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from starlette.requests import Request

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

PATIENCE_S = 10.0
EVENT_S = 0.1
LATE_EVENTS = 3  # that may have been sent meanwhile, when one arrives: the machine may be busy
FILE = random.Random(2).randbytes(1_000_003)


@dataclass(slots=True)
class Origin:
    """A backend with a stream of events, a folder of files, and a place for uploads."""

    name: str
    files: Path
    sent: int = 0  # events of the stream that began last
    open: int = 0  # streams

    def app(self) -> Starlette:
        at = "/{percentage}"
        routes = [Route(f"{at}/events", self._events), Route(f"{at}/upload", self._upload, methods=["PUT"])]
        return Starlette(routes=[*routes, Mount(f"{at}/files", StaticFiles(directory=self.files))])

    async def _events(self, _: Request) -> StreamingResponse:
        return StreamingResponse(self._stream(), media_type="text/event-stream", headers={"x-backend": self.name})

    async def _stream(self) -> AsyncIterator[str]:
        self.open += 1
        try:
            for number in itertools.count(1):
                self.sent = number
                yield f"id: {number}\ndata: {time.monotonic()}\n\n"
                await asyncio.sleep(EVENT_S)
        finally:
            self.open -= 1

    async def _upload(self, request: Request) -> PlainTextResponse:
        digest = hashlib.sha256()
        async for piece in request.stream():
            digest.update(piece)
        return PlainTextResponse(f"{self.name} {digest.hexdigest()}")


@dataclass(slots=True)
class Origins:
    """A node between two of them."""

    node: Node
    backends: dict[str, Origin]

    def url(self, percentage: int, path: str) -> str:
        return f"{self.node.url}/{percentage}/{path}"


@pytest.fixture(scope="module")
def origins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Origins]:
    """Both serve the same files."""
    folder = tmp_path_factory.mktemp("origins")
    files = folder / "files"
    files.mkdir()
    (files / "photo.bin").write_bytes(FILE)
    backends = {name: Origin(name, files) for name in ("legacy", "new")}
    with ExitStack() as stack:
        urls = {name: stack.enter_context(live.serve(each.app())) for name, each in backends.items()}
        node = stack.enter_context(serving(write_config(folder, CONFIG.format(**urls)), folder))
        yield Origins(node, backends)
        assert node.stop() == 0


@at_percentages
def test_server_sent_events_arrive_as_they_are_sent(percentage: int, origins: Origins, figure: Callable[[str], None]):
    """Each event is there before the next few are sent; a reader who leaves ends the backends' streams."""
    delays_s, met = [], set()
    for user in USERS[:4]:
        with open_events(origins, percentage, user) as (backend, lines):
            met.add(backend.name)
            for number in range(1, 6):
                assert f"id: {number}" == next(lines)
                assert backend.sent - number <= LATE_EVENTS
                delays_s.append(time.monotonic() - float(next(lines).removeprefix("data: ")))
                assert "" == next(lines)
        until(lambda: not any(each.open for each in origins.backends.values()), "streams ended", within_s=PATIENCE_S)
    assert sides_at(percentage) == met
    figure(f"events at {percentage} %: each {EVENT_S * 1000:.0f} ms, there after {max(delays_s) * 1000:.1f} ms at most")


@contextmanager
def open_events(origins: Origins, percentage: int, user: str) -> Iterator[tuple[Origin, Iterator[str]]]:
    """Whose stream it is, and its lines."""
    url, fields = origins.url(percentage, "events"), {"x-user-id": user, "accept": "text/event-stream"}
    with (
        httpx.Client(trust_env=False, timeout=PATIENCE_S) as client,
        client.stream("GET", url, headers=fields) as answer,
    ):
        assert (200, "text/event-stream; charset=utf-8") == (answer.status_code, answer.headers["content-type"])
        yield origins.backends[answer.headers["x-backend"]], answer.iter_lines()


def curl(*arguments: str | Path) -> str:
    """Runs curl to its end; the answer's status."""
    command = [installed("curl", shutil.which("curl")), "--http1.1", "--silent", "--show-error", "--noproxy", "*"]
    fields = ["--header", f"x-user-id: {USERS[0]}", "--write-out", "%{http_code}"]
    done = subprocess.run(
        [*command, *fields, *map(str, arguments)], capture_output=True, text=True, timeout=30, check=False
    )
    assert (0, "") == (done.returncode, done.stderr)
    return done.stdout


@at_percentages
def test_curl_gets_a_file_and_parts_of_it(percentage: int, origins: Origins, tmp_path: Path):
    """The whole file, its bytes 100 to 199, and its last ten."""
    out, url = tmp_path / "out", origins.url(percentage, "files/photo.bin")
    for options, status, expected in (
        ((), "200", FILE),
        (("--range", "100-199"), "206", FILE[100:200]),
        (("--range", "-10"), "206", FILE[-10:]),
        (("--compressed",), "200", FILE),
    ):
        assert status == curl(*options, "--output", out, url)
        assert expected == out.read_bytes()


@at_percentages
def test_curl_resumes_a_download(percentage: int, origins: Origins, tmp_path: Path):
    """A third of the file is there; only the rest is fetched, and the whole is right."""
    out = tmp_path / "photo.bin"
    out.write_bytes(FILE[: len(FILE) // 3])
    url = origins.url(percentage, "files/photo.bin")
    assert "206" == curl("--continue-at", "-", "--output", out, url)
    assert FILE == out.read_bytes()


@at_percentages
def test_curl_uploads_a_file(percentage: int, origins: Origins, tmp_path: Path):
    """Above a mebibyte curl asks first (Expect: 100-continue); the body arrives whole, on the user's side."""
    file, out = tmp_path / "file", tmp_path / "out"
    file.write_bytes(FILE * 2)
    url = origins.url(percentage, "upload")
    assert "200" == curl("--upload-file", file, "--output", out, url)
    side = side_of(origins.node, percentage, USERS[0])
    assert f"{side} {hashlib.sha256(FILE * 2).hexdigest()}" == out.read_text()
