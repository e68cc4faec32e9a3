"""Every endpoint by every kind of visitor: who is let in, who is sent away, and how. The table is `access.rights`."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import httpx
import pytest

from proxy.admin.access import rights
from proxy.admin.access.rights import RIGHTS, Role, check_complete
from proxy.admin.access.roster import make_token, written
from proxy.admin.api import ENDPOINTS, api_routes, create_app
from proxy.errors import StartError
from proxy.settings import Settings
from tests.fakes import FakeControl
from tests.live import serve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOKENS = {name: make_token() for name in ("viewer", "operator", "admin", "over", "link")}
LET_IN = 0  # any answer of the endpoint itself, whatever it is
# What each visitor sends, and what of the endpoints is theirs: a role, or the status of all refusals.
VISITORS: dict[str, tuple[dict[str, str], Role | int]] = {
    "nobody": ({}, 401),
    "viewer": ({"authorization": f"Bearer {TOKENS['viewer']}"}, Role.VIEWER),
    "operator": ({"authorization": f"Bearer {TOKENS['operator']}"}, Role.OPERATOR),
    "admin": ({"authorization": f"Bearer {TOKENS['admin']}"}, Role.ADMIN),
    "has the link": ({"authorization": f"Bearer {TOKENS['link']}"}, Role.LINK),
    "token is over": ({"authorization": f"Bearer {TOKENS['over']}"}, 401),
    "wrong token": ({"authorization": f"Bearer {make_token()}"}, 401),
    "digest for a token": ({"authorization": "Bearer " + written("", "", None, "", "x").split(":")[1]}, 401),
    "basic": ({"authorization": "Basic YWRtaW46YWRtaW4="}, 401),
    "forged cookie": ({"cookie": f"changeover_session=1.{'0' * 32}.99999999999.{'0' * 64}"}, 401),
    "cookie of rubbish": ({"cookie": "changeover_session=a.b.c.d.e"}, 401),
    "admin, cross-site": ({"authorization": f"Bearer {TOKENS['admin']}", "sec-fetch-site": "cross-site"}, Role.ADMIN),
    "nobody, wrong Host": ({"host": "evil.example"}, 421),
    "viewer signed on": ({"x-sso-user": "vera", "x-from": "sso"}, Role.VIEWER),
    "operator signed on": ({"x-sso-user": "ole", "x-from": "sso"}, Role.OPERATOR),
    "stranger signed on": ({"x-sso-user": "sam", "x-from": "sso"}, 403),
    "signed on from elsewhere": ({"x-sso-user": "ole"}, 401),
}
ENTRIES = [(method, path) for path, methods in RIGHTS.items() for method in methods]


@pytest.fixture(scope="module")
def tokens_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    yesterday = f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%d}"
    lines = [written("token", name, name, "never", TOKENS[name]) for name in ("viewer", "operator", "admin")]
    lines += [written("token", "over", "admin", yesterday, TOKENS["over"])]
    lines += [written("link", "board", None, "never", TOKENS["link"])]
    lines += ["person vera viewer", "person ole operator  # on call"]
    file = tmp_path_factory.mktemp("access") / "tokens"
    file.write_text("\n".join(lines))
    return file


@pytest.fixture(scope="module")
def clients(tokens_file: Path) -> Iterator[dict[str, httpx.Client]]:
    """Two listeners that differ in whom they believe about names: the sign-on proxy is here, or elsewhere."""
    with serve(app(tokens_file, "127.0.0.1")) as near, serve(app(tokens_file, "192.0.2.1")) as far:
        with httpx.Client(base_url=near, trust_env=False) as one, httpx.Client(base_url=far, trust_env=False) as other:
            yield {"sso": one, "": other}


def app(tokens_file: Path, sign_on: str, **more: object) -> object:
    settings = Settings(
        admin_listen="0.0.0.0:9000",
        admin_tokens_file=tokens_file,
        admin_sso_header="X-SSO-User",
        admin_sso_proxies=sign_on,
        **more,  # type: ignore[arg-type]
    )
    return create_app(FakeControl(), settings)


@pytest.mark.parametrize("visitor", VISITORS)
@pytest.mark.parametrize(("method", "path"), ENTRIES, ids=[" ".join(entry) for entry in ENTRIES])
def test_access(clients: dict[str, httpx.Client], method: str, path: str, visitor: str) -> None:
    """The endpoint answers whom the table lets in; others get the refusal that is theirs."""
    headers, theirs = VISITORS[visitor]
    client = clients[headers.get("x-from", "")]
    with client.stream(method, re.sub(r"\{\w+\}", "feeds", path), headers=headers) as answer:
        if answer.headers.get("content-type") == "application/problem+json":
            answer.read()  # other answers need not end
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "content-security-policy" in answer.headers
        assert expected(RIGHTS[path][method], method, path, theirs, headers) == refusal_of(answer)


def expected(needed: Role, method: str, path: str, theirs: Role | int, headers: dict[str, str]) -> int:
    """Written anew from docs/access.md, not from the code."""
    if path in {"/livez", "/readyz"}:
        return LET_IN
    if theirs == 421:
        return 421
    if "sec-fetch-site" in headers and method != "GET":
        return 403
    if not isinstance(theirs, Role):  # refused wherever anything is asked for; a wrong token is refused everywhere
        return theirs if needed > Role.ANYONE or "authorization" in headers else LET_IN
    return LET_IN if theirs >= needed else 403


def refusal_of(answer: httpx.Response) -> int:
    """The status of what the guard answers; forms are refused by their endpoints too, in words of their own."""
    if answer.headers.get("content-type") != "application/problem+json":
        return LET_IN
    code = answer.json()["code"]
    return answer.status_code if code in {"unauthorized", "forbidden", "cross_site", "misdirected"} else LET_IN


def test_an_endpoint_without_a_row_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor a row whose endpoint is gone."""
    monkeypatch.delitem(rights.RIGHTS, "/api/v1/status")
    with pytest.raises(StartError, match="/api/v1/status"):
        create_app(FakeControl(), Settings(admin_listen="127.0.0.1:9000"))
    monkeypatch.undo()
    with pytest.raises(StartError, match="/diffs"):
        check_complete(api_routes(FakeControl()))


def test_unknown_addresses_are_told_only_to_those_who_see_everything(clients: dict[str, httpx.Client]) -> None:
    """Nobody finds out by trying which addresses exist."""
    by = {name: clients[""].get("/nothing", headers=VISITORS[name][0]).status_code for name in ("nobody", "viewer")}
    assert {"nobody": 401, "viewer": 404} == by


@pytest.mark.parametrize("path", [path for path, methods in ENDPOINTS.items() if set(methods) - {"GET"}])
def test_read_only_shows_everything_and_changes_nothing(tokens_file: Path, path: str) -> None:
    """Even an admin is refused, and told why."""
    read_only = app(tokens_file, "127.0.0.1", admin_read_only=True)
    with serve(read_only) as url, httpx.Client(base_url=url, headers=VISITORS["admin"][0], trust_env=False) as client:
        assert client.get("/api/v1/status").is_success
        for method in set(ENDPOINTS[path]) - {"GET"}:
            answer = client.request(method, re.sub(r"\{\w+\}", "feeds", path))
            assert (403, "read_only") == (answer.status_code, answer.json()["code"])
