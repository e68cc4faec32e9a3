"""Who may speak to the admin API: Host, token, and pages of other sites."""

from __future__ import annotations

import http.client
from typing import TYPE_CHECKING

import httpx
import pytest

from proxy.admin.access.door import is_loopback
from proxy.admin.api import create_app
from proxy.errors import StartError
from proxy.settings import Settings
from tests.live import Stage, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fakes import FakeControl

TOKEN = "correct horse battery staple"
RELOAD = "/api/v1/reload"


@pytest.fixture(scope="session")
def guarded_stage() -> Iterator[tuple[Stage, str]]:
    """A second server: some tests ask both."""
    stage = Stage()
    with serve(stage) as url:
        yield stage, url


@pytest.fixture
def guarded(control: FakeControl, guarded_stage: tuple[Stage, str]) -> Iterator[httpx.Client]:
    """An API that others may reach, with a token."""
    app, url = guarded_stage
    app.app = create_app(control, Settings(admin_listen="0.0.0.0:9000", admin_token=TOKEN))
    with httpx.Client(base_url=url, trust_env=False) as client:
        yield client


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:9000", "127.0.0.1", "127.0.0.1:1", "[::1]", "[::1]:9000"])
def test_host_that_names_loopback_is_let_in(client: httpx.Client, host: str):
    """Any port will do: a tunnel or a container may change it."""
    assert client.get("/api/v1/status", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:9000", "[::2]", "x"]
)
def test_host_of_a_rebound_name_is_refused(client: httpx.Client, host: str):
    """A page that points its own name at 127.0.0.1 still sends its own name."""
    response = client.get("/api/v1/status", headers={"host": host})
    assert (421, "misdirected") == (response.status_code, response.json()["code"])


def test_host_of_the_listener_itself_is_let_in(control: FakeControl):
    """The configured address is a name of the listener, whatever it is."""
    with serve(create_app(control, Settings(admin_listen="127.0.0.9:9000"))) as url:
        assert httpx.get(f"{url}/api/v1/status", headers={"host": "127.0.0.9:9000"}, trust_env=False).is_success


def test_missing_host_is_refused(client: httpx.Client):
    """HTTP/1.0 has no Host; who leaves it out names nobody."""
    connection = http.client.HTTPConnection(client.base_url.host, client.base_url.port or 0, timeout=5)
    connection._http_vsn, connection._http_vsn_str = 10, "HTTP/1.0"  # type: ignore[attr-defined]
    connection.putrequest("GET", "/api/v1/status", skip_host=True)
    connection.endheaders()
    assert 421 == connection.getresponse().status
    connection.close()


@pytest.mark.parametrize("probe", ["/livez", "/readyz"])
def test_probes_are_open_to_any_name(client: httpx.Client, guarded: httpx.Client, probe: str):
    """An orchestrator asks by address, and has no token."""
    assert [200, 200] == [
        client.get(probe, headers={"host": "10.1.2.3"}).status_code,
        guarded.get(probe, headers={"host": "10.1.2.3"}).status_code,
    ]


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
        {"sec-fetch-site": "none", "origin": "https://evil.example"},
    ],
)
def test_page_of_another_site_may_not_change_anything(
    client: httpx.Client, control: FakeControl, headers: dict[str, str]
):
    """An unsafe request on behalf of another page is refused before any endpoint sees it."""
    response = client.post(RELOAD, headers=headers)
    assert (403, "cross_site", []) == (response.status_code, response.json()["code"], control.calls)


def test_own_page_may_change_things(client: httpx.Client, control: FakeControl):
    """A page that this listener served has its own origin."""
    origin = str(client.base_url).rstrip("/")
    assert client.post(RELOAD, headers={"origin": origin, "sec-fetch-site": "same-origin"}).status_code == 200
    assert control.calls == [("reload",)]


def test_page_of_another_site_may_link_here(client: httpx.Client):
    """A link on another page is a safe request."""
    assert client.get("/api/v1/status", headers={"sec-fetch-site": "cross-site"}).status_code == 200


@pytest.mark.parametrize("target", ["/api/v1/status", "/metrics", "/nothing"])
@pytest.mark.parametrize("credentials", [None, "Bearer wrong", "Basic " + TOKEN, TOKEN, "Bearer", "Bearer \xff"])
def test_token_is_asked_for_everywhere_but_at_probes(guarded: httpx.Client, target: str, credentials: str | None):
    """Without the token nothing is told, not even which addresses exist."""
    headers = [] if credentials is None else [(b"authorization", credentials.encode("latin-1"))]
    response = guarded.get(target, headers=headers)
    assert (401, "unauthorized", True) == (
        response.status_code,
        response.json()["code"],
        response.headers["www-authenticate"].startswith("Bearer"),
    )


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_token_lets_in_by_any_name(guarded: httpx.Client, scheme: str):
    """With a token the Host need not be known: a rebound page has no token."""
    headers = {"authorization": f"{scheme} {TOKEN}", "host": "changeover.internal"}
    assert guarded.get("/api/v1/status", headers=headers).status_code == 200


def test_token_does_not_excuse_a_page_of_another_site(guarded: httpx.Client):
    """Both checks hold together."""
    headers = {"authorization": f"Bearer {TOKEN}", "origin": "https://evil.example"}
    assert guarded.post(RELOAD, headers=headers).status_code == 403


@pytest.mark.parametrize("listen", ["0.0.0.0:9000", "[::]:9000", "10.0.0.1:9000", "admin.example:9000"])
def test_public_listener_without_a_token_is_refused_at_start(control: FakeControl, listen: str):
    """Nobody opens the controls to a network by accident."""
    with pytest.raises(StartError, match="CHANGEOVER_ADMIN_TOKEN"):
        create_app(control, Settings(admin_listen=listen))


def test_short_token_is_refused_at_start(control: FakeControl):
    """A token that can be guessed is none, and its value stays out of the message."""
    with pytest.raises(StartError, match="16 characters") as refusal:
        create_app(control, Settings(admin_token="hunter2"))
    assert "hunter2" not in str(refusal.value)


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("::", False)],
)
def test_loopback_is_known_by_its_address(host: str, expected: bool):
    """All of 127/8, ::1 and localhost; not the address that means every interface."""
    assert expected == is_loopback(host)
