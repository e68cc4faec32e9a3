"""Both backends on real sockets, each with a state folder of its own, and what differs between two answers."""

from __future__ import annotations

import hashlib
import json
import shutil
import socket
import threading
from collections import Counter
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import uvicorn
from PIL import Image

import legacy_backend.app
import legacy_backend.settings
import new_backend.app
import new_backend.settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.types import ASGIApp

JOIN_S = 10.0
IGNORED_HEADERS = frozenset({"date", "server", "content-length", "x-runtime"})
IGNORED_PATHS = frozenset({"$.generated_at", "$.items[*].etag"})
TOLERANCE = 0.001


@contextmanager
def serve(app: ASGIApp) -> Iterator[str]:
    """The URL of the app on a free port of this machine; stopped, with its lifespan, at the end."""
    config = uvicorn.Config(app, http="httptools", ws="none", log_level="critical", timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)  # requests wait here until the server has started
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(JOIN_S)
            assert not thread.is_alive()


@pytest.fixture(scope="session")
def filled_folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A state folder of each backend just after its first start."""
    folders = {name: tmp_path_factory.mktemp(name) for name in ("legacy", "new")}
    legacy_backend.app.create_app(legacy_backend.settings.Settings(state_dir=folders["legacy"]))
    new_backend.app.create_app(new_backend.settings.Settings(state_dir=folders["new"]))
    return folders


@dataclass
class Backends:
    """Starts backends on copies of the filled folders; `start_…` returns the URL."""

    folder: Path
    filled: dict[str, Path]
    running: ExitStack = field(default_factory=ExitStack)

    def state_dir(self, side: str) -> Path:
        folder = self.folder / side
        if not folder.exists():
            shutil.copytree(self.filled[side], folder)
        return folder

    def start_legacy(self) -> str:
        settings = legacy_backend.settings.Settings(state_dir=self.state_dir("legacy"))
        return self.running.enter_context(serve(legacy_backend.app.create_app(settings)))

    def start_new(self, bugs: str = "none") -> str:
        settings = new_backend.settings.Settings(state_dir=self.state_dir("new"), bugs=bugs)
        return self.running.enter_context(serve(new_backend.app.create_app(settings)))

    def start(self, side: str) -> str:
        return self.start_legacy() if side == "legacy" else self.start_new()

    def stop(self) -> None:
        self.running.close()


@pytest.fixture
def backends(tmp_path: Path, filled_folders: dict[str, Path]) -> Iterator[Backends]:
    """Nothing started yet; everything stopped in the end."""
    starter = Backends(tmp_path, filled_folders)
    yield starter
    starter.stop()


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory, filled_folders: dict[str, Path]) -> Iterator[dict[str, str]]:
    """URLs of both backends, for tests that change nothing."""
    starter = Backends(tmp_path_factory.mktemp("running"), filled_folders)
    yield {side: starter.start(side) for side in filled_folders}
    starter.stop()


@dataclass(frozen=True)
class Step:
    """A request of a user; `template` is its path as the documentation writes it."""

    user: str
    method: str
    template: str
    path: str
    options: dict[str, Any] = field(default_factory=dict)


class Script:
    """Requests of three readers over every endpoint, good and refused ones, in a fixed order."""

    def __init__(self) -> None:
        self.photo = picture("PNG", (320, 200))
        self.other_photo = picture("JPEG", (90, 400))
        self.steps = [step for number in (1, 2, 3) for step in self._reader(f"reader{number:02d}", number)]

    def _reader(self, user: str, number: int) -> Iterator[Step]:
        yield Step(user, "GET", "/api/session", "/api/session")
        password = f"paper-boat-{number:02d}"
        for secret in ("wrong", password):
            credentials = {"username": user, "password": secret}
            yield Step(user, "POST", "/api/session", "/api/session", {"json": credentials})
        for path in ("/api/session", "/api/feeds", "/api/subscriptions", "/api/unread", "/healthz", "/nowhere"):
            yield Step(user, "GET", path, path)
        yield from self._feeds(user, number)
        yield from self._writes(user, number)
        yield from self._photos(user)
        yield from self._pages(user, number)
        for query in ("bread", "How  BREAD", "café", "nothingofthekind", "salt&limit=3", ""):
            yield Step(user, "GET", "/api/search", f"/api/search?q={query}")
        yield Step(user, "DELETE", "/api/session", "/api/session")
        yield Step(user, "GET", "/api/unread", "/api/unread")

    def _feeds(self, user: str, number: int) -> Iterator[Step]:
        for feed in (number, number + 24, "999", "abc", "007"):
            for method in ("GET", "HEAD"):
                yield Step(user, method, "/api/feeds/{feed_id}", f"/api/feeds/{feed}")
        for query in ("", "?page=5", "?page=10", "?page=11", "?page=7&per_page=30", "?page=0", "?per_page=101"):
            path = f"/api/feeds/{number}/items{query}"
            yield Step(user, "GET", "/api/feeds/{feed_id}/items", path)
        yield Step(user, "GET", "/api/feeds/{feed_id}/items", "/api/feeds/999/items")

    def _writes(self, user: str, number: int) -> Iterator[Step]:
        for item in (200 * number, 200 * number, 200 * number - 5, 10_001, "x"):
            yield Step(user, "POST", "/api/items/{item_id}/read", f"/api/items/{item}/read")
        for feed in (number, number, 51, "1", True, None, -1, 10**30):
            yield Step(user, "POST", "/api/subscriptions", "/api/subscriptions", {"json": {"feed_id": feed}})
        yield Step(user, "GET", "/api/subscriptions", "/api/subscriptions")
        yield Step(user, "GET", "/api/unread", "/api/unread")
        yield Step(user, "GET", "/api/feeds/{feed_id}/items", f"/api/feeds/{number}/items")
        for feed in (number + 1, number + 1, 12, 999):
            yield Step(user, "DELETE", "/api/subscriptions/{feed_id}", f"/api/subscriptions/{feed}")
        for path in ("/api/subscriptions", "/api/unread", "/api/feeds"):
            yield Step(user, "GET", path, path)

    def _photos(self, user: str) -> Iterator[Step]:
        for photo, media_type in ((self.photo, "image/png"), (self.other_photo, "image/jpeg")):
            upload = {"content": photo, "headers": {"content-type": media_type}}
            yield Step(user, "POST", "/api/photos", "/api/photos", upload)
            for part in ("", "/thumbnail", "/original"):
                template = f"/api/photos/{{photo_id}}{part}"
                yield Step(user, "GET", template, f"/api/photos/{digest(photo)}{part}")
            yield Step(user, "POST", "/api/photos", "/api/photos", upload)
        yield Step(user, "GET", "/api/photos", "/api/photos")
        yield Step(user, "GET", "/api/photos/{photo_id}", "/api/photos/0")

    def _pages(self, user: str, number: int) -> Iterator[Step]:
        yield Step(user, "GET", "/read", "/read")
        for feed in (number, 999):
            yield Step(user, "GET", "/read/{feed_id}", f"/read/{feed}")
        for name in ("reader.css", "reader.js", "other.js"):
            yield Step(user, "GET", "/static/{name}", f"/static/{name}")

    def run(self, url: str) -> list[httpx.Response]:
        """The answers, one for each step, each user with a cookie jar of their own."""
        with ExitStack() as stack:
            names = {step.user for step in self.steps}
            users = {name: stack.enter_context(httpx.Client(base_url=url, timeout=30)) for name in names}
            return [users[step.user].request(step.method, step.path, **step.options) for step in self.steps]

    def differences(self, legacy_url: str, new_url: str) -> set[tuple[str, str]]:
        """(endpoint, where) of everything that the two backends answer differently."""
        answers = zip(self.steps, self.run(legacy_url), self.run(new_url), strict=True)
        return {
            (f"{step.method} {step.template}", where)
            for step, legacy, new in answers
            for where in answer_differences(legacy, new)
        }


@pytest.fixture(scope="session")
def script() -> Script:
    """The same requests in every test."""
    return Script()


def digest(data: bytes) -> str:
    """A photo's id."""
    return hashlib.sha256(data).hexdigest()


def picture(form: str, size: tuple[int, int]) -> bytes:
    """An encoded gradient, the same bytes in every run."""
    output = BytesIO()
    Image.linear_gradient("L").resize(size).convert("RGB").save(output, form)
    return output.getvalue()


@pytest.fixture(scope="session")
def make_picture() -> Any:
    """`picture`, for tests."""
    return picture


def answer_differences(legacy: httpx.Response, new: httpx.Response) -> Iterator[str]:
    """Each place where two answers differ: status, header:<name>, text, or a JSON path."""
    if legacy.status_code != new.status_code:
        yield "status"
    for name in sorted({*legacy.headers, *new.headers} - IGNORED_HEADERS):
        if legacy.headers.get_list(name) != new.headers.get_list(name):
            yield f"header:{name}"
    if legacy.content and legacy.headers["content-type"].endswith("json"):
        yield from json_differences(json.loads(legacy.content), json.loads(new.content), "$")
    elif legacy.content != new.content:
        yield "text"


def json_differences(legacy: Any, new: Any, path: str) -> Iterator[str]:
    """Paths of unequal values; a list with the same members in another order is one difference."""
    if path in IGNORED_PATHS or (path == "$.tags" and sorted(legacy) == sorted(new)):
        return
    if isinstance(legacy, dict) and isinstance(new, dict):
        for key in {*legacy, *new}:
            yield from json_differences(legacy.get(key, ...), new.get(key, ...), f"{path}.{key}")
    elif (
        isinstance(legacy, list) and isinstance(new, list) and len(legacy) == len(new) and not is_reordered(legacy, new)
    ):
        for one, other in zip(legacy, new, strict=True):
            yield from json_differences(one, other, f"{path}[*]")
    elif not is_equal(legacy, new, path):
        yield path


def is_reordered(legacy: list[Any], new: list[Any]) -> bool:
    """Whether two unequal lists have the same members."""
    return legacy != new and Counter(map(repr, legacy)) == Counter(map(repr, new))


def is_equal(legacy: Any, new: Any, path: str) -> bool:
    """Equality of type and value; scores only have to be close."""
    if path == "$.items[*].score" and isinstance(legacy, float) and isinstance(new, float):
        return abs(legacy - new) < TOLERANCE
    return type(legacy) is type(new) and legacy == new


@pytest.fixture
def sign_in() -> Iterator[Any]:
    """`sign_in(url, number)`: a client with that reader's session, closed in the end."""
    with ExitStack() as stack:

        def sign_in(url: str, number: int = 1) -> httpx.Client:
            client = stack.enter_context(httpx.Client(base_url=url, timeout=30))
            credentials = {"username": f"reader{number:02d}", "password": f"paper-boat-{number:02d}"}
            assert client.post("/api/session", json=credentials).status_code == 200
            return client

        yield sign_in
