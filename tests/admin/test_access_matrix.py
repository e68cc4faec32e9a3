"""Every endpoint by every kind of visitor, each cell the status that is answered: what docs/access.md says, in numbers.

The table, access_matrix.txt, knows nothing of `access.rights`: whoever adds an endpoint adds its line, or the first
test fails. Requests are sound, so that who is let in gets what was asked for; each meets a control plane of its own.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from starlette.requests import Request
from starlette.responses import Response

from proxy.admin.access import rights
from proxy.admin.access.door import open_door
from proxy.admin.access.rights import check_complete
from proxy.admin.access.roster import make_token, written
from proxy.admin.access.session import Sessions
from proxy.admin.api import api_routes, create_app
from proxy.errors import StartError
from proxy.settings import Settings
from tests.fakes import REVISION, SINCE, FakeControl

TABLE = (Path(__file__).parent / "access_matrix.txt").read_text()
ROLES = ("viewer", "operator", "admin")
TOKENS = {name: make_token() for name in (*ROLES, "over", "link", "unknown")}
SESSION_KEY = b"k" * 32
USERS, PROXY, ELSEWHERE = "198.51.100.9", "10.0.0.7", "192.0.2.66"  # addresses; the sign-on proxy is at the second
OWN = "10.0.0.5:9000"
HERE = {"host": OWN, "origin": f"http://{OWN}"}
PROGRAM = {"host": OWN}
LOCAL = {"host": "localhost:9000", "origin": "http://localhost:9000"}


@dataclass(frozen=True, slots=True)
class Visitor:
    """`listener`: which one is visited. `cookie`: of whom."""

    headers: dict[str, str]
    listener: str = "guarded"
    cookie: str = ""
    address: str = USERS


def bearer(name: str, headers: dict[str, str] = HERE) -> dict[str, str]:
    return {**headers, "authorization": f"Bearer {TOKENS[name]}"}


def signed_on(name: str) -> dict[str, str]:
    return {**HERE, "x-sso-user": name}


VISITORS = {
    "none": Visitor(HERE),
    # With a bearer token.
    "view": Visitor(bearer("viewer")),
    "oper": Visitor(bearer("operator")),
    "admi": Visitor(bearer("admin")),
    "prog": Visitor(bearer("admin", PROGRAM)),  # not a browser, which says where a form comes from
    "over": Visitor(bearer("over")),
    "wrng": Visitor(bearer("unknown")),
    "link": Visitor(bearer("link")),
    # In a browser that has signed in, or followed a link.
    "cvie": Visitor(HERE, cookie="viewer"),
    "cope": Visitor(HERE, cookie="operator"),
    "cadm": Visitor(HERE, cookie="admin"),
    "clnk": Visitor(HERE, cookie="link"),
    # On a page of another site, whose browser says so (xsit), or is old and sends Origin only (xori).
    "xsit": Visitor({**PROGRAM, "sec-fetch-site": "cross-site"}, cookie="admin"),
    "xori": Visitor({**PROGRAM, "origin": "https://evil.example"}, cookie="admin"),
    # On a page whose name was pointed at us.
    "host": Visitor({"host": "evil.example", "origin": "http://evil.example"}, cookie="admin"),
    # Said to be somebody by the sign-on proxy, by an address that isn't listed, or somebody who has no role.
    "svie": Visitor(signed_on("vera"), address=PROXY),
    "sope": Visitor(signed_on("ole"), address=PROXY),
    "sunk": Visitor(signed_on("sam"), address=PROXY),
    "sels": Visitor(signed_on("ole"), address=ELSEWHERE),
    # Read-only; and on loopback without tokens: from here, from another site, by another name.
    "read": Visitor(bearer("admin"), "read-only"),
    "open": Visitor(LOCAL, "open", address="127.0.0.1"),
    "oxsi": Visitor({**LOCAL, "sec-fetch-site": "cross-site"}, "open", address="127.0.0.1"),
    "ohst": Visitor({"host": "evil.example"}, "open", address="127.0.0.1"),
}
NAMES = {"/routes/": "feeds", "/diffs/": "a1b2c3d4e5f6", "/static/": "room.css", "/shared/": TOKENS["link"]}
REASON = {"reason": "r"}
SENT: dict[tuple[str, str], dict[str, Any]] = {
    ("GET", "/api/v1/routes/{name}/preview"): {"percentage": "50"},
    ("GET", "/api/v1/explain"): {"path": "/api/feeds"},
    ("GET", "/api/v1/trends"): {"id": "a1b2c3d4e5f6"},
    ("GET", "/diffs/{id}/ignore"): REASON,
    ("PUT", "/api/v1/routes/{name}/rollout"): {"percentage": 6, **REASON},
    ("PUT", "/api/v1/routes/{name}/hold"): REASON,
    ("PUT", "/api/v1/kill-switch"): REASON,
    ("POST", "/api/v1/routes/{name}/proposals"): {"rules": ["$.x"], **REASON},
    ("POST", "/api/v1/diffs/{id}/state"): {"state": "known", **REASON},
    ("POST", "/kill-switch"): REASON,
    ("POST", "/kill-switch/off"): {"confirm": "off", **REASON},
    ("POST", "/diffs/{id}/state"): {"action": "accept", "seen": REVISION, **REASON},
    ("POST", "/routes/{name}/rollout"): {"percentage": "6", "seen": "5", **REASON},
    ("POST", "/routes/{name}/hold"): {"seen": "none", **REASON},
    ("POST", "/routes/{name}/release"): {"seen": "0", **REASON},
    ("POST", "/sign-in"): {"token": TOKENS["viewer"]},
}


class Listeners:
    """Those that are visited, each time with a control plane that nobody has changed yet."""

    def __init__(self, tokens_file: Path) -> None:
        guarded = {
            "admin_listen": OWN,
            "admin_tokens_file": tokens_file,
            "admin_sso_header": "X-SSO-User",
            "admin_sso_proxies": PROXY,
        }
        self._settings = {
            "guarded": Settings(**guarded),  # type: ignore[arg-type]
            "read-only": Settings(**guarded, admin_read_only=True),  # type: ignore[arg-type]
            "open": Settings(admin_listen="127.0.0.1:9000"),
        }

    def app(self, name: str) -> Any:
        control = FakeControl()
        control.killed_by = {"who": "ada", "reason": "r", "since": SINCE}
        return create_app(control, self._settings[name], SESSION_KEY)

    def cookie(self, name: str) -> str:
        """As signing in sets it."""
        key = open_door(self._settings["guarded"]).key_of(TOKENS[name], time.time())
        assert key is not None
        answer = Response()
        request = Request({"type": "http", "headers": []})
        Sessions(SESSION_KEY, "").begin(answer, request, key, time.time(), is_link=name == "link")
        return answer.headers["set-cookie"].partition(";")[0]


@pytest.fixture(scope="module")
def listeners(tmp_path_factory: pytest.TempPathFactory) -> Listeners:
    yesterday = f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%d}"
    lines = [written("token", name, name, "never", TOKENS[name]) for name in ROLES]
    lines += [written("token", "over", "admin", yesterday, TOKENS["over"])]
    lines += [written("link", "board", None, "never", TOKENS["link"])]
    lines += ["person vera viewer", "person ole operator  # on call"]
    file = tmp_path_factory.mktemp("access") / "tokens"
    file.write_text("\n".join(lines))
    return Listeners(file)


def rows(table: str) -> dict[tuple[str, str], tuple[int, ...]]:
    """(method, path) -> the statuses in the order of the visitors."""
    heading, *lines = [line.split() for line in table.strip().splitlines()]
    assert list(VISITORS) == heading[2:]
    return {(method, path): tuple(map(int, cells)) for method, path, *cells in lines}


def test_every_endpoint_has_a_line(listeners: Listeners) -> None:
    """Those that the listener's application routes, by its own account; and no line is of one that is gone."""
    app = listeners.app("guarded")
    routed = [(method, route.path) for route in app._app.routes for method in route.methods - {"HEAD"}]
    assert sorted(routed) == sorted(rows(TABLE))


@pytest.mark.parametrize(("method", "path"), rows(TABLE), ids=" ".join)
def test_access(listeners: Listeners, method: str, path: str) -> None:
    """Each visitor is answered as the table says, and no answer may be read as what it is not."""
    expected = dict(zip(VISITORS, rows(TABLE)[method, path], strict=True))
    assert expected == asyncio.run(answers(listeners, method, path))


async def answers(listeners: Listeners, method: str, path: str) -> dict[str, int]:
    return {name: await visit(listeners, visitor, method, path) for name, visitor in VISITORS.items()}


async def visit(listeners: Listeners, visitor: Visitor, method: str, path: str) -> int:
    """The status that the application begins to answer with; what follows, which may never end, is left alone."""
    headers = dict(visitor.headers)
    if visitor.cookie:
        headers["cookie"] = listeners.cookie(visitor.cookie)
    sent = SENT.get((method, path), {})
    query, body = (urlencode(sent), b"") if method in {"GET", "DELETE"} else ("", b"")
    if method in {"POST", "PUT"} and not path.endswith("/v1/reload"):
        is_form = not path.startswith("/api/")
        headers["content-type"] = "application/x-www-form-urlencoded" if is_form else "application/json"
        body = urlencode(sent).encode() if is_form else json.dumps(sent).encode() if sent else b""
    target = path
    for place, name in NAMES.items():
        head, brace, rest = target.partition(f"{place}{{")
        target = f"{head}{place}{name}{rest.partition('}')[2]}" if brace else target
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": target,
        "raw_path": target.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": (visitor.address, 40_000),
        "server": ("10.0.0.5", 9000),
    }
    begun: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    received = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> Any:
        for message in received:
            return message
        return await asyncio.Event().wait()

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            begun.set_result(message)

    answering = asyncio.create_task(listeners.app(visitor.listener)(scope, receive, send))
    await asyncio.wait([answering, begun], return_when=asyncio.FIRST_COMPLETED, timeout=20)
    answering.cancel()
    await asyncio.wait([answering])
    names = {name.decode(): value.decode() for name, value in begun.result()["headers"]}
    assert names["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in names["content-security-policy"]
    return int(begun.result()["status"])


def test_an_endpoint_without_a_right_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor a right whose endpoint is gone."""
    monkeypatch.delitem(rights.RIGHTS, "/api/v1/status")
    with pytest.raises(StartError, match="/api/v1/status"):
        create_app(FakeControl(), Settings(admin_listen="127.0.0.1:9000"))
    monkeypatch.undo()
    with pytest.raises(StartError, match="/diffs"):
        check_complete(api_routes(FakeControl()))


@pytest.mark.parametrize(("visitor", "status"), [("none", 401), ("link", 403), ("sunk", 403), ("view", 404)])
def test_unknown_addresses_are_told_only_to_those_who_see_everything(
    listeners: Listeners, visitor: str, status: int
) -> None:
    """Nobody finds out by trying which addresses exist."""
    assert status == asyncio.run(visit(listeners, VISITORS[visitor], "GET", "/nothing"))


def test_head_is_answered_as_get_is(listeners: Listeners) -> None:
    """It tells as much as GET does of what there is."""
    for path in ("/", "/audit.csv", "/metrics", "/api/v1/diffs/{id}"):
        assert rows(TABLE)["GET", path] == tuple(asyncio.run(answers(listeners, "HEAD", path)).values())
